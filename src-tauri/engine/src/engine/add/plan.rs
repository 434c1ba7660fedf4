//! A plan to add something: whether it still fits, and what it writes.

use toml_edit::{DocumentMut, value};

use super::{Plan, PlannedTool};
use crate::config::Config;
use crate::control::Failure;
use crate::engine::document::{set, write_registration, write_tool};
use crate::engine::settings::tool_or_new;
use crate::model::ToolName;
use crate::wording;

impl Plan {
    /// Whether the plan still fits: discovery took its time, and others may have changed the settings.
    /// The tool is taken as it is now.
    pub(super) fn fit(&self, config: &Config, tool: Option<&ToolName>) -> Result<Option<PlannedTool>, Failure> {
        let service = &self.service.0;
        if config.services.contains_key(service) {
            return Err(wording::name_taken("service", service.as_str()));
        }
        self.fit_account(config)?;
        Ok(tool.map(|name| {
            let (mut tool, key) = tool_or_new(config, name);
            tool.services.push(service.clone());
            PlannedTool { name: name.clone(), config: tool, key }
        }))
    }

    /// The same for what lives in memory only. It goes again with all that it brought and is no way around a
    /// click, so its tool and its account are its own.
    pub(super) fn fit_alone(&self, config: &Config, tool: Option<&ToolName>) -> Result<Option<PlannedTool>, Failure> {
        if let Some(name) = tool.filter(|name| config.tools.contains_key(*name)) {
            return Err(wording::name_taken("tool", name.as_str()));
        }
        if let (name, None) = &self.account {
            return Err(wording::name_taken("account", name.as_str()));
        }
        self.fit(config, tool)
    }

    pub(in crate::engine) fn fit_account(&self, config: &Config) -> Result<(), Failure> {
        match &self.account {
            (name, Some(_)) if config.accounts.contains_key(name) => {
                return Err(wording::name_taken("account", name.as_str()));
            }
            (name, None) if !config.accounts.contains_key(name) => return Err(wording::unknown_account(name)),
            _ => {}
        }
        if let (name, Some(_)) = &self.provider
            && config.providers.contains_key(name)
        {
            return Err(wording::name_taken("provider", name.as_str()));
        }
        Ok(())
    }

    pub(super) fn merge_into(&self, config: &mut Config, tool: &Option<PlannedTool>) {
        if let (name, Some(provider)) = &self.provider {
            config.providers.insert(name.clone(), provider.clone());
        }
        if let (name, Some(account)) = &self.account {
            config.accounts.insert(name.clone(), account.clone());
        }
        config.services.insert(self.service.0.clone(), self.service.1.clone());
        config.tools.extend(tool.as_ref().map(|tool| (tool.name.clone(), tool.config.clone())));
    }

    /// The provider and the account, where they are new.
    pub(in crate::engine) fn write_account(&self, document: &mut DocumentMut) {
        if let (name, Some(provider)) = &self.provider {
            let name = name.as_str();
            set(document, ["providers", name, "issuer"], value(provider.issuer.as_str()));
            set(document, ["providers", name, "client_id"], value(provider.client_id.as_str()));
            if provider.client_secret_in_vault {
                set(document, ["providers", name, "client_secret_in_vault"], value(true));
            }
            write_registration(document, name, provider);
        }
        if let (name, Some(account)) = &self.account {
            let name = name.as_str();
            set(document, ["accounts", name, "provider"], value(account.provider.as_str()));
            let scopes: toml_edit::Array = account.scopes.iter().collect();
            set(document, ["accounts", name, "scopes"], value(scopes));
        }
    }

    pub(super) fn write_to(&self, document: &mut DocumentMut, tool: &Option<PlannedTool>) {
        self.write_account(document);
        let (name, service) = (self.service.0.as_str(), &self.service.1);
        set(document, ["services", name, "url"], value(service.url.as_str()));
        set(document, ["services", name, "account"], value(service.account.as_str()));
        if let Some(resource) = &service.resource {
            set(document, ["services", name, "resource"], value(resource.as_str()));
        }
        if service.dpop {
            set(document, ["services", name, "dpop"], value(true));
        }
        if let Some(server) = &service.authorization_server {
            set(document, ["services", name, "authorization_server"], value(server.as_str()));
        }
        if let Some(preset) = &service.preset {
            set(document, ["services", name, "preset"], value(preset.as_str()));
        }
        if let Some(tool) = tool {
            write_tool(document, &tool.name, &tool.config);
        }
    }
}
