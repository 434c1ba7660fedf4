//! email-oauth2-proxy's `emailproxy.config`, which lies wherever the person put it: `--from FILE`.
//!
//! github.com/simonrob/email-oauth2-proxy, the sample `emailproxy.config` (a section for each account, named
//! by its address) and `emailproxy.py` (tokens are encrypted with the mail password).

use signbell_engine::secret::Secret;
use url::Url;

use super::ini::{self, Section};
use super::item::{Item, Note, Source, Tokens, scopes};
use super::{Found, Places};

/// What the sample has where a person's own value belongs.
const PLACEHOLDER: &str = "***";

pub(super) fn find(places: &Places, found: &mut Found) {
    let usual = [places.home.join("emailproxy.config"), places.config.join("emailproxy.config")];
    let files = places.named.clone().map_or(usual.to_vec(), |named| vec![named]);
    for file in files {
        found.file(Source::EmailProxy, &file, items);
    }
}

/// PURE: one for each account; servers and the program's own settings are none.
pub(super) fn items(text: &str) -> Result<Vec<Item>, String> {
    let sections = ini::parse(text)?;
    sections.iter().filter(|section| section.name.contains('@')).map(item).collect()
}

fn item(section: &Section) -> Result<Item, String> {
    let mut item = Item::new(Source::EmailProxy, &section.name);
    item.who = Some(section.name.clone());
    let address = |key: &str| section.get(key).map(|text| text.parse::<Url>());
    let token_url = match address("token_url") {
        Some(Ok(url)) => url,
        // The sample's addresses hold placeholders, which make none.
        _ => {
            item.notes.push(Note::Placeholder("token_url"));
            return Ok(item);
        }
    };
    // Where no page is named nobody signs in at one: the client's own name, a password, a service account.
    let flow = section.get("oauth2_flow").unwrap_or("authorization_code");
    if section.get("permission_url").is_none() || !matches!(flow, "authorization_code" | "device") {
        item.notes.push(Note::NoPerson(flow.chars().take(40).collect()));
    }
    match section.get("client_id") {
        Some(id) if !id.contains(PLACEHOLDER) => item.client_id = Some(id.to_owned()),
        _ => item.notes.push(Note::Placeholder("client_id")),
    }
    match section.get("client_secret") {
        Some(secret) if secret.contains(PLACEHOLDER) => item.notes.push(Note::Placeholder("client_secret")),
        secret => item.client_secret = secret.map(Secret::new),
    }
    item.scopes = section.get("oauth2_scope").map(scopes).unwrap_or_default();
    if section.get("refresh_token").is_some() || section.get("client_secret_encrypted").is_some() {
        item.tokens = Tokens::Sealed;
        item.notes.push(Note::Sealed("email-oauth2-proxy"));
    }
    at_provider(&mut item, &token_url);
    Ok(item)
}

/// Whose token endpoint it is, and the HTTP side of the same mailbox where there is one that takes the same
/// scopes: Gmail's API (`https://mail.google.com/`, developers.google.com/gmail/api/auth/scopes).
fn at_provider(item: &mut Item, token_url: &Url) {
    match token_url.host_str().unwrap_or_default() {
        "oauth2.googleapis.com" | "accounts.google.com" | "www.googleapis.com" => {
            item.provider_preset = Some("google");
            item.url = "https://gmail.googleapis.com".parse().ok();
        }
        host @ ("login.microsoftonline.com" | "login.microsoftonline.us" | "login.partner.microsoftonline.cn") => {
            let tenant = token_url.path_segments().and_then(|mut parts| parts.next()).unwrap_or("common");
            item.provider_preset = Some("entra");
            item.issuer = format!("https://{host}/{tenant}/v2.0").parse().ok();
            item.notes.push(Note::NoService);
        }
        _ => {
            item.issuer = format!("{}/", token_url.origin().ascii_serialization()).parse().ok();
            item.notes.push(Note::NoService);
        }
    }
}
