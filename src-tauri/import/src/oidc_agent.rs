//! oidc-agent's folder: `~/.config/oidc-agent` or `~/.oidc-agent`, a file for each account.
//!
//! github.com/indigo-dc/oidc-agent, `src/utils/file_io/oidc_file_io.c` (the folder), `src/utils/accountUtils.c`
//! and `src/utils/crypt/crypt.c` (an account is encrypted, rarely plain JSON), `src/account/account.c` and
//! `src/defines/agent_values.h` (its fields), `src/utils/config/issuerConfig.c` (`issuer.config` names each
//! issuer's accounts in the clear).

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;
use signbell_engine::secret::Secret;
use url::Url;

use super::item::{Item, Note, Source, Tokens, scopes};
use super::{Found, Places, reading};

/// What lies in the folder and is no account.
const NO_ACCOUNTS: [&str; 4] = ["issuer.config", "pubclients.config", "custom_parameters.config", "config"];

/// An account, where it is not encrypted.
#[derive(Deserialize)]
struct Account {
    issuer_url: String,
    #[serde(default)]
    client_id: String,
    #[serde(default)]
    client_secret: Option<Secret>,
    #[serde(default)]
    refresh_token: Option<Secret>,
    /// `scope` until version 4.
    #[serde(default, alias = "scope")]
    auth_scope: String,
}

pub(super) fn find(places: &Places, found: &mut Found) {
    let folders = match &places.named {
        Some(named) => vec![named.clone()],
        None => {
            vec![places.folder("OIDC_CONFIG_DIR", places.config.join("oidc-agent")), places.home.join(".oidc-agent")]
        }
    };
    let Some(folder) = folders.into_iter().find(|folder| folder.is_dir()) else { return };
    let issuers = reading::text(&folder.join("issuer.config")).ok().flatten();
    let issuers = issuers.map(|text| issuers_by_account(&text)).unwrap_or_default();
    for file in reading::entries(&folder) {
        let name = reading::name(&file).to_owned();
        // Its clients' registrations are kept beside the accounts, encrypted too.
        let is_account =
            !NO_ACCOUNTS.contains(&name.as_str()) && !name.starts_with('.') && !name.ends_with(".clientconfig");
        if is_account && !file.is_dir() {
            found.file(Source::OidcAgent, &file, |text| item(&name, text, &issuers).map(|item| vec![item]));
        }
    }
}

/// PURE: one account.
pub(super) fn item(name: &str, text: &str, issuers: &BTreeMap<String, Url>) -> Result<Item, String> {
    let mut item = Item::new(Source::OidcAgent, name);
    if !text.trim_start().starts_with('{') {
        if !is_sealed(text) {
            return Err("it is no account of oidc-agent".to_owned());
        }
        item.issuer = issuers.get(name).cloned();
        item.tokens = Tokens::Sealed;
        item.notes.extend([Note::Sealed("oidc-gen --print"), Note::NoService]);
        return Ok(item);
    }
    let account: Account = serde_json::from_str(text).map_err(|e| e.to_string())?;
    item.issuer = Some(account.issuer_url.parse().map_err(|_| "issuer_url is no address".to_owned())?);
    item.client_id = Some(account.client_id).filter(|id| !id.is_empty());
    item.client_secret = account.client_secret.filter(|secret| !secret.is_empty());
    item.scopes = scopes(&account.auth_scope);
    item.notes.push(Note::NoService);
    item.tokens = match account.refresh_token {
        Some(token) if !token.is_empty() => Tokens::Refresh { token, shared: false },
        _ => Tokens::None,
    };
    Ok(item)
}

/// Since 2.1.0 seven lines that end with the version, before that one of hexadecimal parts; or a PGP message.
fn is_sealed(text: &str) -> bool {
    let hexadecimal = |line: &str| line.len() > 40 && line.bytes().all(|b| b.is_ascii_hexdigit() || b == b':');
    text.starts_with("-----BEGIN PGP MESSAGE-----")
        || text.lines().any(|line| line.starts_with("Generated using version:"))
        || text.lines().next().is_some_and(hexadecimal)
}

/// PURE: `[{"issuer": …, "accounts": [NAME, …]}, …]`, or in the old form a line each of issuer and account.
fn issuers_by_account(text: &str) -> BTreeMap<String, Url> {
    let mut all = BTreeMap::new();
    let mut put = |account: &str, issuer: &str| {
        if let Ok(issuer) = issuer.parse() {
            all.insert(account.to_owned(), issuer);
        }
    };
    match serde_json::from_str::<Value>(text) {
        Ok(Value::Array(issuers)) => {
            for entry in &issuers {
                let accounts = entry["accounts"].as_array().into_iter().flatten().filter_map(Value::as_str);
                let issuer = entry["issuer"].as_str().unwrap_or_default();
                accounts.for_each(|account| put(account, issuer));
            }
        }
        _ => text
            .lines()
            .filter_map(|line| line.split_once(' '))
            .for_each(|(issuer, account)| put(account.trim(), issuer)),
    }
    all
}
