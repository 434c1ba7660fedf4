//! What the person changes: services, accounts, tools. Each change is one atomic edit of
//! `config.toml`, or of memory for what is there for a while only.

use std::collections::BTreeMap;

use base64::Engine as _;
use sha2::{Digest as _, Sha256};
use toml_edit::{DocumentMut, Item, Table, value};
use url::Url;

use super::core::{Core, lock};
use crate::activity::Kind;
use crate::config::{self, AccountConfig, Config, KeyDigest, ProviderConfig, ServiceConfig, ToolConfig};
use crate::control::{AddService, AddTool, Added, Failure, ToolKey};
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

    pub(super) fn remove_account(&self, account: &AccountName) -> Result<(), Failure> {
        let services: Vec<ServiceName> =
            self.config().services.iter().filter(|(_, s)| s.account == *account).map(|(n, _)| n.clone()).collect();
        self.edit(|document| {
            services.iter().for_each(|service| remove_service(document, service));
            remove(document, "accounts", account.as_str());
        })
        .map_err(|e| wording::config_failure(&e))?;
        self.bell.settled(account);
        self.known.forget(account);
        self.changed_by_person(&wording::account_removed(account), |record| record.account = Some(account.clone()));
        Ok(())
    }

    /// Changes an account's settings.
    pub(crate) fn account_set(
        &self,
        account: &AccountName,
        allow_token: Option<bool>,
        label: Option<String>,
    ) -> Result<(), Failure> {
        self.must_exist(account)?;
        self.edit(|document| {
            if let Some(allow) = allow_token {
                set(document, ["accounts", account.as_str(), "allow_token"], value(allow));
            }
            if let Some(label) = &label {
                set(document, ["accounts", account.as_str(), "label"], value(label.as_str()));
            }
        })
        .map_err(|e| wording::config_failure(&e))?;
        self.changed_by_person(&wording::account_changed(account, allow_token, label.as_deref()), |record| {
            record.account = Some(account.clone());
        });
        Ok(())
    }

    /// Changes a service's settings.
    pub(crate) fn service_set(
        &self,
        service: &ServiceName,
        hold_seconds: Option<u64>,
        replay_unsafe: Option<bool>,
        expired: Option<ExpiredAnswer>,
    ) -> Result<(), Failure> {
        self.must_have_service(service)?;
        self.edit(|document| {
            let mut put = |key, item| set(document, ["services", service.as_str(), key], item);
            if let Some(seconds) = hold_seconds {
                put("hold_seconds", value(i64::try_from(seconds).unwrap_or(i64::MAX)));
            }
            if let Some(replay) = replay_unsafe {
                put("replay_unsafe", value(replay));
            }
            if let Some(expired) = expired {
                put("expired", value(expired_text(expired)));
            }
        })
        .map_err(|e| wording::config_failure(&e))?;
        self.changed_by_person(&wording::service_changed(service), |record| record.service = Some(service.clone()));
        Ok(())
    }

    /// Removes a service; its account stays.
    pub(crate) fn service_remove(&self, service: &ServiceName) -> Result<(), Failure> {
        self.must_have_service(service)?;
        self.edit(|document| remove_service(document, service)).map_err(|e| wording::config_failure(&e))?;
        self.changed_by_person(&wording::service_removed(service), |record| record.service = Some(service.clone()));
        Ok(())
    }

    /// Registers a tool, or lets one use more.
    pub(crate) fn tool_add(&self, add: &AddTool) -> Result<ToolKey, Failure> {
        for service in &add.services {
            self.must_have_service(service)?;
        }
        let known = self.config().tools.get(&add.tool).cloned();
        let key = known.is_none().then(new_key);
        let mut tool = known.unwrap_or_else(|| ToolConfig {
            key_sha256: digest(key.as_ref()),
            services: vec![],
            expired: add.expired,
            key_in_path: add.key_in_path,
        });
        for service in &add.services {
            if !tool.services.contains(service) {
                tool.services.push(service.clone());
            }
        }
        self.edit(|document| write_tool(document, &add.tool, &tool)).map_err(|e| wording::config_failure(&e))?;
        self.changed_by_person(&wording::tool_added(&add.tool, &tool.services, key.is_some()), |record| {
            record.tool = Some(add.tool.clone());
        });
        Ok(self.tool_key(&add.tool, &tool, key))
    }

    /// Gives a tool a new key; the old one stops working at once.
    pub(crate) fn tool_rotate(&self, name: &ToolName) -> Result<ToolKey, Failure> {
        let mut tool = self.config().tools.get(name).cloned().ok_or_else(|| wording::unknown_tool(name))?;
        let key = new_key();
        tool.key_sha256 = digest(Some(&key));
        self.edit(|document| write_tool(document, name, &tool)).map_err(|e| wording::config_failure(&e))?;
        self.changed_by_person(&wording::tool_rotated(name), |record| record.tool = Some(name.clone()));
        Ok(self.tool_key(name, &tool, Some(key)))
    }

    /// Removes a tool; its key stops working at once.
    pub(crate) fn tool_remove(&self, name: &ToolName) -> Result<(), Failure> {
        if !self.config().tools.contains_key(name) {
            return Err(wording::unknown_tool(name));
        }
        self.edit(|document| remove(document, "tools", name.as_str())).map_err(|e| wording::config_failure(&e))?;
        self.changed_by_person(&wording::tool_removed(name), |record| record.tool = Some(name.clone()));
        Ok(())
    }

    fn tool_key(&self, name: &ToolName, tool: &ToolConfig, key: Option<Secret>) -> ToolKey {
        let address = |service: &ServiceName| match (&key, tool.key_in_path) {
            (Some(key), true) => format!("{}/k/{}/{service}", self.address(), key.expose()),
            _ => self.address_of(service),
        };
        let urls: BTreeMap<_, _> = tool.services.iter().map(|service| (service.clone(), address(service))).collect();
        ToolKey { tool: name.clone(), key, urls }
    }

    fn must_have_service(&self, service: &ServiceName) -> Result<(), Failure> {
        if self.config().services.contains_key(service) { Ok(()) } else { Err(wording::unknown_service(service)) }
    }

    fn changed_by_person(&self, text: &str, fill: impl FnOnce(&mut crate::activity::Record)) {
        self.activity.record(Kind::Changed, |record| {
            record.text = text.to_owned();
            fill(record);
        });
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

/// 256 random bits behind a prefix by which people and secret scanners know it.
fn new_key() -> Secret {
    let bytes: [u8; 32] = rand::random();
    let text = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bytes);
    Secret::new(format!("{}{text}", crate::proxy::KEY_PREFIX))
}

fn digest(key: Option<&Secret>) -> KeyDigest {
    KeyDigest(Sha256::digest(key.map(Secret::expose).unwrap_or_default().as_bytes()).into())
}

fn expired_text(expired: ExpiredAnswer) -> &'static str {
    match expired {
        ExpiredAnswer::Automatic => "automatic",
        ExpiredAnswer::Unauthorized => "401",
        ExpiredAnswer::Unavailable => "503",
    }
}

fn write_tool(document: &mut DocumentMut, name: &ToolName, tool: &ToolConfig) {
    let name = name.as_str();
    let services: toml_edit::Array = tool.services.iter().map(ServiceName::as_str).collect();
    set(document, ["tools", name, "key_sha256"], value(tool.key_sha256.to_string()));
    set(document, ["tools", name, "services"], value(services));
    if tool.expired != ExpiredAnswer::Automatic {
        set(document, ["tools", name, "expired"], value(expired_text(tool.expired)));
    }
    if tool.key_in_path {
        set(document, ["tools", name, "key_in_path"], value(true));
    }
}

/// Sets `[section.name] key = item`, making the tables where they are not there.
fn set(document: &mut DocumentMut, [section, name, key]: [&str; 3], item: Item) {
    let outer = document.entry(section).or_insert_with(|| {
        let mut table = Table::new();
        table.set_implicit(true);
        Item::Table(table)
    });
    let Some(outer) = outer.as_table_like_mut() else { return };
    let inner = outer.entry(name).or_insert_with(toml_edit::table);
    if let Some(inner) = inner.as_table_like_mut() {
        inner.insert(key, item);
    }
}

fn remove(document: &mut DocumentMut, section: &str, name: &str) {
    if let Some(table) = document.get_mut(section).and_then(Item::as_table_like_mut) {
        table.remove(name);
    }
}

/// Removes a service, and from every tool's list.
fn remove_service(document: &mut DocumentMut, service: &ServiceName) {
    remove(document, "services", service.as_str());
    let Some(tools) = document.get_mut("tools").and_then(Item::as_table_like_mut) else { return };
    for (_, tool) in tools.iter_mut() {
        let list = tool.get_mut("services").and_then(Item::as_array_mut);
        if let Some(list) = list {
            list.retain(|entry| entry.as_str() != Some(service.as_str()));
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

    #[test]
    fn a_removed_service_leaves_every_tool() {
        let mut document: DocumentMut =
            "[services.a]\nurl = 1\n[tools.t]\nservices = [\"a\", \"b\"]\n".parse().unwrap();
        remove_service(&mut document, &"a".parse().unwrap());
        assert_eq!(document.to_string(), "[tools.t]\nservices = [ \"b\"]\n");
    }
}
