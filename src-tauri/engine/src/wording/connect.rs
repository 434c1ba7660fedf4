//! What `signbell connect` says, here and in the window.

use std::path::Path;

use signbell_connect::plan::Note;
use signbell_connect::{Client, Problem};

use super::failure;
use crate::control::{Failure, FailureKind};
use crate::model::{AccountName, ToolName};

/// Nothing is to be changed.
pub const NOTHING_TO_CHANGE: &str = "Nothing to change: the file says it already.";
/// Nothing of ours is there.
pub const NOTHING_OF_OURS: &str = "Nothing to undo: nothing in the file leads to Signbell.";
/// Before the answer.
pub const ASK: &str = "Write it? [y/N] ";
/// The person said no.
pub const NOT_WRITTEN: &str = "Nothing was written.";
/// Nothing was to be written.
pub const DRY_RUN: &str = "A dry run: nothing was written.";

/// Why a client's file was left alone.
#[must_use]
pub fn problem(problem: &Problem, client: Client, file: Option<&Path>) -> Failure {
    let title = client.title();
    let name = client.name();
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
                "{file} is likely to be committed, and {title} can take its key from nowhere else, so nothing was written. Keep the file outside the git work tree, or use `signbell run --tool {name} -- {name} …`."
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
pub fn note(note: &Note, client: Client, tool: &ToolName) -> String {
    let title = client.title();
    match note {
        Note::LikelyCommitted if client.takes_program() => format!(
            "This file is likely to be committed, so no key stands in it: {title} starts `signbell`, which needs none."
        ),
        Note::LikelyCommitted => {
            format!("This file is likely to be committed, so no key stands in it: {title} takes it from SIGNBELL_KEY.")
        }
        Note::NeedsVariable => {
            format!("{title} finds its key in SIGNBELL_KEY: start it with `signbell run --tool {tool} -- …`.")
        }
        Note::Renamed { service, called } => format!(
            "{title} has an entry {service} already, which stays; ours is called {called}. Remove the other if both lead to the same."
        ),
    }
}

/// What was done.
#[must_use]
pub fn connected(client: Client, file: &Path, backup: Option<&Path>) -> String {
    let kept = backup.map_or_else(String::new, |backup| format!(" What it said before is in {}.", backup.display()));
    format!("Connected {}: {} is written.{kept} {}", client.title(), file.display(), next(client, file))
}

/// What the person does then.
fn next(client: Client, file: &Path) -> String {
    match client {
        Client::Git => "git clones from the service’s own address as before.".to_owned(),
        Client::Curl => format!("Use it as `curl --config {} ADDRESS`.", file.display()),
        Client::Kubectl => format!("Use it as `KUBECONFIG={} kubectl …`.", file.display()),
        Client::Docker => "Docker looks for `docker-credential-signbell` in the path: a link to `signbell`.".to_owned(),
        Client::Npm | Client::Pip => format!("{} installs through Signbell from now on.", client.title()),
        Client::Cargo => "Use it as `cargo add --registry SERVICE CRATE`.".to_owned(),
        _ => format!("Start {} anew.", client.title()),
    }
}

/// What was undone.
#[must_use]
pub fn undone(client: Client, file: &Path, removed: bool, tool: Option<&ToolName>) -> String {
    let what = if removed { "is gone, since Signbell had made it" } else { "says nothing of Signbell any more" };
    let tool = tool.map_or_else(String::new, |tool| {
        format!(" The tool {tool} and its key are still good: `signbell tool remove {tool}` ends them.")
    });
    format!("Disconnected {}: {} {what}.{tool}", client.title(), file.display())
}
