//! MCP clients' own configurations: which remote servers they use, directly or through mcp-remote.
//!
//! | client | source |
//! |---|---|
//! | Claude Code | code.claude.com/docs/en/mcp, "MCP installation scopes" |
//! | Claude Desktop | modelcontextprotocol.io/quickstart/user |
//! | Cursor | cursor.com/docs/context/mcp |
//! | VS Code | code.visualstudio.com/docs/copilot/reference/mcp-configuration |
//! | Windsurf | docs.windsurf.com/windsurf/cascade/mcp |
//! | Zed | zed.dev/docs/ai/mcp |
//! | Gemini CLI | github.com/google-gemini/gemini-cli, docs/tools/mcp-server.md |
//! | Codex CLI | github.com/openai/codex, docs/config.md, `mcp_servers` |
//! | opencode | opencode.ai/docs/mcp-servers |

use std::path::PathBuf;

use serde_json::Value;
use signbell_engine::secret::Secret;
use url::Url;

use super::item::{Item, Note, Source};
use super::mcp_remote::Started;
use super::{Found, Places, jsonc, reading};

/// A client's file.
pub struct ClientFile {
    /// As its makers call it.
    pub client: &'static str,
    /// Where it would be.
    pub path: PathBuf,
    form: Form,
}

/// How a file is written, and where its servers are.
#[derive(Debug, Clone, Copy)]
enum Form {
    /// JSON with comments; the servers below one of these keys.
    Json(&'static [&'static str]),
    /// The same, and below each project's.
    ClaudeCode,
    /// TOML, `[mcp_servers.NAME]`.
    Codex,
}

const MCP_SERVERS: Form = Form::Json(&["mcpServers"]);

/// Every file that a client on this machine may have, there or not.
#[must_use]
pub fn files(places: &Places) -> Vec<ClientFile> {
    let (home, config) = (&places.home, &places.config);
    let claude = places.folder("CLAUDE_CONFIG_DIR", home.clone()).join(".claude.json");
    let codex = places.folder("CODEX_HOME", home.join(".codex")).join("config.toml");
    let vs_code = Form::Json(&["servers", "mcpServers"]);
    let mut files = vec![
        ("Claude Code", claude, Form::ClaudeCode),
        ("Claude Desktop", config.join("Claude/claude_desktop_config.json"), MCP_SERVERS),
        ("Cursor", home.join(".cursor/mcp.json"), MCP_SERVERS),
        ("VS Code", config.join("Code/User/mcp.json"), vs_code),
        ("VS Code Insiders", config.join("Code - Insiders/User/mcp.json"), vs_code),
        ("VSCodium", config.join("VSCodium/User/mcp.json"), vs_code),
        ("Windsurf", home.join(".codeium/windsurf/mcp_config.json"), MCP_SERVERS),
        ("Zed", config.join("zed/settings.json"), Form::Json(&["context_servers"])),
        ("Gemini CLI", home.join(".gemini/settings.json"), MCP_SERVERS),
        ("Codex CLI", codex, Form::Codex),
        ("opencode", config.join("opencode/opencode.json"), Form::Json(&["mcp"])),
        ("opencode", config.join("opencode/opencode.jsonc"), Form::Json(&["mcp"])),
    ];
    if let Some(project) = &places.project {
        files.extend([
            ("Claude Code", project.join(".mcp.json"), MCP_SERVERS),
            ("Cursor", project.join(".cursor/mcp.json"), MCP_SERVERS),
            ("VS Code", project.join(".vscode/mcp.json"), vs_code),
        ]);
    }
    files.into_iter().map(|(client, path, form)| ClientFile { client, path, form }).collect()
}

pub(super) fn find(places: &Places, found: &mut Found) {
    match &places.named {
        Some(named) => {
            let form = if named.extension().is_some_and(|e| e == "toml") { Form::Codex } else { Form::ClaudeCode };
            found.file(Source::Clients, named, |text| items(text, form));
        }
        None => {
            for file in files(places) {
                found.file(Source::Clients, &file.path, |text| items(text, file.form));
            }
        }
    }
    let clients: Vec<Item> = std::mem::take(&mut found.items);
    for item in clients {
        let same = |other: &&mut Item| {
            other.source == Source::Clients && other.url == item.url && other.resource == item.resource
        };
        match found.items.iter_mut().find(same) {
            Some(known) => {
                known.places.extend(item.places);
                known.client_id = known.client_id.take().or(item.client_id);
                known.client_secret = known.client_secret.take().or(item.client_secret);
                let new = item.notes.into_iter().filter(|note| !known.notes.contains(note)).collect::<Vec<_>>();
                known.notes.extend(new);
            }
            None => found.items.push(free_key(item, &found.items)),
        }
    }
}

/// Two servers of one name at two clients are two items.
fn free_key(item: Item, others: &[Item]) -> Item {
    let taken = |key: &str| others.iter().any(|other| other.source == item.source && other.key == key);
    let numbered = (2..1000).map(|n| format!("{}-{n}", item.key));
    let key = std::iter::once(item.key.clone()).chain(numbered).find(|key| !taken(key));
    Item { key: key.unwrap_or_else(|| item.key.clone()), ..item }
}

/// What clients start mcp-remote with: its own folder does not say.
pub(super) fn starting_mcp_remote(places: &Places) -> Vec<Started> {
    let read = |file: ClientFile| Some((reading::text(&file.path).ok()??, file.form));
    let texts = files(places).into_iter().filter_map(read);
    let servers = texts.filter_map(|(text, form)| servers(&text, form).ok()).flatten();
    servers.filter_map(|server| server.started).collect()
}

/// PURE: the remote servers of a file.
fn items(text: &str, form: Form) -> Result<Vec<Item>, String> {
    Ok(servers(text, form)?.into_iter().map(|server| server.item).collect())
}

struct Server {
    item: Item,
    /// Where it is mcp-remote that talks to it.
    started: Option<Started>,
}

fn servers(text: &str, form: Form) -> Result<Vec<Server>, String> {
    let document = match form {
        // Its own messages quote the line, which may hold a key.
        Form::Codex => toml_edit::de::from_str::<Value>(text).map_err(|e| e.message().to_owned())?,
        Form::Json(_) | Form::ClaudeCode => jsonc::parse(text)?,
    };
    let mut tables: Vec<&Value> = match form {
        Form::Codex => vec![&document["mcp_servers"]],
        Form::Json(keys) => keys.iter().map(|key| &document[*key]).collect(),
        Form::ClaudeCode => vec![&document["mcpServers"], &document["servers"], &document["context_servers"]],
    };
    if matches!(form, Form::ClaudeCode) {
        let projects = document["projects"].as_object().into_iter().flatten();
        tables.extend(projects.map(|(_, project)| &project["mcpServers"]));
    }
    let entries = tables.into_iter().filter_map(Value::as_object).flatten();
    Ok(entries.filter_map(|(name, entry)| server(name, entry)).collect())
}

/// A server that is remote; one that is a program of its own is none of ours.
fn server(name: &str, entry: &Value) -> Option<Server> {
    let text = |key: &str| entry[key].as_str();
    if let Some(written) = text("url").or(text("httpUrl")).or(text("serverUrl")) {
        let mut item = Item::new(Source::Clients, name);
        item.url = Some(web(written)?);
        let keeps_header = ["headers", "http_headers", "env_http_headers", "requestInit"]
            .iter()
            .any(|key| entry[*key].as_object().is_some_and(|headers| !headers.is_empty()));
        if keeps_header || entry.get("bearer_token_env_var").is_some() {
            item.notes.push(Note::OwnHeader);
        }
        return Some(Server { item, started: None });
    }
    let (item, started) = through_mcp_remote(name, &words(entry))?;
    Some(Server { item, started: Some(started) })
}

/// The command line that a client starts: `command` and `args`, as one list in opencode, as a table in older
/// settings of Zed.
fn words(entry: &Value) -> Vec<&str> {
    let mut words = Vec::new();
    let command = &entry["command"];
    words.extend(command.as_str().or_else(|| command["path"].as_str()));
    for part in [command, &command["args"], &entry["args"]] {
        words.extend(part.as_array().into_iter().flatten().filter_map(Value::as_str));
    }
    words
}

/// `npx -y mcp-remote@latest URL [PORT] [--resource R] [--static-oauth-client-info JSON] …`
/// (github.com/geelen/mcp-remote, `parseCommandLineArgs` in `src/lib/utils.ts`).
fn through_mcp_remote(name: &str, words: &[&str]) -> Option<(Item, Started)> {
    let program = |word: &&str| {
        let last = word.rsplit('/').next().unwrap_or_default();
        last == "mcp-remote" || last.starts_with("mcp-remote@")
    };
    let at = words.iter().position(program)?;
    let arguments = words.get(at + 1..)?;
    let (written, url) = arguments.iter().find_map(|word| Some(((*word).to_owned(), web(word)?)))?;
    let option = |wanted: &str| {
        let at = arguments.iter().position(|word| *word == wanted)?;
        arguments.get(at + 1).map(|value| value.trim()).filter(|value| !value.is_empty())
    };
    let mut item = Item::new(Source::Clients, name);
    item.url = Some(url.clone());
    item.resource = option("--resource").map(str::to_owned);
    if arguments.contains(&"--header") {
        item.notes.push(Note::OwnHeader);
    }
    if let Some(client) = option("--static-oauth-client-info").and_then(|text| serde_json::from_str::<Value>(text).ok())
    {
        item.client_id = client["client_id"].as_str().map(str::to_owned);
        item.client_secret = client["client_secret"].as_str().map(Secret::new);
    }
    let started = Started { url, written, resource: item.resource.clone(), name: item.key.clone() };
    Some((item, started))
}

/// An address that a service can have; what a client would fill in first (`${input:url}`) is none.
fn web(text: &str) -> Option<Url> {
    text.parse::<Url>().ok().filter(|url| matches!(url.scheme(), "https" | "http") && url.host().is_some())
}
