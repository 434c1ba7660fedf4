//! Settings from another machine: what is new is added, what is here stays as it is.
//!
//! [`fit`] decides what becomes of each entry. Nothing is written unless all of it fits; tools get keys of
//! their own here, and a client that another machine registered for itself with a secret is registered anew.

mod fit;

use std::collections::{BTreeMap, BTreeSet};

use toml_edit::{DocumentMut, Item, Table, value};

use self::fit::{Fate, Fitted, fit};
use super::add::{Secrets, write_secrets};
use super::core::Core;
use super::document::{set, unset, write_registration};
use super::settings::{digest, new_key};
use crate::config::{self, Config, ProviderConfig};
use crate::control::{Failure, Merge, Merged};
use crate::export::{FORM, FORM_KEY, SECTIONS};
use crate::model::{ProviderName, ToolName};
use crate::secret::Secret;
use crate::wording;

/// An export, read and found good, with the keys that its tools would get.
struct Theirs {
    document: DocumentMut,
    config: Config,
    keys: BTreeMap<ToolName, Secret>,
}

impl Core {
    /// Adds what an export has and we don't. With conflicts left open, or only to look, nothing is done.
    pub(crate) async fn merge(&self, merge: Merge) -> Result<Merged, Failure> {
        let theirs = Theirs::read(&merge.settings)?;
        let fitted = fit(&theirs.config, &self.config(), &merge.choices);
        if merge.dry_run || !fitted.conflicts.is_empty() {
            return Ok(fitted.told(&theirs.config));
        }
        // The network first: where a server can't be asked nothing is written.
        let network = self.config().network;
        let mut registered = BTreeMap::<ProviderName, (ProviderConfig, Secrets)>::new();
        for (name, new_name) in fitted.new_providers() {
            let Some(settings) = theirs.config.providers.get(&name) else { continue };
            if settings.registered && (settings.client_secret_in_vault || settings.client_key_in_vault) {
                let mut settings = ProviderConfig { redirect_port: None, ..settings.clone() };
                let secrets = self.become_known(&new_name, &mut settings, &network).await?;
                registered.insert(new_name, (settings, secrets));
            }
        }
        for (name, (settings, secrets)) in &registered {
            write_secrets(&self.vault, name, &settings.issuer, secrets).await?;
        }
        let again = self.edit(|ours, document| {
            // Others may have changed the settings meanwhile.
            let now = fit(&theirs.config, ours, &merge.choices);
            if now != fitted {
                return Err(wording::import::changed_meanwhile());
            }
            theirs.write_to(document, &now);
            for (name, (settings, _)) in &registered {
                let name = name.as_str();
                set(document, ["providers", name, "client_id"], value(settings.client_id.as_str()));
                set(document, ["providers", name, "client_secret_in_vault"], value(settings.client_secret_in_vault));
                unset(document, ["providers", name, "client_key_in_vault"]);
                unset(document, ["providers", name, "client_key_id"]);
                write_registration(document, name, settings);
            }
            Ok(now)
        })?;
        let mut merged = again.told(&theirs.config);
        let config = self.config();
        for tool in again.new_tools() {
            if let Some(settings) = config.tools.get(&tool) {
                merged.tools.push(self.tool_key(&tool, settings, theirs.keys.get(&tool).cloned()));
            }
        }
        for account in &merged.accounts {
            let provider = config.accounts.get(account).map(|settings| &settings.provider);
            let Some((name, settings)) = provider.and_then(|name| config.providers.get_key_value(name)) else {
                continue;
            };
            let is_new = merged.providers.contains(name) && !registered.contains_key(name);
            if is_new && (settings.client_secret_in_vault || settings.client_key_in_vault) {
                merged.secrets_missing.push(account.clone());
            }
        }
        self.changed_by_person(&wording::import::merged(&merged), |_| ());
        Ok(merged)
    }
}

impl Theirs {
    fn read(text: &str) -> Result<Self, Failure> {
        let bad = |why: String| wording::import::bad_export(&why);
        let given: DocumentMut = text.parse().map_err(|e: toml_edit::TomlError| bad(e.message().to_owned()))?;
        match given.get(FORM_KEY).and_then(Item::as_integer) {
            Some(FORM) => {}
            Some(form) if form > FORM => return Err(wording::import::newer_export()),
            _ => return Err(wording::import::no_export()),
        }
        let known = |key: &str| key == FORM_KEY || SECTIONS.iter().any(|(section, _)| *section == key);
        if let Some((key, _)) = given.iter().find(|(key, _)| !known(key)) {
            return Err(bad(format!("\"{key}\" does not belong in an export")));
        }
        let (mut document, mut keys) = (DocumentMut::new(), BTreeMap::new());
        for (section, left_out) in SECTIONS {
            let Some(mut entries) = given.get(section).cloned() else { continue };
            for (_, entry) in entries.as_table_like_mut().into_iter().flat_map(|entries| entries.iter_mut()) {
                if let Some(entry) = entry.as_table_like_mut() {
                    // Leave and keys are given here, whatever the file says.
                    left_out.iter().for_each(|key| drop(entry.remove(key)));
                }
            }
            document.insert(section, entries);
        }
        let tools = document.get_mut("tools").and_then(Item::as_table_like_mut);
        for (name, entry) in tools.into_iter().flat_map(|tools| tools.iter_mut()) {
            let name: ToolName = name.get().parse().map_err(|e: crate::model::BadName| bad(e.to_string()))?;
            let key = new_key();
            if let Some(entry) = entry.as_table_like_mut() {
                entry.insert("key_sha256", value(digest(Some(&key)).to_string()));
            }
            keys.insert(name, key);
        }
        let config = config::parse_text(&document.to_string()).map_err(bad)?;
        Ok(Self { document, config, keys })
    }

    fn write_to(&self, document: &mut DocumentMut, fitted: &Fitted) {
        for (section, fates) in fitted.sections() {
            for (name, fate) in fates {
                let Fate::New(new_name) = fate else { continue };
                let entry = self.document.get(section).and_then(|entries| entries.get(name));
                let Some(entry) = entry.and_then(Item::as_table_like) else { continue };
                let mut table = Table::new();
                for (key, item) in entry.iter() {
                    table.insert(key, fitted.renamed(section, key, item));
                }
                let outer = document.entry(section).or_insert_with(|| {
                    let mut outer = Table::new();
                    outer.set_implicit(true);
                    Item::Table(outer)
                });
                if let Some(outer) = outer.as_table_like_mut() {
                    outer.insert(new_name, Item::Table(table));
                }
            }
        }
    }
}

impl Fitted {
    /// What of it is or would be in force; keys come later.
    fn told(&self, theirs: &Config) -> Merged {
        let new = |fates: &fit::Fates| -> Vec<String> {
            fates
                .values()
                .filter_map(|fate| if let Fate::New(name) = fate { Some(name.clone()) } else { None })
                .collect()
        };
        let names = |texts: Vec<String>| texts.into_iter();
        let kept: BTreeSet<&str> = self.kept_tools();
        Merged {
            providers: names(new(&self.providers)).filter_map(|n| n.parse().ok()).collect(),
            accounts: names(new(&self.accounts)).filter_map(|n| n.parse().ok()).collect(),
            services: names(new(&self.services)).filter_map(|n| n.parse().ok()).collect(),
            tools: vec![],
            tools_new: names(new(&self.tools)).filter_map(|n| n.parse().ok()).collect(),
            tools_kept: theirs.tools.keys().filter(|name| kept.contains(name.as_str())).cloned().collect(),
            secrets_missing: vec![],
            conflicts: self.conflicts.clone(),
        }
    }
}
