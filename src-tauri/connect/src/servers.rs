//! What one entry of ours looks like to each client whose file is a map of entries.

use std::ops::Range;

use serde_json::{Map, Value, json};

use crate::{Client, Entry, Form, Key, Problem, Target, Wanted, is_ours, json, port_of, toml, yaml};

/// Where a client's entries lie.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shape {
    format: Format,
    path: &'static [&'static str],
}

#[derive(Debug, Clone, Copy)]
enum Format {
    Json,
    Toml,
    Yaml,
}

impl Shape {
    /// The shape of the client's file, of which `text` is one; nothing where it is no map of entries.
    pub(crate) fn of(client: Client, text: &str) -> Option<Self> {
        let json = |path| Self { format: Format::Json, path };
        Some(match client {
            Client::ClaudeCode | Client::ClaudeDesktop | Client::Gemini | Client::Cursor | Client::Windsurf => {
                json(&["mcpServers"])
            }
            Client::VsCode => json(&["servers"]),
            Client::Zed => json(&["context_servers"]),
            // Version 2 reads the map of version 1 too (opencode.ai/docs/migrate-v1), but a file has one of them.
            Client::Opencode => match json::entries(text, &["mcp", "servers"]) {
                Ok(servers) if !servers.is_empty() => json(&["mcp", "servers"]),
                _ => json(&["mcp"]),
            },
            Client::Codex => Self { format: Format::Toml, path: &["mcp_servers"] },
            Client::Goose => Self { format: Format::Yaml, path: &["extensions"] },
            Client::Docker => json(&["credHelpers"]),
            Client::Cargo => Self { format: Format::Toml, path: &["registries"] },
            _ => return None,
        })
    }

    /// All entries, whoever wrote them.
    pub(crate) fn entries(self, text: &str) -> Result<Map<String, Value>, Problem> {
        match self.format {
            Format::Json => json::entries(text, self.path),
            Format::Toml => toml::entries(text, self.first()),
            Format::Yaml => yaml::entries(text, self.first()),
        }
    }

    /// Puts one in; says whether the map had to be made.
    pub(crate) fn put(self, text: &str, name: &str, entry: &Value) -> Result<(String, bool), Problem> {
        match self.format {
            Format::Json => json::put(text, self.path, name, entry),
            Format::Toml => Ok((toml::put(text, self.first(), name, entry)?, false)),
            Format::Yaml => yaml::put(text, self.first(), name, entry),
        }
    }

    /// Takes one out, and with `whole` an empty map too.
    pub(crate) fn take(self, text: &str, name: &str, whole: bool) -> Result<String, Problem> {
        match self.format {
            Format::Json => json::take(text, self.path, name, whole),
            Format::Toml => toml::take(text, self.first(), name),
            Format::Yaml => yaml::take(text, self.first(), name, whole),
        }
    }

    /// Where one stands, its name included.
    pub(crate) fn range(self, text: &str, name: &str) -> Option<Range<usize>> {
        match self.format {
            Format::Json => json::range(text, self.path, name),
            Format::Toml => toml::table(text, self.first(), name),
            Format::Yaml => yaml::range(text, self.first(), name),
        }
    }

    /// Whether a file of this shape says nothing any more.
    pub(crate) fn is_empty(self, text: &str) -> bool {
        match self.format {
            Format::Json => json::is_empty(text),
            Format::Toml | Format::Yaml => text.trim().is_empty(),
        }
    }

    fn first(self) -> &'static str {
        self.path.first().copied().unwrap_or_default()
    }
}

/// What the entry is called, unless somebody else's has that name.
pub(crate) fn name(client: Client, target: &Target) -> String {
    match client {
        // Docker knows registries by host, and paths within one are its own.
        Client::Docker => {
            let port = target.address.rsplit_once(':').and_then(|(_, rest)| rest.split('/').next()).unwrap_or_default();
            format!("{}.localhost:{port}", target.name)
        }
        _ => target.name.clone(),
    }
}

/// The entry.
pub(crate) fn entry(client: Client, target: &Target, wanted: &Wanted) -> Result<Value, Problem> {
    let url = target.address.as_str();
    match (client, &wanted.form) {
        // <https://docs.docker.com/reference/cli/docker/login/#credential-helpers>: the rest of the program's name.
        (Client::Docker, Form::Program) => Ok(json!("signbell")),
        // <https://doc.rust-lang.org/cargo/reference/registry-authentication.html#cargotoken-from-stdout>
        (Client::Cargo, Form::Program) => Ok(json!({
            "index": format!("sparse+{}/", url.trim_end_matches('/')),
            "credential-provider":
                ["cargo:token-from-stdout", wanted.program, "credential", "cargo", "--tool", wanted.tool],
        })),
        (Client::Docker | Client::Cargo, _) => Err(Problem::NoSuchForm),
        (_, Form::Program) => Ok(program(client, target, wanted)),
        (Client::ClaudeDesktop, _) => Err(Problem::NoSuchForm),
        (_, Form::Key(key)) => Ok(remote(client, url, &bearer(key.expose()))),
        (Client::Codex, Form::Variable) => Ok(json!({"url": url, "bearer_token_env_var": Form::VARIABLE})),
        (_, Form::Variable) => match client.variable() {
            Some(variable) => Ok(remote(client, url, &bearer(variable))),
            None => Err(Problem::NoSuchForm),
        },
    }
}

fn bearer(key: &str) -> Value {
    json!({"Authorization": format!("Bearer {key}")})
}

/// A server that is reached over HTTP.
fn remote(client: Client, url: &str, headers: &Value) -> Value {
    match client {
        Client::ClaudeCode | Client::VsCode => json!({"type": "http", "url": url, "headers": headers}),
        Client::Gemini => json!({"httpUrl": url, "headers": headers}),
        Client::Windsurf => json!({"serverUrl": url, "headers": headers}),
        Client::Opencode => json!({"type": "remote", "url": url, "enabled": true, "headers": headers}),
        Client::Codex => json!({"url": url, "http_headers": headers}),
        Client::Goose => json!({
            "enabled": true, "type": "streamable_http", "name": name_in(url), "description": "", "uri": url,
            "headers": headers, "timeout": 300,
        }),
        _ => json!({"url": url, "headers": headers}),
    }
}

/// A server that is a program: `signbell mcp`.
fn program(client: Client, target: &Target, wanted: &Wanted) -> Value {
    let (program, args) = (&wanted.program, json!(["mcp", target.name, "--tool", wanted.tool]));
    match client {
        Client::ClaudeCode | Client::VsCode => json!({"type": "stdio", "command": program, "args": args}),
        Client::Opencode => {
            let command = json!([program, "mcp", target.name, "--tool", wanted.tool]);
            json!({"type": "local", "command": command, "enabled": true})
        }
        Client::Goose => json!({
            "enabled": true, "type": "stdio", "name": target.name, "description": "", "cmd": program, "args": args,
            "timeout": 300,
        }),
        _ => json!({"command": program, "args": args}),
    }
}

/// What an entry leads to; nothing where it is not ours.
pub(crate) fn entry_of(client: Client, name: &str, entry: &Value, proxy: &str) -> Option<Entry> {
    let text = |field: &str| entry.get(field).and_then(Value::as_str);
    let at = |address: &str, service: String| Entry { service, port: port_of(address) };
    match client {
        Client::Docker => {
            let address = format!("http://{name}");
            let ours = entry.as_str() == Some("signbell") && is_ours(&address, proxy, true);
            let service = name.split('.').next().filter(|_| ours)?;
            return Some(at(&address, service.to_owned()));
        }
        Client::Cargo => {
            let index = text("index")?.strip_prefix("sparse+")?;
            let lent = words(entry.get("credential-provider")).windows(2).any(|pair| pair == ["credential", "cargo"]);
            return is_ours(index, proxy, lent).then(|| at(index, name_in(index)));
        }
        _ => {}
    }
    if let Some(url) = ["url", "httpUrl", "serverUrl", "uri"].into_iter().find_map(text) {
        let said = entry.to_string();
        let has_key = said.contains(Key::PREFIX) || said.contains(Form::VARIABLE);
        return is_ours(url, proxy, has_key).then(|| at(url, name_in(url)));
    }
    let command = command(entry);
    match command.as_slice() {
        [program, mcp, service, ..] if mcp == "mcp" && program.rsplit('/').next() == Some("signbell") => {
            Some(Entry { service: service.clone(), port: None })
        }
        _ => None,
    }
}

/// The tool that a program of ours is started for.
pub(crate) fn tool_of(entry: &Value) -> Option<String> {
    let words = [command(entry), words(entry.get("credential-provider"))].concat();
    let at = words.iter().position(|word| word == "--tool")?;
    words.get(at + 1).cloned()
}

/// The program that an entry starts, with its arguments.
fn command(entry: &Value) -> Vec<String> {
    let program = entry.get("command").or_else(|| entry.get("cmd"));
    [words(program), words(entry.get("args"))].concat()
}

fn words(value: Option<&Value>) -> Vec<String> {
    match value {
        Some(Value::Array(words)) => words.iter().filter_map(|word| word.as_str().map(str::to_owned)).collect(),
        Some(Value::String(word)) => vec![word.clone()],
        _ => vec![],
    }
}

/// The key that stands in an entry of ours.
pub(crate) fn key_of(entry: &Value) -> Option<Key> {
    let said = entry.to_string();
    let rest = said.get(said.find(Key::PREFIX)?..)?;
    let length = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_' && c != '-').unwrap_or(rest.len());
    rest.get(..length).map(Key::new)
}

/// `linear` of `http://127.0.0.1:8401/linear`, or of the form with the key in the path, `/k/KEY/linear`.
fn name_in(url: &str) -> String {
    let path = url.split_once("://").and_then(|(_, rest)| rest.split_once('/')).map_or("", |(_, path)| path);
    let mut parts = path.split('/');
    match parts.next().unwrap_or_default() {
        "k" => parts.nth(1).unwrap_or_default().to_owned(),
        first => first.to_owned(),
    }
}
