//! `signbell provider`.

use serde_json::json;
use signbell_engine::control::Failure;
use signbell_engine::{providers, wording};

use super::Context;
use crate::args::Provider;
use crate::table::table;

/// Needs no running app: the presets ship with the program.
pub(super) fn run(context: &Context, command: &Provider) -> Result<(), Failure> {
    let Provider::Presets { name } = command;
    let wanted = |known: &&str| name.as_deref().is_none_or(|name| name == *known);
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
