//! What a client asks for: one line of JSON.

use serde::{Deserialize, Serialize};
use url::Url;

use super::{Adopt, Answer, Grant, Merge, Through, expose};
use crate::model::{AccountName, ExpiredAnswer, ProviderName, ServiceName, ToolName};
use crate::secret::Secret;
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
    /// The same in memory only, with an account and a tool of its own; removed when the client closes this
    /// connection.
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
    /// The client wrote the settings to a file, and it is told in the activity.
    Exported {
        /// Which file.
        file: String,
    },
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
    /// Changes what the account's provider knows us by: [`Reply::ProviderChanged`].
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
        /// The person agreed that accounts which are signed in there must sign in again.
        #[serde(default)]
        ends_sign_ins: bool,
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
    /// The person answers whether a program may use a service. Where there is a screen, a yes counts from there
    /// alone.
    Confirm {
        /// [`crate::view::ConfirmView::id`]
        id: u64,
        /// What they say.
        answer: Answer,
    },
    /// The person answers, at the screen, whether programs may do more. From elsewhere it does not count.
    Permit {
        /// [`crate::view::PermitView::id`]
        id: u64,
        /// What they say.
        allow: bool,
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
        /// Also what a program needs to go through the forward proxy.
        #[serde(default)]
        forward: Through,
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
