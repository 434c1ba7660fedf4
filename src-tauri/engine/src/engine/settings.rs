//! What the person changes: services, accounts, tools. Each change is one atomic edit of
//! `config.toml`, or of memory for what is there for a while only.

use std::collections::BTreeMap;

use base64::Engine as _;
use sha2::{Digest as _, Sha256};
use toml_edit::value;

use super::core::Core;
use super::document::{expired_text, remove, remove_service, set, unset, write_tool};
use crate::activity::Kind;
use crate::config::{KeyDigest, ToolConfig};
use crate::control::{AddTool, Failure, ToolKey};
use crate::model::{AccountName, ExpiredAnswer, ServiceName, ToolName};
use crate::secret::Secret;
use crate::wording;

impl Core {
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
            match label.as_deref() {
                None => {}
                Some("") => unset(document, ["accounts", account.as_str(), "label"]),
                Some(label) => set(document, ["accounts", account.as_str(), "label"], value(label)),
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

    pub(super) fn changed_by_person(&self, text: &str, fill: impl FnOnce(&mut crate::activity::Record)) {
        self.activity.record(Kind::Changed, |record| {
            record.text = text.to_owned();
            fill(record);
        });
    }
}

/// 256 random bits behind a prefix by which people and secret scanners know it.
pub(super) fn new_key() -> Secret {
    let bytes: [u8; 32] = rand::random();
    let text = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bytes);
    Secret::new(format!("{}{text}", crate::proxy::KEY_PREFIX))
}

pub(super) fn digest(key: Option<&Secret>) -> KeyDigest {
    KeyDigest(Sha256::digest(key.map(Secret::expose).unwrap_or_default().as_bytes()).into())
}
