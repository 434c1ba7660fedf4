//! `signbell provider`.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use signbell_engine::model::AccountName;

#[derive(Debug, Subcommand)]
pub(crate) enum Provider {
    /// List what is known of providers before anybody signed in there, or tell all of one.
    #[command(after_help = "Examples:\n  signbell provider presets\n  signbell provider presets slack")]
    Presets {
        /// Only this one, with where to register and what to mind.
        name: Option<String>,
    },
    /// Change what an account's provider knows Signbell by.
    #[command(after_help = "Example:\n  signbell provider set linear-work --client-secret-stdin")]
    Set {
        /// Whose provider.
        account: AccountName,
        #[command(flatten)]
        client: Client,
        /// Don't ask, where accounts that are signed in there have to sign in again.
        #[arg(long)]
        yes: bool,
    },
}

#[derive(Debug, Args)]
#[group(required = true, multiple = true)]
pub(crate) struct Client {
    /// The client id that the provider gave you.
    #[arg(long, value_name = "ID")]
    pub(crate) client_id: Option<String>,
    /// Read the client secret from standard input: one line.
    #[arg(long)]
    pub(crate) client_secret_stdin: bool,
    /// A private key of the client, an unencrypted PEM file.
    #[arg(long, value_name = "FILE", conflicts_with = "client_secret_stdin")]
    pub(crate) client_key_file: Option<PathBuf>,
    /// What the provider calls that key.
    #[arg(long, value_name = "ID")]
    pub(crate) client_key_id: Option<String>,
}
