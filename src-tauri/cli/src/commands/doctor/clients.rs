//! Clients' configurations that look for us: is that where we are, and is the key a tool's?
//!
//! A read-only list of its own, besides the files that `import` knows. Keys are compared by their digest and
//! never shown.

use std::collections::BTreeSet;
use std::path::PathBuf;

use serde_json::Value;
use signbell_engine::checkup::{KEY_PREFIX, Settings};
use signbell_engine::wording::cli::doctor as words;
use signbell_import::{Places, clients, jsonc, reading, why};

use super::{Finding, State, found};

/// Files that are no JSON, line by line: what `signbell connect` writes for registries, git and curl.
const PLAIN: [(&str, &str); 8] = [
    ("npm", ".npmrc"),
    ("pip", ".config/pip/pip.conf"),
    ("cargo", ".cargo/config.toml"),
    ("cargo", ".cargo/credentials.toml"),
    ("git", ".gitconfig"),
    ("git", ".config/git/config"),
    ("curl", ".config/signbell/curlrc"),
    ("Codex CLI", ".codex/config.toml"),
];

/// What one entry of a client's file says of us.
#[derive(Debug, Default, PartialEq, Eq)]
struct Mention {
    /// Ports of loopback addresses, each with the first part of its path.
    addresses: BTreeSet<(u16, String)>,
    keys: BTreeSet<String>,
}

pub(super) fn look(settings: &Settings, port: u16) -> Vec<Finding> {
    let Some(places) = Places::from_env(None) else { return vec![] };
    let mut findings = vec![];
    let home = std::env::var_os("HOME").map(PathBuf::from).unwrap_or_default();
    let json = clients::files(&places).into_iter().map(|file| (file.client, file.path));
    let plain = PLAIN.iter().map(|(client, path)| (*client, home.join(path)));
    let mut seen = BTreeSet::new();
    for (client, path) in json.chain(plain).filter(|(_, path)| seen.insert(path.clone())) {
        let file = path.display().to_string();
        match reading::text(&path) {
            Ok(None) => {}
            Ok(Some(text)) => findings.extend(judge(client, &file, &mentions(&text), settings, port)),
            Err(error) => {
                findings.push(found("client", State::Note, words::client_unreadable(client, &file, &why(&error))))
            }
        }
    }
    if findings.is_empty() {
        findings.push(found("client", State::Ok, words::NO_CLIENT));
    }
    findings
}

/// PURE: each server of a JSON file by itself, any other file as a whole.
fn mentions(text: &str) -> Vec<Mention> {
    let Ok(document) = jsonc::parse(text) else { return vec![scan(text)] };
    let mut all = vec![];
    entries(&document, &mut all);
    all
}

/// The innermost objects that mention an address of this machine: a server with its headers and arguments.
fn entries(value: &Value, all: &mut Vec<Mention>) {
    let (own, inner): (Vec<&Value>, Vec<&Value>) = match value {
        Value::Object(members) => members.values().partition(|member| !member.is_object()),
        Value::Array(items) => items.iter().partition(|item| !item.is_object()),
        _ => return,
    };
    let texts: Vec<String> = own.iter().map(ToString::to_string).collect();
    let mention = scan(&texts.join("\n"));
    if mention.addresses.is_empty() {
        inner.into_iter().for_each(|value| entries(value, all));
    } else {
        // Its headers and its environment belong to it.
        all.push(scan(&value.to_string()));
    }
}

/// PURE: addresses of this machine and keys of ours in a text.
fn scan(text: &str) -> Mention {
    let mut mention = Mention::default();
    for host in ["127.0.0.1:", "localhost:", "[::1]:"] {
        for (at, _) in text.match_indices(host) {
            let rest = text.get(at + host.len()..).unwrap_or_default();
            let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
            let Ok(port) = digits.parse::<u16>() else { continue };
            let path = rest.get(digits.len()..).and_then(|rest| rest.strip_prefix('/')).unwrap_or_default();
            let mut parts = path.split(|c: char| !(c.is_ascii_alphanumeric() || c == '-' || c == '_' || c == '/'));
            let mut parts = parts.next().unwrap_or_default().split('/');
            // `/k/KEY/SERVICE`, for tools that can set nothing but an address.
            let first = match parts.next().unwrap_or_default() {
                "k" => parts.nth(1).unwrap_or_default(),
                first => first,
            };
            mention.addresses.insert((port, first.to_owned()));
        }
    }
    for (at, _) in text.match_indices(KEY_PREFIX) {
        let rest = text.get(at..).unwrap_or_default();
        let key: String = rest.chars().take_while(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_')).collect();
        mention.keys.insert(key);
    }
    mention
}

/// PURE: what is wrong with them; one that is good is said once a file.
fn judge(client: &str, file: &str, mentions: &[Mention], settings: &Settings, port: u16) -> Vec<Finding> {
    let (mut bad, mut good) = (vec![], None);
    for mention in mentions {
        let ours = mention.addresses.iter().any(|(at, _)| *at == port);
        // An address of this machine without a key of ours may be anybody's.
        if !ours && mention.keys.is_empty() {
            continue;
        }
        let mut wrong = |text| bad.push(found("client", State::Problem, text));
        for (at, _) in mention.addresses.iter().filter(|(at, _)| !ours && *at != port) {
            wrong(words::client_dead_port(client, file, *at, port));
        }
        let services =
            || mention.addresses.iter().filter(|(at, name)| *at == port && !name.is_empty()).map(|(_, name)| name);
        for service in services().filter(|service| !settings.has_service(service)) {
            wrong(words::client_unknown_service(client, file, service));
        }
        let mut tool = None;
        for key in &mention.keys {
            match settings.tool_of(key) {
                None => wrong(words::client_unknown_key(client, file)),
                Some((name, granted)) => {
                    tool = Some(name.clone());
                    for service in services().filter(|service| settings.has_service(service)) {
                        if !granted.iter().any(|granted| granted.as_str() == service) {
                            wrong(words::client_not_granted(client, name, service));
                        }
                    }
                }
            }
        }
        good =
            good.or(Some(tool.map_or_else(|| words::client_keyless(client), |tool| words::client_good(client, &tool))));
    }
    if bad.is_empty() { good.into_iter().map(|text| found("client", State::Ok, text)).collect() } else { bad }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const KEY: &str = "sbk_abc";

    fn settings() -> (tempfile::TempDir, Settings) {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("config.toml");
        // The digest of KEY.
        let digest = "f65b61010beb4ee18cfe82d649e7d80ebefd9d9acb8758d8fbdd0079ec34b30b";
        let text = format!(
            "[providers.p]\nissuer = \"https://p.test\"\nclient_id = \"c\"\n[accounts.a]\nprovider = \"p\"\n\
             [services.notes]\nurl = \"https://n.test\"\naccount = \"a\"\n[services.other]\nurl = \"https://o.test\"\naccount = \"a\"\n\
             [tools.script]\nkey_sha256 = \"{digest}\"\nservices = [\"notes\"]\n"
        );
        std::fs::write(&file, text).unwrap();
        let settings = Settings::load(&file).unwrap();
        (folder, settings)
    }

    #[test]
    fn what_a_client_s_file_says_of_us() {
        let (_folder, settings) = settings();
        let known = settings.tool_of(KEY).is_some();
        assert!(known, "the digest in this test is of another key");
        for (what, text, states, says) in [
            ("nobody", "{\"mcpServers\": {\"a\": {\"url\": \"http://localhost:3000/mcp\"}}}".to_owned(), vec![], ""),
            ("good", server("http://127.0.0.1:8401/notes", KEY), vec![State::Ok], "script"),
            ("dead port", server("http://127.0.0.1:9999/notes", KEY), vec![State::Problem], "9999"),
            ("unknown key", server("http://127.0.0.1:8401/notes", "sbk_gone"), vec![State::Problem], "no tool's"),
            ("unknown service", server("http://localhost:8401/gone", KEY), vec![State::Problem], "gone"),
            ("not granted", server("http://127.0.0.1:8401/other", KEY), vec![State::Problem], "may not use"),
            ("in the path", format!("{{\"url\": \"http://127.0.0.1:8401/k/{KEY}/notes\"}}"), vec![State::Ok], "script"),
            (
                "a line",
                format!("registry=http://127.0.0.1:8401/notes/\n//127.0.0.1:8401/notes/:_authToken={KEY}\n"),
                vec![State::Ok],
                "script",
            ),
            (
                "a dead line",
                format!("registry=http://127.0.0.1:1/notes/\n//127.0.0.1:1/notes/:_authToken={KEY}\n"),
                vec![State::Problem],
                "port 1,",
            ),
        ] {
            let findings = judge("X", "file", &mentions(&text), &settings, 8401);
            assert_eq!(findings.iter().map(|f| f.state).collect::<Vec<_>>(), states, "{what}: {findings:?}");
            assert!(findings.iter().all(|f| f.text.contains(says) && !f.text.contains("sbk_")), "{what}: {findings:?}");
        }
    }

    fn server(url: &str, key: &str) -> String {
        format!(
            "{{\"mcpServers\": {{\"mine\": {{\"url\": \"{url}\", \"headers\": {{\"Authorization\": \"Bearer {key}\"}}}},\
             \"theirs\": {{\"url\": \"http://localhost:3000/mcp\"}}}}}}"
        )
    }
}
