//! `signbell service`.

use signbell_engine::control::{Failure, Request};
use signbell_engine::view::ServiceView;

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
                expired: settings.expired,
            };
            context.done(&request, "service", &name, words::changed(&name)).await
        }
        Service::Remove { service } => {
            let name = service.to_string();
            context.done(&Request::ServiceRemove { service }, "service", &name, words::removed(&name)).await
        }
    }
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
