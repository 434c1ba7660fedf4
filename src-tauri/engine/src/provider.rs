//! An authorization server, and our client registration there.
//!
//! [`Provider`] reads its metadata, asks its token endpoint, userinfo and revocation. What an answer
//! means for a session is decided elsewhere.

mod http;
mod metadata;
pub mod register;
pub mod resource;
mod token;

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tokio::sync::OnceCell;
use url::Url;

pub use self::http::{FetchError, Http, NetworkError, NetworkSettings, is_in_public, tls_config};
pub use metadata::{Metadata, MetadataError};
pub use token::{Issued, TokenError};

use crate::model::ProviderName;
use crate::secret::Secret;
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
    /// How the token endpoint wants to see us, where the server said so itself.
    pub token_auth: Option<TokenAuth>,
    /// The port of the redirect that was registered; any will do where this is absent.
    pub redirect_port: Option<u16>,
    /// A public service named the issuer: it leads to no private address (D3).
    pub only_public: bool,
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
}

impl TokenAuth {
    /// As metadata writes it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Basic => "client_secret_basic",
            Self::Post => "client_secret_post",
        }
    }

    /// Reads what metadata writes; nothing for a method that we don't speak.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::None, Self::Basic, Self::Post].into_iter().find(|method| method.as_str() == text)
    }

    /// What to ask for of a server that takes these: a secret on a person's machine protects nothing, so
    /// none where that is offered. RFC 8414 section 2: a server that does not say takes `client_secret_basic`;
    /// in truth most of those that register clients by themselves take none.
    #[must_use]
    pub fn preferred(supported: &[String]) -> Self {
        let takes = |method: Self| supported.iter().any(|s| s == method.as_str());
        [Self::None, Self::Basic, Self::Post].into_iter().find(|method| takes(*method)).unwrap_or(Self::None)
    }
}

impl Registration {
    /// The vault item of the client secret.
    ///
    /// # Errors
    /// [`VaultError::BadName`], which a provider's name never is.
    pub fn secret_item(&self) -> Result<ItemName, VaultError> {
        client_secret_item(&self.name)
    }
}

/// The vault item of the client secret at this provider.
///
/// # Errors
/// [`VaultError::BadName`], which a provider's name never is.
pub fn client_secret_item(provider: &ProviderName) -> Result<ItemName, VaultError> {
    ItemName::new(format!("client-secret:{provider}"))
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
}

impl Provider {
    /// Nothing is asked until it is needed.
    #[must_use]
    pub fn new(registration: Registration, http: Http, vault: Vault) -> Self {
        let http = if registration.only_public { http.only_public() } else { http };
        let inner = Inner { registration, http, vault, metadata: OnceCell::new(), secret: OnceCell::new() };
        Self { inner: Arc::new(inner) }
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
            .get_or_try_init(|| async {
                metadata::discover(&self.inner.http, &self.inner.registration.issuer).await.map(Arc::new)
            })
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

    /// The userinfo claims of the person the access token speaks for (OpenID Connect Core section 5.3).
    ///
    /// # Errors
    /// [`FetchError`].
    pub async fn userinfo(&self, endpoint: &Url, access: &Secret) -> Result<serde_json::Value, FetchError> {
        self.inner.http.get_json(endpoint, Some(access)).await
    }
}
