//! One sign-in under way: its verifier, its `state`, its page at the provider.

use std::io;
use std::sync::Arc;

use oauth2::{CsrfToken, PkceCodeChallenge, PkceCodeVerifier, RedirectUrl};
use url::Url;

use super::SignIn;
use super::callback::Check;
use crate::provider::{DpopKey, Metadata};
use crate::vault::VaultError;

/// Why a sign-in could not begin.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AttemptError {
    /// No port on loopback.
    #[error("no port on 127.0.0.1: {0}")]
    Listen(io::ErrorKind),
    /// The port that the person named can't be had.
    #[error("port {port} of 127.0.0.1: {why}")]
    Port {
        /// Which.
        port: u16,
        /// Why.
        why: io::ErrorKind,
    },
    /// The one port that the provider sends the browser back to is in use.
    #[error("port {0} is taken")]
    PortTaken(u16),
    /// The server did not take the request (RFC 9126 section 2.3).
    #[error("the authorization request was not accepted: {0}")]
    Pushed(String),
    /// The client secret can't be read.
    #[error("the client secret can't be read: {0}")]
    Secret(#[from] VaultError),
}

/// What must come back, and what only we know.
pub(super) struct Attempt {
    pub(super) authorize_url: Url,
    pub(super) verifier: PkceCodeVerifier,
    pub(super) redirect: Url,
    pub(super) nonce: String,
    state: CsrfToken,
}

/// Makes the authorization request (RFC 6749 section 4.1.1) with PKCE S256 (RFC 7636), a `nonce`
/// (OpenID Connect Core section 3.1.2.1) and the resource (RFC 8707 section 2.1).
pub(super) async fn begin(
    what: &SignIn,
    metadata: &Metadata,
    redirect: Url,
    key: Option<&DpopKey>,
) -> Result<Attempt, AttemptError> {
    let client = what.provider.oauth(metadata).await?.set_redirect_uri(RedirectUrl::from_url(redirect.clone()));
    let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
    let nonce = CsrfToken::new_random().into_secret();
    let mut request = client.authorize_url(CsrfToken::new_random).set_pkce_challenge(challenge);
    let preset = what.provider.registration().preset.as_deref();
    let rules = preset.map(|preset| preset.scopes.clone()).unwrap_or_default();
    if !what.scopes.is_empty() {
        let scopes: Vec<&str> = what.scopes.iter().collect();
        request = request.add_extra_param(rules.parameter, scopes.join(&rules.separator));
    }
    let own = preset.map(|preset| preset.authorize.clone()).unwrap_or_default();
    let has = |wanted: &str| what.scopes.iter().any(|scope| scope == wanted);
    if has("openid") {
        request = request.add_extra_param("nonce", nonce.clone());
    }
    if has("offline_access") && !own.contains_key("prompt") {
        // OpenID Connect Core section 11: without it the scope is ignored.
        request = request.add_extra_param("prompt", "consent");
    }
    for (name, value) in own {
        request = request.add_extra_param(name, value);
    }
    if let Some(resource) = what.resource() {
        request = request.add_extra_param("resource", resource.to_owned());
    }
    if let Some(key) = key {
        // RFC 9449 section 10: the code is good for nobody else's key.
        request = request.add_extra_param("dpop_jkt", key.thumbprint());
    }
    if let Some(claims) = &what.claims {
        request = request.add_extra_param("claims", claims.clone());
    }
    if let Some(expected) = &what.expected {
        request = request.add_extra_param("login_hint", expected.display.clone());
    }
    let (authorize_url, state) = request.url();
    let authorize_url = match &metadata.pushed_authorization_request_endpoint {
        Some(endpoint) => push(what, metadata, endpoint, &authorize_url).await?,
        None => authorize_url,
    };
    Ok(Attempt { authorize_url, verifier, redirect, nonce, state })
}

/// Hands the request to the server directly (RFC 9126), so that the browser carries a reference only.
async fn push(what: &SignIn, metadata: &Metadata, endpoint: &Url, whole: &Url) -> Result<Url, AttemptError> {
    #[derive(serde::Deserialize)]
    struct Answer {
        request_uri: String,
    }
    let pairs: Vec<(String, String)> =
        whole.query_pairs().into_owned().filter(|(name, _)| name != "client_id").collect();
    let mut form: Vec<(&str, &str)> = pairs.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let id = what.provider.registration().client_id.as_str();
    // Whoever shows a secret in the header says there who it is; RFC 9126 section 2.1 wants it here too.
    if what.provider.shows_itself_in_header(metadata) {
        form.push(("client_id", id));
    }
    let failed = |e: crate::provider::FetchError| AttemptError::Pushed(e.to_string());
    let response = what.provider.post_as_client(metadata, endpoint, form).await.map_err(failed)?;
    let answer: Result<Answer, _> = serde_json::from_slice(response.body());
    let Some(answer) = answer.ok().filter(|_| response.status().is_success()) else {
        let error: Option<serde_json::Value> = serde_json::from_slice(response.body()).ok();
        let code = error.and_then(|body| body["error"].as_str().map(|e| e.chars().take(100).collect::<String>()));
        return Err(AttemptError::Pushed(code.unwrap_or_else(|| response.status().to_string())));
    };
    let mut url = metadata.authorization_endpoint.clone();
    url.query_pairs_mut().append_pair("client_id", id).append_pair("request_uri", &answer.request_uri);
    Ok(url)
}

impl Attempt {
    /// What the redirect must show.
    pub(super) fn check(&self, metadata: &Arc<Metadata>) -> Check {
        Check::new(self.state.clone(), Arc::clone(metadata))
    }
}
