//! What a person can pick instead of pasting an address.

use serde::{Deserialize, Serialize};

use crate::provider::preset as presets;
use crate::rules;

/// Something to sign in to, known by its name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Choice {
    /// Its name.
    pub name: String,
    /// As shown to people.
    pub title: String,
    /// Where its API begins; nothing where that differs from person to person.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub url: Option<String>,
    /// What its addresses look like: `https://….supabase.co`.
    pub example: String,
}

/// Everything that can be picked, by title.
#[must_use]
pub fn all() -> Vec<Choice> {
    let mut all: Vec<Choice> = rules::names().filter_map(of_preset).collect();
    let more: Vec<Choice> = presets::names().filter_map(of_provider).collect();
    all.extend(more.into_iter().filter(|one| !all.iter().any(|known| known.title == one.title)).collect::<Vec<_>>());
    all.sort_by_key(|choice| choice.title.to_lowercase());
    all
}

/// A preset that says where its services are.
fn of_preset(name: &str) -> Option<Choice> {
    let preset = rules::named(name)?;
    of_hosts(name, &preset.title, &preset.hosts)
}

/// A provider that says where its API is.
fn of_provider(name: &str) -> Option<Choice> {
    let preset = presets::named(name)?;
    of_hosts(name, &preset.title, &preset.hosts)
}

fn of_hosts(name: &str, title: &str, hosts: &[String]) -> Option<Choice> {
    let own = hosts.iter().find(|host| !host.starts_with('*'));
    let host = own.or(hosts.first())?;
    let address = |host: &str| format!("https://{host}");
    Some(Choice {
        name: name.to_owned(),
        title: title.to_owned(),
        url: own.map(|host| address(host)),
        example: address(&host.replacen('*', "…", 1)),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn what_has_an_address_can_be_picked() {
        let all = all();
        let of = |name: &str| all.iter().find(|choice| choice.name == name);
        assert_eq!(of("github").unwrap().url.as_deref(), Some("https://api.github.com"));
        let supabase = of("supabase").unwrap();
        assert_eq!((&supabase.url, supabase.example.as_str()), (&None, "https://….supabase.co"));
        assert_eq!(of("mcp"), None, "it is everywhere");
        assert_eq!(of("notion").unwrap().url.as_deref(), Some("https://api.notion.com"));
        assert_eq!(all.iter().filter(|choice| choice.title == "GitHub").count(), 1);
        assert!(all.is_sorted_by_key(|choice| choice.title.to_lowercase()));
    }
}
