//! The control socket: how the tray, the window and the command line talk to the engine.
//!
//! A Unix socket that only the same user can open. One connection carries one [`Request`], a JSON
//! object on one line, and then any number of [`Reply`] lines, the last of which ends it
//! ([`Reply::is_last`]). While it signs in, the client may send further lines: a redirect pasted by
//! hand. A client that closes the connection of a [`Request::SignIn`] leaves the sign-in running (the
//! browser is open); closing that of [`Request::AddEphemeral`] removes what it added.

mod carried;
mod checkup;
pub mod client;
mod forward;
mod found;
pub(crate) mod server;
mod settings;
mod step;

use serde::{Deserialize, Serialize, Serializer};
use url::Url;

pub use self::carried::{Adopt, Choice, Conflict, Merge, Merged};
pub use self::checkup::{Checkup, ClockSeen, VaultSeen};
pub use self::forward::{Forwarded, Forwarding};
pub use self::found::{AccountChoice, FirstCall, Found, FoundBy, Outcome, RegistrationFound, ScopeFound};
pub use self::settings::{SettingKind, SettingView};
pub use self::step::Step;
use crate::activity::Record;
pub use crate::confirm::Answer;
use crate::model::{AccountName, ExpiredAnswer, ProviderName, ServiceName, ToolName};
pub use crate::provider::Grant;
use crate::provider::Revocation;
use crate::secret::Secret;
use crate::view::{AppView, StateName};
use crate::wording::language::Language;

/// What a client asks for.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "kebab-case")]
pub enum Request {
    /// One [`Reply::View`].
    Status,
    /// A [`Reply::View`] now and at each change, and each [`Reply::Notice`], until the client leaves.
    Watch,
    /// The same for the desktop: in the language that the person set.
    WatchIn {
        /// The language where they set none.
        language: Language,
    },
    /// What adding a service would come to; nothing is written or registered: [`Reply::Found`].
    Look(AddService),
    /// Adds a service, and its account and provider if there is none yet: [`Reply::Added`].
    Add(AddService),
    /// The same in memory only; removed when the client closes this connection.
    AddEphemeral(AddService),
    /// Signs in every grant of the account that needs it (all with `force`):
    /// [`Reply::AuthorizeUrl`] for each page, then [`Reply::SignedIn`].
    SignIn {
        /// Which account.
        account: AccountName,
        /// Also where the session is good.
        #[serde(default)]
        force: bool,
        /// Scopes that the person typed, to be asked for besides.
        #[serde(default)]
        scopes: Vec<String>,
        /// On another device (RFC 8628): [`Reply::DeviceCode`] instead of pages.
        #[serde(default)]
        device: bool,
        /// The port of the redirect, for a browser that reaches it through a tunnel.
        #[serde(default)]
        port: Option<u16>,
    },
    /// Ends the account's sign-ins under way; what was there before stands.
    CancelSignIn {
        /// Which account.
        account: AccountName,
    },
    /// Goes on with the sign-in that another program began: [`Reply::SignedIn`].
    Adopt(Adopt),
    /// How the engine itself stands: [`Reply::Checkup`].
    Checkup {
        /// Also writes an item into the vault, reads it back and removes it.
        #[serde(default)]
        try_vault: bool,
    },
    /// Adds what another machine's export has: [`Reply::Merged`].
    Merge(Merge),
    /// Asks a service once, with its token, for something that changes nothing: [`Reply::FirstCall`].
    FirstCall {
        /// Which service.
        service: ServiceName,
    },
    /// Renews now: [`Reply::SignedIn`] with the new expiry.
    Refresh {
        /// Which account.
        account: AccountName,
    },
    /// Revokes where the provider offers it, and wipes the tokens: [`Reply::SignedOut`].
    SignOut {
        /// Which account.
        account: AccountName,
        /// Also forgets the account and its services.
        #[serde(default)]
        forget: bool,
    },
    /// Changes an account's settings.
    AccountSet {
        /// Which account.
        account: AccountName,
        /// Whether `signbell token` may print its token.
        allow_token: Option<bool>,
        /// What a person calls it besides its identity: `work`.
        label: Option<String>,
    },
    /// Changes what the account's provider knows us by.
    ProviderSet {
        /// Whose provider.
        account: AccountName,
        /// Our client id there.
        client_id: Option<String>,
        /// Goes into the vault.
        #[serde(default, serialize_with = "expose")]
        client_secret: Option<Secret>,
        /// A private key as PEM text; goes into the vault.
        #[serde(default, serialize_with = "expose")]
        client_key: Option<Secret>,
        /// What the provider calls that key.
        client_key_id: Option<String>,
    },
    /// Changes a service's settings.
    ServiceSet {
        /// Which service.
        service: ServiceName,
        /// How long a request waits for the person, in seconds; 0 turns holding off.
        hold_seconds: Option<u64>,
        /// Whether an unsafe method is replayed after a 401.
        replay_unsafe: Option<bool>,
        /// Whether its own addresses in what it answers become the tool's.
        #[serde(default)]
        rewrite_addresses: Option<bool>,
        /// Its tools' answer when the person did not come, unless the tool says otherwise.
        expired: Option<ExpiredAnswer>,
        /// Its preset; the empty text is none.
        #[serde(default)]
        preset: Option<String>,
    },
    /// Takes a service's own hold time back: the proxy's counts.
    ServiceUsualHold {
        /// Which service.
        service: ServiceName,
    },
    /// Which rule of the service would match a saved response: [`Reply::Judged`].
    ServiceTest {
        /// Which service.
        service: ServiceName,
        /// As `curl -si` prints it.
        response: String,
    },
    /// Asks the service once, with its token, and says which rule would match what it answers:
    /// [`Reply::Judged`].
    ServiceAsk {
        /// Which service.
        service: ServiceName,
        /// An address of the service.
        url: Url,
    },
    /// Takes the authorization server that the service's own metadata names now, which the person wrote out:
    /// [`Reply::Added`], with a new account there. Nothing of the old one is used.
    ServiceMove {
        /// Which service.
        service: ServiceName,
        /// The new server.
        issuer: Url,
    },
    /// Removes a service; its account stays.
    ServiceRemove {
        /// Which service.
        service: ServiceName,
    },
    /// Registers a tool or widens one: [`Reply::ToolKey`]; the key only where the tool is new.
    ToolAdd(AddTool),
    /// Changes a tool's settings.
    ToolSet {
        /// Which tool.
        tool: ToolName,
        /// Whether the person is asked once for each program and service.
        confirm: Option<bool>,
    },
    /// The person answers whether a program may use a service.
    Confirm {
        /// [`crate::view::ConfirmView::id`]
        id: u64,
        /// What they say.
        answer: Answer,
    },
    /// Gives a tool a new key: [`Reply::ToolKey`].
    ToolRotate {
        /// Which tool.
        tool: ToolName,
    },
    /// A key of a tool for a while, besides its own: [`Reply::ToolKey`]. It ends after so many seconds, or
    /// where none are named when the client closes the connection.
    Lend {
        /// Which tool.
        tool: ToolName,
        /// An hour at most.
        #[serde(default)]
        seconds: Option<u64>,
        /// Also what a program needs to go through the forward proxy, if that is on.
        #[serde(default)]
        forward: bool,
    },
    /// Turns the forward proxy on or off, or only tells how it stands: [`Reply::Forwarding`].
    Forward {
        /// Whether it is to be on.
        #[serde(default)]
        on: Option<bool>,
    },
    /// Removes a tool; its key stops working at once.
    ToolRemove {
        /// Which tool.
        tool: ToolName,
    },
    /// A tool may no longer use a service.
    ToolNarrow {
        /// Which tool.
        tool: ToolName,
        /// Which service.
        service: ServiceName,
    },
    /// An access token that lives at least so long: [`Reply::Token`], if the person allowed it.
    Token {
        /// Which account.
        account: AccountName,
        /// In seconds.
        min_valid_seconds: u64,
    },
    /// The newest records, oldest first: [`Reply::Activity`] each; with `follow`, those to come too.
    Activity {
        /// How many at most.
        limit: usize,
        /// Whether to go on.
        follow: bool,
    },
    /// Pauses the proxy, or resumes it.
    Pause {
        /// Tools get 503 while true.
        paused: bool,
    },
    /// The person says "not now": waiting requests are answered, the bell is quiet until the next
    /// reminder.
    Later {
        /// Which account.
        account: AccountName,
    },
    /// The person does not give what services ask for beyond what was granted.
    Decline {
        /// Which account.
        account: AccountName,
    },
    /// The settings of the program itself: [`Reply::Settings`].
    Settings,
    /// Changes one of them, at once: [`Reply::Settings`] with that one. Nothing has changed where it fails.
    SettingsSet {
        /// `proxy.port`
        key: String,
        /// As a person writes it; the empty text is the default.
        value: String,
        /// For [`crate::config::VaultKind::SealedFile`]: opens the file.
        #[serde(default, serialize_with = "expose")]
        passphrase: Option<Secret>,
    },
    /// Asks the desktop shell to show its window: [`Notice::OpenWindow`] to each watcher.
    OpenWindow,
    /// Ends the program that owns the engine.
    Quit,
}

/// A service to add.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct AddService {
    /// The upstream base URL.
    pub url: Url,
    /// Its name; made from the host where absent.
    pub name: Option<ServiceName>,
    /// Whose tokens it gets; one is made where it does not exist.
    pub account: Option<AccountName>,
    /// The authorization server. Needed where the account is new.
    pub issuer: Option<Url>,
    /// What to call the provider.
    pub provider: Option<ProviderName>,
    /// Our client registration there. Needed where the provider is new.
    pub client_id: Option<String>,
    /// Goes into the vault.
    #[serde(serialize_with = "expose")]
    pub client_secret: Option<Secret>,
    /// The client's private key as PEM text; goes into the vault.
    #[serde(default, serialize_with = "expose")]
    pub client_key: Option<Secret>,
    /// What the provider calls that key.
    #[serde(default)]
    pub client_key_id: Option<String>,
    /// By what right tokens are asked for.
    #[serde(default)]
    pub grant: Grant,
    /// Whom the client's own assertions speak for.
    #[serde(default)]
    pub subject: Option<String>,
    /// The account that vouches for the person.
    #[serde(default)]
    pub via: Option<AccountName>,
    /// Binds the tokens to a key (RFC 9449), also where the service does not say that it wants that.
    #[serde(default)]
    pub dpop: bool,
    /// What to ask for.
    #[serde(default)]
    pub scopes: Vec<String>,
    /// The RFC 8707 resource indicator of the service, if its tokens are for one.
    pub resource: Option<String>,
    /// A tool that may use it; made if it does not exist.
    pub tool: Option<ToolName>,
    /// Its preset; chosen by its host where absent, none where empty.
    #[serde(default)]
    pub preset: Option<String>,
    /// Whether a new provider may be one that does not announce PKCE with S256.
    #[serde(default)]
    pub allow_missing_pkce: bool,
    /// The authorization server's preset; chosen by its issuer or the service's host where absent.
    #[serde(default)]
    pub provider_preset: Option<String>,
}

impl AddService {
    /// Nothing but the address: all else is found out.
    #[must_use]
    pub fn of_url(url: Url) -> Self {
        Self {
            url,
            name: None,
            account: None,
            issuer: None,
            provider: None,
            client_id: None,
            client_secret: None,
            client_key: None,
            client_key_id: None,
            grant: Grant::default(),
            subject: None,
            via: None,
            dpop: false,
            scopes: vec![],
            resource: None,
            tool: None,
            preset: None,
            allow_missing_pkce: false,
            provider_preset: None,
        }
    }
}

/// A tool to register or to widen.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct AddTool {
    /// Its name.
    pub tool: ToolName,
    /// What it may use.
    pub services: Vec<ServiceName>,
    /// What it gets when the person did not come.
    #[serde(default)]
    pub expired: ExpiredAnswer,
    /// For tools that can set nothing but a base URL.
    #[serde(default)]
    pub key_in_path: bool,
}

/// What the engine answers.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "reply", rename_all = "kebab-case")]
pub enum Reply {
    /// The snapshot.
    View(Box<AppView>),
    /// Something that must be said once.
    Notice(Notice),
    /// The page that the person's browser must open. The client opens it: it is where the person is.
    AuthorizeUrl {
        /// Which account.
        account: AccountName,
        /// At the provider.
        url: Url,
    },
    /// What the person enters on another device, and where.
    DeviceCode(DeviceCode),
    /// What adding a service would come to.
    Found(Box<Found>),
    /// A service was added.
    Added(Added),
    /// What a service said to the first request.
    FirstCall(FirstCall),
    /// How the account stands after a sign-in or a renewal.
    SignedIn(SignedIn),
    /// How the engine itself stands.
    Checkup(Checkup),
    /// What of an export is in force now.
    Merged(Box<Merged>),
    /// An account was signed out.
    SignedOut(SignedOut),
    /// A tool, and its key where it is new.
    ToolKey(ToolKey),
    /// An access token.
    Token {
        /// For `Authorization: Bearer`.
        #[serde(serialize_with = "expose_one")]
        token: Secret,
        /// When it ends, in Unix seconds.
        expires_at: Option<u64>,
    },
    /// How the forward proxy stands.
    Forwarding(Forwarding),
    /// What a saved response means.
    Judged(Judged),
    /// One thing that happened.
    Activity(Record),
    /// Settings of the program itself.
    Settings {
        /// As a person reads them.
        settings: Vec<SettingView>,
    },
    /// It is done and there is nothing to tell.
    Done,
    /// It is not done.
    Failed(Failure),
}

impl Reply {
    /// Whether the engine sends nothing after this, for any request that is not a stream.
    #[must_use]
    pub fn is_last(&self) -> bool {
        !matches!(self, Self::AuthorizeUrl { .. } | Self::DeviceCode(_) | Self::Notice(_))
    }
}

/// A sign-in on another device (RFC 8628 section 3.2).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceCode {
    /// Which account.
    pub account: AccountName,
    /// What to enter.
    pub user_code: String,
    /// Where.
    pub verification_uri: Url,
    /// The same with the code in it: what a QR code holds.
    pub verification_uri_complete: Option<Url>,
    /// How long it is good for, in seconds.
    pub expires_in: u64,
}

/// Something to say once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "notice", rename_all = "kebab-case")]
pub enum Notice {
    /// The person asked for the window (a second launch, the menu).
    OpenWindow,
    /// A sentence for the person.
    Say {
        /// The sentence.
        text: String,
    },
}

/// What a saved response means to a service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Judged {
    /// Which service.
    pub service: ServiceName,
    /// The response's status.
    pub status: u16,
    /// The rule that matches, if one does.
    pub rule: Option<String>,
    /// What it says: `expired`, `needs-scope`, `needs-claims`, `needs-person`, `not-ours`.
    pub verdict: Option<String>,
    /// The same in a sentence.
    pub why: Option<String>,
    /// Where a server was seen to say it.
    pub source: Option<String>,
    /// What Signbell does about it, in a few words.
    pub action: String,
    /// The scopes that it asks for.
    pub scopes: Vec<String>,
}

/// A service was added.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Added {
    /// Its name.
    pub service: ServiceName,
    /// Whose tokens it gets.
    pub account: AccountName,
    /// Where tools reach it.
    pub url: String,
    /// The account's state.
    pub state: StateName,
    /// The tool, if one was named.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tool: Option<ToolName>,
    /// Its key, if it is new. Shown this once.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "expose", default)]
    pub key: Option<Secret>,
    /// The preset that it was given, if one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub preset: Option<String>,
}

/// How an account stands.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SignedIn {
    /// Which account.
    pub account: AccountName,
    /// Who it is.
    pub identity: Option<String>,
    /// Its state.
    pub state: StateName,
    /// What its tokens may do.
    pub scopes: Vec<String>,
    /// When the access token ends, in Unix seconds.
    pub expires_at: Option<u64>,
    /// What was asked for and not granted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub not_granted: Vec<String>,
}

/// An account was signed out: its tokens are wiped here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignedOut {
    /// Which account.
    pub account: AccountName,
    /// Always so; scripts look for it.
    pub done: bool,
    /// What became of the session at the provider.
    pub provider: Revocation,
    /// The same in a sentence.
    pub provider_words: String,
}

/// A tool with its addresses.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ToolKey {
    /// Its name.
    pub tool: ToolName,
    /// Its key, if it is new. Shown this once.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "expose", default)]
    pub key: Option<Secret>,
    /// Where it reaches each of its services.
    pub urls: std::collections::BTreeMap<ServiceName, String>,
    /// For the forward proxy, where that was asked for and is on.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub forward: Option<Forwarded>,
}

/// Why something was not done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
pub struct Failure {
    /// What kind, which decides the command's exit code.
    pub kind: FailureKind,
    /// A stable code: `unknown_account`, `bad_config`.
    pub code: String,
    /// What happened, to what, and what to do: one or two sentences.
    pub message: String,
    /// At which step of adding or signing in, if it was at one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub step: Option<Step>,
    /// What came back from whoever was asked, in a few words: `401 invalid_client`, `no answer`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub came: Option<String>,
}

/// The kinds of failure that CLI.md gives exit codes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureKind {
    /// Exit code 1.
    Failed,
    /// Exit code 2.
    Usage,
    /// Exit code 3.
    NotRunning,
    /// Exit code 10.
    SignInNeeded,
    /// Exit code 11: keyring or network.
    Unavailable,
    /// Exit code 12: by the provider.
    Refused,
    /// Exit code 13.
    NotAllowed,
}

impl FailureKind {
    /// The exit code of the command line's contract.
    #[must_use]
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Failed => 1,
            Self::Usage => 2,
            Self::NotRunning => 3,
            Self::SignInNeeded => 10,
            Self::Unavailable => 11,
            Self::Refused => 12,
            Self::NotAllowed => 13,
        }
    }
}

// The socket is the one place where a secret is meant to leave the process, to the same user.
fn expose<S: Serializer>(secret: &Option<Secret>, serializer: S) -> Result<S::Ok, S::Error> {
    secret.as_ref().map(Secret::expose).serialize(serializer)
}

fn expose_one<S: Serializer>(secret: &Secret, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(secret.expose())
}
