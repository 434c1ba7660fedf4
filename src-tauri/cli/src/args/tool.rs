//! `signbell tool`.

use clap::Subcommand;
use clap::builder::BoolishValueParser;
use signbell_engine::model::{ExpiredAnswer, ServiceName, ToolName};

use super::value::expired_answer;

#[derive(Debug, Subcommand)]
pub(crate) enum Tool {
    /// Register a tool or let one use more services. A new tool's key is shown this once.
    // The order of clap's own usage line would have `--service` swallow the name.
    #[command(
        override_usage = "signbell tool add <NAME> --service <SERVICE>... [OPTIONS]",
        after_help = "Example:\n  signbell tool add claude-code --service linear --service github"
    )]
    Add {
        /// What to call it.
        name: ToolName,
        /// A service that it may use; can be given several times.
        #[arg(long = "service", value_name = "SERVICE", required = true, num_args = 1.., value_delimiter = ',')]
        services: Vec<ServiceName>,
        /// What it gets when you did not come: 401 or 503.
        #[arg(long, value_name = "STATUS", value_parser = expired_answer, default_value = "automatic")]
        expired: ExpiredAnswer,
        /// Make the key part of its addresses, for a tool that can set nothing else.
        #[arg(long)]
        key_in_path: bool,
    },
    /// List the tools.
    #[command(after_help = "Example:\n  signbell tool list")]
    List,
    /// Change a tool's settings.
    #[command(after_help = "Example:\n  signbell tool set claude-code --confirm")]
    Set {
        /// Which tool.
        name: ToolName,
        /// Whether you are asked once for each program that uses it and each service.
        #[arg(long, value_name = "yes|no", num_args = 0..=1, require_equals = true, default_missing_value = "yes", hide_possible_values = true, value_parser = BoolishValueParser::new(), required = true)]
        confirm: Option<bool>,
    },
    /// Let the programs that wait for your answer use a service: from now on, or for this hour.
    #[command(after_help = "Example:\n  signbell tool allow claude-code linear --hour")]
    Allow {
        /// The tool whose key they show.
        name: ToolName,
        /// What they want to use.
        service: ServiceName,
        /// For an hour only.
        #[arg(long)]
        hour: bool,
    },
    /// Don't let the programs that wait for your answer use a service, for an hour.
    #[command(after_help = "Example:\n  signbell tool deny claude-code linear")]
    Deny {
        /// The tool whose key they show.
        name: ToolName,
        /// What they want to use.
        service: ServiceName,
    },
    /// Give a tool a new key; the old one stops working.
    #[command(after_help = "Example:\n  signbell tool rotate claude-code")]
    Rotate {
        /// Which tool.
        name: ToolName,
    },
    /// Remove a tool; its key stops working at once.
    #[command(after_help = "Example:\n  signbell tool remove claude-code")]
    Remove {
        /// Which tool.
        name: ToolName,
    },
}
