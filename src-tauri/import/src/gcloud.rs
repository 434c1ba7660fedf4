//! Google's application default credentials: `~/.config/gcloud/application_default_credentials.json`.
//!
//! github.com/googleapis/google-auth-library-python, `google/auth/_cloud_sdk.py` (the folder, and the id of
//! gcloud's own client) and `google/oauth2/credentials.py`, `from_authorized_user_info` (the fields).

use serde::Deserialize;
use signbell_engine::secret::Secret;

use super::item::{Item, Note, Source, Tokens};
use super::{Found, Places};

/// `CLOUD_SDK_CLIENT_ID`.
const OWN_CLIENT: &str = "764086051850-6qr4p6gpi6hn506pt8ejuq83di341hur.apps.googleusercontent.com";

/// What `gcloud auth application-default login` asks for where it is told nothing else.
const SCOPES: [&str; 3] =
    ["openid", "https://www.googleapis.com/auth/userinfo.email", "https://www.googleapis.com/auth/cloud-platform"];

#[derive(Deserialize)]
struct Credentials {
    #[serde(rename = "type", default)]
    kind: String,
    #[serde(default)]
    client_id: Option<String>,
    #[serde(default)]
    client_secret: Option<Secret>,
    #[serde(default)]
    refresh_token: Option<Secret>,
    #[serde(default)]
    account: Option<String>,
}

pub(super) fn find(places: &Places, found: &mut Found) {
    let folder = places.folder("CLOUDSDK_CONFIG", places.config.join("gcloud"));
    let file = places.named.clone().unwrap_or_else(|| folder.join("application_default_credentials.json"));
    found.file(Source::Gcloud, &file, items);
}

/// PURE: the one that it is.
pub(super) fn items(text: &str) -> Result<Vec<Item>, String> {
    let credentials: Credentials = serde_json::from_str(text).map_err(|e| e.to_string())?;
    let mut item = Item::new(Source::Gcloud, "adc");
    item.url = "https://www.googleapis.com".parse().ok();
    item.provider_preset = Some("google");
    if credentials.kind != "authorized_user" {
        let kind: String = credentials.kind.chars().take(40).filter(|c| !c.is_control()).collect();
        item.notes.push(Note::NoPerson(kind));
        return Ok(vec![item]);
    }
    let (Some(client_id), Some(secret)) = (credentials.client_id, credentials.client_secret) else {
        return Err("client_id or client_secret is missing".to_owned());
    };
    if client_id == OWN_CLIENT {
        item.notes.push(Note::ProgramsClient("gcloud"));
    }
    item.who = credentials.account.filter(|account| !account.is_empty());
    item.client_id = Some(client_id);
    item.client_secret = Some(secret);
    item.scopes = SCOPES.map(str::to_owned).to_vec();
    // Google gives no new refresh token in a refresh, so both go on with the same.
    item.tokens = match credentials.refresh_token {
        Some(token) if !token.is_empty() => Tokens::Refresh { token, shared: true },
        _ => Tokens::None,
    };
    Ok(vec![item])
}
