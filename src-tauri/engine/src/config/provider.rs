//! `[providers.NAME]`: an authorization server, and what it knows us by.

use std::sync::Arc;

use serde::Deserialize;
use url::Url;

use crate::model::AccountName;
use crate::provider::{Grant, TokenAuth, preset as presets};

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
