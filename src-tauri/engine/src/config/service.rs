//! `[services.NAME]`: an upstream.

use std::sync::Arc;

use serde::Deserialize;
use url::Url;

use crate::model::{AccountName, ExpiredAnswer, Scopes};
use crate::rules::{self, Injection, Preset, Rule, RuleSet};

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
