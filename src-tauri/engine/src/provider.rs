//! An authorization server, and our client registration there.
//!
//! [`Provider`] reads its metadata, asks its token endpoint, userinfo and revocation. What an answer
//! means for a session is decided elsewhere.

pub mod dpop;
mod http;
pub mod jws;
mod metadata;
pub mod preset;
mod redirect;
pub mod register;
pub mod resource;
mod revoke;
mod token;

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use tokio::sync::OnceCell;
use url::Url;

pub use self::dpop::DpopKey;
#[cfg(fuzzing)]
pub(crate) use self::token::read_token_response;

pub use self::http::{Clients, FetchError, Http, NetworkError, NetworkSettings, authorities, is_in_public, tls_config};
pub use metadata::{Leeway, Metadata, MetadataError};
pub use redirect::{LoopbackHost, Redirect};
pub use revoke::Revocation;
pub(crate) use token::TokenAsk;
pub(crate) use token::device::DeviceCode;
pub use token::{Employer, Issued, TokenError, Vouched};

use self::dpop::Proof;
use self::jws::SigningKey;
use self::preset::{Ask, Endpoints, Preset};
use crate::clock;
use crate::model::{AccountName, ProviderName};
use crate::rules::Injection;
use crate::secret::Secret;
use crate::session::tokens::TokenSet;
use crate::vault::{ItemName, Vault, VaultError};

/// What a person or a registration told of a provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registration {
    /// What the person calls it.
    pub name: ProviderName,
    /// The issuer identifier (RFC 8414 section 2), to the letter.
    pub issuer: Url,
    /// Our client id there.
    pub client_id: String,
    /// Whether a client secret lies in the vault.
    pub confidential: bool,
    /// Whether a private key of our client lies in the vault.
    pub has_key: bool,
    /// What the server calls that key; its thumbprint (RFC 7638) where nobody said.
    pub key_id: Option<String>,
    /// How the token endpoint wants to see us, where the server said so itself.
    pub token_auth: Option<TokenAuth>,
    /// By what right tokens are asked for.
    pub grant: Grant,
    /// Whom our own assertions speak for, if not for the client itself.
    pub subject: Option<String>,
    /// The account that vouches for the person.
    pub via: Option<AccountName>,
    /// The port of the redirect that was registered; any will do where this is absent.
    pub redirect_port: Option<u16>,
    /// What is known of such a server.
    pub preset: Option<Arc<Preset>>,
    /// What the person set; it goes before what the preset and the server's metadata say.
    pub endpoints: Endpoints,
    /// A public service named the issuer: it leads to no private address (D3).
    pub only_public: bool,
    /// What its metadata need not say.
    pub leeway: Leeway,
}

/// By what right tokens are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Grant {
    /// The person signs in, at a page or on another device (RFC 6749 section 4.1, RFC 8628).
    #[default]
    AuthorizationCode,
    /// The client asks in its own name (RFC 6749 section 4.4).
    ClientCredentials,
    /// The client signs an assertion (RFC 7523 section 2.1): service accounts.
    JwtBearer,
    /// The person's employer vouches for them (RFC 8693 there, RFC 7523 here).
    IdentityAssertion,
}

impl Grant {
    /// Whether no page is shown to a person.
    #[must_use]
    pub fn is_unattended(self) -> bool {
        self != Self::AuthorizationCode
    }

    /// As the settings write it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AuthorizationCode => "authorization_code",
            Self::ClientCredentials => "client_credentials",
            Self::JwtBearer => "jwt_bearer",
            Self::IdentityAssertion => "identity_assertion",
        }
    }
}

/// How a client shows itself at the token endpoint (RFC 6749 section 2.3, OpenID Connect Core section 9).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum TokenAuth {
    /// A public client: by its id alone.
    #[serde(rename = "none")]
    None,
    /// In the `Authorization` header.
    #[serde(rename = "client_secret_basic")]
    Basic,
    /// In the form.
    #[serde(rename = "client_secret_post")]
    Post,
    /// By an assertion that its key signs (RFC 7523 section 2.2).
    #[serde(rename = "private_key_jwt")]
    PrivateKeyJwt,
}

impl TokenAuth {
    /// What we speak, what is asked for first in front.
    const ALL: [Self; 4] = [Self::None, Self::Basic, Self::Post, Self::PrivateKeyJwt];

    /// As metadata writes it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Basic => "client_secret_basic",
            Self::Post => "client_secret_post",
            Self::PrivateKeyJwt => "private_key_jwt",
        }
    }

    /// Reads what metadata writes; nothing for a method that we don't speak.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|method| method.as_str() == text)
    }

    /// What to ask for of a server that takes these: a secret on a person's machine protects nothing, so
    /// none where that is offered. RFC 8414 section 2: a server that does not say takes `client_secret_basic`;
    /// in truth most of those that register clients by themselves take none.
    #[must_use]
    pub fn preferred(supported: &[String]) -> Self {
        let takes = |method: Self| supported.iter().any(|s| s == method.as_str());
        Self::ALL.into_iter().find(|method| takes(*method)).unwrap_or(Self::None)
    }
}

impl Registration {
    /// Where the browser comes back to.
    #[must_use]
    pub fn redirect(&self) -> Redirect {
        self.preset.as_ref().map(|preset| preset.redirect.clone()).unwrap_or_default()
    }

    /// How the preset tells who signed in: at the server that it knows, or where the person said to ask.
    #[must_use]
    pub fn identity_rule(&self) -> Option<&preset::IdentityRule> {
        let preset = self.preset.as_deref()?;
        let told = preset.is_at(&self.issuer) || self.endpoints.identity.is_some();
        preset.identity.as_ref().filter(|_| told)
    }

    /// The vault item of the client secret.
    ///
    /// # Errors
    /// [`VaultError::BadName`], which a provider's name never is.
    pub fn secret_item(&self) -> Result<ItemName, VaultError> {
        client_secret_item(&self.name, &self.issuer)
    }
}

/// The vault item of the client secret at this provider. It is that of the issuer too: one that is changed by
/// hand gets no secret of another (MCP 2026-07-28, "Authorization Server Binding").
///
/// # Errors
/// [`VaultError::BadName`], which a provider's name never is.
pub fn client_secret_item(provider: &ProviderName, issuer: &Url) -> Result<ItemName, VaultError> {
    let digest = Sha256::digest(issuer.as_str().as_bytes());
    let short: String = digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    ItemName::new(format!("client-secret:{provider}:{short}"))
}

/// The vault item of the client's private key at this provider, a PEM text.
///
/// # Errors
/// [`VaultError::BadName`], which a provider's name never is.
pub fn client_key_item(provider: &ProviderName) -> Result<ItemName, VaultError> {
    ItemName::new(format!("client-key:{provider}"))
}

/// An authorization server as we know it. Cheap to clone.
#[derive(Clone)]
pub struct Provider {
    inner: Arc<Inner>,
}

struct Inner {
    registration: Registration,
    http: Http,
    vault: Vault,
    metadata: OnceCell<Arc<Metadata>>,
    secret: OnceCell<Option<Secret>>,
    key: OnceCell<Option<SigningKey>>,
    employer: Option<Employer>,
}

impl Provider {
    /// Nothing is asked until it is needed.
    #[must_use]
    pub fn new(registration: Registration, http: Http, vault: Vault) -> Self {
        Self::vouched(registration, http, vault, None)
    }

    /// The same where somebody vouches for the person.
    #[must_use]
    pub fn vouched(registration: Registration, http: Http, vault: Vault, employer: Option<Employer>) -> Self {
        let http = if registration.only_public { http.only_public() } else { http };
        let (metadata, secret, key) = (OnceCell::new(), OnceCell::new(), OnceCell::new());
        Self { inner: Arc::new(Inner { registration, http, vault, metadata, secret, key, employer }) }
    }

    /// Our registration.
    #[must_use]
    pub fn registration(&self) -> &Registration {
        &self.inner.registration
    }

    /// The server's metadata, asked for once.
    ///
    /// # Errors
    /// [`MetadataError`]; it is asked again the next time.
    pub async fn metadata(&self) -> Result<&Arc<Metadata>, MetadataError> {
        self.inner
            .metadata
            .get_or_try_init(|| async { metadata::of(&self.inner.http, &self.inner.registration).await.map(Arc::new) })
            .await
    }

    /// The client secret, read from the vault once.
    async fn secret(&self) -> Result<Option<&Secret>, VaultError> {
        let secret = self
            .inner
            .secret
            .get_or_try_init(|| async {
                if self.inner.registration.confidential {
                    self.inner.vault.read(&self.inner.registration.secret_item()?).await
                } else {
                    Ok(None)
                }
            })
            .await?;
        Ok(secret.as_ref())
    }

    /// The client's private key, read from the vault once; the error is for people who look into a log.
    async fn client_key(&self) -> Result<Option<&SigningKey>, String> {
        let registration = &self.inner.registration;
        let key = self
            .inner
            .key
            .get_or_try_init(|| async {
                if !registration.has_key {
                    return Ok(None);
                }
                let unread = |e: VaultError| format!("the client key can't be read: {e}");
                let pem = self.inner.vault.read(&client_key_item(&registration.name).map_err(unread)?).await;
                match pem.map_err(unread)? {
                    None => Err("the client key is not in the vault any more".to_owned()),
                    Some(pem) => SigningKey::from_pem(&pem).map(Some).map_err(|e| format!("the client key: {e}")),
                }
            })
            .await?;
        Ok(key.as_ref())
    }

    /// Asks the token endpoint, or a neighbour of it, in the provider's own way, and reads its answer as
    /// RFC 6749 has it.
    ///
    /// # Errors
    /// [`FetchError`], but never `Status`.
    pub(crate) async fn speak(
        &self,
        mut request: ::http::Request<Vec<u8>>,
    ) -> Result<::http::Response<Vec<u8>>, FetchError> {
        let preset = self.inner.registration.preset.as_deref();
        if let Some(preset) = preset {
            preset.write(&mut request);
        }
        let mut response = self.inner.http.send(request).await?;
        if let Some(preset) = preset {
            preset.read(&mut response);
        }
        Ok(response)
    }

    /// Whether tokens are asked for by their resource (RFC 8707).
    pub(crate) fn takes_resource(&self) -> bool {
        !self.inner.registration.preset.as_ref().is_some_and(|preset| preset.refuses_resource)
    }

    /// Asks in the provider's own way who the access token speaks for.
    ///
    /// # Errors
    /// [`FetchError`].
    pub(crate) async fn ask_identity(&self, ask: &Ask, access: &Secret) -> Result<serde_json::Value, FetchError> {
        let endpoint = self.inner.registration.endpoints.identity.as_ref().unwrap_or(&ask.url);
        let Some(json) = &ask.json else { return self.inner.http.get_json(endpoint, Some(access)).await };
        let host = endpoint.host_str().unwrap_or_default().to_owned();
        let not_sent = |why: String| FetchError::NotSent { host: host.clone(), why };
        let token = Injection::default().value(access).ok_or_else(|| not_sent("the token can't be a header".into()))?;
        let request = ::http::Request::post(endpoint.as_str())
            .header(::http::header::CONTENT_TYPE, "application/json")
            .header(::http::header::ACCEPT, "application/json")
            .header(::http::header::AUTHORIZATION, token)
            .body(json.clone().into_bytes());
        let response = self.inner.http.send(request.map_err(|e| not_sent(e.to_string()))?).await?;
        if response.status() != ::http::StatusCode::OK {
            return Err(FetchError::Status { host, status: response.status().as_u16() });
        }
        serde_json::from_slice(response.body()).map_err(|_| FetchError::NotJson { host })
    }

    /// Whether the server's page takes a request of ours, which a browser would bring. What can't be told
    /// counts as yes: then the person sees what there is to see.
    pub(crate) async fn knows_us(&self, page: &Url) -> bool {
        const PATIENCE: std::time::Duration = std::time::Duration::from_secs(3);
        // A registration that another program made knows only that program's redirect (RFC 6749 section 3.1.2.4).
        const NOT_KNOWN: [&str; 7] = [
            "invalid_client",
            "unknown client",
            "client not found",
            "unknown_client",
            "invalid_redirect_uri",
            "redirect_uri_mismatch",
            "redirect_uri did not match",
        ];
        // A reference to a pushed request is good once, and its push has shown that we are known.
        if page.query_pairs().any(|(name, _)| name == "request_uri") {
            return true;
        }
        let request = ::http::Request::get(page.as_str()).header(::http::header::ACCEPT, "text/html").body(Vec::new());
        let Ok(request) = request else { return true };
        match tokio::time::timeout(PATIENCE, self.inner.http.send(request)).await {
            Ok(Ok(response)) if response.status().is_client_error() => {
                let text = String::from_utf8_lossy(response.body()).to_ascii_lowercase();
                !NOT_KNOWN.iter().any(|words| text.contains(words))
            }
            _ => true,
        }
    }

    /// The userinfo claims of the person the access token speaks for (OpenID Connect Core section 5.3).
    ///
    /// # Errors
    /// [`FetchError`].
    pub async fn userinfo(&self, endpoint: &Url, tokens: &TokenSet) -> Result<serde_json::Value, FetchError> {
        let Some(key) = &tokens.dpop else {
            return self.inner.http.get_json(endpoint, Some(&tokens.access)).await;
        };
        let host = endpoint.host_str().unwrap_or_default().to_owned();
        let not_sent = |why: String| FetchError::NotSent { host: host.clone(), why };
        let ask = || -> Result<::http::Request<Vec<u8>>, FetchError> {
            let mut request = ::http::Request::get(endpoint.as_str())
                .header(::http::header::ACCEPT, "application/json")
                .body(Vec::new())
                .map_err(|e| not_sent(e.to_string()))?;
            let unix = tokens.issued.provider_unix(clock::now());
            let what = Proof { method: "GET", uri: &request.uri().clone(), access: Some(&tokens.access), unix };
            key.put(request.headers_mut(), what).map_err(|e| not_sent(e.to_string()))?;
            Ok(request)
        };
        let request = ask()?;
        let uri = request.uri().clone();
        let mut response = self.inner.http.send(request).await?;
        if key.note(&uri, response.headers()) && dpop::wants_nonce(response.headers()) {
            response = self.inner.http.send(ask()?).await?;
        }
        if response.status() != ::http::StatusCode::OK {
            return Err(FetchError::Status { host, status: response.status().as_u16() });
        }
        serde_json::from_slice(response.body()).map_err(|_| FetchError::NotJson { host })
    }
}
