//! What the window, the tray and `signbell status` see: one snapshot of everything.
//!
//! No type here can hold a secret, so nothing that renders a view can leak one. Times are Unix
//! seconds on this machine's clock. Every sentence was made by [`crate::wording`].

use serde::{Deserialize, Serialize};

use crate::activity::Tally;
use crate::config::Theme;
use crate::model::{AccountName, ExpiredAnswer, ServiceName, ToolName};
use crate::qr;
use crate::wording::language::Language;

/// The whole program at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct AppView {
    /// Where tools reach us.
    pub proxy: ProxyView,
    /// Those that need the person first, then by name.
    pub accounts: Vec<AccountView>,
    /// By name.
    pub services: Vec<ServiceView>,
    /// By name.
    pub tools: Vec<ToolView>,
    /// Sentences on what is not as it should be with the program itself (a keyring that is missing,
    /// a configuration with a mistake), most important first.
    pub banners: Vec<String>,
    /// What Signbell spared the person since it began to count.
    #[serde(default)]
    pub recoveries: Tally,
    /// The language that the person set for the desktop; where none is, that of the environment counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub language: Option<Language>,
    /// What the tray and the window themselves go by.
    #[serde(default)]
    pub desktop: DesktopView,
    /// Programs that wait for the person to say whether they may use a service, the first one first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub confirms: Vec<ConfirmView>,
    /// What waits for a click at the screen before it lets programs do more, the first one first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub permits: Vec<PermitView>,
}

/// A question: whether programs may do more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PermitView {
    /// The answer names it.
    pub id: u64,
    /// `signbell wants to let script use github (api.github.com, ada) too`.
    pub title: String,
    /// What there is to know of it.
    pub body: String,
}

/// A question: whether a program may use a service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfirmView {
    /// The answer names it.
    pub id: u64,
    /// Whose key it shows.
    pub tool: ToolName,
    /// What it wants to use.
    pub service: ServiceName,
    /// The program, where the system tells; where it asks through our own, the one that started that.
    pub program: Option<String>,
    /// What "always" remembers: the file that runs, and the script where that is an interpreter. Nothing where
    /// that does not say which program it is; then there is no "always".
    pub path: Option<String>,
    /// `Claude Code wants to use linear`.
    pub title: String,
    /// What there is to know of it.
    pub body: String,
    /// So many requests wait for the answer.
    pub waiting: usize,
}

/// What the person set for the tray and the window.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DesktopView {
    /// How the window looks.
    pub theme: Theme,
    /// Whether notifications are shown.
    pub notifications: bool,
    /// Whether the tray starts when the person logs in.
    pub start_at_login: bool,
}

impl Default for DesktopView {
    fn default() -> Self {
        Self { theme: Theme::System, notifications: true, start_at_login: false }
    }
}

/// The state of the proxy's port.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ProxyView {
    /// `http://127.0.0.1:8401`.
    pub address: String,
    /// Whether it accepts connections.
    pub running: bool,
    /// Whether the person paused it: tools get 503 until it is resumed.
    pub paused: bool,
    /// Where tokens are kept.
    pub vault: String,
    /// The Unix socket for tools that can use one: there the `Host` picks the service.
    #[serde(default)]
    pub socket: String,
    /// Whether the port is a forward proxy too.
    #[serde(default)]
    pub forward: bool,
}

/// The sign-in state of an account: its worst grant's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StateName {
    /// Signed in.
    Active,
    /// Signed in, and a renewal is under way.
    Refreshing,
    /// The person signed out.
    SignedOut,
    /// Its store can't be read now; nothing is known to be lost.
    Unavailable,
    /// Only the person can help.
    NeedsSignIn,
}

/// One account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountView {
    /// Its name, which commands take.
    pub account: AccountName,
    /// The heading: `ada@example.com · Linear, work`.
    pub title: String,
    /// What it is called in a sentence: `Linear (work)`.
    pub short_title: String,
    /// What the person calls it besides its identity: `work`.
    pub label: Option<String>,
    /// The provider as shown to people.
    pub provider: String,
    /// Who it is, or nothing where the provider does not tell.
    pub identity: Option<String>,
    /// The worst of its grants' states.
    pub state: StateName,
    /// The state in words, never better than it is: `Signed in until 14:05; renewing fails: …`.
    pub state_words: String,
    /// A stable code of why the person is needed or the account is unavailable.
    pub reason: Option<String>,
    /// The same in one sentence.
    pub reason_words: Option<String>,
    /// What the tokens may do.
    pub scopes: Vec<String>,
    /// When the current access token was issued.
    pub issued_at: Option<u64>,
    /// When the current access token ends.
    pub expires_at: Option<u64>,
    /// Whether it renews itself without the person.
    pub refreshable: bool,
    /// When a tool last used it.
    pub last_used: Option<u64>,
    /// `used by claude-code`; the time is `last_used`.
    pub last_used_by: Option<ToolName>,
    /// Its services.
    pub services: Vec<ServiceName>,
    /// How many requests wait for the person now.
    pub waiting: usize,
    /// Each of them, the first one first.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub waiting_requests: Vec<WaitingView>,
    /// `2 requests from claude-code are waiting`.
    pub waiting_words: Option<String>,
    /// Whether a sign-in is under way in the browser.
    pub signing_in: bool,
    /// What the person enters where, while a sign-in on another device is under way (RFC 8628).
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub device: Option<DevicePage>,
    /// Whether `signbell token` may print its token.
    pub allow_token: bool,
    /// Whether it lives in memory only and is gone with what made it (the demo).
    pub ephemeral: bool,
    /// What the bell says while it rings for this account.
    pub ring: Option<RingView>,
    /// What a service asks for beyond what was granted.
    pub ask: Option<AskView>,
    /// One for each resource.
    pub grants: Vec<GrantView>,
}

/// A request that waits for the person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WaitingView {
    /// Whose key it shows.
    pub tool: ToolName,
    /// What it is for.
    pub service: ServiceName,
    /// The program that asks, where the system tells.
    pub program: Option<String>,
    /// Its process id.
    pub pid: Option<u32>,
    /// The program that started it.
    pub parent: Option<String>,
    /// `curl (process 4711, started by Claude Code), as claude-code, for linear`.
    pub words: String,
}

/// The page of a device authorization (RFC 8628 section 3.2), which the person may open anywhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DevicePage {
    /// What the person types there.
    pub user_code: String,
    /// Where.
    pub verification_uri: String,
    /// The same with the code in it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub verification_uri_complete: Option<String>,
    /// The last of these as a QR code; nothing where it is too long for one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub qr_svg: Option<String>,
}

impl DevicePage {
    /// The page with its QR code (RFC 8628 section 3.3.1).
    #[must_use]
    pub fn new(user_code: String, verification_uri: String, verification_uri_complete: Option<String>) -> Self {
        let qr_svg = qr::svg(verification_uri_complete.as_deref().unwrap_or(&verification_uri));
        Self { user_code, verification_uri, verification_uri_complete, qr_svg }
    }
}

/// One grant of an account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GrantView {
    /// The RFC 8707 resource, if its tokens are for one.
    pub resource: Option<String>,
    /// Its own state.
    pub state: StateName,
    /// What its tokens may do.
    pub scopes: Vec<String>,
    /// When its access token ends.
    pub expires_at: Option<u64>,
}

/// Scopes that a service needs and that were not granted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AskView {
    /// Those that a click adds.
    pub scopes: Vec<String>,
    /// Those that no list of ours names: the person has to type them.
    pub typed: Vec<String>,
    /// Which, and for whom, in a sentence.
    pub words: String,
}

/// A notification that should be on the screen now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RingView {
    /// Grows with each ring (the first, each reminder): a new number is a new notification.
    pub id: u64,
    /// `Linear (work) needs you`.
    pub title: String,
    /// Why, and who waits.
    pub body: String,
}

/// One service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceView {
    /// Its name.
    pub service: ServiceName,
    /// The upstream base URL.
    pub url: String,
    /// Where tools reach it: `http://127.0.0.1:8401/linear`.
    pub address: String,
    /// Whose tokens it gets.
    pub account: AccountName,
    /// The RFC 8707 resource, if it has one.
    pub resource: Option<String>,
    /// What is known of such services, if anything: the preset's name.
    #[serde(default)]
    pub preset: Option<String>,
    /// The same as shown to people.
    #[serde(default)]
    pub preset_title: Option<String>,
    /// The one origin that its tokens go to: `https://api.linear.app`.
    #[serde(default)]
    pub origin: String,
    /// The header that they go in, and how it begins: `Authorization: Bearer`.
    #[serde(default)]
    pub header: String,
    /// How long a request waits for the person, in seconds; 0 where it does not.
    #[serde(default)]
    pub hold_seconds: u64,
    /// The same for JSON-RPC requests.
    #[serde(default)]
    pub hold_seconds_json_rpc: u64,
    /// Whether these are its own, and not those of the proxy.
    #[serde(default)]
    pub own_hold: bool,
    /// Whether POST and other unsafe methods are sent again after a 401.
    #[serde(default)]
    pub replay_unsafe: bool,
    /// What its tools get when the person is needed and did not come, unless the tool says otherwise.
    #[serde(default)]
    pub expired: ExpiredAnswer,
}

/// One registered program.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToolView {
    /// Its name.
    pub tool: ToolName,
    /// What it may use.
    pub services: Vec<ServiceName>,
    /// When it last sent a request.
    pub last_seen: Option<u64>,
    /// What it gets when the person is needed and did not come.
    pub expired: ExpiredAnswer,
    /// Whether its key is part of its addresses.
    pub key_in_path: bool,
    /// Whether the person is asked once for each program and service.
    #[serde(default)]
    pub confirm: bool,
}
