//! Why a sign-in came to nothing.

use super::{discovery_failed, failure, vault_banner, vault_failure};
use crate::control::{Failure, FailureKind};
use crate::model::AccountName;
use crate::provider::TokenError;
use crate::signin::{AttemptError, CallbackError, SignInError, Stray};

/// A sign-in came to nothing: the sentence. [`super::sign_in_failed`] adds at which step.
pub(super) fn sign_in_said(title: &str, account: &AccountName, error: &SignInError) -> Failure {
    let stands = "What was there before still stands.";
    let again = format!("Try again with `signbell sign-in {account}`.");
    match error {
        SignInError::Discovery(error) => discovery_failed(error),
        SignInError::Attempt(AttemptError::Secret(why)) => vault_failure(why),
        SignInError::Attempt(AttemptError::Pushed(why)) => failure(
            FailureKind::Refused,
            "request_refused",
            format!("{title} did not take the request to sign you in: {why}. {stands} {again}"),
        ),
        SignInError::Attempt(AttemptError::PortTaken(port)) => failure(
            FailureKind::Failed,
            "redirect_port_taken",
            format!(
                "{title} sends you back to port {port} of this machine and nowhere else, and another program has it. End that program, or register another port there and set redirect_port below [providers] in config.toml. {again}"
            ),
        ),
        SignInError::Attempt(AttemptError::Listen(why)) => failure(
            FailureKind::Failed,
            "no_loopback",
            format!("Signing in to {title} could not begin: no free port on 127.0.0.1 ({why}). {again}"),
        ),
        SignInError::Callback(CallbackError::Refused(code)) if code == "access_denied" => failure(
            FailureKind::Refused,
            "access_denied",
            format!("Signing in to {title} was declined in the browser. {stands} {again}"),
        ),
        SignInError::Callback(CallbackError::Refused(code)) => {
            failure(FailureKind::Refused, code, format!("{title} refused the sign-in ({code}). {stands} {again}"))
        }
        SignInError::Callback(CallbackError::OtherIssuer) => failure(
            FailureKind::Refused,
            "other_issuer",
            format!("The answer for {title} came from another server, so it was thrown away. {stands}"),
        ),
        SignInError::Callback(CallbackError::Anonymous) => failure(
            FailureKind::Refused,
            "anonymous_refusal",
            format!(
                "The sign-in to {title} was refused by an answer that does not say which server it comes from, so why is not known. {stands} {again}"
            ),
        ),
        SignInError::ClientForgotten => failure(
            FailureKind::Refused,
            "client_forgotten",
            format!("{title} does not know Signbell's registration any more, not the new one either. {again}"),
        ),
        SignInError::Deadline => failure(
            FailureKind::SignInNeeded,
            "sign_in_deadline",
            format!("Nobody finished signing in to {title} within 10 minutes. {stands} {again}"),
        ),
        SignInError::Cancelled => failure(
            FailureKind::Failed,
            "signed_out_meanwhile",
            format!("The sign-in to {title} was ended before it was done."),
        ),
        SignInError::Attempt(AttemptError::Port { port, why }) => failure(
            FailureKind::Failed,
            "no_loopback",
            format!(
                "Signing in to {title} could not begin: port {port} of 127.0.0.1 can't be had ({why}). Free it, or name another with --port."
            ),
        ),
        SignInError::Device(TokenError::Answer { error: Some(code), .. }) if code == "access_denied" => failure(
            FailureKind::Refused,
            "access_denied",
            format!("Signing in to {title} was declined on the other device. {stands} {again}"),
        ),
        SignInError::Device(TokenError::Answer { error: Some(code), .. }) if code == "expired_token" => failure(
            FailureKind::SignInNeeded,
            "sign_in_deadline",
            format!("The code for {title} ran out before anybody entered it. {stands} {again}"),
        ),
        SignInError::Device(error) => failure(
            FailureKind::Refused,
            "device_refused",
            format!(
                "{title} gave no sign-in on another device: {error}. {stands} Sign in here with `signbell sign-in {account}`."
            ),
        ),
        SignInError::Obtain(TokenError::VoucherNeedsPerson) => failure(
            FailureKind::SignInNeeded,
            "voucher_needs_person",
            format!("The account that vouches for {title} needs you first. {again}"),
        ),
        SignInError::Obtain(TokenError::NotSent(why) | TokenError::NoAnswer(why)) => failure(
            FailureKind::Unavailable,
            "provider_unreachable",
            format!("{title} could not be asked for tokens: {why}. {stands} {again}"),
        ),
        SignInError::Obtain(error) => failure(
            FailureKind::Refused,
            "exchange_failed",
            format!("{title} gave no tokens: {error}. {stands} {}", mend(error, account, &again)),
        ),
        SignInError::Exchange(TokenError::NotSent(_) | TokenError::NoAnswer(_)) => failure(
            FailureKind::Unavailable,
            "provider_unreachable",
            format!("You signed in, but {title} could not be reached for the tokens: {error}. {stands} {again}"),
        ),
        SignInError::Exchange(error) => failure(
            FailureKind::Refused,
            "exchange_failed",
            format!("You signed in, but {title} gave no tokens: {error}. {stands} {}", mend(error, account, &again)),
        ),
        SignInError::Identity(error) => failure(
            FailureKind::Refused,
            "identity",
            format!("You signed in, but who you are at {title} can't be trusted: {error}. {stands}"),
        ),
        SignInError::OtherIdentity { expected, found } => failure(
            FailureKind::Refused,
            "other_identity",
            format!(
                "You signed in as {found}, but {title} belongs to {expected}. {stands} Sign in as {expected}, or add {found} as an account of its own."
            ),
        ),
        SignInError::Unsaved(why) => failure(
            FailureKind::Unavailable,
            "unsaved",
            format!("You are signed in to {title}, but only until Signbell ends. {}", vault_banner(why)),
        ),
    }
}

/// What to do about an answer of the token endpoint.
fn mend(error: &TokenError, account: &AccountName, again: &str) -> String {
    match error {
        TokenError::Answer { error: Some(code), .. } if code == "invalid_client" || code == "unauthorized_client" => {
            format!(
                "It does not take what Signbell shows: give the right client id, secret or key with `signbell provider set {account}`. {again}"
            )
        }
        _ => again.to_owned(),
    }
}

/// A pasted line is no address with an answer in it.
pub const NO_REDIRECT: &str = "That is not the address of the page where the sign-in ended. Paste the whole of it: it has \"state=\" and \"code=\" in it. Still waiting…";

/// A pasted address is not this sign-in's, or not whole; the sign-in goes on.
pub(crate) fn stray_paste(stray: Stray) -> String {
    let why = match stray {
        Stray::State => {
            "That address belongs to another sign-in, or to an earlier try of this one: open the link above again, and paste where that ends."
        }
        Stray::Twice => "That address says a thing twice, as two addresses in one would. Paste it once.",
        Stray::Empty => "That address has neither a code nor an error in it; it was cut short. Paste the whole of it.",
    };
    format!("{why} Still waiting…")
}
