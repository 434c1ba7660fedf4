//! The forward proxy: turned on and off by the person, and what a run needs to go through it.

use std::collections::BTreeSet;
use std::sync::Arc;

use toml_edit::{table, value};

use super::core::Core;
use crate::config::{Config, KeyDigest, ServiceConfig, ToolConfig};
use crate::control::{Failure, Forwarded, Forwarding, Through};
use crate::wording;

/// Stands where a client wants some token. It opens nothing anywhere.
const PLACEHOLDER: &str = "signbell-puts-the-token-in";

impl Core {
    /// Turns the forward proxy on or off, or only says how it stands.
    pub(crate) async fn forward(&self, on: Option<bool>) -> Result<Forwarding, Failure> {
        if let Some(on) = on {
            if on {
                // What can't be opened must not be turned on.
                self.proxy.forwarding.authorities.lasting().await.map_err(|e| wording::no_authority(&e))?;
            }
            let before = self.config().proxy.forward;
            self.edit(|_, document| {
                let proxy = document.entry("proxy").or_insert_with(table);
                if let Some(proxy) = proxy.as_table_like_mut() {
                    proxy.insert("forward", value(on));
                }
                Ok::<_, Failure>(())
            })?;
            if before != on {
                self.changed_by_person(&wording::forwarding_turned(on), |_| ());
            }
        }
        let config = self.config();
        let file = self.proxy.forwarding.authorities.file();
        Ok(Forwarding {
            on: config.proxy.forward,
            address: self.address(),
            certificate: file.exists().then(|| file.display().to_string()),
            hosts: hosts(config.services.values()),
        })
    }

    /// Puts in force what the settings say of it.
    pub(super) fn forward_as_set(&self, config: &Config) {
        let forwarding = &self.proxy.forwarding;
        forwarding.reach_by(self.pools.way_out());
        let others = forwarding.authorities.set_hosts(hosts(config.services.values()));
        let turned = forwarding.turn(config.proxy.forward);
        if config.proxy.forward && (others || turned) {
            // The file names the hosts of today, before a tool asks for one. With a keyring that is locked it
            // is written when one does.
            let proxy = Arc::clone(&self.proxy);
            tokio::spawn(async move {
                if let Err(e) = proxy.forwarding.authorities.lasting().await {
                    tracing::info!("no authority for the forward proxy yet: {e}");
                }
            });
        }
    }

    /// What the program with this key needs, if it asked for that and may use the forward proxy. Its hosts stay
    /// what they are now.
    pub(super) fn forwarded(
        &self,
        config: &Config,
        tool: &ToolConfig,
        key: KeyDigest,
        asked: Through,
    ) -> Result<Option<Forwarded>, Failure> {
        let may = match asked {
            Through::No => false,
            Through::IfOn => config.proxy.forward,
            Through::Anyway => true,
        };
        if !may {
            return Ok(None);
        }
        let services = || tool.services.iter().filter_map(|name| config.services.get(name));
        let hosts = hosts(services());
        let authority = self.proxy.forwarding.authorities.begin_run(key, hosts);
        let authority = authority.map_err(|e| wording::no_authority(&e))?;
        if asked == Through::Anyway {
            self.proxy.forwarding.begin_run(key);
        }
        let variables = services().flat_map(ServiceConfig::token_variables);
        Ok(Some(Forwarded {
            address: self.address(),
            certificate: authority.certificate(),
            hosts: authority.hosts().clone(),
            placeholders: variables.map(|name| (name, PLACEHOLDER.to_owned())).collect(),
        }))
    }
}

/// The hosts that are reached by TLS.
fn hosts<'a>(services: impl Iterator<Item = &'a ServiceConfig>) -> BTreeSet<String> {
    let by_tls = services.filter(|service| service.url.scheme() == "https");
    by_tls.filter_map(|service| service.url.host_str().map(str::to_owned)).collect()
}
