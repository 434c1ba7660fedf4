//! `signbell connect`: a client's own configuration, shown before it is written.

use std::io::{self, BufRead as _, IsTerminal as _, Write as _};

use serde_json::json;
use signbell_connect::plan::Done;
use signbell_connect::{Client, Places};
use signbell_engine::connect::{ClientView, Offer, Wish, carry_out, clients, offer, usual_address};
use signbell_engine::control::Failure;

use super::Context;
use crate::args::Connect;
use crate::table::table;
use signbell_engine::wording::{cli, connect as words};

pub(super) async fn run(context: &Context, args: Connect) -> Result<(), Failure> {
    let places = Places::from_env().ok_or_else(words::no_home)?;
    let Some(client) = args.client else { return list(context, &places).await };
    let wish = Wish {
        client,
        services: args.services,
        tool: args.tool,
        project: args.project,
        stdio: args.stdio,
        env: args.env,
        undo: args.undo,
        rotate: args.rotate,
    };
    let offer = offer(&context.paths, &places, wish).await?;
    show(context, &offer)?;
    let changes = offer.plan.changes();
    if args.dry_run {
        context.out.say(words::DRY_RUN);
        return tell(context, client, &offer, None);
    }
    if changes && !args.yes && !agreed(context)? {
        context.out.say(words::NOT_WRITTEN);
        return Ok(());
    }
    if args.undo && !changes {
        return tell(context, client, &offer, None);
    }
    let told = Told::of(&offer);
    let done = carry_out(&context.paths, &places, offer).await?;
    told.tell(context, client, changes.then_some(&done))
}

fn show(context: &Context, offer: &Offer) -> Result<(), Failure> {
    let plan = &offer.plan;
    if plan.changes() {
        context.out.text(plan.diff().trim_end())?;
    } else {
        context.out.say(if plan.ask.undo { words::NOTHING_OF_OURS } else { words::NOTHING_TO_CHANGE });
    }
    for note in &plan.notes {
        context.out.say(&words::note(note, plan.ask.client, &offer.tool));
    }
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

fn tell(context: &Context, client: Client, offer: &Offer, done: Option<&Done>) -> Result<(), Failure> {
    Told::of(offer).tell(context, client, done)
}

/// What is told in the end.
struct Told {
    value: serde_json::Value,
    file: std::path::PathBuf,
    undo: bool,
    tool: Option<signbell_engine::model::ToolName>,
}

impl Told {
    fn of(offer: &Offer) -> Self {
        let plan = &offer.plan;
        let services: Vec<_> = plan.ask.services.iter().map(|service| service.name.as_str()).collect();
        let value = json!({
            "client": plan.ask.client.name(), "file": plan.file, "tool": offer.tool, "services": services,
            "form": plan.form.name(), "undo": plan.ask.undo, "diff": plan.diff(), "notes": plan.notes,
        });
        let tool = offer.tool_known.then(|| offer.tool.clone());
        Self { value, file: plan.file.clone(), undo: plan.ask.undo, tool }
    }

    fn tell(mut self, context: &Context, client: Client, done: Option<&Done>) -> Result<(), Failure> {
        self.value["changed"] = done.is_some().into();
        self.value["backup"] = json!(done.and_then(|done| done.backup.as_ref()));
        context.out.result(&self.value, || match done {
            None => String::new(),
            Some(done) if self.undo => words::undone(client, &self.file, done.removed, self.tool.as_ref()),
            Some(done) => words::connected(client, &self.file, done.backup.as_deref()),
        })
    }
}

async fn list(context: &Context, places: &Places) -> Result<(), Failure> {
    let proxy = context.view().await.map_or_else(|_| usual_address(), |view| view.proxy.address);
    let all = clients(places, &proxy);
    if context.out.is_json() {
        return all.iter().try_for_each(|client| context.out.result(client, String::new));
    }
    let row = |client: &ClientView| {
        [
            client.client.to_owned(),
            cli::yes_no(client.found).to_owned(),
            client.connected.join(", "),
            client.file.display().to_string(),
        ]
    };
    let rows: Vec<_> = all.iter().map(row).collect();
    context.out.text(&table(["CLIENT", "FOUND", "CONNECTED", "FILE"], &rows))?;
    all.iter().filter_map(|client| client.trouble.as_ref()).for_each(|trouble| context.out.say(trouble));
    Ok(())
}
