//! The token endpoint (RFC 6749 section 3.2): codes and refresh tokens for token sets.
//!
//! The oauth2 crate builds the requests. The answers are read by a type of our own: its own fails
//! the whole answer over an `expires_in` in quotes.

mod call;
pub(crate) mod device;
mod grants;
mod wire;

use std::sync::Arc;
use std::time::Duration;

use oauth2::basic::{BasicErrorResponse, BasicRevocationErrorResponse, BasicTokenIntrospectionResponse};
use oauth2::{
    AuthType, AuthUrl, AuthorizationCode, ClientId, ClientSecret, EndpointNotSet, EndpointSet, PkceCodeVerifier,
    RedirectUrl, RefreshToken, StandardRevocableToken, TokenUrl,
};
use url::Url;

use self::call::Call;
pub use self::grants::{Employer, Vouched};
use self::wire::WireTokens;
use super::dpop::DpopKey;
use super::http::FetchError;
use super::{Metadata, Provider, TokenAuth};
use crate::model::{Identity, Scopes};
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
    /// A 400 with nothing in it. Some servers say so that a refresh token is dead; a gateway in front of one
    /// may say it of anything.
    #[error("the token endpoint answered 400 without a word")]
    Blank,
    /// A success without a usable token.
    #[error("{0}")]
    Nonsense(String),
    /// The account that vouches for the person needs them first.
    #[error("the account that vouches for this one needs a sign-in first")]
    VoucherNeedsPerson,
}

/// Tokens as they came, with what only the first answer has.
#[derive(Debug)]
pub struct Issued {
    /// The token set.
    pub tokens: TokenSet,
    /// Who it is, where the provider's preset says that the answer tells.
    pub identity: Option<Identity>,
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
        let auth = self.token_auth(metadata);
        // RFC 6749 section 2.3: one way of showing oneself, and no other.
        if let Some(secret) = self.secret().await?.filter(|_| matches!(auth, TokenAuth::Basic | TokenAuth::Post)) {
            client = client.set_client_secret(ClientSecret::new(secret.expose().to_owned()));
            if auth == TokenAuth::Post {
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
        ask: &TokenAsk<'_>,
    ) -> Result<Issued, TokenError> {
        let (metadata, client) = self.token_client().await?;
        let client = client.set_redirect_uri(RedirectUrl::from_url(redirect.clone()));
        let mut request = client.exchange_code(AuthorizationCode::new(code)).set_pkce_verifier(verifier);
        if let Some(resource) = ask.resource {
            request = request.add_extra_param("resource", resource.to_owned());
        }
        let call = Call::new(self, metadata, ask.dpop.cloned(), None).await?;
        let result = request.request_async(&call.sender()).await;
        tracing::debug!(endpoint = %metadata.token_endpoint, ok = result.is_ok(), "code exchanged");
        call.read(result, ask.scopes)
    }

    /// Redeems a refresh token (RFC 6749 section 6). A missing or empty `refresh_token` in the answer
    /// means that the old one stays. Where the client asks in its own name, it asks again.
    ///
    /// # Errors
    /// [`TokenError`].
    pub async fn refresh(
        &self,
        tokens: &TokenSet,
        resource: Option<&str>,
        claims: Option<&str>,
    ) -> Result<TokenSet, TokenError> {
        let ask = TokenAsk { scopes: &tokens.scopes, resource, dpop: tokens.dpop.as_ref() };
        if tokens.unattended {
            return self.obtain(&ask, Some(&tokens.issued)).await.map(|issued| issued.tokens);
        }
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
        let call = Call::new(self, metadata, tokens.dpop.clone(), Some(&tokens.issued)).await?;
        let result = request.request_async(&call.sender()).await;
        tracing::debug!(endpoint = %metadata.token_endpoint, ok = result.is_ok(), "refresh token used");
        let mut new = call.read(result, &tokens.scopes)?.tokens;
        new.refresh = new.refresh.or_else(|| Some(refresh.clone()));
        // OpenID Connect Core section 12.2: it may come without a new one.
        new.id_token = new.id_token.or_else(|| tokens.id_token.clone());
        Ok(new)
    }

    /// Posts a form with our client authentication (RFC 6749 section 2.3).
    pub(crate) async fn post_as_client(
        &self,
        metadata: &Metadata,
        endpoint: &Url,
        form: Vec<(&str, &str)>,
    ) -> Result<::http::Response<Vec<u8>>, FetchError> {
        Call::new(self, metadata, None, None).await?.post(endpoint, form).await
    }

    /// Whether our id and secret go in a header, apart from the form.
    pub(crate) fn shows_itself_in_header(&self, metadata: &Metadata) -> bool {
        self.registration().confidential && self.token_auth(metadata) == TokenAuth::Basic
    }

    /// How the token endpoint wants to see us: as it said when it registered us, else as its metadata says.
    fn token_auth(&self, metadata: &Metadata) -> TokenAuth {
        let registration = self.registration();
        registration.token_auth.unwrap_or_else(|| match registration.has_key {
            true => TokenAuth::PrivateKeyJwt,
            false if only_post(metadata) => TokenAuth::Post,
            false => TokenAuth::Basic,
        })
    }

    async fn token_client(&self) -> Result<(&Arc<Metadata>, OAuth), TokenError> {
        let metadata = self.known_metadata().await?;
        let client = self.oauth(metadata).await.map_err(|e| TokenError::NotSent(format!("client secret: {e}")))?;
        Ok((metadata, client))
    }

    pub(super) async fn known_metadata(&self) -> Result<&Arc<Metadata>, TokenError> {
        // Whatever is wrong with the metadata, the refresh token was not sent.
        self.metadata().await.map_err(|e| TokenError::NotSent(e.to_string()))
    }
}

/// What tokens are asked for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TokenAsk<'a> {
    /// Granted as asked, where the answer names none (RFC 6749 section 5.1).
    pub(crate) scopes: &'a Scopes,
    /// RFC 8707.
    pub(crate) resource: Option<&'a str>,
    /// The key that they are to be bound to.
    pub(crate) dpop: Option<&'a Arc<DpopKey>>,
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
/// See [`wire::read`].
#[cfg(fuzzing)]
pub(crate) use self::wire::read as read_token_response;
