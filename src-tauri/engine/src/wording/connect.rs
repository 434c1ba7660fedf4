//! What `signbell connect` says, here and in the window.

use std::path::Path;

use signbell_connect::plan::{Done, Note, Plan, What};
use signbell_connect::{Client, Form, Problem};

use super::failure;
use crate::connect::ClientView;
use crate::control::{Failure, FailureKind};
use crate::model::{AccountName, ToolName};

/// Nothing is to be changed.
pub const NOTHING_TO_CHANGE: &str = "Nothing to change: the file says it already.";
/// Every client looks for Signbell where it is.
pub const NOTHING_ELSEWHERE: &str = "Nothing to change: no client’s file leads to a port where Signbell is not.";
/// Before the answer.
pub const ASK: &str = "Write it? [y/N] ";
/// The person said no.
pub const NOT_WRITTEN: &str = "Nothing was written.";
/// Nothing was to be written.
pub const DRY_RUN: &str = "A dry run: nothing was written.";

/// Nothing is to be done with this file.
#[must_use]
pub fn nothing(plan: &Plan) -> String {
    let title = plan.ask.client.title();
    match plan.ask.what {
        What::Connect => NOTHING_TO_CHANGE.to_owned(),
        What::Again => NOTHING_ELSEWHERE.to_owned(),
        What::Undo if plan.left.is_empty() => {
            format!("Nothing to undo: nothing in {} leads to Signbell.", plan.file.display())
        }
        What::Undo => {
            let asked: Vec<_> = plan.ask.services.iter().map(|service| service.name.as_str()).collect();
            format!("Nothing to undo: {title} is not connected to {}, but {}.", listed(&asked), leads(plan))
        }
    }
}

/// `to linear and notion`: the services that stay.
fn leads(plan: &Plan) -> String {
    let left: Vec<_> = plan.left.iter().map(|entry| entry.service.as_str()).collect();
    format!("to {}", listed(&left))
}

/// `linear, notion and me`
fn listed(names: &[&str]) -> String {
    match names {
        [] => String::new(),
        [only] => (*only).to_owned(),
        [all @ .., last] => format!("{} and {last}", all.join(", ")),
    }
}

/// Why a client's file was left alone; `tool` is the one that it was for.
#[must_use]
pub fn problem(problem: &Problem, client: Client, tool: &str, file: Option<&Path>) -> Failure {
    let title = client.title();
    let started = started(client);
    let file = file.map_or_else(|| format!("{title}’s file"), |file| file.display().to_string());
    let (kind, code, message) = match problem {
        Problem::Broken { line, what } => (
            FailureKind::Failed,
            "broken_file",
            format!("{file}, line {line}: {what}. It was left alone; mend it and start this again."),
        ),
        Problem::Shape { what } => (
            FailureKind::Failed,
            "unexpected_shape",
            format!("{what} in {file} is not what {title} expects there, so it was left alone. Look at it by hand."),
        ),
        Problem::ByHand { what } => (
            FailureKind::Failed,
            "by_hand",
            format!(
                "{what} in {file} is written in a way that Signbell can't change without touching the rest, so it was left alone. Change it by hand."
            ),
        ),
        Problem::NotOurs => (
            FailureKind::Failed,
            "not_ours",
            format!("{file} was not written by Signbell, so it was left alone. Move it away and start this again."),
        ),
        Problem::OneOnly => {
            (FailureKind::Usage, "usage", format!("{title} has one registry at a time: name one service."))
        }
        Problem::NoKeyHere => (
            FailureKind::NotAllowed,
            "likely_committed",
            format!(
                "{file} is likely to be committed, and {title} can take its key from nowhere else, so nothing was written. Keep the file outside the git work tree, or use `signbell run --tool {tool} -- {started} …`."
            ),
        ),
        Problem::NoProject => (
            FailureKind::Usage,
            "usage",
            format!(
                "{title} reads no file of a project. Leave --project out: its file in your home folder is written."
            ),
        ),
        Problem::NoSuchForm => {
            (FailureKind::Usage, "usage", format!("{title} can't be connected that way. Leave --stdio and --env out."))
        }
        Problem::Shared => (
            FailureKind::NotAllowed,
            "shared_file",
            format!(
                "Others may read {file}, which lies outside your home folder, so no key was written into it. {} `chmod 600 {file}` makes it yours alone.",
                instead(client)
            ),
        ),
        Problem::Changed => (
            FailureKind::Failed,
            "changed_meanwhile",
            format!("{file} changed after it was shown, so nothing was written. Start this again."),
        ),
        Problem::Io { path, source } => {
            (FailureKind::Failed, "file", format!("{} can't be read or written: {source}.", path.display()))
        }
    };
    failure(kind, code, message)
}

/// What needs no key in the file, as a sentence.
fn instead(client: Client) -> String {
    match (client.takes_program(), client.variable()) {
        (true, Some(_)) => "--stdio and --env need none there.".to_owned(),
        (true, None) => "--stdio needs none there.".to_owned(),
        (false, Some(_)) => "--env needs none there.".to_owned(),
        (false, None) => String::new(),
    }
}

/// The program that is the client.
fn started(client: Client) -> &'static str {
    client.programs().first().copied().unwrap_or_else(|| client.name())
}

/// A name that is no client's.
#[must_use]
pub fn unknown_client(name: &str) -> String {
    let name: String = name.chars().take(40).collect();
    let all: Vec<_> = Client::ALL.iter().map(|client| client.name()).collect();
    format!("{name:?} is no client that Signbell knows; it knows {}", all.join(", "))
}

/// A tool is there, and its key is not.
#[must_use]
pub fn key_unknown(tool: &ToolName, client: Client) -> Failure {
    let mut ways =
        "--rotate gives it a new one (whatever else uses the old one stops), --tool NAME makes another tool".to_owned();
    if client.takes_program() {
        ways.push_str(", --stdio needs no key");
    }
    failure(
        FailureKind::Failed,
        "key_unknown",
        format!("The tool {tool} is there already, and its key was shown once: {ways}."),
    )
}

/// The client's helper is always the same tool.
#[must_use]
pub fn no_other_tool(client: Client) -> Failure {
    let why = match client {
        Client::Kubectl => "kubectl gets the account’s own token, and is no tool of Signbell’s",
        _ => "docker starts its helper by its name alone, so that it is always the tool docker",
    };
    failure(FailureKind::Usage, "usage", format!("{why}. Leave --tool out."))
}

/// No service was named.
#[must_use]
pub fn no_service() -> Failure {
    failure(FailureKind::Usage, "usage", "Name the services: `signbell service list` shows them.")
}

/// Nobody can be asked.
#[must_use]
pub fn needs_yes() -> Failure {
    failure(FailureKind::Usage, "usage", "There is no terminal to ask in. --yes writes what --dry-run shows.")
}

/// kubectl gets the account's own token.
#[must_use]
pub fn token_not_allowed(account: &AccountName) -> Failure {
    failure(
        FailureKind::NotAllowed,
        "token_not_allowed",
        format!(
            "kubectl sends no key over plain http, so it would get {account}’s own token, and you have not allowed that. `signbell account set {account} --allow-token` does."
        ),
    )
}

/// No home folder.
#[must_use]
pub fn no_home() -> Failure {
    failure(FailureKind::Failed, "no_home", "HOME is no absolute path, so the clients’ files can't be found.")
}

/// Something besides the change.
#[must_use]
pub fn note(note: &Note, plan: &Plan, tool: &ToolName) -> String {
    let client = plan.ask.client;
    let (title, file) = (client.title(), plan.file.display());
    match note {
        Note::LikelyCommitted if matches!(plan.form, Form::Program) => format!(
            "{file} is likely to be committed, so no key stands in it: {title} starts `signbell`, which needs none."
        ),
        Note::LikelyCommitted => format!("{file} is likely to be committed, so no key stands in it."),
        Note::NeedsVariable => format!(
            "{title} finds its key in SIGNBELL_KEY: start it with `signbell run --tool {tool} -- {}`.",
            started(client)
        ),
        Note::Renamed { service, called } => format!(
            "{title} has an entry {service} already, which stays; ours is called {called}. Remove the other if both lead to the same."
        ),
        Note::NeedsHelper => format!(
            "Docker finds no docker-credential-signbell in the path, which gives it the key. `ln -s {} ~/.local/bin/docker-credential-signbell` makes it, where that folder is in the path.",
            plan.ask.program
        ),
        Note::Rewrites { service } => format!(
            "rewrite_addresses is turned on for {service}: a registry says where its packages lie, and in what it answers its addresses become Signbell’s. --undo turns it off again."
        ),
        Note::RewritesNoMore { service } => {
            format!(
                "rewrite_addresses is turned off for {service}: it was turned on for this, and nothing else needs it."
            )
        }
        Note::RewritesStill { service } => format!(
            "rewrite_addresses stays on for {service}, since Signbell does not run. When it runs, `signbell service set {service} --rewrite-addresses=no` turns it off."
        ),
        Note::MadePrivate { mode } => {
            format!("Others may read {file} (mode {mode}). A key stands in it, so it becomes yours alone (chmod 600).")
        }
        Note::MadeReadable { mode } => {
            format!("{file} gets its old mode {mode} back: it was yours alone for the key, which goes.")
        }
    }
}

/// What was done.
#[must_use]
pub fn connected(plan: &Plan, done: &Done, tool: Option<&ToolName>) -> String {
    let client = plan.ask.client;
    let services: Vec<_> = plan.ask.services.iter().map(|service| service.name.as_str()).collect();
    let tool = tool.map_or_else(String::new, |tool| format!(", as the tool {tool}"));
    let what = if plan.writes() { "is written" } else { "says so already" };
    format!(
        "Connected {} to {}{tool}: {} {what}.{} {}",
        client.title(),
        listed(&services),
        plan.file.display(),
        kept(done),
        next(plan)
    )
}

/// Where the backup is.
fn kept(done: &Done) -> String {
    let backup = done.backup.as_ref();
    backup.map_or_else(String::new, |backup| format!(" What it said before is in {}.", backup.display()))
}

/// What the person does then.
fn next(plan: &Plan) -> String {
    let (client, file) = (plan.ask.client, &plan.file);
    match client {
        Client::Git => "git clones from the service’s own address as before.".to_owned(),
        Client::Curl => format!("Use it as `curl --config {} ADDRESS`.", file.display()),
        Client::Kubectl => format!("Use it as `KUBECONFIG={} kubectl …`.", file.display()),
        Client::Docker => {
            let port = plan.ask.proxy.rsplit(':').next().unwrap_or_default();
            format!("Use it as `docker pull SERVICE.localhost:{port}/IMAGE`.")
        }
        Client::Npm | Client::Pip => format!("{} installs through Signbell from now on.", client.title()),
        Client::Cargo => "Use it as `cargo add --registry SERVICE CRATE`.".to_owned(),
        _ => format!("Start {} anew.", client.title()),
    }
}

/// What was undone, and what stays.
#[must_use]
pub fn undone(plan: &Plan, done: &Done, tool: Option<&ToolName>) -> String {
    let (title, file) = (plan.ask.client.title(), plan.file.display());
    let gone = listed(&plan.gone());
    if !plan.left.is_empty() {
        let tool = tool.map_or_else(String::new, |tool| format!(" The tool {tool} may still use {gone}."));
        return format!("Disconnected {title} from {gone}; {file} still leads {}.{}{tool}", leads(plan), kept(done));
    }
    let what = if done.removed { "is gone, since Signbell had made it" } else { "says nothing of Signbell any more" };
    let cleared = match (done.uncleared.as_slice(), done.cleared) {
        ([], 0) => String::new(),
        ([_, ..], _) => {
            let files: Vec<_> = done.uncleared.iter().map(|file| file.display().to_string()).collect();
            let files = listed(&files.iter().map(String::as_str).collect::<Vec<_>>());
            format!(" A key still stands in {files}, which can't be changed: remove it by hand.")
        }
        _ => " No key stands in its earlier backups any more.".to_owned(),
    };
    let tool = tool.map_or_else(String::new, |tool| {
        format!(" The tool {tool} and its key are still good: `signbell tool remove {tool}` ends them.")
    });
    format!("Disconnected {title}: {file} {what}.{}{cleared}{tool}", kept(done))
}

/// The client looks for us where we are again.
#[must_use]
pub fn led_back(plan: &Plan, done: &Done) -> String {
    let (title, file, proxy) = (plan.ask.client.title(), plan.file.display(), &plan.ask.proxy);
    format!("{title} looks for Signbell at {proxy} again: {file} is written.{}", kept(done))
}

/// A client's file could not be looked at.
#[must_use]
pub fn not_looked_at(client: Client, why: &str) -> String {
    format!("{} was left out: {why}", client.title())
}

/// Which clients look for us where we are not, and what mends that; nothing where none does.
#[must_use]
pub fn elsewhere(clients: &[ClientView]) -> Option<String> {
    let titles: Vec<_> = clients.iter().filter(|client| !client.elsewhere.is_empty()).map(|it| it.title).collect();
    let look = if titles.len() == 1 { "looks" } else { "look" };
    (!titles.is_empty()).then(|| {
        format!(
            "{} {look} for Signbell at another port than it is at. `signbell connect --again` shows what changes in their files, and mends them.",
            listed(&titles)
        )
    })
}

/// A service in the list of clients that is looked for at the wrong port.
#[must_use]
pub fn at_port(service: &str, port: u16) -> String {
    format!("{service} (port {port})")
}
