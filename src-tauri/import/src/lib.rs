//! What other programs on this machine already know of the person's services and accounts.
//!
//! Each source is a pure parser, text in and [`Item`]s out, that follows the program's own source. Files
//! are only ever read, and only such as the person alone may write ([`reading`]). What was found is
//! [`Listed`] without its secrets, and [taken over](take()) only where the person ticked it.

pub mod clients;
mod email_proxy;
mod gcloud;
mod gh;
mod ini;
mod item;
pub mod jsonc;
mod listed;
mod mcp_remote;
mod oidc_agent;
pub mod reading;
mod take;
mod yaml;

use std::path::{Path, PathBuf};

pub use self::item::{Item, Note, Source, Tokens};
pub use self::listed::{Listed, note_words, shortened, why};
pub use self::reading::ReadError;
pub use self::take::{Taken, Terms, take};

/// Where the sources lie: the person's folders.
#[derive(Debug, Clone)]
pub struct Places {
    home: PathBuf,
    /// `XDG_CONFIG_HOME`, `~/.config` where it is not set.
    config: PathBuf,
    /// Where the command was started: clients read a project's own file there.
    project: Option<PathBuf>,
    /// `CODEX_HOME`, `MCP_REMOTE_CONFIG_DIR` and the like: a folder that a program was told to use instead.
    moved: Vec<(&'static str, PathBuf)>,
    /// The file or folder that the person named instead of all these.
    named: Option<PathBuf>,
}

/// Variables by which a program's folder is named elsewhere; each source says where it has that from.
const FOLDER_VARIABLES: [&str; 6] =
    ["CODEX_HOME", "MCP_REMOTE_CONFIG_DIR", "GH_CONFIG_DIR", "CLOUDSDK_CONFIG", "OIDC_CONFIG_DIR", "CLAUDE_CONFIG_DIR"];

/// A file that is there and can't be used.
#[derive(Debug)]
pub struct Unusable {
    /// Whose it is.
    pub source: Source,
    /// Which.
    pub file: PathBuf,
    /// Why it can't.
    pub why: ReadError,
}

/// What was found, and what could not be read.
#[derive(Debug, Default)]
pub struct Found {
    /// What there is.
    pub items: Vec<Item>,
    /// Files that are there and can't be used.
    pub unusable: Vec<Unusable>,
}

impl Places {
    /// The person's, from the environment; `named` is the one place to look at instead. Nothing without a
    /// home.
    #[must_use]
    pub fn from_env(named: Option<PathBuf>) -> Option<Self> {
        let absolute = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
        let home = absolute("HOME")?;
        Some(Self {
            config: absolute("XDG_CONFIG_HOME").unwrap_or_else(|| home.join(".config")),
            project: std::env::current_dir().ok().filter(|folder| *folder != home),
            moved: FOLDER_VARIABLES.iter().filter_map(|name| Some((*name, absolute(name)?))).collect(),
            home,
            named,
        })
    }

    /// The folder that a variable names, else the usual one.
    fn folder(&self, variable: &str, usual: PathBuf) -> PathBuf {
        self.moved.iter().find(|(name, _)| *name == variable).map_or(usual, |(_, folder)| folder.clone())
    }
}

/// Looks at one source, or at all.
#[must_use]
pub fn find(places: &Places, only: Option<Source>) -> Found {
    let mut found = Found::default();
    for source in Source::ALL.into_iter().filter(|source| only.is_none_or(|only| only == *source)) {
        match source {
            Source::McpRemote => mcp_remote::find(places, &mut found),
            Source::Gh => gh::find(places, &mut found),
            Source::Gcloud => gcloud::find(places, &mut found),
            Source::OidcAgent => oidc_agent::find(places, &mut found),
            Source::EmailProxy => email_proxy::find(places, &mut found),
            Source::Clients => clients::find(places, &mut found),
        }
    }
    if only.is_none() {
        join_clients(&mut found.items);
    }
    found
}

/// A client that starts mcp-remote for a server is the same server as the one in mcp-remote's folder.
fn join_clients(items: &mut Vec<Item>) {
    let (clients, mut others): (Vec<Item>, Vec<Item>) =
        std::mem::take(items).into_iter().partition(|item| item.source == Source::Clients);
    for client in clients {
        let same = |item: &&mut Item| {
            item.source == Source::McpRemote && item.url == client.url && item.resource == client.resource
        };
        match others.iter_mut().find(same) {
            Some(known) => known.places.extend(client.places),
            None => others.push(client),
        }
    }
    *items = others;
}

impl Found {
    /// Reads a file and has it parsed; one that is not there is nothing, one that can't be used is told.
    fn file(&mut self, source: Source, file: &Path, parse: impl FnOnce(&str) -> Result<Vec<Item>, String>) {
        let read = match reading::text(file) {
            Ok(None) => return,
            Ok(Some(text)) => parse(&text).map_err(ReadError::NotUnderstood),
            Err(why) => Err(why),
        };
        match read {
            Ok(items) => {
                let at = |item| Item { places: vec![file.to_owned()], ..item };
                self.items.extend(items.into_iter().map(at));
            }
            Err(why) => self.unusable.push(Unusable { source, file: file.to_owned(), why }),
        }
    }
}

#[cfg(test)]
mod tests;
