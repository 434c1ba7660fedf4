//! What is said where a person mixed something up, or gave something up.
#![expect(missing_docs, reason = "each name says which sentence it is")]

use super::failure;
use crate::control::{Failure, FailureKind, Step};
use crate::model::{AccountName, ServiceName};

/// A service's name where an account's is wanted.
pub fn is_a_service(name: &AccountName, account: &AccountName) -> Failure {
    failure(
        FailureKind::Failed,
        "unknown_account",
        format!("\"{name}\" is a service; its account is \"{account}\". Use that name."),
    )
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
