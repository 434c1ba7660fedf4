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

/// PURE: one for each user of each host, and for a host where somebody is signed in without a name.
pub(super) fn items(text: &str) -> Result<Vec<Item>, String> {
    let hosts = yaml::parse(text)?;
    let mut items = Vec::new();
    for (host, settings) in hosts.entries() {
        let listed = settings.get("users").map(yaml::Node::entries).unwrap_or_default();
        let mut users: Vec<Option<&str>> = listed.iter().map(|(user, _)| Some(user.as_str())).collect();
        let active = settings.get("user").and_then(yaml::Node::text);
        if active.is_some() && !users.contains(&active) {
            users.push(active);
        }
        // `gh auth login --with-token` asked nobody's name in gh 2.23.
        if users.is_empty() && settings.get("oauth_token").is_some() {
            users.push(None);
        }
        for user in users {
            let key = user.map_or_else(|| host.clone(), |user| format!("{user}@{host}"));
            let mut item = Item::new(Source::Gh, &key);
            item.who = user.map(str::to_owned);
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
