//! An authorization server, and our client registration there.
//!
//! [`Provider`] reads its metadata, asks its token endpoint, userinfo and revocation. What an answer
//! means for a session is decided elsewhere.

mod http;
mod metadata;
mod token;

use std::sync::Arc;

use tokio::sync::OnceCell;
use url::Url;

pub use self::http::{FetchError, Http, NetworkError, NetworkSettings, tls_config};
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
}

impl Registration {
    /// The vault item of the client secret.
    ///
    /// # Errors
    /// [`VaultError::BadName`], which a provider's name never is.
    pub fn secret_item(&self) -> Result<ItemName, VaultError> {
        ItemName::new(format!("client-secret:{}", self.name))
    }
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
