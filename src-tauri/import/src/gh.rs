//! GitHub's command line: `~/.config/gh/hosts.yml`.
//!
//! github.com/cli/cli, `internal/config/migration/multi_account.go` (hosts, their users, and where a token
//! lies), github.com/cli/go-gh, `pkg/config/config.go` (the folder). A token that is not in the file is in the
//! keyring, where it stays: it is gh's own, never ends, and can't be renewed.

use super::item::{Item, Note, Source, Tokens};
use super::{Found, Places, yaml};

pub(super) fn find(places: &Places, found: &mut Found) {
    let folder = places.folder("GH_CONFIG_DIR", places.config.join("gh"));
    let file = places.named.clone().unwrap_or_else(|| folder.join("hosts.yml"));
    found.file(Source::Gh, &file, items);
}

/// PURE: one for each user of each host.
pub(super) fn items(text: &str) -> Result<Vec<Item>, String> {
    let hosts = yaml::parse(text)?;
    let mut items = Vec::new();
    for (host, settings) in hosts.entries() {
        let active = settings.get("user").and_then(yaml::Node::text);
        let mut users: Vec<&str> = settings
            .get("users")
            .map(yaml::Node::entries)
            .unwrap_or_default()
            .iter()
            .map(|(u, _)| u.as_str())
            .collect();
        users.extend(active.filter(|user| !users.contains(user)).into_iter().collect::<Vec<_>>());
        for user in users {
            let mut item = Item::new(Source::Gh, &format!("{user}@{host}"));
            item.who = Some(user.to_owned());
            item.url = api(host).parse().ok();
            // What is known of github.com is known of no other: its sign-in is not theirs, nor its tokens.
            match host.as_str() {
                "github.com" => item.provider_preset = Some("github"),
                host => item.issuer = format!("https://{host}/login/oauth").parse().ok(),
            }
            item.tokens = Tokens::Theirs;
            item.notes.push(Note::ClientIdNeeded);
            items.push(item);
        }
    }
    Ok(items)
}

/// GitHub Enterprise Server has its API below `/api/v3`, a tenant of ghe.com on a host of its own
/// (go-gh, `pkg/auth/auth.go`: `TenancyHost`).
fn api(host: &str) -> String {
    match host {
        "github.com" => "https://api.github.com".to_owned(),
        host if host.ends_with(".ghe.com") => format!("https://api.{host}"),
        host => format!("https://{host}/api/v3"),
    }
}
