//! Who signs people in at a service: found out from it, or known beforehand.

use url::Url;

use crate::control::{AddService, Failure, FoundBy};
use crate::provider::preset as presets;
use crate::provider::resource::Resource;
use crate::wording;

/// Who signs people in at a service.
pub(in crate::engine) struct FoundServer {
    pub(in crate::engine) resource: Resource,
    /// The service is out in the world, and so must be all that it leads to.
    pub(super) only_public: bool,
    /// What is known of the server, where that is how it was found.
    pub(super) preset: Option<&'static str>,
}

impl FoundServer {
    /// The server of a preset.
    fn known(name: &'static str, issuer: Url) -> Self {
        let resource = Resource {
            issuer,
            resource: None,
            scopes: None,
            bound: false,
            default_endpoints: false,
            servers: vec![],
            by: FoundBy::Preset,
        };
        Self { resource, only_public: false, preset: Some(name) }
    }
}

/// Whether the service itself named the server, in metadata of its own.
pub(super) fn says_itself(found: Option<&FoundServer>) -> bool {
    found.is_some_and(|found| found.resource.resource.is_some())
}

/// The server that a preset knows: by its name, by the issuer, or by the service's host.
pub(super) fn known_server(add: &AddService, account_is_known: bool) -> Result<Option<FoundServer>, Failure> {
    let name = match (&add.provider_preset, &add.issuer) {
        (Some(name), _) => {
            let known = presets::names().find(|known| known == name);
            Some(known.ok_or_else(|| wording::unknown_provider_preset(name))?)
        }
        (None, Some(issuer)) => presets::of_issuer(issuer),
        // An account says itself where it is.
        (None, None) if account_is_known || add.provider.is_some() => None,
        (None, None) => presets::of_host(&add.url),
    };
    let Some((name, preset)) = name.and_then(|name| Some((name, presets::named(name)?))) else { return Ok(None) };
    let issuer = match &add.issuer {
        // Where nothing is asked of the issuer it is but a name, and there is one for it.
        Some(issuer) if preset.endpoints.is_none() => Some(issuer.clone()),
        Some(issuer) if add.provider_preset.is_some() && preset.is_at(issuer) => Some(issuer.clone()),
        // Its endpoints are the preset's server's: nothing is known of another's.
        Some(issuer) if add.provider_preset.is_some() => return Err(wording::preset_of_another(&preset, issuer)),
        _ => preset.issuer.clone(),
    };
    match issuer {
        Some(issuer) => Ok(Some(FoundServer::known(name, issuer))),
        None => Err(wording::issuer_of_preset_needed(&preset, name)),
    }
}
