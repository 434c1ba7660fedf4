//! What is said of other programs' sign-ins, and of settings from another machine.
#![expect(missing_docs, reason = "each name says which sentence it is")]

use std::fmt::Display;

use super::failure;
use crate::control::{Conflict, Failure, FailureKind, Merged};
use crate::model::{AccountName, ServiceName, ToolName};

pub const NOTHING_FOUND: &str = "Nothing was found that Signbell could take over. It looks at mcp-remote, gh, gcloud, oidc-agent, email-oauth2-proxy and the configurations of MCP clients; `--from PATH` names another place.";
pub const QUESTION: &str = "Which ones? Numbers with spaces between them, \"all\", or nothing to leave it: ";
pub const NOTHING_TAKEN: &str = "Nothing was taken over.";
pub const HOW_TO_TAKE: &str = "Take some over with `signbell import --take ID`, or all with `--all`.";
pub const SOURCES_UNCHANGED: &str = "The other programs' own files stay as they are.";

pub const UNKNOWN_ADDRESS: &str = "Its folder names the server by a digest only, and no client's configuration has the address. Take it with `--url ADDRESS`.";
pub const NO_SERVICE: &str = "It does not say which web service the account is for. Take it with `--url ADDRESS`.";
pub const OWN_HEADER: &str = "Its client sends a header of its own, which stays in that file.";
pub const CLIENT_ID_NEEDED: &str = "Its provider wants a client id of your own: take it with `--client-id ID --client-secret-stdin`. `signbell provider presets NAME` says where to get them.";

pub const SIGN_IN_ANEW: &str = "You sign in anew; the other program keeps its own sign-in.";
pub const TOKENS_SHARED: &str =
    "With --with-tokens you need not sign in: both programs can go on with the same refresh token.";
pub const TOKENS_MOVE: &str = "With --with-tokens you need not sign in, but the other program will have to the next time: most servers take a refresh token once.";
pub const TOKENS_STAY: &str = "Its token can't be renewed by anybody else and stays where it is.";
pub const TOKENS_SEALED: &str = "Its tokens are encrypted and stay where they are.";

pub fn programs_client(program: &str) -> String {
    format!("The client id is {program}'s own, so the sign-in page shows its name.")
}

pub fn sealed(by: &str) -> String {
    format!("It is encrypted; `{by}` can show what is in it.")
}

pub fn no_person(kind: &str) -> String {
    format!("It is of the kind \"{kind}\", to which nobody signs in; add it with `signbell add --grant`.")
}

pub fn placeholder(key: &str) -> String {
    format!("Its {key} is still the sample's.")
}

pub fn here_already(service: &ServiceName) -> String {
    format!("Here already, as \"{service}\".")
}

pub fn unusable(file: &str, why: &str) -> String {
    format!("{file} is left out: {why}.")
}

pub const NOT_A_FILE: &str = "it is no file";
pub const FOREIGN_OWNER: &str = "it belongs to another user";
pub const WRITABLE_BY_ALL: &str = "every user of this machine may write it";
pub const TOO_LARGE: &str = "it is larger than 16 MiB";
pub const NOT_TEXT: &str = "it is no text";

pub fn not_understood(why: &str) -> String {
    format!("its form is not known ({why})")
}

pub fn unknown_source(text: &str) -> String {
    let text: String = text.chars().take(80).collect();
    format!(
        "\"{text}\" is neither a source (mcp-remote, gh, gcloud, oidc-agent, email-oauth2-proxy, clients) nor a file that `signbell export` wrote"
    )
}

pub fn unknown_id(id: &str) -> Failure {
    let id: String = id.chars().take(80).collect();
    failure(
        FailureKind::Usage,
        "unknown_id",
        format!("Nothing called \"{id}\" was found. `signbell import --dry-run` lists what there is."),
    )
}

pub fn not_whole(id: &str, what: &str) -> Failure {
    failure(FailureKind::Usage, "incomplete", format!("{id} can't be taken over as it is. {what}"))
}

pub fn one_at_a_time(option: &str) -> Failure {
    failure(FailureKind::Usage, "usage", format!("{option} is for one thing at a time: name it with --take."))
}

pub fn bad_name(error: &impl Display) -> Failure {
    failure(FailureKind::Usage, "bad_name", format!("{error}."))
}

pub fn signed_in_already(account: &AccountName) -> Failure {
    failure(
        FailureKind::Failed,
        "signed_in_already",
        format!(
            "\"{account}\" is signed in, so nothing of another program was used. `signbell sign-out {account}` first if you want that."
        ),
    )
}

/// The service is there, the other program's sign-in could not be gone on with.
pub fn not_adopted(account: &AccountName, why: &Failure) -> String {
    format!("{} The service was added; run `signbell sign-in {account}`.", why.message)
}

pub fn failed(id: &str, why: &Failure) -> Failure {
    Failure { message: format!("{id}: {}", why.message), ..why.clone() }
}

pub fn no_export() -> Failure {
    failure(
        FailureKind::Usage,
        "no_export",
        "The file is not one that `signbell export` wrote: it has no `signbell_export` line. Nothing was taken over.",
    )
}

pub fn newer_export() -> Failure {
    failure(
        FailureKind::Failed,
        "newer_export",
        "A newer Signbell wrote the file. Update Signbell here and import it again; nothing was taken over.",
    )
}

pub fn bad_export(why: &str) -> Failure {
    failure(FailureKind::Failed, "bad_export", format!("The file can't be used: {why}. Nothing was taken over."))
}

pub fn export_unusable(file: &str, why: &str) -> Failure {
    failure(FailureKind::Failed, "unusable_file", format!("{file} can't be used: {why}. Nothing was taken over."))
}

pub fn export_missing(file: &str) -> Failure {
    failure(FailureKind::Failed, "no_file", format!("There is no file {file}."))
}

pub fn nothing_there(path: &str) -> Failure {
    failure(
        FailureKind::Failed,
        "no_file",
        format!("There is no file or folder {path}. Name another with --from, or leave it out for the usual place."),
    )
}

pub fn changed_meanwhile() -> Failure {
    failure(
        FailureKind::Failed,
        "changed_meanwhile",
        "The settings here changed meanwhile, so nothing was taken over. Import the file again.",
    )
}

pub fn merged(merged: &Merged) -> String {
    format!(
        "Settings of another machine were added: {} accounts, {} services, {} tools.",
        merged.accounts.len(),
        merged.services.len(),
        merged.tools_new.len()
    )
}

pub const NOTHING_NEW: &str = "All of it is here already. Nothing was changed.";

/// What an import would add, a line each.
pub fn would_add(merged: &Merged) -> Vec<String> {
    let mut lines = Vec::new();
    lines.extend(merged.accounts.iter().map(|name| format!("account  {name}")));
    lines.extend(merged.services.iter().map(|name| format!("service  {name}")));
    lines.extend(merged.tools_new.iter().map(|name| format!("tool     {name}, with a new key")));
    lines.extend(
        merged
            .tools_kept
            .iter()
            .map(|name| format!("tool     {name} is here already and keeps its key and its services")),
    );
    lines
}

pub fn conflict(conflict: &Conflict) -> String {
    let Conflict { kind, name, theirs, ours } = conflict;
    format!("There is another {kind} \"{name}\" here: at {ours}, the file's at {theirs}.")
}

pub const CONFLICT_QUESTION: &str = "[k]eep yours and leave the file's out, [a]dd it under another name, or [s]top? ";
pub const MERGE_QUESTION: &str = "Add these? [y/N] ";

pub fn conflicts(all: &[Conflict]) -> Failure {
    let mut message: Vec<String> = all.iter().map(conflict).collect();
    message.push(
        "Nothing was changed. Choose with --on-conflict keep (the file's are left out) or --on-conflict add (under other names).".to_owned(),
    );
    failure(FailureKind::Failed, "conflict", message.join("\n"))
}

pub fn confirm_with_yes() -> Failure {
    failure(FailureKind::Usage, "usage", "Say --yes to add this without being asked, or --dry-run to only look.")
}

pub fn secret_missing(account: &AccountName) -> String {
    format!(
        "The client secret of {account}'s provider stayed on the other machine. Enter it with `signbell provider set {account} --client-secret-stdin` (or --client-key-file) first."
    )
}

pub fn sign_in_to(accounts: &[AccountName]) -> String {
    let names: Vec<&str> = accounts.iter().map(AccountName::as_str).collect();
    format!("Next: signbell sign-in --all ({})", names.join(", "))
}

pub fn new_key_of(tool: &ToolName) -> String {
    format!("\"{tool}\" has a new key here; put it where the old one was.")
}
