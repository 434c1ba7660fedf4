//! One thing that another program has.

use std::path::PathBuf;

use signbell_engine::secret::Secret;
use url::Url;

/// Whose it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Source {
    McpRemote,
    Gh,
    Gcloud,
    OidcAgent,
    EmailProxy,
    /// MCP clients: editors, agents.
    Clients,
}

impl Source {
    pub(crate) const ALL: [Self; 6] =
        [Self::McpRemote, Self::Gh, Self::Gcloud, Self::OidcAgent, Self::EmailProxy, Self::Clients];

    /// As it is typed.
    pub(crate) fn as_str(self) -> &'static str {
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
pub(crate) enum Tokens {
    /// Nothing here.
    #[default]
    None,
    /// A refresh token. Whether the program can go on with its own copy once we have used it.
    Refresh { token: Secret, shared: bool },
    /// An access token alone, or one in a keyring: it stays where it is.
    Theirs,
    /// Something that only the program itself can open.
    Sealed,
}

/// What a person has to know of an item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Note {
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
pub(crate) struct Item {
    pub(crate) source: Source,
    /// Its name there, as far as it can be typed.
    pub(crate) key: String,
    /// Where it was read.
    pub(crate) places: Vec<PathBuf>,
    pub(crate) url: Option<Url>,
    /// Who it is for, as the program wrote it down.
    pub(crate) who: Option<String>,
    pub(crate) issuer: Option<Url>,
    pub(crate) provider_preset: Option<&'static str>,
    pub(crate) client_id: Option<String>,
    pub(crate) client_secret: Option<Secret>,
    /// Whether the program registered that client by itself (RFC 7591), with a redirect of its own: good for
    /// going on with its tokens, and for nothing else.
    pub(crate) client_is_registered: bool,
    pub(crate) scopes: Vec<String>,
    pub(crate) resource: Option<String>,
    pub(crate) tokens: Tokens,
    pub(crate) notes: Vec<Note>,
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
    pub(crate) fn id(&self) -> String {
        format!("{}:{}", self.source.as_str(), self.key)
    }

    /// Whether it can be taken as it is.
    pub(crate) fn is_whole(&self) -> bool {
        self.url.is_some()
            && !self
                .notes
                .iter()
                .any(|note| matches!(note, Note::ClientIdNeeded | Note::NoPerson(_) | Note::Placeholder(_)))
    }

    /// A name for the service, where the program has one for it that can be one.
    pub(crate) fn service_name(&self) -> Option<String> {
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
