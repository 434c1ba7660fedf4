//! What can be typed, and nothing that can't be done yet.

mod carry;
mod connect;
mod credential;
mod forward;

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::builder::BoolishValueParser;
use clap::{Args, Parser, Subcommand, ValueEnum};
use signbell_engine::model::{AccountName, ExpiredAnswer, ServiceName, ToolName};
use url::Url;

pub(crate) use self::carry::{Export, Import, OnConflict, Origin};
pub(crate) use self::connect::Connect;
pub(crate) use self::credential::Credential;
pub(crate) use self::forward::Forward;

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
        after_help = "The command finds SIGNBELL_KEY, SIGNBELL_<SERVICE>_URL for each service of the tool, and SIGNBELL_URL where there is one alone. The key stops working when the command ends. While the forward proxy is on (`signbell forward on`), it also finds HTTPS_PROXY and its relatives, a bundle of certificates for this run alone, and a placeholder where a client wants some token before it calls.\n\nExamples:\n  signbell run --tool my-script -- gh api user\n  signbell run --tool my-script -- sh -c 'curl -H \"Authorization: Bearer $SIGNBELL_KEY\" $SIGNBELL_URL/me'"
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
    /// The command and its arguments.
    #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true, value_name = "COMMAND")]
    pub(crate) command: Vec<OsString>,
}

#[derive(Debug, Args)]
pub(crate) struct Add {
    /// The base URL of the service.
    #[arg(value_parser = web_url)]
    pub(crate) url: Url,
    /// What to call the service; made from its host if left out.
    #[arg(long)]
    pub(crate) name: Option<ServiceName>,
    /// The account whose tokens it gets; made if it does not exist.
    #[arg(long)]
    pub(crate) account: Option<AccountName>,
    /// The authorization server.
    #[arg(long, value_name = "URL", value_parser = web_url)]
    pub(crate) issuer: Option<Url>,
    /// The client id that the provider gave you.
    #[arg(long, value_name = "ID")]
    pub(crate) client_id: Option<String>,
    /// Read the client secret from standard input: one line.
    #[arg(long, requires = "client_id")]
    pub(crate) client_secret_stdin: bool,
    /// A private key of the client, an unencrypted PEM file (RSA, or EC on P-256 or P-384): it signs what Signbell
    /// shows instead of a secret.
    #[arg(long, value_name = "FILE", conflicts_with = "client_secret_stdin")]
    pub(crate) client_key_file: Option<PathBuf>,
    /// What the provider calls that key; its RFC 7638 thumbprint if left out.
    #[arg(long, value_name = "ID", requires = "client_key_file")]
    pub(crate) client_key_id: Option<String>,
    /// Without a person: client-credentials (the client in its own name) or jwt-bearer (a service account).
    #[arg(long, value_enum, value_name = "GRANT")]
    pub(crate) grant: Option<UnattendedGrant>,
    /// Whom a service account speaks for, if not for itself.
    #[arg(long, value_name = "WHO", requires = "grant")]
    pub(crate) subject: Option<String>,
    /// The account, at your employer, whose sign-in vouches for you here.
    #[arg(long, value_name = "ACCOUNT", conflicts_with_all = ["grant", "subject"])]
    pub(crate) via: Option<AccountName>,
    /// Bind the tokens to a key (DPoP), also where the service does not ask for that.
    #[arg(long)]
    pub(crate) dpop: bool,
    /// A scope to ask for; can be given several times.
    #[arg(long = "scope", value_name = "SCOPE")]
    pub(crate) scopes: Vec<String>,
    /// The RFC 8707 resource that its tokens are for.
    #[arg(long)]
    pub(crate) resource: Option<String>,
    /// What is known of such a service (`signbell service presets`); chosen by its host if left out.
    #[arg(long, value_name = "PRESET|none")]
    pub(crate) preset: Option<String>,
    /// Sign in although the provider does not announce PKCE with S256, which is sent all the same.
    #[arg(long)]
    pub(crate) allow_missing_pkce: bool,
    /// What is known of the authorization server (`signbell provider presets`); chosen by its address or the
    /// service's if left out.
    #[arg(long, value_name = "PRESET")]
    pub(crate) provider_preset: Option<String>,
    /// A tool that may use it; made if it does not exist, and its key printed.
    #[arg(long, value_name = "NAME")]
    pub(crate) tool: Option<ToolName>,
    /// Go on to sign in.
    #[arg(long)]
    pub(crate) sign_in: bool,
    /// Print the link instead of opening it; the address that the browser ends at may be pasted.
    #[arg(long, requires = "sign_in")]
    pub(crate) no_browser: bool,
    /// Sign in on another device: a code and a QR code instead of a page here.
    #[arg(long, requires = "sign_in", conflicts_with = "no_browser")]
    pub(crate) device: bool,
    /// Only say what was found: nothing is added, registered or signed in.
    #[arg(long, conflicts_with = "sign_in")]
    pub(crate) dry_run: bool,
}

/// Tokens that no person signs in for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum UnattendedGrant {
    /// RFC 6749 section 4.4.
    ClientCredentials,
    /// RFC 7523 section 2.1.
    JwtBearer,
}

#[derive(Debug, Args)]
pub(crate) struct SignIn {
    /// Which account.
    #[arg(required_unless_present = "all")]
    pub(crate) account: Option<AccountName>,
    /// Every account that needs it, one page after the other.
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

fn web_url(text: &str) -> Result<Url, String> {
    match text.parse::<Url>() {
        Ok(url) if matches!(url.scheme(), "https" | "http") => Ok(url),
        _ => Err("it must begin with https:// (or http:// on this machine)".to_owned()),
    }
}

fn duration(text: &str) -> Result<Duration, String> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let factor = match &text[digits.len()..] {
        "" | "s" => Some(1),
        "m" => Some(60),
        "h" => Some(3600),
        _ => None,
    };
    let seconds = digits.parse::<u64>().ok().zip(factor).and_then(|(n, f)| n.checked_mul(f));
    seconds.map(Duration::from_secs).ok_or_else(|| "a time is written 90s, 5m or 1h".to_owned())
}

fn expired_answer(text: &str) -> Result<ExpiredAnswer, String> {
    match text {
        "401" => Ok(ExpiredAnswer::Unauthorized),
        "503" => Ok(ExpiredAnswer::Unavailable),
        "automatic" => Ok(ExpiredAnswer::Automatic),
        _ => Err("it is 401, 503 or automatic".to_owned()),
    }
}

#[cfg(test)]
mod tests;
