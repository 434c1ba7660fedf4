//! `signbell provider`.

use serde_json::json;
use signbell_engine::control::{Failure, Reply, Request};
use signbell_engine::wording::{cli as words, slips};
use signbell_engine::{providers, wording};

use super::{Context, add};
use crate::args::Provider;
use crate::table::table;

pub(super) async fn run(context: &Context, command: Provider) -> Result<(), Failure> {
    match command {
        Provider::Presets { name } => presets(context, name.as_deref()),
        Provider::Set { account, client, yes } => {
            let client_secret = if client.client_secret_stdin { Some(add::client_secret()?) } else { None };
            let client_key = client.client_key_file.as_deref().map(add::client_key).transpose()?;
            let request = |ends_sign_ins| Request::ProviderSet {
                account: account.clone(),
                client_id: client.client_id.clone(),
                client_secret: client_secret.clone(),
                client_key: client_key.clone(),
                client_key_id: client.client_key_id.clone(),
                ends_sign_ins,
            };
            let changed = match context.call(&request(yes)).await {
                Err(failure) if failure.code == slips::WOULD_END_SIGN_INS => {
                    let question = format!("{} {}", failure.message, slips::GO_ON_ALL_THE_SAME);
                    context.confirm(&question, false, failure)?;
                    context.call(&request(true)).await?
                }
                changed => changed?,
            };
            let Reply::ProviderChanged(changed) = changed else { return Err(words::odd_reply()) };
            context.out.result(&changed, || slips::provider_changed(&changed.account, &changed.ended))
        }
    }
}

/// Needs no running app: the presets ship with the program.
fn presets(context: &Context, name: Option<&str>) -> Result<(), Failure> {
    let wanted = |known: &&str| name.is_none_or(|name| name == *known);
    let presets: Vec<_> =
        providers::names().filter(wanted).filter_map(|name| providers::named(name).map(|p| (name, p))).collect();
    if let (Some(name), true) = (name, presets.is_empty()) {
        return Err(wording::unknown_provider_preset(name));
    }
    if context.out.is_json() {
        return presets.iter().try_for_each(|(name, preset)| {
            let line = json!({
                "preset": name,
                "title": preset.title,
                "hosts": preset.hosts,
                "issuer": preset.issuer,
                "issuers": preset.issuers.iter().map(providers::Pattern::as_str).collect::<Vec<_>>(),
                "console": preset.console,
                "create": preset.create,
                "redirect": preset.redirect.to_string(),
                "secret": preset.secret.as_str(),
                "scopes": preset.scopes.default,
                "notes": preset.notes,
                "sources": preset.sources,
            });
            context.out.result(&line, String::new)
        });
    }
    if let (Some(_), Some((_, preset))) = (name, presets.first()) {
        return context.out.text(&wording::about_provider(preset));
    }
    let rows: Vec<_> = presets
        .iter()
        .map(|(name, preset)| {
            [(*name).to_owned(), preset.title.clone(), preset.hosts.join(", "), preset.redirect.to_string()]
        })
        .collect();
    context.out.text(&table(["NAME", "FOR", "CHOSEN BY HOST", "REDIRECT TO REGISTER"], &rows))
}
