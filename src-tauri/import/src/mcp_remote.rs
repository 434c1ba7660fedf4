//! mcp-remote's folder: `~/.mcp-auth/mcp-remote-VERSION/HASH_client_info.json` and `HASH_tokens.json`.
//!
//! github.com/geelen/mcp-remote, `src/lib/mcp-auth-config.ts` (the files) and `getServerUrlHash` in
//! `src/lib/utils.ts` (the digest); the files hold the MCP SDK's `OAuthClientInformationFull` and
//! `OAuthTokens`. The folder does not say whose digest it is: clients' configurations do.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use md5::{Digest as _, Md5};
use serde::Deserialize;
use signbell_engine::secret::Secret;
use url::Url;

use super::item::{Item, Note, Source, Tokens, scopes};
use super::{Found, Places, clients, reading};

/// What a client starts mcp-remote with.
#[derive(Debug, Clone)]
pub(super) struct Started {
    pub(super) url: Url,
    /// The address as it was written: the digest is of that.
    pub(super) written: String,
    /// `--resource`.
    pub(super) resource: Option<String>,
    /// The server's name at the client.
    pub(super) name: String,
}

/// RFC 7591 section 3.2.1, as the SDK keeps it.
#[derive(Deserialize)]
struct ClientInfo {
    client_id: String,
    #[serde(default)]
    client_secret: Option<Secret>,
}

/// RFC 6749 section 5.1, as the SDK keeps it.
#[derive(Deserialize)]
struct OAuthTokens {
    #[serde(default)]
    refresh_token: Option<Secret>,
    #[serde(default)]
    scope: Option<String>,
}

/// The texts that the folder has of one server.
#[derive(Default)]
struct Kept {
    client_info: Option<(PathBuf, String)>,
    tokens: Option<String>,
}

pub(super) fn find(places: &Places, found: &mut Found) {
    let folder = match &places.named {
        Some(named) => named.clone(),
        None => places.folder("MCP_REMOTE_CONFIG_DIR", places.home.join(".mcp-auth")),
    };
    let started = clients::starting_mcp_remote(places);
    let mut kept = BTreeMap::<String, Kept>::new();
    for file in files(&folder) {
        let name = reading::name(&file);
        let Some((hash, kind)) = name.split_once('_') else { continue };
        if !matches!(kind, "client_info.json" | "tokens.json") {
            continue;
        }
        match reading::text(&file) {
            Ok(Some(text)) => {
                let kept = kept.entry(hash.to_owned()).or_default();
                match kind {
                    "tokens.json" => kept.tokens = Some(text),
                    _ => kept.client_info = Some((file, text)),
                }
            }
            Ok(None) => {}
            Err(why) => found.unusable.push(super::Unusable { source: Source::McpRemote, file, why }),
        }
    }
    for (hash, kept) in kept {
        let Some((file, client_info)) = kept.client_info else { continue };
        match item(&hash, &client_info, kept.tokens.as_deref(), &started) {
            Ok(item) => found.items.push(Item { places: vec![file], ..item }),
            Err(why) => {
                let why = reading::ReadError::NotUnderstood(why);
                found.unusable.push(super::Unusable { source: Source::McpRemote, file, why });
            }
        }
    }
}

/// The files of the newest version last, so that they count. A folder that the person named may be that of
/// one version.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut versions: Vec<PathBuf> =
        reading::entries(folder).into_iter().filter(|path| reading::name(path).starts_with("mcp-remote-")).collect();
    versions.sort_by_key(|path| version(reading::name(path)));
    versions.insert(0, folder.to_owned());
    versions.iter().flat_map(|version| reading::entries(version)).collect()
}

/// `mcp-remote-0.1.38` by its numbers.
fn version(name: &str) -> Vec<u64> {
    name.split(['-', '.']).filter_map(|part| part.parse().ok()).collect()
}

/// PURE: one server.
fn item(hash: &str, client_info: &str, tokens: Option<&str>, started: &[Started]) -> Result<Item, String> {
    // serde_json names positions and what it expected, never a string's text.
    let client: ClientInfo = serde_json::from_str(client_info).map_err(|e| e.to_string())?;
    let tokens: Option<OAuthTokens> = tokens.map(serde_json::from_str).transpose().map_err(|e| e.to_string())?;
    let known = started.iter().find(|started| digest(started) == hash);
    let short: String = hash.chars().take(8).collect();
    let mut item = Item::new(Source::McpRemote, known.map_or(short.as_str(), |known| known.name.as_str()));
    match known {
        Some(known) => {
            item.url = Some(known.url.clone());
            item.resource.clone_from(&known.resource);
        }
        None => item.notes.push(Note::UnknownAddress),
    }
    item.client_id = Some(client.client_id);
    item.client_secret = client.client_secret;
    item.client_is_registered = true;
    if let Some(tokens) = tokens {
        item.scopes = tokens.scope.as_deref().map(scopes).unwrap_or_default();
        item.tokens = match tokens.refresh_token {
            Some(token) if !token.is_empty() => Tokens::Refresh { token, shared: false },
            _ => Tokens::Theirs,
        };
    }
    Ok(item)
}

/// `getServerUrlHash`: MD5 of the address, and of the resource behind a bar. One that is started with headers
/// has another, which is left unknown: a header may hold what only the client's environment has.
pub(super) fn digest(started: &Started) -> String {
    let whole = match &started.resource {
        None => started.written.clone(),
        Some(resource) => format!("{}|{resource}", started.written),
    };
    format!("{:x}", Md5::digest(whole.as_bytes()))
}
