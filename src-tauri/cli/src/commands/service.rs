//! `signbell service`.

use std::io::{self, Read as _};

use serde_json::json;
use signbell_engine::control::{Failure, Reply, Request};
use signbell_engine::model::ServiceName;
use signbell_engine::rules;
use signbell_engine::view::{ServiceView, StateName};
use url::Url;

use super::Context;
use crate::args::Service;
use crate::table::table;
use signbell_engine::wording::cli as words;

pub(super) async fn run(context: &Context, command: Service) -> Result<(), Failure> {
    match command {
        Service::List => list(context).await,
        Service::Set { service, settings } => {
            let name = service.to_string();
            let request = Request::ServiceSet {
                service,
                hold_seconds: settings.hold.map(|hold| hold.as_secs()),
                replay_unsafe: settings.replay_unsafe,
                rewrite_addresses: settings.rewrite_addresses,
                expired: settings.expired,
                preset: settings.preset.map(|name| if name == "none" { String::new() } else { name }),
            };
            context.done(&request, "service", &name, words::changed(&name)).await
        }
        Service::Test { service, response } => test(context, service, &response).await,
        Service::Presets => presets(context),
        Service::Move { service, issuer } => {
            let Reply::Added(moved) = context.call(&Request::ServiceMove { service, issuer }).await? else {
                return Err(words::odd_reply());
            };
            context.out.result(&moved, || words::moved(moved.service.as_str(), &moved.account))?;
            if moved.state == StateName::NeedsSignIn {
                context.out.say(&words::sign_in_next(&moved.account));
            }
            Ok(())
        }
        Service::Remove { service } => {
            let name = service.to_string();
            context.done(&Request::ServiceRemove { service }, "service", &name, words::removed(&name)).await
        }
    }
}

async fn test(context: &Context, service: ServiceName, response: &str) -> Result<(), Failure> {
    let request = match response.parse::<Url>() {
        Ok(url) if matches!(url.scheme(), "http" | "https") => Request::ServiceAsk { service, url },
        _ => Request::ServiceTest { service, response: saved(response)? },
    };
    let Reply::Judged(judged) = context.call(&request).await? else { return Err(words::odd_reply()) };
    context.out.result(&judged, || match (&judged.rule, &judged.why) {
        (Some(rule), Some(why)) => format!("{}: {rule}: {why}\n{}", judged.status, judged.action),
        _ => format!("{}: {}", judged.status, judged.action),
    })
}

fn saved(file: &str) -> Result<String, Failure> {
    let read = match file {
        "-" => {
            let mut bytes = Vec::new();
            io::stdin().lock().read_to_end(&mut bytes).map(|_| bytes)
        }
        file => std::fs::read(file),
    };
    // What is no text is in a body that no rule reads as text.
    read.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).map_err(|e| words::input_failed(file, &e))
}

fn presets(context: &Context) -> Result<(), Failure> {
    let presets: Vec<_> = rules::names().filter_map(|name| rules::named(name).map(|preset| (name, preset))).collect();
    if context.out.is_json() {
        return presets.iter().try_for_each(|(name, preset)| {
            let rules: Vec<&str> = preset.rules.iter().map(|rule| rule.name.as_str()).collect();
            let line = json!({"preset": name, "title": preset.title, "hosts": preset.hosts, "rules": rules});
            context.out.result(&line, String::new)
        });
    }
    let rows: Vec<_> = presets
        .iter()
        .map(|(name, preset)| [(*name).to_owned(), preset.title.clone(), preset.hosts.join(", ")])
        .collect();
    context.out.text(&table(["NAME", "FOR", "CHOSEN BY HOST"], &rows))
}

async fn list(context: &Context) -> Result<(), Failure> {
    let services = context.view().await?.services;
    if context.out.is_json() {
        return services.iter().try_for_each(|service| context.out.result(service, String::new));
    }
    if services.is_empty() {
        context.out.say(words::NO_SERVICES);
    } else {
        let rows: Vec<_> = services.iter().map(row).collect();
        context.out.text(&table(["NAME", "ADDRESS FOR TOOLS", "LEADS TO", "ACCOUNT"], &rows))?;
    }
    Ok(())
}

fn row(service: &ServiceView) -> [String; 4] {
    [service.service.to_string(), service.address.clone(), service.url.clone(), service.account.to_string()]
}
