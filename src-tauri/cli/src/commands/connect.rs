//! `signbell connect`: a client's own configuration, shown before it is written.

use std::io::{self, BufRead as _, IsTerminal as _, Write as _};

use serde_json::{Value, json};
use signbell_connect::plan::{Done, What};
use signbell_connect::{Client, Places};
use signbell_engine::connect::{ClientView, Offer, Wish, carry_out, clients, offer, usual_address};
use signbell_engine::control::Failure;

use super::Context;
use crate::args::Connect;
use crate::table::table;
use signbell_engine::wording::{cli, connect as words};

pub(super) async fn run(context: &Context, args: Connect) -> Result<(), Failure> {
    let places = Places::from_env().ok_or_else(words::no_home)?;
    if args.again {
        return again(context, &places, &args).await;
    }
    let Some(client) = args.client else { return list(context, &places).await };
    let wish = Wish {
        client,
        services: args.services,
        tool: args.tool,
        project: args.project,
        stdio: args.stdio,
        env: args.env,
        what: if args.undo { What::Undo } else { What::Connect },
        rotate: args.rotate,
    };
    let offer = offer(&context.paths, &places, wish).await?;
    show(context, &offer)?;
    if args.dry_run {
        context.out.say(words::DRY_RUN);
        return tell(context, &value(&offer), None);
    }
    let changes = offer.plan.changes();
    if changes && !args.yes && !agreed(context)? {
        context.out.say(words::NOT_WRITTEN);
        return Ok(());
    }
    if args.undo && !changes {
        return tell(context, &value(&offer), None);
    }
    done(context, &places, &offer).await
}

/// Each client that looks for us where we are not; asked once for all.
async fn again(context: &Context, places: &Places, args: &Connect) -> Result<(), Failure> {
    let mut offers = vec![];
    for client in args.client.map_or_else(|| Client::ALL.to_vec(), |client| vec![client]) {
        let wish = Wish { project: args.project, ..Wish::plain(client, What::Again) };
        match offer(&context.paths, places, wish).await {
            Ok(offer) if offer.plan.changes() => offers.push(offer),
            Ok(_) => {}
            // Another's file that can't be read keeps none of them from being mended.
            Err(failure) if args.client.is_none() => context.out.say(&words::not_looked_at(client, &failure.message)),
            Err(failure) => return Err(failure),
        }
    }
    if offers.is_empty() {
        context.out.say(words::NOTHING_ELSEWHERE);
        return Ok(());
    }
    offers.iter().try_for_each(|offer| show(context, offer))?;
    if args.dry_run {
        context.out.say(words::DRY_RUN);
        return offers.iter().try_for_each(|offer| tell(context, &value(offer), None));
    }
    if !args.yes && !agreed(context)? {
        context.out.say(words::NOT_WRITTEN);
        return Ok(());
    }
    for offer in &offers {
        done(context, places, offer).await?;
    }
    Ok(())
}

fn show(context: &Context, offer: &Offer) -> Result<(), Failure> {
    let plan = &offer.plan;
    if plan.writes() {
        context.out.text(plan.diff().trim_end())?;
    } else if !plan.changes() {
        context.out.say(&words::nothing(plan));
    }
    offer.notes().iter().for_each(|note| context.out.say(note));
    Ok(())
}

/// In a terminal the person says so; elsewhere nobody can.
fn agreed(context: &Context) -> Result<bool, Failure> {
    if !io::stdin().is_terminal() || context.out.is_json() {
        return Err(words::needs_yes());
    }
    let failed = |e: io::Error| cli::input_failed("answer", &e);
    let mut err = io::stderr().lock();
    err.write_all(words::ASK.as_bytes()).and_then(|()| err.flush()).map_err(failed)?;
    let mut line = String::new();
    io::stdin().lock().read_line(&mut line).map_err(failed)?;
    Ok(matches!(line.trim(), "y" | "Y" | "yes"))
}

/// Does it, and tells what was done.
async fn done(context: &Context, places: &Places, offer: &Offer) -> Result<(), Failure> {
    let done = carry_out(&context.paths, places, offer, |text| context.out.say(text)).await?;
    tell(context, &value(offer), offer.plan.changes().then(|| (&done, offer.told(&done))))
}

/// What is to be done, as `--json` tells it.
fn value(offer: &Offer) -> Value {
    let plan = &offer.plan;
    let left: Vec<_> = plan.left.iter().map(|entry| entry.service.as_str()).collect();
    json!({
        "client": plan.ask.client.name(), "file": plan.file, "tool": offer.as_tool(),
        "services": plan.ask.services.iter().map(|service| service.name.as_str()).collect::<Vec<_>>(),
        "form": plan.form.name(), "undo": plan.ask.what == What::Undo, "gone": plan.gone(), "left": left,
        "diff": plan.diff(), "notes": plan.notes,
    })
}

fn tell(context: &Context, value: &Value, done: Option<(&Done, String)>) -> Result<(), Failure> {
    let mut value = value.clone();
    value["changed"] = done.is_some().into();
    value["backup"] = json!(done.as_ref().and_then(|(done, _)| done.backup.as_ref()));
    context.out.result(&value, || done.map(|(_, told)| told).unwrap_or_default())
}

async fn list(context: &Context, places: &Places) -> Result<(), Failure> {
    let proxy = context.view().await.map_or_else(|_| usual_address(&context.paths), |view| view.proxy.address);
    let all = clients(places, &proxy);
    if context.out.is_json() {
        return all.iter().try_for_each(|client| context.out.result(client, String::new));
    }
    let rows: Vec<_> = all.iter().map(row).collect();
    context.out.text(&table(["CLIENT", "FOUND", "CONNECTED", "FILE"], &rows))?;
    all.iter().filter_map(|client| client.trouble.as_ref()).for_each(|trouble| context.out.say(trouble));
    if let Some(elsewhere) = words::elsewhere(&all) {
        context.out.say(&elsewhere);
    }
    Ok(())
}

fn row(client: &ClientView) -> [String; 4] {
    let service = |name: &String| {
        let elsewhere = client.elsewhere.iter().find(|elsewhere| elsewhere.service == *name);
        elsewhere.map_or_else(|| name.clone(), |elsewhere| words::at_port(name, elsewhere.port))
    };
    [
        client.client.to_owned(),
        cli::yes_no(client.found).to_owned(),
        client.connected.iter().map(service).collect::<Vec<_>>().join(", "),
        client.file.display().to_string(),
    ]
}
