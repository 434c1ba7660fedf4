//! `signbell connect`.

use clap::Args;
use signbell_connect::Client;
use signbell_engine::model::{ServiceName, ToolName};
use signbell_engine::wording::connect as words;

#[derive(Debug, Args)]
pub(crate) struct Connect {
    /// Which client; `--list` shows them.
    #[arg(required_unless_present_any = ["list", "again"], value_parser = client)]
    pub(crate) client: Option<Client>,
    /// The services that it is to reach.
    #[arg(required_unless_present_any = ["list", "undo", "again"], value_name = "SERVICE")]
    pub(crate) services: Vec<ServiceName>,
    /// List the clients, whether each is on this machine, and what it reaches already.
    #[arg(long, conflicts_with_all = ["client", "services", "undo", "again"])]
    pub(crate) list: bool,
    /// Lead what was written while Signbell was at another port to where it is now: of every client, or of this one.
    #[arg(long, conflicts_with_all = ["services", "undo", "stdio", "env", "tool", "rotate"])]
    pub(crate) again: bool,
    /// Only show what would change: nothing is written, and no tool made.
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Take out what leads to Signbell, or to these services alone; the rest stays as it is now.
    #[arg(long)]
    pub(crate) undo: bool,
    /// Write the file of the project in the current folder, which never gets a key.
    #[arg(long)]
    pub(crate) project: bool,
    /// Let the client start `signbell mcp`, which needs no key, although it could send one.
    #[arg(long, conflicts_with = "env")]
    pub(crate) stdio: bool,
    /// Let the client take its key from the environment (SIGNBELL_KEY).
    #[arg(long)]
    pub(crate) env: bool,
    /// The tool whose key it gets; if left out, the one in the file, else one named like the client.
    #[arg(long, value_name = "NAME")]
    pub(crate) tool: Option<ToolName>,
    /// Give a tool that is there already a new key; the old one stops working.
    #[arg(long)]
    pub(crate) rotate: bool,
    /// Write without asking.
    #[arg(long, short)]
    pub(crate) yes: bool,
}

fn client(name: &str) -> Result<Client, String> {
    Client::named(name).ok_or_else(|| words::unknown_client(name))
}
