//! How a server gets to know us.

use url::Url;

use super::Secrets;
use crate::config::{self, ProviderConfig};
use crate::control::{Failure, RegistrationFound, Step};
use crate::engine::core::{Core, registration};
use crate::model::ProviderName;
use crate::provider::register::{self, RegisterError};
use crate::provider::{Metadata, MetadataError, Provider, Redirect, TokenAuth, client_key_item, client_secret_item};
use crate::vault::Vault;
use crate::wording;

impl Core {
    /// Whether endpoints that nobody named are there at all: a page for signing in answers a browser that
    /// brings nothing, if only with a 400, and wants no token of its own.
    pub(super) async fn is_there(&self, metadata: &Metadata, only_public: bool) -> bool {
        if !metadata.assumed {
            return true;
        }
        let http = if only_public { self.http.only_public() } else { self.http.clone() };
        let request = http::Request::get(metadata.authorization_endpoint.as_str()).body(Vec::new());
        let Ok(request) = request else { return false };
        match http.head(request).await {
            Ok((status, _)) => !status.is_server_error() && !matches!(status.as_u16(), 401 | 403 | 404 | 405 | 410),
            Err(_) => false,
        }
    }

    /// Makes us known to the server as [`way_to`] says, and returns the secret or the key if there is one.
    pub(in crate::engine) async fn become_known(
        &self,
        name: &ProviderName,
        settings: &mut ProviderConfig,
        network: &config::NetworkConfig,
    ) -> Result<Secrets, Failure> {
        let provider = Provider::new(registration(name, settings), self.http.clone(), self.memory.clone());
        let metadata = provider.metadata().await.map_err(|e| wording::discovery_failed(&e))?;
        if way_to(metadata, network) == RegistrationFound::Document
            && let Some(document) = &network.client_metadata_url
        {
            settings.client_id = document.to_string();
            settings.token_auth = Some(TokenAuth::None);
            return Ok(Secrets::default());
        }
        let port = settings.redirect_port.or(free_port().await);
        let redirect = Redirect { port, ..provider.registration().redirect() };
        let redirect: Url = redirect.to_string().parse().map_err(|_| wording::issuer_needed(&settings.issuer))?;
        let http = if settings.only_public { self.http.only_public() } else { self.http.clone() };
        let registered = register::register(&http, &settings.issuer, metadata, &redirect, settings.grant).await;
        let registered = registered.map_err(|e| match e {
            // Nobody said that there is anything at the default endpoints, and there isn't.
            RegisterError::Refused { error: None, .. } if metadata.assumed => {
                wording::discovery_failed(&MetadataError::Absent(settings.issuer.clone()))
            }
            e => wording::not_registered(&settings.issuer, settings.known().as_deref(), &e),
        })?;
        settings.client_id = registered.client_id;
        settings.client_secret_in_vault = registered.client_secret.is_some();
        settings.client_key_in_vault = registered.client_key.is_some();
        settings.client_key_id = None;
        settings.token_auth = Some(registered.token_auth);
        settings.redirect_port = port;
        settings.registered = true;
        Ok(Secrets { secret: registered.client_secret, key: registered.client_key })
    }
}

/// Puts what a provider knows us by into the vault.
pub(in crate::engine) async fn write_secrets(
    vault: &Vault,
    provider: &ProviderName,
    issuer: &Url,
    secrets: &Secrets,
) -> Result<(), Failure> {
    let items = [(client_secret_item(provider, issuer), &secrets.secret), (client_key_item(provider), &secrets.key)];
    for (item, secret) in items {
        if let Some(secret) = secret {
            let item = item.map_err(|e| wording::vault_failure(&e))?;
            vault.write(&item, secret).await.map_err(|e| wording::vault_failure(&e).at(Step::Saving))?;
        }
    }
    Ok(())
}

/// How a server that nobody has told of us gets to know us: a client ID metadata document, else RFC 7591.
pub(super) fn way_to(metadata: &Metadata, network: &config::NetworkConfig) -> RegistrationFound {
    match (&network.client_metadata_url, &metadata.registration_endpoint) {
        (Some(_), _) if metadata.client_id_metadata_document_supported => RegistrationFound::Document,
        (_, Some(_)) => RegistrationFound::Registers,
        (_, None) => RegistrationFound::NeedsClientId,
    }
}

/// A port for the redirect, to be registered: some servers want it to the digit.
async fn free_port() -> Option<u16> {
    let listener = tokio::net::TcpListener::bind((std::net::Ipv4Addr::LOCALHOST, 0)).await.ok()?;
    listener.local_addr().ok().map(|address| address.port())
}
