//! Forgetting an account: what goes with it, and what is said of that.

use super::core::Core;
use super::document::{remove, remove_service};
use crate::control::{Failure, Removed};
use crate::model::{AccountName, ProviderName, ToolName};
use crate::provider::{client_key_item, client_secret_item};
use crate::wording;

impl Core {
    /// Removes the account, its services, and the provider that it was the last at. `sign_ins` of it were wiped
    /// before.
    pub(super) async fn remove_account(&self, account: &AccountName, sign_ins: usize) -> Result<Removed, Failure> {
        let (removed, issuer) = self.edit(|config, document| {
            let services = config.services.iter().filter(|(_, service)| service.account == *account);
            let services: Vec<_> = services.map(|(name, _)| name.clone()).collect();
            let tools = config.tools.iter().filter(|(_, tool)| tool.services.iter().any(|s| services.contains(s)));
            let tools: Vec<ToolName> = tools.map(|(name, _)| name.clone()).collect();
            for service in &services {
                remove_service(document, service);
            }
            remove(document, "accounts", account.as_str());
            // A provider that nobody is left at goes too, with its client secret and key.
            let provider = config.accounts.get(account).map(|settings| settings.provider.clone());
            let others = |name: &ProviderName| {
                config.accounts.iter().any(|(other, settings)| other != account && settings.provider == *name)
            };
            let orphan = provider.filter(|name| !others(name));
            let settings = orphan.as_ref().and_then(|name| config.providers.get(name));
            if let Some(name) = &orphan {
                remove(document, "providers", name.as_str());
            }
            let removed = Removed {
                services,
                tools,
                sign_ins,
                provider: orphan.clone(),
                client_secret: settings.is_some_and(|settings| settings.client_secret_in_vault),
                client_key: settings.is_some_and(|settings| settings.client_key_in_vault),
            };
            Ok((removed, settings.map(|settings| settings.issuer.clone())))
        })?;
        if let (Some(provider), Some(issuer)) = (&removed.provider, issuer) {
            for item in [client_secret_item(provider, &issuer), client_key_item(provider)] {
                let item = item.map_err(|e| wording::vault_failure(&e))?;
                self.vault.delete(&item).await.map_err(|e| wording::vault_failure(&e))?;
            }
        }
        self.proxy.asks.forget(|grant| grant.account == *account);
        self.bell.settled(account);
        self.known.forget(account);
        self.changed_by_person(&wording::account_removed(account), |record| record.account = Some(account.clone()));
        Ok(removed)
    }
}
