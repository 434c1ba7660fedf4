//! `signbell import` and `export`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use signbell_engine::model::ToolName;
use signbell_engine::wording::import as words;
use signbell_import::Source;
use url::Url;

use super::value::web_url;

#[derive(Debug, Args)]
pub(crate) struct Import {
    /// Whose: mcp-remote, gh, gcloud, oidc-agent, email-oauth2-proxy, clients; all if left out. Or a file that
    /// `signbell export` wrote.
    #[arg(value_name = "SOURCE|FILE", value_parser = origin)]
    pub(crate) source: Option<Origin>,
    /// Where the source keeps it, if not where it usually does: a file, or its folder.
    #[arg(long, value_name = "PATH", requires = "source")]
    pub(crate) from: Option<PathBuf>,
    /// Only say what was found: nothing is taken over or asked.
    #[arg(long, conflicts_with_all = ["take", "all"])]
    pub(crate) dry_run: bool,
    /// What to take over, as the list names it; can be given several times.
    #[arg(long, value_name = "ID")]
    pub(crate) take: Vec<String>,
    /// Take over all that can be.
    #[arg(long, conflicts_with = "take")]
    pub(crate) all: bool,
    /// Go on with the other program's sign-in instead of a new one; it may have to sign in again then.
    #[arg(long)]
    pub(crate) with_tokens: bool,
    /// The service's address, where the source does not name it.
    #[arg(long, value_name = "URL", value_parser = web_url, requires = "take")]
    pub(crate) url: Option<Url>,
    /// Your own client id at its provider.
    #[arg(long, value_name = "ID", requires = "take")]
    pub(crate) client_id: Option<String>,
    /// Read its client secret from standard input: one line.
    #[arg(long, requires = "client_id")]
    pub(crate) client_secret_stdin: bool,
    /// A tool that may use what is taken over; made if it does not exist, and its key printed.
    #[arg(long, value_name = "NAME")]
    pub(crate) tool: Option<ToolName>,
    /// Of a file that `signbell export` wrote: what to do where a name is taken here by something else.
    #[arg(long, value_enum, value_name = "keep|add", hide_possible_values = true, requires = "source")]
    pub(crate) on_conflict: Option<OnConflict>,
    /// Of such a file: add without being asked.
    #[arg(long, requires = "source")]
    pub(crate) yes: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Export {
    /// The file to write.
    pub(crate) file: PathBuf,
    /// Also where there is such a file already.
    #[arg(long)]
    pub(crate) force: bool,
}

/// Two things of one name, here and in an export.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum OnConflict {
    /// The file's are left out.
    Keep,
    /// The file's get other names.
    Add,
}

/// Where it comes from.
#[derive(Debug, Clone)]
pub(crate) enum Origin {
    /// Another program.
    Program(Source),
    /// Signbell, on another machine.
    Settings(PathBuf),
}

fn origin(text: &str) -> Result<Origin, String> {
    if let Some(source) = Source::ALL.into_iter().find(|source| source.as_str() == text) {
        return Ok(Origin::Program(source));
    }
    let path = PathBuf::from(text);
    if path.is_file() || text.contains('/') || text.ends_with(".toml") {
        return Ok(Origin::Settings(path));
    }
    Err(words::unknown_source(text))
}
