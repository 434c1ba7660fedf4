//! What a configuration must mean to be used, and what its types can't say.

use url::Url;

use super::mistake::Mistake;
use super::{Config, ProviderConfig, setting};
use crate::browser::{is_loopback, may_open};
use crate::provider::{Grant, preset as presets};
use crate::rules;

/// What the types can't say.
pub(super) fn check(config: &Config) -> Result<(), Mistake> {
    program_of(config)?;
    // MCP 2026-07-28, "Client ID Metadata Documents".
    if let Some(url) =
        config.network.client_metadata_url.as_ref().filter(|url| url.scheme() != "https" || url.path() == "/")
    {
        let what = format!("client_metadata_url is {url}, which is not an https address with a path");
        return Err(Mistake::at("network", "client_metadata_url", what));
    }
    for (name, provider) in &config.providers {
        let mistake = |what| Mistake::at("providers", name.as_str(), what);
        check_grant(config, provider).map_err(|what| mistake(format!("provider {name}: {what}")))?;
        check_known(provider).map_err(|what| mistake(format!("provider {name}{what}")))?;
    }
    for (name, account) in &config.accounts {
        if !config.providers.contains_key(&account.provider) {
            let what = format!("account {name} names the provider {}, which is not there", account.provider);
            return Err(Mistake::at("accounts", name.as_str(), what));
        }
    }
    for (name, service) in &config.services {
        let mistake = |what| Mistake::at("services", name.as_str(), what);
        if !config.accounts.contains_key(&service.account) {
            return Err(mistake(format!("service {name} names the account {}, which is not there", service.account)));
        }
        check_upstream(&service.url).map_err(|why| mistake(format!("service {name}: {why}")))?;
        if let Some(preset) = service.preset.as_ref().filter(|preset| rules::named(preset).is_none()) {
            return Err(mistake(format!("service {name} names the preset {preset}, which is not there")));
        }
    }
    for (name, tool) in &config.tools {
        if let Some(missing) = tool.services.iter().find(|s| !config.services.contains_key(*s)) {
            let what = format!("tool {name} names the service {missing}, which is not there");
            return Err(Mistake::at("tools", name.as_str(), what));
        }
    }
    Ok(())
}

/// The sections on the program itself.
fn program_of(config: &Config) -> Result<(), Mistake> {
    if let Some(odd) = config.bell.reminders.iter().find(|minutes| !setting::is_reminder(**minutes)) {
        return Err(Mistake::at(
            "bell",
            "reminders",
            format!("reminders has {odd}; it takes minutes, from 1 to a year"),
        ));
    }
    let languages = setting::LANGUAGES;
    if let Some(odd) = config.desktop.language.as_deref().filter(|language| !languages.contains(language)) {
        let what = format!("language is {odd:?}; it can be {}", languages.join(" or "));
        return Err(Mistake::at("desktop", "language", what));
    }
    Ok(())
}

/// What each way to tokens needs.
fn check_grant(config: &Config, provider: &ProviderConfig) -> Result<(), String> {
    match (provider.grant, &provider.via) {
        (Grant::IdentityAssertion, None) => return Err("the grant identity_assertion needs `via`, an account".into()),
        (Grant::IdentityAssertion, Some(via)) => {
            let Some(account) = config.accounts.get(via) else {
                return Err(format!("via names the account {via}, which is not there"));
            };
            let vouches = config.providers.get(&account.provider).map(|provider| provider.grant);
            if vouches.is_some_and(|grant| grant != Grant::AuthorizationCode) {
                return Err(format!("via names the account {via}, to which nobody signs in by hand"));
            }
        }
        (_, Some(_)) => return Err("via is for the grant identity_assertion alone".into()),
        (Grant::JwtBearer, None) if !provider.client_key_in_vault => {
            return Err("the grant jwt_bearer needs a client key".into());
        }
        _ => {}
    }
    Ok(())
}

/// Whether the preset is there and the addresses beside it are safe.
fn check_known(provider: &ProviderConfig) -> Result<(), String> {
    if let Some(preset) = provider.preset.as_ref().filter(|preset| presets::named(preset).is_none()) {
        return Err(format!(" names the preset {preset}, which is not there"));
    }
    let endpoints = provider.endpoints();
    let all = [endpoints.authorization, endpoints.token, endpoints.revocation, endpoints.identity];
    match all.into_iter().flatten().find(|url| !may_open(url)) {
        Some(address) => Err(format!(": {address} is neither https nor on this machine")),
        None => Ok(()),
    }
}

/// Whether tokens may go to `url` at all (E6).
///
/// # Errors
/// What is wrong with it.
pub fn check_upstream(url: &Url) -> Result<(), String> {
    let safe = url.scheme() == "https" || (url.scheme() == "http" && is_loopback(url));
    if !safe {
        return Err(format!("{url} is neither https nor on this machine"));
    }
    if url.host().is_none() || !url.username().is_empty() || url.password().is_some() {
        return Err(format!("{} must have a host and no user name", url.host_str().unwrap_or("the address")));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(format!("{}{} must end before ? and #", url.origin().ascii_serialization(), url.path()));
    }
    Ok(())
}
