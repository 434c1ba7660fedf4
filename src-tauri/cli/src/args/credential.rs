//! `signbell credential`: the helper that another program calls.

use clap::Subcommand;
use signbell_engine::model::{AccountName, ToolName};

#[derive(Debug, Subcommand)]
pub(crate) enum Credential {
    /// For git: a key for the proxy's own address, good for an hour.
    #[command(
        after_help = "Example:\n  git config --global credential.http://127.0.0.1:8401.helper '!signbell credential git'"
    )]
    Git {
        /// The tool whose services git may use.
        #[arg(long, value_name = "NAME", default_value = "git")]
        tool: ToolName,
        /// What git asks (get, store, erase and those to come); it adds this by itself.
        operation: String,
    },
    /// For cargo: a key for the proxy's own address, good for an hour (cargo:token-from-stdout).
    #[command(after_help = "Example:\n  signbell credential cargo --tool cargo")]
    Cargo {
        /// The tool whose services cargo may use.
        #[arg(long, value_name = "NAME", default_value = "cargo")]
        tool: ToolName,
    },
    /// For docker: the same; it calls it as docker-credential-signbell.
    #[command(
        after_help = "Example:\n  ln -s \"$(command -v signbell)\" ~/.local/bin/docker-credential-signbell\n  echo github.localhost:8401 | signbell credential docker get"
    )]
    Docker {
        /// The tool whose services docker may use.
        #[arg(long, value_name = "NAME", default_value = "docker")]
        tool: ToolName,
        /// What docker asks: get, store, erase, list.
        operation: String,
    },
    /// For kubectl: the account's own access token, if you allowed that for the account.
    #[command(after_help = "Example:\n  signbell credential kubectl cluster-admin")]
    Kubectl {
        /// Whose token.
        account: AccountName,
    },
}
