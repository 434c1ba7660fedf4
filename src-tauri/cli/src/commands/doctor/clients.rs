//! Clients' configurations that look for us: is that where we are, and is the key a tool's?
//!
//! What `signbell connect` writes is recognised as it recognises it. What a person wrote by hand, or elsewhere, is
//! looked for besides: read-only, in the files that `import` knows and a few more. Keys are compared by their
//! digest and never shown.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde_json::Value;
use signbell_connect::{Client, Entry, entries, key};
use signbell_engine::checkup::{KEY_PREFIX, Settings};
use signbell_engine::wording::cli::doctor as words;
use signbell_import::{Places, clients, jsonc, reading, why};

use super::{Finding, State, found};

/// Files that `signbell connect` does not write, line by line.
const PLAIN: [(&str, &str); 2] = [("cargo", ".cargo/credentials.toml"), ("git", ".config/git/config")];

/// What one entry of a client's file says of us.
#[derive(Debug, Default, PartialEq, Eq)]
struct Mention {
    /// Ports of loopback addresses, each with the first part of its path.
    addresses: BTreeSet<(u16, String)>,
    keys: BTreeSet<String>,
    /// It is as `signbell connect` writes it, which mends it too.
    connected: bool,
}

/// A file that is looked at.
struct File {
    /// As its makers call the client.
    client: &'static str,
    path: PathBuf,
    /// The client, where `signbell connect` writes this file.
    known: Option<Client>,
}

pub(super) fn look(settings: &Settings, port: u16) -> Vec<Finding> {
    let mut findings = vec![];
    let mut seen = BTreeSet::new();
    for file in files().into_iter().filter(|file| seen.insert(file.path.clone())) {
        let name = file.path.display().to_string();
        match reading::text(&file.path) {
            Ok(None) => {}
            Ok(Some(text)) => {
                let mentions = mentions(file.known, &text, port);
                findings.extend(judge(file.client, &name, &mentions, settings, port));
            }
            Err(error) => {
                findings.push(found("client", State::Note, words::client_unreadable(file.client, &name, &why(&error))))
            }
        }
    }
    if findings.is_empty() {
        findings.push(found("client", State::Ok, words::NO_CLIENT));
    }
    findings
}

fn files() -> Vec<File> {
    let written = signbell_connect::Places::from_env().into_iter().flat_map(|places| {
        Client::ALL.into_iter().filter_map(move |client| {
            Some(File { client: client.title(), path: places.file(client, false)?, known: Some(client) })
        })
    });
    let imported = Places::from_env(None).into_iter().flat_map(|places| clients::files(&places));
    let imported = imported.map(|file| File { client: file.client, path: file.path, known: None });
    let home = std::env::var_os("HOME").map(PathBuf::from).unwrap_or_default();
    let plain = PLAIN.iter().map(|(client, path)| File { client, path: home.join(Path::new(path)), known: None });
    written.chain(imported).chain(plain).collect()
}

/// PURE: each server of a JSON file by itself, any other file as a whole; of what `signbell connect` wrote, that
/// alone, since a file without parts may name other addresses of this machine.
fn mentions(client: Option<Client>, text: &str, port: u16) -> Vec<Mention> {
    let connected = client.and_then(|client| connected(client, text, &format!("http://127.0.0.1:{port}")));
    let mut all = match (jsonc::parse(text), &connected) {
        (Ok(document), _) => {
            let mut all = vec![];
            servers(&document, &mut all);
            all
        }
        (Err(_), Some(_)) => vec![],
        (Err(_), None) => vec![scan(text)],
    };
    let Some(mut connected) = connected else { return all };
    // A server that was found in both ways is judged by itself, and mended by a command.
    for mention in all.iter_mut().filter(|mention| mention.addresses.is_subset(&connected.addresses)) {
        mention.connected = true;
    }
    let alone = all.iter().filter(|mention| mention.connected).flat_map(|mention| &mention.addresses);
    let alone: BTreeSet<_> = alone.cloned().collect();
    connected.addresses.retain(|address| !alone.contains(address));
    if !connected.addresses.is_empty() || alone.is_empty() {
        all.push(connected);
    }
    all
}

/// PURE: what `signbell connect` finds in the file, if it finds anything.
fn connected(client: Client, text: &str, proxy: &str) -> Option<Mention> {
    let entries = entries(client, text, proxy).ok().filter(|entries| !entries.is_empty())?;
    let address = |entry: &Entry| Some((entry.port?, entry.service.clone()));
    let keys = key(client, text, proxy).map(|key| key.expose().to_owned());
    Some(Mention {
        addresses: entries.iter().filter_map(address).collect(),
        keys: keys.into_iter().collect(),
        connected: true,
    })
}

/// The innermost objects that mention an address of this machine: a server with its headers and arguments.
fn servers(value: &Value, all: &mut Vec<Mention>) {
    let (own, inner): (Vec<&Value>, Vec<&Value>) = match value {
        Value::Object(members) => members.values().partition(|member| !member.is_object()),
        Value::Array(items) => items.iter().partition(|item| !item.is_object()),
        _ => return,
    };
    let texts: Vec<String> = own.iter().map(ToString::to_string).collect();
    let mention = scan(&texts.join("\n"));
    if mention.addresses.is_empty() {
        inner.into_iter().for_each(|value| servers(value, all));
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
        if !ours && mention.keys.is_empty() && !mention.connected {
            continue;
        }
        let mut wrong = |text| bad.push(found("client", State::Problem, text));
        let elsewhere = mention.addresses.iter().map(|(at, _)| *at).filter(|at| *at != port);
        for at in elsewhere.filter(|_| !ours || mention.connected).collect::<BTreeSet<_>>() {
            wrong(words::client_dead_port(client, file, at, port, mention.connected));
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
            (
                "goose",
                format!(
                    "extensions:\n  notes:\n    type: streamable_http\n    uri: http://127.0.0.1:8401/notes\n    headers:\n      Authorization: Bearer {KEY}\n"
                ),
                vec![State::Ok],
                "script",
            ),
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
            let client = None;
            let findings = judge("X", "file", &mentions(client, &text, 8401), &settings, 8401);
            assert_eq!(findings.iter().map(|f| f.state).collect::<Vec<_>>(), states, "{what}: {findings:?}");
            assert!(findings.iter().all(|f| f.text.contains(says) && !f.text.contains("sbk_")), "{what}: {findings:?}");
        }
    }

    #[test]
    fn what_connect_wrote_is_known_at_any_port() {
        let (_folder, settings) = settings();
        let docker = |port: u16| format!("{{\"credHelpers\": {{\"notes.localhost:{port}\": \"signbell\"}}}}");
        let git = |port: u16| {
            format!(
                "[credential \"http://127.0.0.1:{port}\"]\n\thelper =\n\thelper = \"!signbell credential git\"\n\
                 [url \"http://127.0.0.1:{port}/notes/\"]\n\tinsteadOf = http://127.0.0.1:3000/\n"
            )
        };
        let curl = |port: u16| {
            format!(
                "# Written by Signbell; x\nuser = \"signbell:{KEY}\"\n\n# service notes http://127.0.0.1:{port}/notes http://127.0.0.1:3000/ a\n"
            )
        };
        let npm = |port: u16| {
            format!(
                "@x:registry=http://localhost:4873/\nregistry=http://127.0.0.1:{port}/notes/\n//127.0.0.1:{port}/notes/:_authToken={KEY}\n"
            )
        };
        for (client, here, there) in [
            (Client::Docker, docker(8401), docker(7777)),
            (Client::Git, git(8401), git(7777)),
            (Client::Curl, curl(8401), curl(7777)),
            (Client::Npm, npm(8401), npm(7777)),
            (Client::Cursor, server("http://127.0.0.1:8401/notes", KEY), server("http://127.0.0.1:7777/notes", KEY)),
        ] {
            let judged = |text: &str| judge("X", "file", &mentions(Some(client), text, 8401), &settings, 8401);
            let good = judged(&here);
            assert!(matches!(good.as_slice(), [only] if only.state == State::Ok), "{client:?}: {good:?}");
            let bad = judged(&there);
            let says = |text: &str| text.contains("port 7777,") && text.contains("signbell connect --again");
            assert!(matches!(bad.as_slice(), [only] if says(&only.text)), "{client:?}: {bad:?}");
        }
    }

    fn server(url: &str, key: &str) -> String {
        format!(
            "{{\"mcpServers\": {{\"mine\": {{\"url\": \"{url}\", \"headers\": {{\"Authorization\": \"Bearer {key}\"}}}},\
             \"theirs\": {{\"url\": \"http://localhost:3000/mcp\"}}}}}}"
        )
    }
}
