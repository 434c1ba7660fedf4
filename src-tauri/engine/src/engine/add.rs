//! Adding a service, with the provider, the account and the tool that it needs.

use toml_edit::{DocumentMut, value};
use url::Url;

use super::core::{Core, lock};
use super::document::{set, write_tool};
use super::settings::{digest, new_key};
use crate::config::{self, AccountConfig, Config, ProviderConfig, ServiceConfig, ToolConfig};
use crate::control::{AddService, Added, Failure};
use crate::model::{AccountName, ExpiredAnswer, ProviderName, Scopes, ServiceName, ToolName};
use crate::provider::{Provider, Registration};
use crate::secret::Secret;
use crate::wording;

/// Asked for where the person names no scope, as far as the provider offers them: who it is, and a
/// session that outlives the access token.
const USUAL_SCOPES: [&str; 4] = ["openid", "email", "profile", "offline_access"];

/// What [`Core::plan`] decided to add.
struct Plan {
    provider: (ProviderName, Option<ProviderConfig>),
    account: (AccountName, Option<AccountConfig>),
    service: (ServiceName, ServiceConfig),
    tool: Option<(ToolName, ToolConfig)>,
    key: Option<Secret>,
}

impl Core {
    /// Adds a service, with what it needs.
    pub(crate) async fn add(&self, add: AddService, ephemeral: bool) -> Result<Added, Failure> {
        config::check_upstream(&add.url).map_err(|why| wording::bad_address(&why))?;
        let plan = self.plan(&add).await?;
        if let (Some(secret), (name, Some(_))) = (&add.client_secret, &plan.provider) {
            let vault = if ephemeral { &self.memory } else { &self.vault };
            let item =
                crate::vault::ItemName::new(format!("client-secret:{name}")).map_err(|e| wording::vault_failure(&e))?;
            vault.write(&item, secret).await.map_err(|e| wording::vault_failure(&e))?;
        }
        let added = Added {
            service: plan.service.0.clone(),
            account: plan.account.0.clone(),
            url: self.address_of(&plan.service.0),
            state: crate::view::StateName::NeedsSignIn,
            tool: plan.tool.as_ref().map(|(name, _)| name.clone()),
            key: plan.key.clone(),
        };
        if ephemeral {
            plan.merge_into(&mut lock(&self.settings).ephemeral);
            self.apply();
        } else {
            self.edit(|document| plan.write_to(document)).map_err(|e| wording::config_failure(&e))?;
        }
        self.changed_by_person(&wording::service_added(&added.service, &added.account), |record| {
            record.account = Some(added.account.clone());
            record.service = Some(added.service.clone());
        });
        let state = self.snapshot().accounts.into_iter().find(|a| a.account == added.account).map(|a| a.state);
        Ok(Added { state: state.unwrap_or(added.state), ..added })
    }

    async fn plan(&self, add: &AddService) -> Result<Plan, Failure> {
        let config = self.config();
        let service = match &add.name {
            Some(name) if config.services.contains_key(name) => {
                return Err(wording::name_taken("service", name.as_str()));
            }
            Some(name) => name.clone(),
            None => named(free_name(&name_of_host(&add.url), |n| config.services.contains_key(n)))?,
        };
        let known_account = add.account.as_ref().and_then(|name| config.accounts.get(name).map(|a| (name.clone(), a)));
        let (provider, account) = match known_account {
            Some((name, account)) => ((account.provider.clone(), None), (name, None)),
            None => {
                let (provider, settings) = self.plan_provider(&config, add)?;
                let scopes = self.plan_scopes(&config, add, &provider, settings.as_ref()).await?;
                let name = match &add.account {
                    Some(name) => name.clone(),
                    None => named(free_name(provider.as_str(), |n| config.accounts.contains_key(n)))?,
                };
                let account = AccountConfig { provider: provider.clone(), scopes, label: None, allow_token: false };
                ((provider, settings), (name, Some(account)))
            }
        };
        let (tool, key) = plan_tool(&config, add.tool.as_ref(), &service);
        let service_config = ServiceConfig {
            url: add.url.clone(),
            account: account.0.clone(),
            resource: add.resource.clone(),
            hold_seconds: None,
            replay_unsafe: true,
            expired: ExpiredAnswer::Automatic,
        };
        Ok(Plan { provider, account, service: (service, service_config), tool, key })
    }

    fn plan_provider(
        &self,
        config: &Config,
        add: &AddService,
    ) -> Result<(ProviderName, Option<ProviderConfig>), Failure> {
        let known = config.providers.iter().find(|(name, provider)| {
            add.provider.as_ref().is_none_or(|wanted| wanted == *name)
                && add.issuer.as_ref().is_none_or(|issuer| *issuer == provider.issuer)
                && add.client_id.as_ref().is_none_or(|id| *id == provider.client_id)
                && (add.provider.is_some() || add.issuer.is_some())
        });
        if let Some((name, _)) = known.filter(|_| add.client_secret.is_none()) {
            return Ok((name.clone(), None));
        }
        let (Some(issuer), Some(client_id)) = (&add.issuer, &add.client_id) else {
            return Err(wording::issuer_needed(&add.url));
        };
        let name = match &add.provider {
            Some(name) if config.providers.contains_key(name) => {
                return Err(wording::name_taken("provider", name.as_str()));
            }
            Some(name) => name.clone(),
            None => named(free_name(&name_of_host(issuer), |n| config.providers.contains_key(n)))?,
        };
        let provider = ProviderConfig {
            issuer: issuer.clone(),
            client_id: client_id.clone(),
            client_secret_in_vault: add.client_secret.is_some(),
            title: None,
        };
        Ok((name, Some(provider)))
    }

    /// What to ask for. The provider's metadata is read for it, so a wrong issuer is told now and not
    /// at the first sign-in.
    async fn plan_scopes(
        &self,
        config: &Config,
        add: &AddService,
        name: &ProviderName,
        new: Option<&ProviderConfig>,
    ) -> Result<Scopes, Failure> {
        let Some(settings) = new.or_else(|| config.providers.get(name)) else { return Ok(Scopes::default()) };
        let registration = Registration {
            name: name.clone(),
            issuer: settings.issuer.clone(),
            client_id: settings.client_id.clone(),
            confidential: false,
        };
        let provider = Provider::new(registration, self.http.clone(), self.memory.clone());
        let metadata = provider.metadata().await.map_err(|e| wording::discovery_failed(&e))?;
        if !add.scopes.is_empty() {
            return Ok(add.scopes.iter().cloned().collect());
        }
        let offered = |scope: &&str| metadata.scopes_supported.iter().any(|s| s == scope);
        Ok(USUAL_SCOPES.iter().filter(|s| offered(s)).map(|s| (*s).to_owned()).collect())
    }

    /// Removes what lived in memory only.
    pub(crate) fn remove_ephemeral(&self, added: &Added) {
        let mut settings = lock(&self.settings);
        let config = &mut settings.ephemeral;
        config.services.remove(&added.service);
        if let Some(account) = config.accounts.remove(&added.account) {
            config.providers.remove(&account.provider);
        }
        if let Some(tool) = &added.tool {
            config.tools.remove(tool);
        }
        drop(settings);
        self.bell.settled(&added.account);
        self.known.forget(&added.account);
        self.apply();
    }
}

impl Plan {
    fn merge_into(self, config: &mut Config) {
        if let (name, Some(provider)) = self.provider {
            config.providers.insert(name, provider);
        }
        if let (name, Some(account)) = self.account {
            config.accounts.insert(name, account);
        }
        config.services.insert(self.service.0, self.service.1);
        config.tools.extend(self.tool);
    }

    fn write_to(&self, document: &mut DocumentMut) {
        if let (name, Some(provider)) = &self.provider {
            let name = name.as_str();
            set(document, ["providers", name, "issuer"], value(provider.issuer.as_str()));
            set(document, ["providers", name, "client_id"], value(provider.client_id.as_str()));
            if provider.client_secret_in_vault {
                set(document, ["providers", name, "client_secret_in_vault"], value(true));
            }
        }
        if let (name, Some(account)) = &self.account {
            let name = name.as_str();
            set(document, ["accounts", name, "provider"], value(account.provider.as_str()));
            let scopes: toml_edit::Array = account.scopes.iter().collect();
            set(document, ["accounts", name, "scopes"], value(scopes));
        }
        let (name, service) = (self.service.0.as_str(), &self.service.1);
        set(document, ["services", name, "url"], value(service.url.as_str()));
        set(document, ["services", name, "account"], value(service.account.as_str()));
        if let Some(resource) = &service.resource {
            set(document, ["services", name, "resource"], value(resource.as_str()));
        }
        if let Some((name, tool)) = &self.tool {
            write_tool(document, name, tool);
        }
    }
}

fn plan_tool(
    config: &Config,
    name: Option<&ToolName>,
    service: &ServiceName,
) -> (Option<(ToolName, ToolConfig)>, Option<Secret>) {
    let Some(name) = name else { return (None, None) };
    match config.tools.get(name) {
        Some(known) => {
            let mut tool = known.clone();
            tool.services.push(service.clone());
            (Some((name.clone(), tool)), None)
        }
        None => {
            let key = new_key();
            let tool = ToolConfig {
                key_sha256: digest(Some(&key)),
                services: vec![service.clone()],
                expired: ExpiredAnswer::Automatic,
                key_in_path: false,
            };
            (Some((name.clone(), tool)), Some(key))
        }
    }
}

fn named<N>(name: Result<N, crate::model::BadName>) -> Result<N, Failure> {
    name.map_err(|e| wording::bad_name(&e))
}

/// A name from a host: the label that tells most, without `mcp.`, `api.`, `www.` and the like.
fn name_of_host(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']).to_ascii_lowercase();
    let labels: Vec<&str> = host.split('.').filter(|l| !l.is_empty()).collect();
    let telling = match labels.as_slice() {
        [.., name, _] if name.bytes().any(|b| b.is_ascii_alphabetic()) => (*name).to_owned(),
        [one] if one.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-') => (*one).to_owned(),
        _ => "local".to_owned(),
    };
    telling.trim_matches('-').chars().take(32).collect()
}

/// `base`, or `base-2`, `base-3`, … whichever is free.
fn free_name<N: std::str::FromStr>(base: &str, taken: impl Fn(&N) -> bool) -> Result<N, N::Err> {
    let mut name: N = base.parse()?;
    let mut number = 2u32;
    while taken(&name) {
        name = format!("{base}-{number}").parse()?;
        number += 1;
    }
    Ok(name)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn names_from_hosts() {
        for (url, expected) in [
            ("https://mcp.linear.app/mcp", "linear"),
            ("https://api.github.com", "github"),
            ("https://example.test", "example"),
            ("http://127.0.0.1:80/x", "local"),
            ("http://[::1]:80/x", "local"),
            ("http://localhost:80", "localhost"),
        ] {
            assert_eq!(name_of_host(&url.parse().unwrap()), expected, "{url}");
        }
        let name: ServiceName = free_name("a", |n: &ServiceName| n.as_str() == "a" || n.as_str() == "a-2").unwrap();
        assert_eq!(name.as_str(), "a-3");
    }
}
