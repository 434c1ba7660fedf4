//! What a tool is told when Signbell itself answers.

use crate::proxy::{Refusal, UpstreamError};
use crate::session::state::Unready;

/// An answer's words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// A few words.
    pub title: &'static str,
    /// What happened, to whom.
    pub detail: String,
    /// What mends it; empty where nothing does.
    pub remedy: String,
}

pub(super) fn refused(title: &'static str, detail: impl Into<String>, remedy: impl Into<String>) -> Refused {
    Refused { title, detail: detail.into(), remedy: remedy.into() }
}

/// The words of a refusal.
#[must_use]
pub fn refusal(refusal: &Refusal) -> Refused {
    match refusal {
        Refusal::NoKey => refused(
            "No tool key",
            "This is Signbell's local proxy, and the request carries no tool key.",
            "Register the tool with `signbell tool add NAME --service SERVICE` and send its key as a bearer token.",
        ),
        Refusal::UnknownKey => refused(
            "Unknown tool key",
            "No tool has this key.",
            "Check the key, or make a new one with `signbell tool rotate NAME`.",
        ),
        Refusal::TooManyGuesses(_) => {
            refused("Too many requests", "The same unknown key came again and again.", "Check the tool's key.")
        }
        Refusal::NotGranted { tool, service } => refused(
            "Service not granted",
            format!("The tool {tool} may not use {service}."),
            format!("Allow it with `signbell tool add {tool} --service {service}`."),
        ),
        Refusal::ForeignHost => refused(
            "Wrong host",
            "The Host of this request is not Signbell's own.",
            "Use the address that `signbell service list` shows.",
        ),
        Refusal::WebPage => {
            refused("Not for web pages", "Signbell serves programs of this machine, not web pages.", String::new())
        }
        Refusal::ForeignUser => {
            refused("Not for other users", "Another user of this machine runs this Signbell.", String::new())
        }
        Refusal::UnknownService(service) => refused(
            "Unknown service",
            format!("There is no service {}.", service.chars().take(40).collect::<String>()),
            "`signbell service list` shows those there are.",
        ),
        Refusal::Reserved => refused(
            "No authorization server",
            "Signbell signs in for you; this tool needs no OAuth of its own.",
            "Give the tool its Signbell key as a bearer token, and sign in with `signbell sign-in --all`.",
        ),
        Refusal::BadTarget(why) => {
            refused("Bad request target", format!("The address can't be used: {why}."), String::new())
        }
        Refusal::Trace => refused("No TRACE", "TRACE would show the token.", String::new()),
        Refusal::Paused => refused("Paused", "Signbell is paused.", "Choose Resume in its tray menu or window."),
        Refusal::PointsAtUs(service) => refused(
            "Loop",
            format!("The service {service} points at Signbell itself."),
            format!("Correct its `url` below [services.{service}] in config.toml."),
        ),
        Refusal::Session { account, name, why, .. } => session(account, name.as_str(), why),
        Refusal::Scopes { account, name, scopes, .. } => refused(
            "More permissions needed",
            match scopes.is_empty() {
                true => format!("{account} wants a permission for this that the sign-in does not have."),
                false => format!("{account} wants permissions for this that the sign-in does not have: {scopes}."),
            },
            format!(
                "Allow them from Signbell's notification or window, or run `signbell sign-in {name} --scope SCOPE`."
            ),
        ),
        Refusal::SignInWanted { account, name, .. } => refused(
            "Sign-in needed",
            format!("{account} wants you to sign in again."),
            format!("Sign in from Signbell's notification or menu, or run `signbell sign-in {name}`."),
        ),
        Refusal::Renewed { account } => refused(
            "Token renewed",
            format!("{account} refused the token, which is renewed now. The request was not sent twice."),
            "Send it again.",
        ),
        Refusal::Upstream { trouble: UpstreamError::Tool(why), .. } => {
            refused("Bad request body", format!("The request's body can't be read: {why}."), String::new())
        }
        Refusal::Upstream { service, trouble } => {
            refused("Upstream trouble", format!("{service} gave no answer: {trouble}."), String::new())
        }
        Refusal::BadLocation(service) => refused(
            "Bad upstream address",
            format!("{service} answered with an address that must not be followed."),
            String::new(),
        ),
        Refusal::NotConfirmed { program, wish } => refused(
            "Not allowed by the person",
            format!("{program} may not use {} with the key of {}: you said no.", wish.service, wish.tool),
            "It asks again after an hour.",
        ),
        Refusal::ConfirmationNeeded { program, wish } => refused(
            "Waiting for the person",
            format!(
                "{program} wants to use {} with the key of {}, and you have not said yet whether it may.",
                wish.service, wish.tool
            ),
            format!(
                "Answer in Signbell's notification or window, or run `signbell tool allow {} {}`.",
                wish.tool, wish.service
            ),
        ),
        Refusal::UnusableToken => {
            refused("Unusable token", "The provider's token can't be sent in a header.", String::new())
        }
        Refusal::SeveralServices { host, services } => super::several_services(host, services),
        Refusal::Forward(why) => super::forward_refusal(why),
    }
}

fn session(account: &str, name: &str, why: &Unready) -> Refused {
    let sign_in = format!("Sign in from Signbell's notification or menu, or run `signbell sign-in {name}`.");
    match why {
        Unready::NeedsPerson(reason) => refused(
            "Sign-in needed",
            format!("{account} needs you to sign in: {}", super::story::reason(*reason)),
            sign_in,
        ),
        Unready::SignedOut => refused("Signed out", format!("{account} is signed out."), sign_in),
        Unready::RefreshDidNotHelp => {
            refused("Token refused", format!("{account} refuses a token that was just renewed."), sign_in)
        }
        Unready::Vault(why) => refused("Keyring unavailable", super::vault_banner(why), String::new()),
        Unready::Provider { cause, .. } => refused(
            "Provider unavailable",
            format!("{account} can't be renewed now: {}. You are still signed in.", super::story::cause(cause)),
            "Try again in a moment.",
        ),
    }
}
