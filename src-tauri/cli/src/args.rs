//! What can be typed, and nothing that can't be done yet.

mod account;
mod add;
mod carry;
mod connect;
mod credential;
mod forward;
mod provider;
mod service;
mod settings;
mod tool;
mod value;

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use signbell_engine::model::{AccountName, ToolName};

pub(crate) use self::account::{Account, SignIn};
pub(crate) use self::add::{Add, UnattendedGrant};
pub(crate) use self::carry::{Export, Import, OnConflict, Origin};
pub(crate) use self::connect::Connect;
pub(crate) use self::credential::Credential;
pub(crate) use self::forward::Forward;
pub(crate) use self::provider::Provider;
pub(crate) use self::service::Service;
pub(crate) use self::settings::Settings;
pub(crate) use self::tool::Tool;
use self::value::duration;

/// Keeps your OAuth sign-ins alive for every tool on this machine.
#[derive(Debug, Parser)]
#[command(
    name = "signbell",
    version,
    max_term_width = 100,
    after_help = "Exit codes: 0 done, 1 failed, 2 usage, 3 no running app, 10 a sign-in is needed, 11 locked or unavailable, 12 refused by the provider, 13 not allowed."
)]
pub(crate) struct Cli {
    /// Print one JSON object a line, and nothing else, on standard output.
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Whether `--json` is asked for, also where the rest of the line can't be understood.
pub(crate) fn wants_json(args: impl Iterator<Item = OsString>) -> bool {
    args.take_while(|arg| arg != "--").any(|arg| arg == "--json")
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Start the tray app, or bring its window up.
    #[command(after_help = "Example:\n  signbell app")]
    App,
    /// Run without a screen, in the foreground, until SIGTERM or Ctrl-C.
    #[command(after_help = "Example:\n  SIGNBELL_VAULT=sealed-file signbell serve")]
    Serve,
    /// Add a service by its URL, and its account if there is none yet.
    #[command(
        after_help = "Example:\n  signbell add https://api.example.com --issuer https://login.example.com --client-id my-client --tool my-script --sign-in"
    )]
    Add(Box<Add>),
    /// Sign in to an account, and wait until it is done.
    #[command(
        after_help = "Examples:\n  signbell sign-in linear-work\n  signbell sign-in --all\n  signbell sign-in linear-work --device\n  ssh -L 8499:127.0.0.1:8499 server signbell sign-in linear-work --no-browser --port 8499"
    )]
    SignIn(SignIn),
    /// Renew an account's token now.
    #[command(after_help = "Example:\n  signbell refresh linear-work")]
    Refresh {
        /// Which account.
        account: AccountName,
    },
    /// List accounts, change one, remove one.
    #[command(subcommand, after_help = "Example:\n  signbell account list")]
    Account(Account),
    /// Revoke an account's tokens where its provider offers it, and wipe them.
    #[command(after_help = "Example:\n  signbell sign-out linear-work")]
    SignOut {
        /// Which account.
        account: AccountName,
        /// Also forget the account and its services.
        #[arg(long)]
        forget: bool,
    },
    /// Show how each account stands.
    #[command(after_help = "Examples:\n  signbell status\n  signbell status linear-work --json")]
    Status {
        /// Only this account.
        account: Option<AccountName>,
    },
    /// List services, change one, remove one.
    #[command(subcommand, after_help = "Example:\n  signbell service list")]
    Service(Service),
    /// Show which providers are known, and change what one knows Signbell by.
    #[command(subcommand, after_help = "Example:\n  signbell provider presets github")]
    Provider(Provider),
    /// Register the local programs that may use your services.
    #[command(subcommand, after_help = "Example:\n  signbell tool add my-script --service linear")]
    Tool(Tool),
    /// Show the settings of Signbell itself, or change one; it counts at once.
    #[command(
        subcommand,
        after_help = "Examples:\n  signbell settings list\n  signbell settings set proxy.hold_seconds 5m"
    )]
    Settings(Settings),
    /// Print an access token, if you allowed that for the account.
    #[command(
        after_help = "Example:\n  signbell account set linear-work --allow-token\n  signbell token linear-work --min-valid 5m"
    )]
    Token {
        /// Which account.
        account: AccountName,
        /// How long it must live at least: 90s, 5m, 1h.
        #[arg(long, value_name = "TIME", default_value = "1m", value_parser = duration)]
        min_valid: Duration,
    },
    /// Run a command with the addresses of a tool's services and a key in its environment.
    #[command(
        after_help = "The command finds SIGNBELL_KEY, SIGNBELL_<SERVICE>_URL for each service of the tool, and SIGNBELL_URL where there is one alone. The key stops working when the command ends. While the forward proxy is on (`signbell forward on`), or with --forward, it also finds HTTPS_PROXY and its relatives, a bundle of certificates for this run alone, and a placeholder where a client wants some token before it calls.\n\nExamples:\n  signbell run --tool my-script --forward -- gh api user\n  signbell run --tool my-script -- sh -c 'curl -H \"Authorization: Bearer $SIGNBELL_KEY\" $SIGNBELL_URL/me'"
    )]
    Run(Run),
    /// Serve programs that can't change their base URL, through HTTPS_PROXY.
    #[command(
        subcommand,
        after_help = "Example:\n  signbell forward on\n  signbell run --tool my-script -- gh api user"
    )]
    Forward(Forward),
    /// Be a stdio MCP server that is a remote one, for clients that speak stdio alone.
    #[command(
        after_help = "Takes the place of `npx mcp-remote URL` in a client's configuration. A URL that nobody has added yet is added; the first request rings for the sign-in.\n\nExample:\n  signbell mcp https://mcp.example.com/mcp"
    )]
    Mcp(Mcp),
    /// Write a client's own configuration, so that it reaches your services.
    #[command(
        override_usage = "signbell connect <CLIENT> <SERVICE>... [OPTIONS]\n       signbell connect <CLIENT> --undo\n       signbell connect --list",
        after_help = "The change is shown first, and a backup kept. No key is written into a file that is likely to be committed.\n\nExamples:\n  signbell connect claude-code linear\n  signbell connect git forge --dry-run\n  signbell connect claude-code --undo"
    )]
    Connect(Box<Connect>),
    /// Be the credential helper of another program.
    #[command(
        subcommand,
        after_help = "Example:\n  git config --global credential.http://127.0.0.1:8401.helper '!signbell credential git'"
    )]
    Credential(Credential),
    /// Show who used which account, and every recovery.
    #[command(after_help = "Example:\n  signbell activity --follow")]
    Activity {
        /// Go on with what happens next.
        #[arg(long)]
        follow: bool,
    },
    /// Play the whole story in a minute, with a provider of its own.
    #[command(after_help = "Examples:\n  signbell demo\n  signbell demo --auto")]
    Demo {
        /// Sign in without a browser and without you.
        #[arg(long, alias = "yes")]
        auto: bool,
    },
    /// Take over what other programs have, or settings that `signbell export` wrote.
    #[command(
        after_help = "Examples:\n  signbell import\n  signbell import clients --take clients:linear\n  signbell import email-oauth2-proxy --from ~/mail/emailproxy.config --dry-run"
    )]
    Import(Box<Import>),
    /// Write your settings, without any secret, to a file for another machine.
    #[command(after_help = "Example:\n  signbell export my-signbell.toml")]
    Export(Export),
    /// Check what Signbell needs, and say what to do.
    #[command(after_help = "Examples:\n  signbell doctor\n  signbell doctor --test-vault")]
    Doctor {
        /// Also keep a test item where the tokens are, read it back and remove it.
        #[arg(long)]
        test_vault: bool,
    },
    /// Print what completes these commands in a shell.
    #[command(
        after_help = "Packages install it by themselves.\n\nExamples:\n  signbell completions bash > ~/.local/share/bash-completion/completions/signbell\n  signbell completions fish > ~/.config/fish/completions/signbell.fish"
    )]
    Completions {
        /// Which shell.
        shell: clap_complete::Shell,
    },
    /// Print the manual page, or write one for every command.
    #[command(
        after_help = "Packages install them by themselves.\n\nExamples:\n  signbell man | man -l -\n  signbell man --folder ~/.local/share/man/man1"
    )]
    Man {
        /// Write signbell.1, signbell-add.1 and so on into this folder instead.
        #[arg(long)]
        folder: Option<PathBuf>,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Mcp {
    /// A service's name, or the address of an MCP server.
    #[arg(value_name = "SERVICE|URL")]
    pub(crate) service: String,
    /// The tool as which it is used; made if it does not exist.
    #[arg(long, value_name = "NAME", default_value = "mcp")]
    pub(crate) tool: ToolName,
}

#[derive(Debug, Args)]
pub(crate) struct Run {
    /// Whose services the command may use.
    #[arg(long, value_name = "NAME")]
    pub(crate) tool: ToolName,
    /// Let the command use the forward proxy although that is off: it alone, until it ends.
    #[arg(long)]
    pub(crate) forward: bool,
    /// The command and its arguments.
    #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true, value_name = "COMMAND")]
    pub(crate) command: Vec<OsString>,
}

#[cfg(test)]
mod tests;
