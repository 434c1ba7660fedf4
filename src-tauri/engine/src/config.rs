//! `config.toml`: what the person set. Meant to be edited by hand.
//!
//! Our own changes go through [`edit`], which keeps comments and order, checks the result as a whole
//! before it is written, and writes it atomically.

mod check;
mod desktop;
mod file;
mod key;
mod mistake;
mod program;
mod provider;
mod reference;
mod service;
mod setting;

use std::collections::BTreeMap;

use serde::Deserialize;
use url::Url;

pub use self::check::check_upstream;
pub use self::desktop::{DesktopConfig, Theme};
#[cfg(fuzzing)]
pub(crate) use self::file::read_text;
pub use self::file::{ConfigError, edit, load};
pub(crate) use self::file::{parse_text, write_atomically};
pub use self::key::KeyDigest;
pub use self::program::{BellConfig, VaultConfig, VaultKind};
pub use self::provider::ProviderConfig;
pub use self::reference::document;
pub use self::service::ServiceConfig;
pub use self::setting::{Kind, SETTINGS, Setting, Unit, put, setting};
use crate::model::{AccountName, ExpiredAnswer, ProviderName, Scopes, ServiceName, ToolName};
use crate::provider::NetworkSettings;

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

#[cfg(test)]
mod tests;
