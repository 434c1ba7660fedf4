//! `config.toml`: what the person set. Meant to be edited by hand.
//!
//! Our own changes go through [`edit`], which keeps comments and order, checks the result as a whole
//! before it is written, and writes it atomically.

mod desktop;
mod key;
mod mistake;
mod program;
mod reference;
mod setting;

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write as _};
use std::path::Path;
use std::sync::Arc;

use serde::Deserialize;
use toml_edit::DocumentMut;
use url::Url;

pub use self::desktop::{DesktopConfig, Theme};
pub use self::key::KeyDigest;
use self::mistake::Mistake;
pub use self::program::{BellConfig, VaultConfig, VaultKind};
pub use self::reference::document;
pub use self::setting::{Kind, SETTINGS, Setting, Unit, put, setting};
use crate::browser::{is_loopback, may_open};
use crate::faults;
use crate::model::{AccountName, ExpiredAnswer, ProviderName, Scopes, ServiceName, ToolName};
use crate::provider::{Grant, NetworkSettings, TokenAuth, preset as presets};
use crate::rules::{self, Injection, Preset, Rule, RuleSet};

/// Everything the person set.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The proxy.
    pub proxy: ProxyConfig,
    /// How the network is reached.
    pub network: NetworkConfig,
    /// How the person is called.
    pub bell: BellConfig,
    /// The tray and the window.
    pub desktop: DesktopConfig,
    /// Where tokens are kept.
    pub vault: VaultConfig,
    /// Authorization servers, and our registrations there.
    pub providers: BTreeMap<ProviderName, ProviderConfig>,
    /// Identities.
    pub accounts: BTreeMap<AccountName, AccountConfig>,
    /// Upstreams.
    pub services: BTreeMap<ServiceName, ServiceConfig>,
    /// Registered programs.
    pub tools: BTreeMap<ToolName, ToolConfig>,
}

/// `[proxy]`
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ProxyConfig {
    /// The port on loopback; 0 takes a free one at each start.
    pub port: u16,
    /// How long a request waits for the person, in seconds; 0 turns holding off.
    pub hold_seconds: u64,
    /// The same for JSON-RPC requests, whose clients give up at 60.
    pub hold_seconds_json_rpc: u64,
    /// How much of a request's body is kept for a replay, in bytes.
    pub replay_bytes: usize,
    /// How much is kept of all bodies together, in bytes.
    pub replay_bytes_in_all: usize,
    /// How long an upstream may take to begin its answer, in seconds.
    pub answer_seconds: u64,
    /// Whether the port is a forward proxy too (`HTTPS_PROXY`), for who shows a tool's key.
    pub forward: bool,
}

impl Default for ProxyConfig {
    fn default() -> Self {
        Self {
            port: 8401,
            hold_seconds: 120,
            hold_seconds_json_rpc: 50,
            replay_bytes: 1024 * 1024,
            replay_bytes_in_all: 64 * 1024 * 1024,
            answer_seconds: 600,
            forward: false,
        }
    }
}

/// `[network]`
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NetworkConfig {
    /// A corporate HTTP proxy for everything but loopback: `http://proxy.example:3128`.
    pub proxy: Option<Url>,
    /// A PEM file of authorities to trust besides the system's.
    pub extra_ca: Option<std::path::PathBuf>,
    /// Where our client ID metadata document is published; its address is our client id at servers that
    /// take such.
    pub client_metadata_url: Option<Url>,
}

impl From<&NetworkConfig> for NetworkSettings {
    fn from(config: &NetworkConfig) -> Self {
        Self { proxy: config.proxy.clone(), extra_ca: config.extra_ca.clone() }
    }
}

/// `[providers.NAME]`
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProviderConfig {
    /// The issuer identifier (RFC 8414).
    pub issuer: Url,
    /// Our client id there.
    pub client_id: String,
    /// Whether its client secret lies in the vault.
    #[serde(default)]
    pub client_secret_in_vault: bool,
    /// As shown to people: `Linear`.
    #[serde(default)]
    pub title: Option<String>,
    /// Whether Signbell registered itself there (RFC 7591), and may do so again.
    #[serde(default)]
    pub registered: bool,
    /// Whether a private key of the client lies in the vault.
    #[serde(default)]
    pub client_key_in_vault: bool,
    /// What the provider calls that key, if not by its thumbprint.
    #[serde(default)]
    pub client_key_id: Option<String>,
    /// By what right tokens are asked for.
    #[serde(default)]
    pub grant: Grant,
    /// Whom the client's own assertions speak for: `ada@example.com`.
    #[serde(default)]
    pub subject: Option<String>,
    /// The account, at the person's employer, that vouches for them.
    #[serde(default)]
    pub via: Option<AccountName>,
    /// How the token endpoint wants to see us, where the server said so.
    #[serde(default)]
    pub token_auth: Option<TokenAuth>,
    /// The port of the redirect that was registered.
    #[serde(default)]
    pub redirect_port: Option<u16>,
    /// A public service named the issuer: it leads to no address of this machine or its network.
    #[serde(default)]
    pub only_public: bool,
    /// Sign in there although it does not announce PKCE with S256 (D6); PKCE is sent all the same.
    #[serde(default)]
    pub allow_missing_pkce: bool,
    /// It described itself nowhere when it was added, so its endpoints are those of MCP 2025-03-26.
    #[serde(default)]
    pub default_endpoints: bool,
    /// What is known of such a server; `signbell provider presets` lists them.
    #[serde(default)]
    pub preset: Option<String>,
    /// Where the browser goes, if not where the preset or the server's metadata says.
    #[serde(default)]
    pub authorization_endpoint: Option<Url>,
    /// Where codes and refresh tokens are redeemed, likewise.
    #[serde(default)]
    pub token_endpoint: Option<Url>,
    /// RFC 7009, likewise.
    #[serde(default)]
    pub revocation_endpoint: Option<Url>,
    /// Who signed in, likewise.
    #[serde(default)]
    pub identity_endpoint: Option<Url>,
}

impl ProviderConfig {
    /// What is known of such a server; the name was looked at when the file was read.
    #[must_use]
    pub fn known(&self) -> Option<Arc<presets::Preset>> {
        self.preset.as_deref().and_then(presets::named)
    }

    /// The addresses that the person set.
    #[must_use]
    pub fn endpoints(&self) -> presets::Endpoints {
        presets::Endpoints {
            authorization: self.authorization_endpoint.clone(),
            token: self.token_endpoint.clone(),
            revocation: self.revocation_endpoint.clone(),
            identity: self.identity_endpoint.clone(),
        }
    }
}

/// `[accounts.NAME]`
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AccountConfig {
    /// Where.
    pub provider: ProviderName,
    /// What to ask for.
    #[serde(default)]
    pub scopes: Scopes,
    /// What the person calls it besides its identity: `work`.
    #[serde(default)]
    pub label: Option<String>,
    /// Whether `signbell token` may print its token.
    #[serde(default)]
    pub allow_token: bool,
}

/// `[services.NAME]`
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServiceConfig {
    /// The upstream base URL: `https`, or `http` on this machine.
    pub url: Url,
    /// Whose tokens it gets.
    pub account: AccountName,
    /// The RFC 8707 resource its tokens are for.
    #[serde(default)]
    pub resource: Option<String>,
    /// Whether its tokens are bound to a key (DPoP, RFC 9449).
    #[serde(default)]
    pub dpop: bool,
    /// The authorization server that its own metadata named (RFC 9728). Where that changes, the person is
    /// asked before anything goes to the new one (D7).
    #[serde(default)]
    pub authorization_server: Option<Url>,
    /// Overrides `[proxy]`.
    #[serde(default)]
    pub hold_seconds: Option<u64>,
    /// Whether POST and other unsafe methods are replayed after a 401.
    #[serde(default = "yes")]
    pub replay_unsafe: bool,
    /// What its tools get when the person did not come.
    #[serde(default)]
    pub expired: ExpiredAnswer,
    /// Whether its own addresses in what it answers become the tool's: what a package registry needs.
    #[serde(default)]
    pub rewrite_addresses: bool,
    /// What is known of such a service before anybody used it; `signbell service presets` lists them.
    #[serde(default)]
    pub preset: Option<String>,
    /// Scopes that a click may add when the service asks for more.
    #[serde(default)]
    pub scopes: Scopes,
    /// Variables in which a client wants some token before it calls, if not those of the preset:
    /// `signbell run` puts a placeholder there.
    #[serde(default)]
    pub token_variables: Option<Vec<String>>,
    /// How the token is put in, if not as the preset says.
    #[serde(default)]
    pub inject: Option<Injection>,
    /// How it says that a token is no good, before what its preset knows.
    #[serde(default, deserialize_with = "crate::rules::shared")]
    pub rules: Vec<Arc<Rule>>,
}

impl ServiceConfig {
    /// What is known of such services; the name was looked at when the file was read.
    #[must_use]
    pub fn known(&self) -> Option<Arc<Preset>> {
        self.preset.as_deref().and_then(rules::named)
    }

    /// How it says that a token is no good.
    #[must_use]
    pub fn rule_set(&self) -> RuleSet {
        RuleSet::new(&self.rules, self.known().as_deref())
    }

    /// In which variables its clients want some token before they call.
    #[must_use]
    pub fn token_variables(&self) -> Vec<String> {
        let known = || self.known().map(|preset| preset.token_variables.clone());
        self.token_variables.clone().or_else(known).unwrap_or_default()
    }

    /// How the token is put in.
    #[must_use]
    pub fn injection(&self) -> Injection {
        self.inject.clone().or_else(|| self.known().map(|preset| preset.inject.clone())).unwrap_or_default()
    }
}

fn yes() -> bool {
    true
}

/// `[tools.NAME]`
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ToolConfig {
    /// SHA-256 of its key, in hexadecimal. The key has 256 random bits, so a plain digest is enough.
    pub key_sha256: KeyDigest,
    /// What it may use.
    #[serde(default)]
    pub services: Vec<ServiceName>,
    /// What it gets when the person did not come.
    #[serde(default)]
    pub expired: ExpiredAnswer,
    /// Whether its key is part of its addresses.
    #[serde(default)]
    pub key_in_path: bool,
    /// Whether the person is asked once for each program and service.
    #[serde(default)]
    pub confirm: bool,
    /// Which programs they let use what for good, by path.
    #[serde(default)]
    pub allowed: BTreeMap<ServiceName, Vec<String>>,
}

/// Why the file can't be used. It is left as it is.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// It can't be read or written.
    #[error("{path}: {source}")]
    Io {
        /// Which file.
        path: String,
        /// Why.
        source: io::Error,
    },
    /// It is not TOML, or not of this shape; the text names the line.
    #[error("{path}: {why}")]
    Syntax {
        /// Which file.
        path: String,
        /// In which line it is, from 1.
        line: Option<usize>,
        /// The same in one line.
        brief: String,
        /// What and where.
        why: String,
    },
    /// Two parts contradict each other.
    #[error("{path}: {what}")]
    Meaning {
        /// Which file.
        path: String,
        /// In which line the part begins, from 1.
        line: Option<usize>,
        /// What.
        what: String,
    },
    /// Somebody else may write it (T10).
    #[error("{path}: belongs to another user or is writable by others")]
    Exposed {
        /// Which file.
        path: String,
    },
}

/// Reads the file; one that is not there is empty.
///
/// # Errors
/// [`ConfigError`].
pub fn load(path: &Path) -> Result<Config, ConfigError> {
    parse(path, &read(path)?)
}

/// Changes the file: `change` edits the document, whose comments survive; nothing is written unless
/// the whole result is good.
///
/// # Errors
/// [`ConfigError`], or what `change` says; the file is then as it was.
pub fn edit<T, E: From<ConfigError>>(
    path: &Path,
    change: impl FnOnce(&mut DocumentMut) -> Result<T, E>,
) -> Result<(Config, T), E> {
    let text = read(path)?;
    let mut document: DocumentMut = text
        .parse()
        .map_err(|e: toml_edit::TomlError| mistake::syntax(path, &text, &e.to_string(), e.message(), e.span()))?;
    let outcome = change(&mut document)?;
    let text = document.to_string();
    let config = parse(path, &text)?;
    faults::point("config-before");
    write_atomically(path, text.as_bytes())
        .map_err(|source| ConfigError::Io { path: path.display().to_string(), source })?;
    faults::point("config-written");
    Ok((config, outcome))
}

/// Writes a file so that it is either as before or complete, and readable by its owner alone. A link
/// stays a link: what it leads to is replaced.
pub(crate) fn write_atomically(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let target = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let folder = target.parent().ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
    let mut file = tempfile::Builder::new().prefix(".signbell-").tempfile_in(folder)?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    faults::point("file-temporary");
    file.persist(&target).map_err(|e| e.error)?;
    fs::File::open(folder)?.sync_all()
}

fn read(path: &Path) -> Result<String, ConfigError> {
    let io = |source| ConfigError::Io { path: path.display().to_string(), source };
    match fs::metadata(path) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(String::new()),
        Err(e) => return Err(io(e)),
        Ok(metadata) => {
            use std::os::unix::fs::MetadataExt as _;
            if metadata.uid() != rustix::process::getuid().as_raw() || metadata.mode() & 0o022 != 0 {
                return Err(ConfigError::Exposed { path: path.display().to_string() });
            }
        }
    }
    fs::read_to_string(path).map_err(io)
}

fn parse(path: &Path, text: &str) -> Result<Config, ConfigError> {
    let config: Config = toml_edit::de::from_str(text)
        .map_err(|e| mistake::syntax(path, text, &e.to_string(), e.message(), e.span()))?;
    check(&config).map_err(|mistake| mistake.in_file(path, text))?;
    Ok(config)
}

/// Reads the file's text.
#[cfg(fuzzing)]
pub(crate) fn read_text(path: &Path, text: &str) -> Result<Config, ConfigError> {
    parse(path, text)
}

/// Reads a text that is no file of ours: another machine's settings.
///
/// # Errors
/// What is wrong with it.
pub(crate) fn parse_text(text: &str) -> Result<Config, String> {
    let config: Config = toml_edit::de::from_str(text).map_err(|e| e.message().to_owned())?;
    check(&config).map_err(Mistake::what)?;
    Ok(config)
}

/// What the types can't say.
fn check(config: &Config) -> Result<(), Mistake> {
    program_of(config)?;
    // MCP 2026-07-28, "Client ID Metadata Documents".
    if let Some(url) =
        config.network.client_metadata_url.as_ref().filter(|url| url.scheme() != "https" || url.path() == "/")
    {
        let what = format!("client_metadata_url is {url}, which is not an https address with a path");
        return Err(Mistake::at("network", "client_metadata_url", what));
    }
    for (name, provider) in &config.providers {
        let mistake = |what| Mistake::at("providers", name.as_str(), what);
        check_grant(config, provider).map_err(|what| mistake(format!("provider {name}: {what}")))?;
        check_known(provider).map_err(|what| mistake(format!("provider {name}{what}")))?;
    }
    for (name, account) in &config.accounts {
        if !config.providers.contains_key(&account.provider) {
            let what = format!("account {name} names the provider {}, which is not there", account.provider);
            return Err(Mistake::at("accounts", name.as_str(), what));
        }
    }
    for (name, service) in &config.services {
        let mistake = |what| Mistake::at("services", name.as_str(), what);
        if !config.accounts.contains_key(&service.account) {
            return Err(mistake(format!("service {name} names the account {}, which is not there", service.account)));
        }
        check_upstream(&service.url).map_err(|why| mistake(format!("service {name}: {why}")))?;
        if let Some(preset) = service.preset.as_ref().filter(|preset| rules::named(preset).is_none()) {
            return Err(mistake(format!("service {name} names the preset {preset}, which is not there")));
        }
    }
    for (name, tool) in &config.tools {
        if let Some(missing) = tool.services.iter().find(|s| !config.services.contains_key(*s)) {
            let what = format!("tool {name} names the service {missing}, which is not there");
            return Err(Mistake::at("tools", name.as_str(), what));
        }
    }
    Ok(())
}

/// The sections on the program itself.
fn program_of(config: &Config) -> Result<(), Mistake> {
    if let Some(odd) = config.bell.reminders.iter().find(|minutes| !setting::is_reminder(**minutes)) {
        return Err(Mistake::at(
            "bell",
            "reminders",
            format!("reminders has {odd}; it takes minutes, from 1 to a year"),
        ));
    }
    let languages = setting::LANGUAGES;
    if let Some(odd) = config.desktop.language.as_deref().filter(|language| !languages.contains(language)) {
        let what = format!("language is {odd:?}; it can be {}", languages.join(" or "));
        return Err(Mistake::at("desktop", "language", what));
    }
    Ok(())
}

/// What each way to tokens needs.
fn check_grant(config: &Config, provider: &ProviderConfig) -> Result<(), String> {
    match (provider.grant, &provider.via) {
        (Grant::IdentityAssertion, None) => return Err("the grant identity_assertion needs `via`, an account".into()),
        (Grant::IdentityAssertion, Some(via)) => {
            let Some(account) = config.accounts.get(via) else {
                return Err(format!("via names the account {via}, which is not there"));
            };
            let vouches = config.providers.get(&account.provider).map(|provider| provider.grant);
            if vouches.is_some_and(|grant| grant != Grant::AuthorizationCode) {
                return Err(format!("via names the account {via}, to which nobody signs in by hand"));
            }
        }
        (_, Some(_)) => return Err("via is for the grant identity_assertion alone".into()),
        (Grant::JwtBearer, None) if !provider.client_key_in_vault => {
            return Err("the grant jwt_bearer needs a client key".into());
        }
        _ => {}
    }
    Ok(())
}

/// Whether the preset is there and the addresses beside it are safe.
fn check_known(provider: &ProviderConfig) -> Result<(), String> {
    if let Some(preset) = provider.preset.as_ref().filter(|preset| presets::named(preset).is_none()) {
        return Err(format!(" names the preset {preset}, which is not there"));
    }
    let endpoints = provider.endpoints();
    let all = [endpoints.authorization, endpoints.token, endpoints.revocation, endpoints.identity];
    match all.into_iter().flatten().find(|url| !may_open(url)) {
        Some(address) => Err(format!(": {address} is neither https nor on this machine")),
        None => Ok(()),
    }
}

/// Whether tokens may go to `url` at all (E6).
///
/// # Errors
/// What is wrong with it.
pub fn check_upstream(url: &Url) -> Result<(), String> {
    let safe = url.scheme() == "https" || (url.scheme() == "http" && is_loopback(url));
    if !safe {
        return Err(format!("{url} is neither https nor on this machine"));
    }
    if url.host().is_none() || !url.username().is_empty() || url.password().is_some() {
        return Err(format!("{} must have a host and no user name", url.host_str().unwrap_or("the address")));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(format!("{}{} must end before ? and #", url.origin().ascii_serialization(), url.path()));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
