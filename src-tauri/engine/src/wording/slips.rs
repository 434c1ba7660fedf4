//! What is said where a person mixed something up, or gave something up.
#![expect(missing_docs, reason = "each name says which sentence it is")]

use super::failure;
use crate::control::{Failure, FailureKind, Step};
use crate::model::{AccountName, ProviderName, ServiceName, ToolName};

/// A service's name where an account's is wanted.
pub fn is_a_service(name: &AccountName, account: &AccountName) -> Failure {
    failure(
        FailureKind::Failed,
        "unknown_account",
        format!("\"{name}\" is a service; its account is \"{account}\". Use that name."),
    )
}

/// Another client id would end the sign-ins that the one before has. [`GO_ON_ALL_THE_SAME`] asks at a terminal.
pub fn would_end_sign_ins(provider: &ProviderName, accounts: &[AccountName]) -> Failure {
    let names = accounts.iter().map(|name| format!("\"{name}\"")).collect::<Vec<_>>().join(", ");
    failure(
        FailureKind::NotAllowed,
        WOULD_END_SIGN_INS,
        format!(
            "{names} signed in at {provider} with the client id that it has now, and has to sign in again with another one. Nothing was changed; --yes changes it all the same."
        ),
    )
}

/// The code of that.
pub const WOULD_END_SIGN_INS: &str = "would_end_sign_ins";
pub const GO_ON_ALL_THE_SAME: &str = "Type yes to change it all the same: ";

/// What was changed at a provider, and who has to sign in again for it.
pub fn provider_changed(account: &AccountName, ended: &[AccountName]) -> String {
    let again: String =
        ended.iter().map(|name| format!("\n\"{name}\" has to sign in again: signbell sign-in {name}")).collect();
    format!("Changed \"{account}\".{again}")
}

/// A name that there is none of, and one that looks like it.
pub fn did_you_mean(failure: Failure, nearest: Option<&str>) -> Failure {
    match nearest {
        Some(name) => Failure { message: format!("{} Did you mean \"{name}\"?", failure.message), ..failure },
        None => failure,
    }
}

/// Nobody is asked about a service that the tool may not use.
pub fn nothing_asked_not_granted(tool: &ToolName, service: &ServiceName) -> Failure {
    failure(
        FailureKind::Usage,
        "not_granted",
        format!(
            "Nothing waits: the tool {tool} may not use {service} at all. `signbell tool add {tool} --service {service}` lets it."
        ),
    )
}

/// Nobody is asked about a tool that asks nobody.
pub fn nothing_asked_of(tool: &ToolName) -> Failure {
    failure(
        FailureKind::Usage,
        "not_asked",
        format!(
            "Nothing waits: the tool {tool} asks nobody, so whoever has its key may use its services. `signbell tool set {tool} --confirm` has it ask."
        ),
    )
}

/// The program that waits could type a yes itself, so that counts from the screen alone where there is one.
pub fn allowed_by_click(tool: &ToolName, service: &ServiceName) -> Failure {
    let click = super::click_needed();
    let message = format!("{} A no counts from here too: `signbell tool deny {tool} {service}`.", click.message);
    Failure { message, ..click }
}

/// Accounts that the person signed out of are not signed in to again with all others.
pub fn left_signed_out(accounts: &[AccountName]) -> String {
    let lines = accounts.iter().map(|name| format!("\"{name}\" stays signed out; `signbell sign-in {name}` signs in."));
    lines.collect::<Vec<_>>().join("\n")
}

/// The address is a service's already.
pub fn here_already_failure(service: &ServiceName, account: &AccountName) -> Failure {
    let failure = failure(
        FailureKind::Usage,
        "already_added",
        format!(
            "This address is here already, as the service \"{service}\" with the account \"{account}\". For a second account there say --account NAME; for another tool `signbell tool add NAME --service {service}`."
        ),
    );
    failure.at(Step::Address)
}

/// Renewing brought no token that lives as long as was asked for.
pub fn token_too_short(title: &str, account: &AccountName) -> Failure {
    failure(
        FailureKind::Failed,
        "token_too_short",
        format!(
            "{title} gave no token that lives so long, though it did before. Ask for less with --min-valid, or sign in again with `signbell sign-in {account} --force`."
        ),
    )
}

/// On standard error, beside the token.
pub fn always_shorter(account: &AccountName, seconds: u64) -> String {
    format!("This token lives {seconds} s; tokens of \"{account}\" never live as long as you asked for.")
}

/// While every account is signed in to, one after the other.
pub fn skip_with_enter(account: &AccountName) -> String {
    format!("If the page of \"{account}\" is of no use, press Enter to leave it and go on with the next.")
}

pub fn skipped(account: &AccountName) -> Failure {
    failure(
        FailureKind::SignInNeeded,
        "skipped",
        format!("\"{account}\" was left as it is. Try it again with `signbell sign-in {account}`."),
    )
}
