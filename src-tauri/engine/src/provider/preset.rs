//! What is known of an authorization server before anybody has signed in there: the files in
//! `providers/`, one a provider. `docs/providers.md` describes the format.
//!
//! A preset is not trusted more than the person: what `[providers.NAME]` says goes before it, and it says
//! nothing about a server at another address than its own patterns name.

mod answer;
mod identity;
mod pattern;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use serde::Deserialize;
use url::Url;

pub use self::answer::{AnswerRules, ErrorRule, Means};
pub use self::identity::{Ask, IdentityRule};
pub use self::pattern::{FilledTemplate, IssuerTemplate, Pattern};
use super::TokenAuth;
use super::redirect::Redirect;
use crate::model::Scopes;
use crate::rules::host_is;

/// What is known of one authorization server.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Preset {
    /// As shown to people.
    pub title: String,
    /// Where what this file says was read.
    pub sources: Vec<Url>,
    /// Where a person registers a client.
    pub console: Url,
    /// What to make there: completes "Open CONSOLE and …".
    pub create: String,
    /// What people stumble over, in sentences.
    #[serde(default)]
    pub notes: Vec<String>,
    /// The hosts of services whose tokens come from here.
    #[serde(default)]
    pub hosts: Vec<String>,
    /// The issuer for a service at one of these hosts; none where each organisation has its own.
    #[serde(default)]
    pub issuer: Option<Url>,
    /// Other issuers by which it is known.
    #[serde(default)]
    pub issuers: Vec<Pattern>,
    /// Where the issuer that comes back may differ from the one that was asked.
    #[serde(default)]
    pub issuer_template: Option<IssuerTemplate>,
    /// It takes PKCE with S256 (RFC 7636) and does not announce it.
    #[serde(default)]
    pub asserts_s256: bool,
    /// It may register clients by itself (RFC 7591).
    #[serde(default)]
    pub registers: bool,
    /// Where it has no metadata.
    #[serde(default)]
    pub endpoints: Option<Endpoints>,
    /// Whether a native client has a secret there.
    pub secret: SecretRule,
    /// How the token endpoint wants to see us.
    #[serde(default)]
    pub token_auth: Option<TokenAuth>,
    /// How the token endpoint is asked.
    #[serde(default)]
    pub token_request: TokenRequest,
    /// Headers that it wants besides.
    #[serde(default)]
    pub token_headers: BTreeMap<String, String>,
    /// It refuses the `resource` parameter (RFC 8707).
    #[serde(default)]
    pub refuses_resource: bool,
    /// The redirect to register.
    #[serde(default)]
    pub redirect: Redirect,
    /// Parameters of the authorization request.
    #[serde(default)]
    pub authorize: BTreeMap<String, String>,
    /// How scopes are written.
    #[serde(default)]
    pub scopes: ScopeRules,
    /// Where the token endpoint's answer differs from RFC 6749 section 5.1.
    #[serde(default)]
    pub answer: AnswerRules,
    /// What its own error codes mean.
    #[serde(default)]
    pub errors: Vec<ErrorRule>,
    /// Who signed in, where there is no id_token.
    #[serde(default)]
    pub identity: Option<IdentityRule>,
}

/// The addresses of a server, as far as they are known without asking it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Endpoints {
    /// Where the browser goes.
    #[serde(default)]
    pub authorization: Option<Url>,
    /// Where codes and refresh tokens are redeemed.
    #[serde(default)]
    pub token: Option<Url>,
    /// RFC 7009; none where revocation is of another kind.
    #[serde(default)]
    pub revocation: Option<Url>,
    /// Who signed in: OpenID Connect userinfo, or the address of the preset's `identity`.
    #[serde(default)]
    pub identity: Option<Url>,
}

impl Endpoints {
    /// These, and `others` where these say nothing.
    #[must_use]
    pub fn or(&self, others: Option<&Self>) -> Self {
        let pick = |own: &Option<Url>, of: fn(&Self) -> &Option<Url>| own.clone().or_else(|| of(others?).clone());
        Self {
            authorization: pick(&self.authorization, |e| &e.authorization),
            token: pick(&self.token, |e| &e.token),
            revocation: pick(&self.revocation, |e| &e.revocation),
            identity: pick(&self.identity, |e| &e.identity),
        }
    }
}

/// Whether a native client has a secret there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SecretRule {
    /// The token endpoint refuses us without one, although it protects nothing on a person's machine.
    Needed,
    /// With or without.
    Optional,
    /// A public client: by its id alone.
    None,
}

impl SecretRule {
    /// As the file writes it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Needed => "needed",
            Self::Optional => "optional",
            Self::None => "none",
        }
    }
}

/// How the token endpoint is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TokenRequest {
    /// RFC 6749 section 4.1.3.
    #[default]
    Form,
    /// The same parameters as a JSON object.
    Json,
}

/// How scopes are written.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct ScopeRules {
    /// What is asked for where the person and the service name none: who it is, and a session that lasts.
    pub default: Scopes,
    /// The parameter of the authorization request.
    pub parameter: String,
    /// Between two of them in the request; RFC 6749 section 3.3 has a space.
    pub separator: String,
}

impl Default for ScopeRules {
    fn default() -> Self {
        Self { default: Scopes::default(), parameter: "scope".into(), separator: " ".into() }
    }
}

impl Preset {
    /// Whether a server at `issuer` is this provider.
    #[must_use]
    pub fn is_at(&self, issuer: &Url) -> bool {
        self.issuer.as_ref() == Some(issuer) || self.issuers.iter().any(|pattern| pattern.matches(issuer))
    }

    /// Whether the metadata of `asked` may name itself `named` (RFC 8414 section 3.3 wants the same).
    #[must_use]
    pub fn may_be_named(&self, asked: &Url, named: &str) -> bool {
        self.issuer_template.as_ref().is_some_and(|template| template.at(asked).may_be_named(asked, named))
    }
}

macro_rules! shipped {
    ($($name:literal),* $(,)?) => {
        /// Each file by its name.
        const SHIPPED: &[(&str, &str)] = &[$(($name, include_str!(concat!("../../providers/", $name, ".toml")))),*];
    };
}

shipped![
    "atlassian",
    "auth0",
    "dropbox",
    "entra",
    "github",
    "gitlab",
    "google",
    "keycloak",
    "linear",
    "notion",
    "okta",
    "salesforce",
    "slack",
    "spotify",
];

/// The preset of this name; a file is read when it is first asked for.
#[must_use]
pub fn named(name: &str) -> Option<Arc<Preset>> {
    static READ: Mutex<BTreeMap<&str, Arc<Preset>>> = Mutex::new(BTreeMap::new());
    let (name, text) = SHIPPED.iter().find(|(known, _)| *known == name)?;
    let mut read = READ.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(preset) = read.get(name) {
        return Some(Arc::clone(preset));
    }
    // A file that ships is read by the tests, so this is never nothing.
    let preset: Preset = toml_edit::de::from_str(text).inspect_err(|e| tracing::error!("provider {name}: {e}")).ok()?;
    let preset = Arc::new(preset);
    read.insert(name, Arc::clone(&preset));
    Some(preset)
}

/// The name of the preset for an authorization server at this address.
#[must_use]
pub fn of_issuer(issuer: &Url) -> Option<&'static str> {
    names().find(|name| named(name).is_some_and(|preset| preset.is_at(issuer)))
}

/// The name of the preset that signs people in for a service at this address.
#[must_use]
pub fn of_host(service: &Url) -> Option<&'static str> {
    let host = service.host_str()?;
    names().find(|name| named(name).is_some_and(|preset| preset.hosts.iter().any(|wanted| host_is(host, wanted))))
}

/// Every preset's name, in order.
pub fn names() -> impl Iterator<Item = &'static str> {
    SHIPPED.iter().map(|(name, _)| *name)
}

#[cfg(test)]
mod tests;
