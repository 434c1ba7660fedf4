//! The token endpoint (RFC 6749 section 3.2): codes and refresh tokens for token sets.
//!
//! The oauth2 crate builds the requests. The answers are read by a type of our own: its own fails
//! the whole answer over an `expires_in` in quotes.

mod wire;

use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use ::http::{HeaderValue, StatusCode};
use oauth2::basic::{
    BasicErrorResponse, BasicErrorResponseType, BasicRevocationErrorResponse, BasicTokenIntrospectionResponse,
};
use oauth2::{
    AuthType, AuthUrl, AuthorizationCode, ClientId, ClientSecret, EndpointNotSet, EndpointSet, PkceCodeVerifier,
    RedirectUrl, RefreshToken, RequestTokenError, StandardRevocableToken, TokenUrl,
};
use serde::Deserialize;
use url::Url;

use self::wire::WireTokens;
use super::http::{FetchError, Http};
use super::{Metadata, Provider, TokenAuth};
use crate::clock::{self, Anchor};
use crate::model::Scopes;
use crate::secret::Secret;
use crate::session::tokens::TokenSet;
use crate::vault::VaultError;

/// What came back from the token endpoint instead of tokens.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// Nothing was sent.
    #[error("{0}")]
    NotSent(String),
    /// Sent; no whole answer came.
    #[error("{0}")]
    NoAnswer(String),
    /// An answer: the status, the OAuth `error` code if its body held one, `Retry-After`.
    #[error("the token endpoint answered {status}{}", error.as_ref().map(|e| format!(" {e}")).unwrap_or_default())]
    Answer {
        /// The HTTP status.
        status: u16,
        /// RFC 6749 section 5.2, from a 200 too: some servers say it so.
        error: Option<String>,
        /// In whole seconds.
        retry_after: Option<Duration>,
    },
    /// A success without a usable token.
    #[error("{0}")]
    Nonsense(String),
}

/// Tokens as they came, with what only the first answer has.
#[derive(Debug)]
pub struct Issued {
    /// The token set.
    pub tokens: TokenSet,
    /// The id_token (OpenID Connect Core section 2), unread.
    pub id_token: Option<Secret>,
}

type OAuth = oauth2::Client<
    BasicErrorResponse,
    WireTokens,
    BasicTokenIntrospectionResponse,
    StandardRevocableToken,
    BasicRevocationErrorResponse,
    EndpointSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointSet,
>;

impl Provider {
    /// The oauth2 crate's client for this provider.
    ///
    /// # Errors
    /// Where the client secret can't be read.
    pub(crate) async fn oauth(&self, metadata: &Metadata) -> Result<OAuth, VaultError> {
        let mut client = oauth2::Client::new(ClientId::new(self.registration().client_id.clone()))
            .set_auth_uri(AuthUrl::from_url(metadata.authorization_endpoint.clone()))
            .set_token_uri(TokenUrl::from_url(metadata.token_endpoint.clone()));
        if let Some(secret) = self.secret().await? {
            client = client.set_client_secret(ClientSecret::new(secret.expose().to_owned()));
            if self.token_auth(metadata) == TokenAuth::Post {
                client = client.set_auth_type(AuthType::RequestBody);
            }
        }
        Ok(client)
    }

    /// Redeems an authorization code (RFC 6749 section 4.1.3, RFC 7636 section 4.5, RFC 8707 section 2.2).
    ///
    /// # Errors
    /// [`TokenError`].
    pub(crate) async fn exchange(
        &self,
        code: String,
        verifier: PkceCodeVerifier,
        redirect: &Url,
        resource: Option<&str>,
        asked: &Scopes,
    ) -> Result<Issued, TokenError> {
        let (metadata, client) = self.token_client().await?;
        let client = client.set_redirect_uri(RedirectUrl::from_url(redirect.clone()));
        let mut request = client.exchange_code(AuthorizationCode::new(code)).set_pkce_verifier(verifier);
        if let Some(resource) = resource {
            request = request.add_extra_param("resource", resource.to_owned());
        }
        let transcript = Transcript::default();
        let http = transcript.recording(self.http());
        let result = request.request_async(&http).await;
        tracing::debug!(endpoint = %metadata.token_endpoint, ok = result.is_ok(), "code exchanged");
        transcript.read(result, asked, None)
    }

    /// Redeems a refresh token (RFC 6749 section 6). A missing or empty `refresh_token` in the answer
    /// means that the old one stays.
    ///
    /// # Errors
    /// [`TokenError`].
    pub async fn refresh(
        &self,
        tokens: &TokenSet,
        resource: Option<&str>,
        claims: Option<&str>,
    ) -> Result<TokenSet, TokenError> {
        let Some(refresh) = &tokens.refresh else {
            return Err(TokenError::NotSent("there is no refresh token".into()));
        };
        let (metadata, client) = self.token_client().await?;
        let token = RefreshToken::new(refresh.expose().to_owned());
        let mut request = client.exchange_refresh_token(&token);
        if let Some(resource) = resource {
            request = request.add_extra_param("resource", resource.to_owned());
        }
        if let Some(claims) = claims {
            request = request.add_extra_param("claims", claims.to_owned());
        }
        let transcript = Transcript::default();
        let http = transcript.recording(self.http());
        let result = request.request_async(&http).await;
        tracing::debug!(endpoint = %metadata.token_endpoint, ok = result.is_ok(), "refresh token used");
        transcript.read(result, &tokens.scopes, Some(refresh)).map(|issued| issued.tokens)
    }

    /// Revokes a token where the provider offers it (RFC 7009). Returns whether it does.
    ///
    /// # Errors
    /// [`TokenError`].
    pub async fn revoke(&self, tokens: &TokenSet) -> Result<bool, TokenError> {
        let metadata = self.known_metadata().await?;
        let Some(endpoint) = &metadata.revocation_endpoint else { return Ok(false) };
        let (token, hint) = match &tokens.refresh {
            Some(refresh) => (refresh, "refresh_token"),
            None => (&tokens.access, "access_token"),
        };
        let form = vec![("token", token.expose()), ("token_type_hint", hint)];
        match self.post_as_client(metadata, endpoint, form).await {
            Ok(response) if response.status().is_success() => Ok(true),
            Ok(response) => {
                Err(TokenError::Answer { status: response.status().as_u16(), error: None, retry_after: None })
            }
            Err(e) => Err(e.into()),
        }
    }

    /// Posts a form with our client authentication (RFC 6749 section 2.3).
    pub(crate) async fn post_as_client(
        &self,
        metadata: &Metadata,
        endpoint: &Url,
        mut form: Vec<(&str, &str)>,
    ) -> Result<::http::Response<Vec<u8>>, FetchError> {
        let id = self.registration().client_id.as_str();
        let secret = self.secret().await.map_err(|e| FetchError::NotSent {
            host: endpoint.host_str().unwrap_or_default().to_owned(),
            why: format!("the client secret can't be read: {e}"),
        })?;
        let basic = match secret {
            Some(secret) if self.token_auth(metadata) == TokenAuth::Post => {
                form.extend([("client_id", id), ("client_secret", secret.expose())]);
                None
            }
            Some(secret) => Some((id, secret)),
            None => {
                form.push(("client_id", id));
                None
            }
        };
        self.http().post_form(endpoint, &form, basic).await
    }

    /// How the token endpoint wants to see us: as it said when it registered us, else as its metadata says.
    fn token_auth(&self, metadata: &Metadata) -> TokenAuth {
        self.registration().token_auth.unwrap_or_else(|| match only_post(metadata) {
            true => TokenAuth::Post,
            false => TokenAuth::Basic,
        })
    }

    async fn token_client(&self) -> Result<(&Arc<Metadata>, OAuth), TokenError> {
        let metadata = self.known_metadata().await?;
        let client = self.oauth(metadata).await.map_err(|e| TokenError::NotSent(format!("client secret: {e}")))?;
        Ok((metadata, client))
    }

    async fn known_metadata(&self) -> Result<&Arc<Metadata>, TokenError> {
        // Whatever is wrong with the metadata, the refresh token was not sent.
        self.metadata().await.map_err(|e| TokenError::NotSent(e.to_string()))
    }

    fn http(&self) -> &Http {
        &self.inner.http
    }
}

/// RFC 8414 section 2: `client_secret_basic` unless the server says that it takes only the form.
fn only_post(metadata: &Metadata) -> bool {
    let methods = &metadata.token_endpoint_auth_methods_supported;
    methods.iter().any(|m| m == "client_secret_post") && !methods.iter().any(|m| m == "client_secret_basic")
}

impl From<FetchError> for TokenError {
    fn from(error: FetchError) -> Self {
        match error {
            FetchError::Insecure(_) | FetchError::NotSent { .. } => Self::NotSent(error.to_string()),
            FetchError::NoAnswer { .. } => Self::NoAnswer(error.to_string()),
            FetchError::TooLarge { .. } | FetchError::NotJson { .. } => Self::Nonsense(error.to_string()),
            FetchError::Status { status, .. } => Self::Answer { status, error: None, retry_after: None },
        }
    }
}

/// What the oauth2 crate's errors leave out of an answer: its status, its time, how long to wait.
#[derive(Clone, Default)]
struct Transcript {
    seen: Arc<Mutex<Option<Seen>>>,
}

#[derive(Clone, Copy)]
struct Seen {
    status: u16,
    anchor_unix: Option<u64>,
    retry_after: Option<Duration>,
}

type Pending = std::pin::Pin<Box<dyn Future<Output = Result<oauth2::HttpResponse, FetchError>> + Send>>;

impl Transcript {
    /// An HTTP function for the oauth2 crate that notes what it sees, and turns an error that came
    /// as a success (Slack, altinity) into the 400 that RFC 6749 gives it.
    fn recording(&self, http: &Http) -> impl Fn(oauth2::HttpRequest) -> Pending + Send + Sync + 'static {
        let (http, seen) = (http.clone(), Arc::clone(&self.seen));
        move |request| {
            let (http, seen) = (http.clone(), Arc::clone(&seen));
            Box::pin(async move {
                let mut response = http.send(request).await?;
                let header = |name| response.headers().get(name).and_then(|v: &HeaderValue| v.to_str().ok());
                *seen.lock().unwrap_or_else(PoisonError::into_inner) = Some(Seen {
                    status: response.status().as_u16(),
                    anchor_unix: header(::http::header::DATE).and_then(parse_http_date),
                    retry_after: header(::http::header::RETRY_AFTER)
                        .and_then(|s| s.trim().parse().ok())
                        .map(Duration::from_secs),
                });
                if response.status() == StatusCode::OK && oauth_error(response.body()).is_some() {
                    *response.status_mut() = StatusCode::BAD_REQUEST;
                }
                Ok(response)
            })
        }
    }

    fn read(
        &self,
        result: Result<WireTokens, RequestTokenError<FetchError, BasicErrorResponse>>,
        asked: &Scopes,
        refresh: Option<&Secret>,
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
                let refresh_token = wire.refresh_token.filter(|t| !t.secret().is_empty());
                Ok(Issued {
                    tokens: TokenSet {
                        access: Secret::new(wire.access_token.secret().clone()),
                        refresh: refresh_token.map(|t| Secret::new(t.secret().clone())).or_else(|| refresh.cloned()),
                        // RFC 6749 section 5.1: left out means "as asked".
                        scopes: wire.scope.map_or_else(|| asked.clone(), |s| Scopes::parse(&s)),
                        issued: Anchor::new(seen.and_then(|s| s.anchor_unix), clock::now()),
                        lifetime: wire.expires_in,
                        jwt_expiry: OnceLock::new(),
                    },
                    id_token: wire.id_token,
                })
            }
            Err(RequestTokenError::Request(e)) => Err(e.into()),
            Err(RequestTokenError::ServerResponse(e)) => Err(answer(Some(error_code(e.error())))),
            Err(RequestTokenError::Parse(..) | RequestTokenError::Other(_)) => match seen {
                Some(s) if s.status >= 300 => Err(answer(None)),
                _ => Err(TokenError::Nonsense("the answer holds no usable token".into())),
            },
        }
    }
}

fn error_code(error: &BasicErrorResponseType) -> String {
    error.to_string()
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
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn an_error_in_a_success() {
        assert_eq!(oauth_error(br#"{"error":"invalid_grant"}"#).as_deref(), Some("invalid_grant"));
        assert_eq!(oauth_error(br#"{"ok":false,"error":"bad_refresh_token"}"#).as_deref(), Some("bad_refresh_token"));
        assert_eq!(oauth_error(br#"{"access_token":"a"}"#), None);
        assert_eq!(oauth_error(b"<html>"), None);
    }
}
