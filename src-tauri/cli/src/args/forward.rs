//! `signbell forward`.

use clap::Subcommand;

#[derive(Debug, Subcommand)]
pub(crate) enum Forward {
    /// Turn the forward proxy on, after a question.
    #[command(after_help = "Example:\n  signbell forward on")]
    On {
        /// Answer the question with yes, for scripts.
        #[arg(long)]
        yes: bool,
    },
    /// Turn it off; its tunnels end.
    #[command(after_help = "Example:\n  signbell forward off")]
    Off,
    /// Say how it stands, and which hosts it opens.
    #[command(after_help = "Example:\n  signbell forward status")]
    Status,
    /// Say how a program can be made to trust it. Nothing is changed by this.
    #[command(after_help = "Example:\n  signbell forward trust")]
    Trust,
}
