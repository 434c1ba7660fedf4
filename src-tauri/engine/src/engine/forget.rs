//! Forgetting an account: what goes with it, and what is said of that.

use url::Url;

use super::core::Core;
use super::document::{remove, remove_service};
use crate::config::Config;
use crate::control::{Failure, Removed};
use crate::model::{AccountName, ProviderName, ToolName};
use crate::provider::{client_key_item, client_secret_item};
use crate::wording;

impl Core {
    /// Removes the account, its services, and the provider that it was the last at. `sign_ins` of it were wiped
    /// before.
    pub(super) async fn remove_account(&self, account: &AccountName, sign_ins: usize) -> Result<Removed, Failure> {
        // Secrets go first: once nothing names them any more, nobody could find them.
        if let Some((provider, issuer)) = self.left_by(account) {
            for item in [client_secret_item(&provider, &issuer), client_key_item(&provider)] {
                let item = item.map_err(|e| wording::vault_failure(&e))?;
                self.vault.delete(&item).await.map_err(|e| wording::vault_failure(&e))?;
            }
        }
        let removed = self.edit(|config, document| {
            let services = config.services.iter().filter(|(_, service)| service.account == *account);
            let services: Vec<_> = services.map(|(name, _)| name.clone()).collect();
            let tools = config.tools.iter().filter(|(_, tool)| tool.services.iter().any(|s| services.contains(s)));
            let tools: Vec<ToolName> = tools.map(|(name, _)| name.clone()).collect();
            for service in &services {
                remove_service(document, service);
            }
            remove(document, "accounts", account.as_str());
            let orphan = orphan(config, account);
            let settings = orphan.and_then(|name| config.providers.get(name));
            if let Some(name) = orphan {
                remove(document, "providers", name.as_str());
            }
            Ok(Removed {
                services,
                tools,
                sign_ins,
                provider: orphan.cloned(),
                client_secret: settings.is_some_and(|settings| settings.client_secret_in_vault),
                client_key: settings.is_some_and(|settings| settings.client_key_in_vault),
            })
        })?;
        self.proxy.asks.forget(|grant| grant.account == *account);
        self.bell.settled(account);
        self.known.forget(account);
        self.changed_by_person(&wording::account_removed(account), |record| record.account = Some(account.clone()));
        Ok(removed)
    }

    /// The provider that nobody is left at without this account, and its issuer.
    fn left_by(&self, account: &AccountName) -> Option<(ProviderName, Url)> {
        let config = self.config();
        let name = orphan(&config, account)?;
        Some((name.clone(), config.providers.get(name)?.issuer.clone()))
    }
}

/// The account's provider, if nobody else is there: it goes too, with its client secret and key.
fn orphan<'a>(config: &'a Config, account: &AccountName) -> Option<&'a ProviderName> {
    let name = &config.accounts.get(account)?.provider;
    let others = config.accounts.iter().any(|(other, settings)| other != account && settings.provider == *name);
    (!others).then_some(name)
}
