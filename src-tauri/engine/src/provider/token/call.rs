//! One request to the token endpoint or its neighbours: as the client that we are, with a proof of the key
//! where tokens are bound to one, and what the oauth2 crate leaves out of the answer.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use ::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use ::http::{HeaderValue, Request, Response, StatusCode};
use oauth2::RequestTokenError;
use oauth2::basic::BasicErrorResponse;
use serde::Deserialize;
use serde_json::json;
use url::Url;

use super::wire::{Kind, WireTokens};
use super::{Issued, TokenError};
use crate::clock::{self, Anchor};
use crate::model::Scopes;
use crate::provider::dpop::{self, DpopKey, Proof};
use crate::provider::http::{FetchError, basic_credentials};
use crate::provider::jws::unique;
use crate::provider::{Metadata, Provider, TokenAuth};
use crate::secret::Secret;
use crate::session::tokens::TokenSet;

/// How long an assertion is good for: it is used at once.
const ASSERTION_SECONDS: u64 = 60;

/// The value of `client_assertion_type` (RFC 7523 section 2.2).
const JWT_BEARER: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// A request under way.
#[derive(Clone)]
pub(super) struct Call {
    provider: Provider,
    auth: TokenAuth,
    /// The audience of our assertions: RFC 7523 section 3 and OpenID Connect Core section 9 name the token
    /// endpoint, and that is what the large providers check.
    audience: Url,
    dpop: Option<Arc<DpopKey>>,
    /// When the provider's time was known; ours is the best guess until then.
    anchor: Option<Anchor>,
    seen: Arc<Mutex<Option<Seen>>>,
}

/// What is left of an answer when the oauth2 crate has read it.
#[derive(Clone, Copy)]
struct Seen {
    status: u16,
    anchor_unix: Option<u64>,
    retry_after: Option<Duration>,
    blank: bool,
}

type Pending = std::pin::Pin<Box<dyn Future<Output = Result<oauth2::HttpResponse, FetchError>> + Send>>;

impl Call {
    /// `anchor`: when the provider's time was last known.
    ///
    /// # Errors
    /// [`FetchError::NotSent`] where our own secret or key can't be read.
    pub(super) async fn new(
        provider: &Provider,
        metadata: &Metadata,
        dpop: Option<Arc<DpopKey>>,
        anchor: Option<&Anchor>,
    ) -> Result<Self, FetchError> {
        // Read here, so that a locked vault is told before anything is sent.
        provider.client_key().await.map_err(|why| not_sent(&metadata.token_endpoint, &why))?;
        provider.secret().await.map_err(|e| not_sent(&metadata.token_endpoint, &format!("the client secret: {e}")))?;
        Ok(Self {
            provider: provider.clone(),
            auth: provider.token_auth(metadata),
            audience: metadata.token_endpoint.clone(),
            dpop,
            anchor: anchor.cloned(),
            seen: Arc::default(),
        })
    }

    /// An HTTP function for the oauth2 crate, which has shown our secret already.
    pub(super) fn sender(&self) -> impl Fn(oauth2::HttpRequest) -> Pending + Send + Sync + 'static {
        let call = self.clone();
        move |request| {
            let call = call.clone();
            Box::pin(async move { call.send(request).await })
        }
    }

    /// Posts a form as our client.
    ///
    /// # Errors
    /// [`FetchError`].
    pub(super) async fn post(
        &self,
        endpoint: &Url,
        mut form: Vec<(&str, &str)>,
    ) -> Result<Response<Vec<u8>>, FetchError> {
        let id = self.provider.registration().client_id.as_str();
        let secret = self.provider.secret().await.ok().flatten();
        let mut request = Request::post(endpoint.as_str()).header(CONTENT_TYPE, "application/x-www-form-urlencoded");
        match (self.auth, secret) {
            (TokenAuth::Post, Some(secret)) => form.extend([("client_id", id), ("client_secret", secret.expose())]),
            (TokenAuth::Basic, Some(secret)) => {
                request = request.header(::http::header::AUTHORIZATION, basic_credentials(id, secret));
            }
            _ => form.push(("client_id", id)),
        }
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(&form).finish();
        let request = request.body(body.into_bytes()).map_err(|e| not_sent(endpoint, &e.to_string()))?;
        self.send(request).await
    }

    /// Posts a form for tokens: the grants that the oauth2 crate does not have.
    ///
    /// # Errors
    /// [`TokenError`].
    pub(super) async fn redeem(&self, form: Vec<(&str, &str)>, asked: &Scopes) -> Result<Issued, TokenError> {
        let response = self.post(&self.audience, form).await?;
        let body = response.body();
        let error = serde_json::from_slice(body).map(RequestTokenError::ServerResponse).ok();
        let result = match response.status().is_success() {
            true => serde_json::from_slice(body).map_err(|_| RequestTokenError::Other(String::new())),
            false => Err(error.unwrap_or_else(|| RequestTokenError::Other(String::new()))),
        };
        self.read(result, asked)
    }

    /// Sends with our assertion and proof, and once more where the server only wants its nonce (RFC 9449
    /// section 8). An error that came as a success (Slack, altinity) is the 400 that RFC 6749 gives it.
    async fn send(&self, request: Request<Vec<u8>>) -> Result<Response<Vec<u8>>, FetchError> {
        let mut response = self.send_once(request.clone()).await?;
        if let Some(key) = &self.dpop
            && key.note(request.uri(), response.headers())
            && oauth_error(response.body()).as_deref() == Some("use_dpop_nonce")
        {
            response = self.send_once(request).await?;
        }
        let header = |name| response.headers().get(name).and_then(|v: &HeaderValue| v.to_str().ok());
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = Some(Seen {
            status: response.status().as_u16(),
            anchor_unix: header(::http::header::DATE).and_then(parse_http_date),
            retry_after: header(::http::header::RETRY_AFTER)
                .and_then(|s| s.trim().parse().ok())
                .map(Duration::from_secs),
            blank: response.body().iter().all(u8::is_ascii_whitespace),
        });
        if response.status() == StatusCode::OK && oauth_error(response.body()).is_some() {
            *response.status_mut() = StatusCode::BAD_REQUEST;
        }
        Ok(response)
    }

    async fn send_once(&self, mut request: Request<Vec<u8>>) -> Result<Response<Vec<u8>>, FetchError> {
        if let Some(assertion) = self.assertion().await? {
            let mut form = url::form_urlencoded::Serializer::new(String::new());
            form.append_pair("client_assertion_type", JWT_BEARER).append_pair("client_assertion", assertion.expose());
            let body = request.body_mut();
            if !body.is_empty() {
                body.push(b'&');
            }
            body.extend_from_slice(form.finish().as_bytes());
            request.headers_mut().remove(CONTENT_LENGTH);
        }
        if let Some(key) = &self.dpop {
            let what = Proof { method: request.method().as_str(), uri: request.uri(), access: None, unix: self.unix() };
            let proof = key.proof(what).map_err(|e| not_sent(&self.audience, &e.to_string()))?;
            request.headers_mut().insert(dpop::PROOF, proof);
        }
        self.provider.speak(request).await
    }

    /// Our name, signed (RFC 7523 section 3), where the server wants to see us so. Never the same twice.
    async fn assertion(&self) -> Result<Option<Secret>, FetchError> {
        if self.auth != TokenAuth::PrivateKeyJwt {
            return Ok(None);
        }
        let id = &self.provider.registration().client_id;
        let unix = self.unix();
        let claims = json!({
            "iss": id,
            "sub": id,
            "aud": self.audience,
            "jti": unique(),
            "iat": unix,
            "exp": unix + ASSERTION_SECONDS,
        });
        self.signed(claims).await.map(Some)
    }

    /// A JWT by our client's key.
    ///
    /// # Errors
    /// [`FetchError::NotSent`] where there is none.
    pub(super) async fn signed(&self, claims: serde_json::Value) -> Result<Secret, FetchError> {
        let key = self.provider.client_key().await.map_err(|why| not_sent(&self.audience, &why))?;
        let Some(key) = key else { return Err(not_sent(&self.audience, "there is no client key")) };
        let registration = self.provider.registration();
        let name = registration.key_id.clone().unwrap_or_else(|| key.thumbprint());
        let jwt = key.sign(json!({"typ": "JWT", "kid": name}), &claims);
        jwt.map(Secret::new).map_err(|e| not_sent(&self.audience, &e.to_string()))
    }

    /// The audience of assertions, and the time for them.
    pub(super) fn now_and_audience(&self) -> (u64, &Url) {
        (self.unix(), &self.audience)
    }

    /// What the provider's clock shows now, as far as we know: a call may go on for minutes.
    fn unix(&self) -> u64 {
        let now = clock::now();
        self.anchor.as_ref().map_or_else(|| now.unix(), |anchor| anchor.provider_unix(now))
    }

    /// What came of it. Tokens that we do not know how to use are none.
    pub(super) fn read(
        &self,
        result: Result<WireTokens, RequestTokenError<FetchError, BasicErrorResponse>>,
        asked: &Scopes,
    ) -> Result<Issued, TokenError> {
        let seen = *self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let answer = |error| {
            seen.map_or_else(
                || TokenError::NoAnswer("nothing was received".into()),
                |s| TokenError::Answer { status: s.status, error, retry_after: s.retry_after },
            )
        };
        match result {
            Ok(wire) => {
                let dpop = match (wire.token_type, &self.dpop) {
                    (Kind::Bearer, _) => None,
                    (Kind::Dpop, Some(key)) => Some(Arc::clone(key)),
                    (Kind::Dpop, None) => {
                        return Err(TokenError::Nonsense("the token is bound to a key that we did not show".into()));
                    }
                };
                let refresh = wire.refresh_token.filter(|t| !t.secret().is_empty());
                Ok(Issued {
                    tokens: TokenSet {
                        access: Secret::new(wire.access_token.secret().clone()),
                        refresh: refresh.map(|t| Secret::new(t.secret().clone())),
                        // RFC 6749 section 5.1: left out means "as asked".
                        scopes: wire.scope.map_or_else(|| asked.clone(), |s| Scopes::parse(&s)),
                        issued: Anchor::new(seen.and_then(|s| s.anchor_unix), clock::now()),
                        lifetime: wire.expires_in,
                        jwt_expiry: OnceLock::new(),
                        unattended: false,
                        dpop,
                        id_token: wire.id_token.clone(),
                    },
                    identity: wire.identity,
                    id_token: wire.id_token,
                })
            }
            Err(RequestTokenError::Request(e)) => Err(e.into()),
            Err(RequestTokenError::ServerResponse(e)) => Err(answer(Some(e.error().to_string()))),
            Err(RequestTokenError::Parse(..) | RequestTokenError::Other(_)) => match seen {
                Some(s) if s.status == 400 && s.blank => Err(TokenError::Blank),
                Some(s) if s.status >= 300 => Err(answer(None)),
                _ => Err(TokenError::Nonsense("the answer holds no usable token".into())),
            },
        }
    }
}

fn not_sent(endpoint: &Url, why: &str) -> FetchError {
    FetchError::NotSent { host: endpoint.host_str().unwrap_or_default().to_owned(), why: why.to_owned() }
}

/// The `error` of a body that is an OAuth error.
fn oauth_error(body: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    struct Body {
        error: String,
    }
    serde_json::from_slice::<Body>(body).ok().map(|b| b.error).filter(|e| !e.is_empty())
}

/// RFC 9110 section 5.6.7; only the preferred format, which every current server sends.
fn parse_http_date(text: &str) -> Option<u64> {
    httpdate::parse_http_date(text).ok()?.duration_since(std::time::UNIX_EPOCH).ok().map(|d| d.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_in_a_success() {
        assert_eq!(oauth_error(br#"{"error":"invalid_grant"}"#).as_deref(), Some("invalid_grant"));
        assert_eq!(oauth_error(br#"{"ok":false,"error":"bad_refresh_token"}"#).as_deref(), Some("bad_refresh_token"));
        assert_eq!(oauth_error(br#"{"access_token":"a"}"#), None);
        assert_eq!(oauth_error(b"<html>"), None);
    }
}
