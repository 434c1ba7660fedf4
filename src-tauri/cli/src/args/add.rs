//! `signbell add`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use signbell_engine::model::{AccountName, ServiceName, ToolName};
use url::Url;

use super::value::web_url;

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
