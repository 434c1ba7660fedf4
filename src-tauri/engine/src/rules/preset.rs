//! The presets that ship: what is known of a service before anybody has used it here.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use serde::Deserialize;
use url::Url;

use super::condition::host_is;
use super::file::{Injection, Rule, shared};
use crate::model::Scopes;
use crate::wording;

/// What is known of one service.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Preset {
    /// As shown to people.
    pub title: String,
    /// The hosts of a service's URL for which it is chosen by itself.
    #[serde(default)]
    pub hosts: Vec<String>,
    /// The scopes that may be added with a click when the service asks for more.
    #[serde(default)]
    pub scopes: Scopes,
    /// How the token is put in.
    #[serde(default)]
    pub inject: Injection,
    /// In which variables its clients want some token before they call.
    #[serde(default)]
    pub token_variables: Vec<String>,
    /// In the order in which they are asked.
    #[serde(default, deserialize_with = "shared")]
    pub rules: Vec<Arc<Rule>>,
}

macro_rules! shipped {
    ($($name:literal),* $(,)?) => {
        /// Each file by its name.
        const SHIPPED: &[(&str, &str)] = &[$(($name, include_str!(concat!("../../presets/", $name, ".toml")))),*];
    };
}

shipped![
    "atlassian",
    "audius",
    "aws",
    "azure-devops",
    "cloudflare-access",
    "databricks",
    "facebook",
    "feishu",
    "gitbook",
    "github",
    "google",
    "graphql",
    "mcp",
    "mediawiki-mcp",
    "microsoft-graph",
    "ms-365-mcp",
    "nhost",
    "salesforce",
    "shopify",
    "slack",
    "spotify",
    "standard",
    "supabase",
    "todoist-mcp",
    "vault",
    "worldmonitor",
    "xero",
];

/// The rules that hold everywhere.
#[must_use]
pub fn standard() -> &'static Preset {
    static STANDARD: LazyLock<Preset> = LazyLock::new(|| {
        let text = SHIPPED.iter().find(|(name, _)| *name == "standard").map_or("", |(_, text)| text);
        parse("standard", text).unwrap_or_else(|| Preset {
            title: String::new(),
            hosts: vec![],
            scopes: Scopes::default(),
            inject: Injection::default(),
            token_variables: vec![],
            rules: vec![],
        })
    });
    &STANDARD
}

/// The preset of this name. A file is read when it is first asked for, so that what nobody uses costs
/// no time at the start.
#[must_use]
pub fn named(name: &str) -> Option<Arc<Preset>> {
    static READ: Mutex<BTreeMap<&str, Arc<Preset>>> = Mutex::new(BTreeMap::new());
    let (name, text) = SHIPPED.iter().find(|(known, _)| *known == name && *known != "standard")?;
    let mut read = READ.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(preset) = read.get(name) {
        return Some(Arc::clone(preset));
    }
    let preset = Arc::new(parse(name, text)?);
    read.insert(name, Arc::clone(&preset));
    Some(preset)
}

/// A file that ships is read by the tests, so this is never nothing.
fn parse(name: &str, text: &str) -> Option<Preset> {
    toml_edit::de::from_str(text).inspect_err(|e| tracing::error!("preset {name}: {e}")).ok()
}

/// The name of the preset for a service at this address.
#[must_use]
pub fn of_host(url: &Url) -> Option<&'static str> {
    let host = url.host_str()?;
    let (name, _) = SHIPPED
        .iter()
        .find(|(name, _)| named(name).is_some_and(|preset| preset.hosts.iter().any(|wanted| host_is(host, wanted))))?;
    Some(name)
}

/// Every preset's name, in order.
pub fn names() -> impl Iterator<Item = &'static str> {
    SHIPPED.iter().map(|(name, _)| *name).filter(|name| *name != "standard")
}

/// `docs/recognition.md`: every rule with its source, made from the files.
#[must_use]
pub fn document() -> String {
    let mut text = String::from(
        "# How Signbell recognises a refused token\n\n\
         Made from the files in `src-tauri/engine/presets` by `make docs`; edit those. The first rule that matches\n\
         decides: a service's own (`[[services.NAME.rules]]` in `config.toml`), its preset's, then the standard ones.\n\n\
         *refresh, replay*: the token is renewed and the request sent once more; the tool never sees the refusal.\n\
         *refresh*: the token is renewed, and the tool sees the answer, for the request may have been carried out.\n\
         *ask for scopes*, *ask to sign in*: only the person can help. *pass*: it is not about the token.\n",
    );
    let standard = ("standard", standard().clone());
    let presets = names().filter_map(|name| named(name).map(|preset| (name, (*preset).clone())));
    for (name, preset) in std::iter::once(standard).chain(presets) {
        let title = if preset.title.is_empty() { name } else { &preset.title };
        text += &format!("\n## {title} (`{name}`)\n\n");
        if !preset.hosts.is_empty() {
            text += &format!("Chosen for {}.\n\n", preset.hosts.join(", "));
        }
        if preset.rules.is_empty() {
            text += "No rules of its own: what it answers is not about the token.\n";
            continue;
        }
        text += "| rule | status | what it means | what is done | seen at |\n|---|---|---|---|---|\n";
        for rule in &preset.rules {
            let status: Vec<String> = rule.when.status.iter().map(u16::to_string).collect();
            let row = rule.row.map(|row| format!(" (row {row})")).unwrap_or_default();
            text += &format!(
                "| `{}`{row} | {} | {} | {} | <{}> |\n",
                rule.name,
                status.join(", "),
                rule.why.replace('|', "\\|"),
                wording::rule_does(rule, rule.nothing_done),
                rule.source,
            );
        }
    }
    text
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn every_file_is_listed_and_good() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/presets");
        let mut files: Vec<String> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap().replace(".toml", ""))
            .collect();
        files.sort();
        assert_eq!(files, SHIPPED.iter().map(|(name, _)| *name).collect::<Vec<_>>());
        let mut rules = std::collections::BTreeSet::new();
        for (name, text) in SHIPPED {
            let preset: Preset = toml_edit::de::from_str(text).unwrap_or_else(|e| panic!("{name}: {e}"));
            for rule in preset.rules {
                assert!(rules.insert(rule.name.clone()), "{} twice", rule.name);
                assert!(rule.source.starts_with("https://"), "{}: {}", rule.name, rule.source);
                assert!(rule.why.ends_with('.'), "{}: {}", rule.name, rule.why);
            }
        }
    }

    #[test]
    fn by_host() {
        for (url, expected) in [
            ("https://slack.com/api", Some("slack")),
            ("https://api.github.com", Some("github")),
            ("https://www.googleapis.com/x", Some("google")),
            ("https://evil-slack.com", None),
            ("https://slack.com.evil.test", None),
            ("http://127.0.0.1:80", None),
        ] {
            assert_eq!(of_host(&url.parse().unwrap()), expected, "{url}");
        }
    }

    #[test]
    fn the_document_is_up_to_date() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/recognition.md");
        assert!(std::fs::read_to_string(path).unwrap_or_default() == document(), "run `make docs`");
    }
}
