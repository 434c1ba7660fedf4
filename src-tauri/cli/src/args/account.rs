//! `signbell sign-in` and `account`.

use clap::builder::BoolishValueParser;
use clap::{Args, Subcommand};
use signbell_engine::model::AccountName;

#[derive(Debug, Args)]
pub(crate) struct SignIn {
    /// Which account.
    #[arg(required_unless_present = "all")]
    pub(crate) account: Option<AccountName>,
    /// Every account that needs it, one page after the other; those that you signed out of stay so. A page is
    /// waited for ten minutes at most; in a terminal Enter leaves it and goes on with the next.
    #[arg(long, conflicts_with = "account")]
    pub(crate) all: bool,
    /// Print the link instead of opening it; the address that the browser ends at may be pasted.
    #[arg(long)]
    pub(crate) no_browser: bool,
    /// Sign in on another device: a code and a QR code instead of a page here.
    #[arg(long, conflicts_with = "no_browser")]
    pub(crate) device: bool,
    /// The port that the browser comes back to, for one that reaches it through `ssh -L`.
    #[arg(long, conflicts_with = "device")]
    pub(crate) port: Option<u16>,
    /// Sign in anew although the session is good.
    #[arg(long, conflicts_with = "all")]
    pub(crate) force: bool,
    /// A scope to ask for besides those that the account has; can be given several times.
    #[arg(long = "scope", value_name = "SCOPE", conflicts_with = "all")]
    pub(crate) scopes: Vec<String>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Account {
    /// List the accounts.
    #[command(after_help = "Example:\n  signbell account list")]
    List,
    /// Change an account's settings.
    #[command(
        after_help = "Examples:\n  signbell account set linear-work --name work\n  signbell account set linear-work --allow-token=no"
    )]
    Set {
        /// Which account.
        account: AccountName,
        #[command(flatten)]
        settings: AccountSettings,
    },
    /// Sign out and forget the account and its services.
    #[command(after_help = "Example:\n  signbell account remove linear-work")]
    Remove {
        /// Which account.
        account: AccountName,
    },
}

#[derive(Debug, Args)]
#[group(required = true, multiple = true)]
pub(crate) struct AccountSettings {
    /// Whether `signbell token` may print its token.
    #[arg(long, value_name = "yes|no", num_args = 0..=1, require_equals = true, default_missing_value = "yes", hide_possible_values = true, value_parser = BoolishValueParser::new())]
    pub(crate) allow_token: Option<bool>,
    /// What you call it besides its identity: "work".
    #[arg(long)]
    pub(crate) name: Option<String>,
}
