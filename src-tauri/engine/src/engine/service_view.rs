//! One service, as the window shows it.

use super::core::Core;
use crate::config::{Config, ServiceConfig};
use crate::model::ServiceName;
use crate::rules::Injection;
use crate::view::ServiceView;
use crate::wording;

impl Core {
    /// What the person set for it, with what counts where they set nothing.
    pub(super) fn service_view(&self, config: &Config, name: &ServiceName, service: &ServiceConfig) -> ServiceView {
        let hold = |usual| service.hold_seconds.unwrap_or(usual);
        ServiceView {
            service: name.clone(),
            url: service.url.to_string(),
            address: self.address_of(name),
            account: service.account.clone(),
            resource: service.resource.clone(),
            preset: service.preset.clone(),
            preset_title: service.known().map(|preset| preset.title.clone()),
            origin: service.url.origin().ascii_serialization(),
            header: header(&service.injection(), service.dpop),
            hold_seconds: hold(config.proxy.hold_seconds),
            hold_seconds_json_rpc: hold(config.proxy.hold_seconds_json_rpc),
            own_hold: service.hold_seconds.is_some(),
            replay_unsafe: service.replay_unsafe,
            expired: service.expired,
        }
    }
}

/// The header that a token goes in, and how its value begins (RFC 6750 section 2.1, RFC 9449 section 7.1).
fn header(inject: &Injection, dpop: bool) -> String {
    if dpop {
        return "Authorization: DPoP".to_owned();
    }
    let capitals: Vec<String> = inject.header.as_str().split('-').map(wording::capitalised).collect();
    format!("{}: {}", capitals.join("-"), inject.scheme).trim_end_matches([':', ' ']).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_is_told_as_people_write_it() {
        let named = |header, scheme: &str| Injection {
            header: http::HeaderName::from_static(header),
            scheme: scheme.to_owned(),
        };
        for (inject, dpop, shown) in [
            (Injection::default(), false, "Authorization: Bearer"),
            (Injection::default(), true, "Authorization: DPoP"),
            (named("x-shopify-access-token", ""), false, "X-Shopify-Access-Token"),
        ] {
            assert_eq!(header(&inject, dpop), shown);
        }
    }
}
