//! PURE: what becomes of each entry of an export beside the settings that are here.

use std::collections::{BTreeMap, BTreeSet};

use toml_edit::{Item, value};

use crate::config::{Config, ProviderConfig};
use crate::control::{Choice, Conflict};
use crate::model::{ProviderName, ToolName};

/// What becomes of one entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Fate {
    /// Added, under this name.
    New(String),
    /// The same is here, under this name, and stays as it is.
    Here(String),
    /// Left out.
    Out,
}

/// By the name in the export.
pub(super) type Fates = BTreeMap<String, Fate>;

/// What becomes of all of it.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Fitted {
    pub(super) providers: Fates,
    pub(super) accounts: Fates,
    pub(super) services: Fates,
    pub(super) tools: Fates,
    /// One name for two things, which nobody has decided on.
    pub(super) conflicts: Vec<Conflict>,
}

/// Decides. `choices` are the person's, by kind and name: `service notes`.
pub(super) fn fit(theirs: &Config, ours: &Config, choices: &BTreeMap<String, Choice>) -> Fitted {
    let mut fitted = Fitted::default();
    for (name, provider) in &theirs.providers {
        let same = ours.providers.iter().find(|(_, known)| is_same(provider, known));
        let taken = |n: &str| {
            ours.providers.keys().any(|k| k.as_str() == n)
                || theirs.providers.keys().any(|k| k != name && k.as_str() == n)
        };
        let fate = match same {
            Some((known, _)) => Fate::Here(known.to_string()),
            // Nobody types a provider's name, so nobody has to be asked.
            None => Fate::New(free(name.as_str(), taken)),
        };
        fitted.providers.insert(name.to_string(), fate);
    }
    for (name, account) in &theirs.accounts {
        let provider = fitted.providers.get(account.provider.as_str());
        let taken = |n: &str| {
            ours.accounts.keys().any(|k| k.as_str() == n)
                || theirs.accounts.keys().any(|k| k != name && k.as_str() == n)
        };
        let fate = match ours.accounts.get(name) {
            None => Fate::New(name.to_string()),
            Some(known) if provider == Some(&Fate::Here(known.provider.to_string())) => Fate::Here(name.to_string()),
            Some(known) => {
                let issuer = |config: &Config, name: &ProviderName| {
                    config.providers.get(name).map(|provider| provider.issuer.to_string()).unwrap_or_default()
                };
                let (theirs, ours) = (issuer(theirs, &account.provider), issuer(ours, &known.provider));
                fitted.decide("account", name.as_str(), choices, taken, (theirs, ours))
            }
        };
        fitted.accounts.insert(name.to_string(), fate);
    }
    for (name, service) in &theirs.services {
        let account = fitted.accounts.get(service.account.as_str());
        let taken = |n: &str| {
            ours.services.keys().any(|k| k.as_str() == n)
                || theirs.services.keys().any(|k| k != name && k.as_str() == n)
        };
        let fate = match (account, ours.services.get(name)) {
            (Some(Fate::Out) | None, _) => Fate::Out,
            (_, None) => Fate::New(name.to_string()),
            (Some(Fate::Here(account)), Some(known))
                if known.url == service.url && known.account.as_str() == account =>
            {
                Fate::Here(name.to_string())
            }
            (_, Some(known)) => {
                let addresses = (service.url.to_string(), known.url.to_string());
                fitted.decide("service", name.as_str(), choices, taken, addresses)
            }
        };
        fitted.services.insert(name.to_string(), fate);
    }
    for name in theirs.tools.keys() {
        // A tool that is here keeps its key and what it may use: to widen it is a decision of its own.
        let fate =
            if ours.tools.contains_key(name) { Fate::Here(name.to_string()) } else { Fate::New(name.to_string()) };
        fitted.tools.insert(name.to_string(), fate);
    }
    // A provider that nobody comes with would only lie there.
    let needed = |name: &str| {
        theirs.accounts.iter().any(|(account, settings)| {
            settings.provider.as_str() == name && matches!(fitted.accounts.get(account.as_str()), Some(Fate::New(_)))
        })
    };
    let lonely: Vec<String> = fitted.providers.keys().filter(|name| !needed(name)).cloned().collect();
    for name in lonely {
        if let Some(fate @ Fate::New(_)) = fitted.providers.get_mut(&name) {
            *fate = Fate::Out;
        }
    }
    fitted
}

/// The same client at the same server, by the same right. Two that registered themselves are each good for
/// what the other is.
fn is_same(theirs: &ProviderConfig, ours: &ProviderConfig) -> bool {
    theirs.issuer == ours.issuer
        && theirs.grant == ours.grant
        && theirs.via == ours.via
        && theirs.subject == ours.subject
        && (theirs.client_id == ours.client_id || (theirs.registered && ours.registered))
}

fn free(name: &str, taken: impl Fn(&str) -> bool) -> String {
    let numbered = (2u32..).map(|n| format!("{}-{n}", name.chars().take(32).collect::<String>()));
    let mut all = std::iter::once(name.to_owned()).chain(numbered);
    all.find(|name| !taken(name)).unwrap_or_else(|| name.to_owned())
}

impl Fitted {
    fn decide(
        &mut self,
        kind: &str,
        name: &str,
        choices: &BTreeMap<String, Choice>,
        taken: impl Fn(&str) -> bool,
        (theirs, ours): (String, String),
    ) -> Fate {
        match choices.get(&format!("{kind} {name}")).or_else(|| choices.get("*")) {
            Some(Choice::KeepOurs) => Fate::Out,
            Some(Choice::AddBeside) => Fate::New(free(name, taken)),
            None => {
                self.conflicts.push(Conflict { kind: kind.to_owned(), name: name.to_owned(), theirs, ours });
                Fate::Out
            }
        }
    }

    /// In the order of the file.
    pub(super) fn sections(&self) -> [(&'static str, &Fates); 4] {
        [
            ("providers", &self.providers),
            ("accounts", &self.accounts),
            ("services", &self.services),
            ("tools", &self.tools),
        ]
    }

    /// The providers to be added: their name there, and here.
    pub(super) fn new_providers(&self) -> Vec<(ProviderName, ProviderName)> {
        let new = |(name, fate): (&String, &Fate)| match fate {
            Fate::New(here) => Some((name.parse().ok()?, here.parse().ok()?)),
            Fate::Here(_) | Fate::Out => None,
        };
        self.providers.iter().filter_map(new).collect()
    }

    /// The tools to be added.
    pub(super) fn new_tools(&self) -> Vec<ToolName> {
        let new = self.tools.values().filter_map(|fate| if let Fate::New(name) = fate { Some(name) } else { None });
        new.filter_map(|name| name.parse().ok()).collect()
    }

    /// The tools that are here already.
    pub(super) fn kept_tools(&self) -> BTreeSet<&str> {
        self.tools.iter().filter(|(_, fate)| matches!(fate, Fate::Here(_))).map(|(name, _)| name.as_str()).collect()
    }

    /// A value of an entry, with the names that it mentions as they are here; services that were left out are
    /// no longer mentioned.
    pub(super) fn renamed(&self, section: &str, key: &str, item: &Item) -> Item {
        let here = |fates: &Fates, name: &str| match fates.get(name) {
            Some(Fate::New(name) | Fate::Here(name)) => Some(name.clone()),
            Some(Fate::Out) | None => None,
        };
        let one = |fates: &Fates| {
            let name = item.as_str().and_then(|name| here(fates, name));
            name.map_or_else(|| item.clone(), value)
        };
        match (section, key) {
            ("providers", "via") => one(&self.accounts),
            ("accounts", "provider") => one(&self.providers),
            ("services", "account") => one(&self.accounts),
            ("tools", "services") => {
                let names = item.as_array().into_iter().flatten().filter_map(toml_edit::Value::as_str);
                value(names.filter_map(|name| here(&self.services, name)).collect::<toml_edit::Array>())
            }
            _ => item.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::config::parse_text;

    fn settings(issuer: &str, client: &str, service: &str) -> Config {
        let key = "ab".repeat(32);
        parse_text(&format!(
            "[providers.p]\nissuer = \"{issuer}\"\nclient_id = \"{client}\"\n[accounts.ada]\nprovider = \"p\"\n\
             [services.notes]\nurl = \"{service}\"\naccount = \"ada\"\n\
             [tools.script]\nkey_sha256 = \"{key}\"\nservices = [\"notes\"]\n"
        ))
        .unwrap()
    }

    fn new(name: &str) -> Fate {
        Fate::New(name.to_owned())
    }

    fn here(name: &str) -> Fate {
        Fate::Here(name.to_owned())
    }

    #[test]
    fn what_is_new_is_added_and_what_is_here_stays() {
        let theirs = settings("https://i.test", "c", "https://n.test");
        let none = BTreeMap::new();
        for (what, ours, fates) in [
            ("an empty machine", Config::default(), [new("p"), new("ada"), new("notes"), new("script")]),
            ("the same once more", theirs.clone(), [here("p"), here("ada"), here("notes"), here("script")]),
        ] {
            let fitted = fit(&theirs, &ours, &none);
            assert!(fitted.conflicts.is_empty(), "{what}");
            let all = fitted.sections().map(|(_, fates)| fates.values().next().unwrap().clone());
            assert_eq!(all, fates, "{what}");
        }
    }

    #[test]
    fn one_name_for_two_things_is_the_person_s_to_decide() {
        let theirs = settings("https://i.test", "c", "https://n.test");
        for (ours, kind) in [
            (settings("https://i.test", "c", "https://other.test"), "service"),
            (settings("https://other.test", "c", "https://n.test"), "account"),
        ] {
            let open = fit(&theirs, &ours, &BTreeMap::new());
            assert_eq!(open.conflicts.iter().map(|c| c.kind.as_str()).collect::<Vec<_>>(), [kind]);
            let choose = |choice| BTreeMap::from([("*".to_owned(), choice)]);
            let kept = fit(&theirs, &ours, &choose(Choice::KeepOurs));
            assert!(kept.conflicts.is_empty() && kept.services["notes"] == Fate::Out, "{kept:?}");
            assert!(
                !kept.sections().iter().any(|(s, f)| *s != "tools" && f.values().any(|f| matches!(f, Fate::New(_))))
            );
            let beside = fit(&theirs, &ours, &choose(Choice::AddBeside));
            assert!(beside.conflicts.is_empty() && beside.services["notes"] == new("notes-2"), "{beside:?}");
        }
    }

    #[test]
    fn names_that_are_mentioned_follow() {
        let theirs = settings("https://i.test", "c", "https://n.test");
        let ours = settings("https://other.test", "c", "https://other.test");
        let fitted = fit(&theirs, &ours, &BTreeMap::from([("*".to_owned(), Choice::AddBeside)]));
        assert_eq!(fitted.renamed("services", "account", &value("ada")).as_str(), Some("ada-2"));
        assert_eq!(fitted.renamed("accounts", "provider", &value("p")).as_str(), Some("p-2"));
        let services: toml_edit::Array = ["notes", "gone"].into_iter().collect();
        let renamed = fitted.renamed("tools", "services", &value(services));
        assert_eq!(renamed.as_array().unwrap().iter().filter_map(|v| v.as_str()).collect::<Vec<_>>(), ["notes-2"]);
        assert_eq!(fitted.renamed("services", "url", &value("ada")).as_str(), Some("ada"));
    }
}
