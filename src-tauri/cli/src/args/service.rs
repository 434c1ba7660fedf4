//! `signbell service`.

use std::time::Duration;

use clap::builder::BoolishValueParser;
use clap::{Args, Subcommand};
use signbell_engine::model::{ExpiredAnswer, ServiceName};
use url::Url;

use super::value::{duration, expired_answer, web_url};

#[derive(Debug, Subcommand)]
pub(crate) enum Service {
    /// List the services.
    #[command(after_help = "Example:\n  signbell service list")]
    List,
    /// Change a service's settings.
    #[command(after_help = "Example:\n  signbell service set linear --hold 5m --expired 503")]
    Set {
        /// Which service.
        service: ServiceName,
        #[command(flatten)]
        settings: ServiceSettings,
    },
    /// Say which rule would match a saved response, or what an address of the service answers now.
    #[command(
        after_help = "Examples:\n  signbell service test slack refused.txt\n  signbell service test slack https://slack.com/api/auth.test"
    )]
    Test {
        /// Which service.
        service: ServiceName,
        /// A response as `curl -si` prints it (- for standard input), or an address of the service.
        #[arg(value_name = "FILE|URL")]
        response: String,
    },
    /// List what is known of services before anybody used them.
    #[command(after_help = "Example:\n  signbell service presets")]
    Presets,
    /// Sign in at the authorization server that the service names now, after it has changed.
    #[command(after_help = "Example:\n  signbell service move linear https://login.linear.example")]
    Move {
        /// Which service.
        service: ServiceName,
        /// The new server, as Signbell told it.
        #[arg(value_parser = web_url)]
        issuer: Url,
    },
    /// Remove a service; its account stays.
    #[command(after_help = "Example:\n  signbell service remove linear")]
    Remove {
        /// Which service.
        service: ServiceName,
    },
}

#[derive(Debug, Args)]
#[group(required = true, multiple = true)]
pub(crate) struct ServiceSettings {
    /// How long a request waits for you to sign in: 90s, 5m; 0 for not at all.
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub(crate) hold: Option<Duration>,
    /// Whether a request that changes something is sent again after a 401.
    #[arg(long, value_name = "yes|no", num_args = 0..=1, require_equals = true, default_missing_value = "yes", hide_possible_values = true, value_parser = BoolishValueParser::new())]
    pub(crate) replay_unsafe: Option<bool>,
    /// Whether its own addresses in what it answers become ours: what a package registry needs.
    #[arg(long, value_name = "yes|no", num_args = 0..=1, require_equals = true, default_missing_value = "yes", hide_possible_values = true, value_parser = BoolishValueParser::new())]
    pub(crate) rewrite_addresses: Option<bool>,
    /// What a tool gets when you did not come: 401, 503 or automatic.
    #[arg(long, value_name = "STATUS", value_parser = expired_answer)]
    pub(crate) expired: Option<ExpiredAnswer>,
    /// What is known of such a service (`signbell service presets`).
    #[arg(long, value_name = "PRESET|none")]
    pub(crate) preset: Option<String>,
}
