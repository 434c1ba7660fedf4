//! What an authorization server does that the person must know: how a sign-out went there, and that a
//! service names another one.

use url::Url;

use super::failure;
use crate::control::{Failure, FailureKind};
use crate::model::{AccountName, ServiceName};
use crate::provider::Revocation;

/// What became of a session at its provider.
#[must_use]
pub fn at_provider(revocation: Revocation) -> String {
    match revocation {
        Revocation::Nothing => "Nobody was signed in, so the provider was not asked.",
        Revocation::Revoked => "The provider has revoked the session.",
        Revocation::Gone => "The provider no longer knew the session.",
        Revocation::NotOffered => {
            "The provider offers no revocation: end the session on its website if it shall be gone there too."
        }
        Revocation::Refused => "The provider refused to revoke the session and may still list it: look on its website.",
        Revocation::Unreachable => {
            "The provider could not be reached, so it still lists the session: end it on its website."
        }
    }
    .into()
}

/// The person signed out.
#[must_use]
pub fn signed_out(title: &str, at_provider: &str) -> String {
    format!("Signed out of {title}. {at_provider}")
}

/// A service that we know now names another authorization server (D7).
#[must_use]
pub fn server_moved(service: &ServiceName, was: &Url, now: &Url) -> String {
    format!(
        "{service} now sends people to {now} to sign in, and not to {was}. Nothing of your sign-in goes there. If you know it and want to go on, run `signbell service move {service} {now}`"
    )
}

/// The same to whoever wanted to sign in.
#[must_use]
pub fn server_moved_failure(service: &ServiceName, was: &Url, now: &Url) -> Failure {
    failure(FailureKind::Refused, "server_moved", format!("{}.", server_moved(service, was, now)))
}

/// The person took the new server.
#[must_use]
pub fn moved(service: &ServiceName, account: &AccountName, now: &Url) -> String {
    format!("{service} signs in at {now} from now on, with the account {account}")
}

/// A service names other servers than the one that the person wrote out.
#[must_use]
pub fn not_named(service: &ServiceName, wanted: &Url, named: &[Url]) -> Failure {
    let named: Vec<&str> = named.iter().map(Url::as_str).collect();
    let names = if named.is_empty() { "no server at all".to_owned() } else { named.join(", ") };
    failure(
        FailureKind::Refused,
        "server_not_named",
        format!("{service} does not send people to {wanted} to sign in: it names {names}. Nothing was changed."),
    )
}

/// `--resource` is no resource.
#[must_use]
pub fn bad_resource(given: &str) -> Failure {
    let given: String = given.chars().take(200).collect();
    failure(
        FailureKind::Usage,
        "bad_resource",
        format!(
            "{given:?} can't be a resource: it must be a whole address like https://mcp.example.com/mcp, without a #."
        ),
    )
}

/// What was asked for and not granted, after a sign-in.
#[must_use]
pub fn not_granted(scopes: &[String]) -> String {
    format!("Asked for and not granted: {}.", scopes.join(", "))
}

/// The service is where the person wants to move it.
#[must_use]
pub fn not_moved(service: &ServiceName, issuer: &Url) -> Failure {
    failure(FailureKind::Usage, "not_moved", format!("{service} uses {issuer} already, so nothing was changed."))
}
