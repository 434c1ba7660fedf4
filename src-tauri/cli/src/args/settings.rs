//! `signbell settings`.

use clap::Subcommand;

#[derive(Debug, Subcommand)]
pub(crate) enum Settings {
    /// List the settings.
    #[command(after_help = "Example:\n  signbell settings list")]
    List,
    /// Print one.
    #[command(after_help = "Example:\n  signbell settings get proxy.port")]
    Get {
        /// Which, as the list shows it.
        key: String,
    },
    /// Change one.
    #[command(
        after_help = "Examples:\n  signbell settings set bell.reminders 5,30,2h\n  signbell settings set network.proxy ''"
    )]
    Set {
        /// Which, as the list shows it.
        key: String,
        /// What it is to be; an empty text for the default.
        #[arg(allow_hyphen_values = true)]
        value: String,
        /// Don't ask, where a setting widens what tools can do.
        #[arg(long)]
        yes: bool,
    },
}
