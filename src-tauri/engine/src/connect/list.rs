//! All clients, and how each stands.

use std::path::PathBuf;

use serde::Serialize;
use signbell_connect::{Client, Entry, Places, entries};

use crate::checkup::Settings;
use crate::config::ProxyConfig;
use crate::paths::Paths;
use crate::wording;

/// One client, and how it stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ClientView {
    /// Its name.
    pub client: &'static str,
    /// As shown to people.
    pub title: &'static str,
    /// Whether it seems to be on this machine.
    pub found: bool,
    /// Where its file lies.
    pub file: PathBuf,
    /// The services that its file leads to.
    pub connected: Vec<String>,
    /// Those of them for which it looks at a port where Signbell is not.
    pub elsewhere: Vec<Elsewhere>,
    /// Why its file can't be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trouble: Option<String>,
}

/// A service that a client looks for where Signbell is not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Elsewhere {
    /// The service.
    pub service: String,
    /// Where it looks.
    pub port: u16,
}

/// All clients, those that are on this machine first; the proxy is `http://127.0.0.1:8401`.
#[must_use]
pub fn clients(places: &Places, proxy: &str) -> Vec<ClientView> {
    let view = |client: Client| {
        let file = places.file(client, false)?;
        let text = std::fs::read_to_string(&file).unwrap_or_default();
        let (found, trouble) = match entries(client, &text, proxy) {
            Ok(found) => (found, None),
            Err(why) => (vec![], Some(wording::connect::problem(&why, client, client.name(), Some(&file)).message)),
        };
        let is_elsewhere = |entry: &Entry| {
            let port = entry.port.filter(|_| entry.is_elsewhere(proxy))?;
            Some(Elsewhere { service: entry.service.clone(), port })
        };
        let elsewhere = found.iter().filter_map(is_elsewhere).collect();
        let mut connected: Vec<_> = found.into_iter().map(|entry| entry.service).collect();
        connected.dedup();
        let (name, title, found) = (client.name(), client.title(), places.found(client));
        Some(ClientView { client: name, title, found, file, connected, elsewhere, trouble })
    };
    let mut all: Vec<_> = Client::ALL.into_iter().filter_map(view).collect();
    all.sort_by_key(|client| !client.found);
    all
}

/// Where the proxy listens once it runs: as `SIGNBELL_PORT` says, else as `config.toml` does.
#[must_use]
pub fn usual_address(paths: &Paths) -> String {
    let named = std::env::var("SIGNBELL_PORT").ok().and_then(|port| port.parse::<u16>().ok());
    let set = || Settings::load(&paths.config_file()).map_or_else(|_| ProxyConfig::default().port, |set| set.port());
    let port = Some(named.unwrap_or_else(set)).filter(|port| *port != 0);
    format!("http://127.0.0.1:{}", port.unwrap_or_else(|| ProxyConfig::default().port))
}
