//! One thing that another program has.

use std::path::PathBuf;

use signbell_engine::secret::Secret;
use url::Url;

/// Whose it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// mcp-remote, which MCP clients start for servers on the web.
    McpRemote,
    /// GitHub's command line.
    Gh,
    /// Google Cloud's.
    Gcloud,
    /// oidc-agent.
    OidcAgent,
    /// email-oauth2-proxy.
    EmailProxy,
    /// MCP clients: editors, agents.
    Clients,
}

impl Source {
    /// Every one.
    pub const ALL: [Self; 6] =
        [Self::McpRemote, Self::Gh, Self::Gcloud, Self::OidcAgent, Self::EmailProxy, Self::Clients];

    /// As it is typed.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::McpRemote => "mcp-remote",
            Self::Gh => "gh",
            Self::Gcloud => "gcloud",
            Self::OidcAgent => "oidc-agent",
            Self::EmailProxy => "email-oauth2-proxy",
            Self::Clients => "clients",
        }
    }
}

/// What the program keeps to stay signed in.
#[derive(Debug, Clone, Default)]
pub enum Tokens {
    /// Nothing here.
    #[default]
    None,
    /// A refresh token. Whether the program can go on with its own copy once we have used it.
    Refresh {
        /// It.
        token: Secret,
        /// Whether both can go on with it.
        shared: bool,
    },
    /// An access token alone, or one in a keyring: it stays where it is.
    Theirs,
    /// Something that only the program itself can open.
    Sealed,
}

/// What a person has to know of an item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Note {
    /// mcp-remote names a file by a digest of the address, which no client's configuration has.
    UnknownAddress,
    /// The account is for no service that is reached by HTTP, or the source does not name it.
    NoService,
    /// The client sends a header of its own, which stays in its file.
    OwnHeader,
    /// Who uses the service needs a client id of their own at the provider.
    ClientIdNeeded,
    /// The client id is the program's own: the provider's page shows its name.
    ProgramsClient(&'static str),
    /// Encrypted; this program can tell.
    Sealed(&'static str),
    /// Credentials of a kind that no person signs in for.
    NoPerson(String),
    /// A value was left as the sample has it.
    Placeholder(&'static str),
}

/// One thing that another program has.
#[derive(Debug, Clone)]
pub struct Item {
    /// Whose it is.
    pub source: Source,
    /// Its name there, as far as it can be typed.
    pub key: String,
    /// Where it was read.
    pub places: Vec<PathBuf>,
    /// The service, where it is known.
    pub url: Option<Url>,
    /// Who it is for, as the program wrote it down.
    pub who: Option<String>,
    /// Who signs the person in.
    pub issuer: Option<Url>,
    /// The provider, where it is one that we know.
    pub provider_preset: Option<&'static str>,
    /// What the program is known by there.
    pub client_id: Option<String>,
    /// And proves it with.
    pub client_secret: Option<Secret>,
    /// Whether the program registered that client by itself (RFC 7591), with a redirect of its own: good for
    /// going on with its tokens, and for nothing else.
    pub client_is_registered: bool,
    /// What it asks for.
    pub scopes: Vec<String>,
    /// The resource that its tokens are for (RFC 8707).
    pub resource: Option<String>,
    /// What it keeps to stay signed in.
    pub tokens: Tokens,
    /// What a person has to know of it.
    pub notes: Vec<Note>,
}

impl Item {
    pub(crate) fn new(source: Source, key: &str) -> Self {
        Self {
            source,
            key: typable(key),
            places: vec![],
            url: None,
            who: None,
            issuer: None,
            provider_preset: None,
            client_id: None,
            client_secret: None,
            client_is_registered: false,
            scopes: vec![],
            resource: None,
            tokens: Tokens::None,
            notes: vec![],
        }
    }

    /// What `--take` wants: `mcp-remote:linear`.
    #[must_use]
    pub fn id(&self) -> String {
        format!("{}:{}", self.source.as_str(), self.key)
    }

    /// Whether it can be taken as it is.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.url.is_some()
            && !self
                .notes
                .iter()
                .any(|note| matches!(note, Note::ClientIdNeeded | Note::NoPerson(_) | Note::Placeholder(_)))
    }

    /// A name for the service, where the program has one for it that can be one.
    #[must_use]
    pub fn service_name(&self) -> Option<String> {
        let names_services = matches!(self.source, Source::Clients | Source::McpRemote);
        if !names_services || self.notes.contains(&Note::UnknownAddress) {
            return None;
        }
        let name: String =
            self.key.to_ascii_lowercase().chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
        let name: String = name.trim_matches('-').chars().take(40).collect();
        let name = name.trim_end_matches('-');
        (!name.is_empty()).then(|| name.to_owned())
    }
}

/// Without what would have to be quoted in a shell, and not longer than anybody types.
fn typable(key: &str) -> String {
    let safe = |c: char| if c.is_ascii_alphanumeric() || "@._-/".contains(c) { c } else { '-' };
    key.chars().take(80).map(safe).collect()
}

/// The scopes of the wire's own form.
pub(crate) fn scopes(text: &str) -> Vec<String> {
    text.split_ascii_whitespace().map(str::to_owned).collect()
}
