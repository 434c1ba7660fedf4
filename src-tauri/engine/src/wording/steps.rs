//! Where on the way from an address to a working service something failed, and what came back there.

use super::labels;
use crate::control::{Failure, Step};
use crate::model::AccountName;
use crate::provider::register::RegisterError;
use crate::provider::resource::ResourceError;
use crate::provider::{FetchError, MetadataError, TokenError};
use crate::signin::{AttemptError, CallbackError, IdentityError, SignInError};

/// What a step is called: `The token endpoint`.
#[must_use]
pub fn step(step: Step) -> &'static str {
    labels::of(step_key(step)).unwrap_or_default()
}

/// Its key among the window's labels.
#[must_use]
pub fn step_key(step: Step) -> &'static str {
    match step {
        Step::Address => "step.address",
        Step::Service => "step.service",
        Step::Server => "step.server",
        Step::Registration => "step.registration",
        Step::SignInPage => "step.sign-in-page",
        Step::Callback => "step.callback",
        Step::Token => "step.token",
        Step::Identity => "step.identity",
        Step::Saving => "step.saving",
        Step::FirstCall => "step.first-call",
    }
}

/// At which step it failed and what came back, as a line below the sentence; nothing where neither is known.
#[must_use]
pub fn at_step(failure: &Failure) -> Option<String> {
    match (failure.step.map(step), &failure.came) {
        (Some(step), Some(came)) => Some(format!("At this step: {step}. What came back: {came}.")),
        (Some(step), None) => Some(format!("At this step: {step}.")),
        (None, Some(came)) => Some(format!("What came back: {came}.")),
        (None, None) => None,
    }
}

/// A sign-in came to nothing.
#[must_use]
pub fn sign_in_failed(title: &str, account: &AccountName, error: &SignInError) -> Failure {
    let said = super::sign_ins::sign_in_said(title, account, error);
    let (step, came) = sign_in_step(error);
    match step {
        Some(step) => said.at(step).came(came),
        None => said,
    }
}

fn sign_in_step(error: &SignInError) -> (Option<Step>, Option<String>) {
    let (step, came) = match error {
        SignInError::Discovery(error) => (Step::Server, came_metadata(error)),
        SignInError::Attempt(AttemptError::Pushed(why)) => (Step::SignInPage, Some(why.clone())),
        SignInError::Attempt(AttemptError::Listen(_) | AttemptError::Port { .. } | AttemptError::PortTaken(_)) => {
            (Step::Callback, None)
        }
        SignInError::Attempt(AttemptError::Secret(_)) => (Step::Saving, None),
        SignInError::Callback(CallbackError::Refused(code)) => (Step::SignInPage, Some(code.clone())),
        SignInError::Callback(CallbackError::OtherIssuer) => (Step::Callback, Some("another server's answer".into())),
        SignInError::Callback(CallbackError::Anonymous) => (Step::Callback, Some("an error in nobody's name".into())),
        SignInError::ClientForgotten => (Step::SignInPage, Some("invalid_client".into())),
        SignInError::Deadline => (Step::SignInPage, Some(NOTHING.into())),
        SignInError::Cancelled => return (None, None),
        SignInError::Device(error) => (Step::SignInPage, came_token(error)),
        SignInError::Exchange(error) | SignInError::Obtain(error) => (Step::Token, came_token(error)),
        SignInError::Identity(IdentityError::Userinfo(error)) => (Step::Identity, came_fetch(error)),
        SignInError::Identity(error) => (Step::Identity, Some(error.to_string())),
        SignInError::OtherIdentity { found, .. } => (Step::Identity, Some(found.clone())),
        SignInError::Unsaved(_) => (Step::Saving, None),
    };
    (Some(step), came)
}

const NOTHING: &str = "nothing";

/// What came back of a request of our own.
#[must_use]
pub fn came_fetch(error: &FetchError) -> Option<String> {
    Some(match error {
        FetchError::Insecure(_) => return None,
        FetchError::NotSent { why, .. } => format!("no connection ({why})"),
        FetchError::NoAnswer { why, .. } => format!("no answer ({why})"),
        FetchError::TooLarge { .. } => "more than 1 MiB".into(),
        FetchError::Status { status, .. } => status.to_string(),
        FetchError::NotJson { .. } => "200, but no JSON".into(),
    })
}

/// What came back instead of a service's metadata.
#[must_use]
pub fn came_resource(error: &ResourceError) -> Option<String> {
    match error {
        ResourceError::Fetch(error) => came_fetch(error),
        ResourceError::OtherResource { named, .. } => Some(named.clone()),
        ResourceError::Unsafe(address) => Some(address.clone()),
        ResourceError::Malformed(why) => Some(why.clone()),
    }
}

/// What came back instead of a server's metadata.
#[must_use]
pub fn came_metadata(error: &MetadataError) -> Option<String> {
    match error {
        MetadataError::Fetch(error) => came_fetch(error),
        MetadataError::Absent(_) => Some("no description".into()),
        MetadataError::Malformed { why, .. } => Some(why.clone()),
        MetadataError::OtherIssuer { named, .. } => Some(named.clone()),
        MetadataError::UnsafeEndpoint { endpoint, .. } => Some(format!("an unsafe {endpoint}")),
        MetadataError::NoPkce(_) => Some("no S256".into()),
    }
}

/// What came back instead of a registration.
#[must_use]
pub fn came_register(error: &RegisterError) -> Option<String> {
    match error {
        RegisterError::NotOffered(_) | RegisterError::Key(_) => None,
        RegisterError::Fetch(error) => came_fetch(error),
        RegisterError::Refused { status, error, .. } => Some(status_and(*status, error.as_deref())),
        RegisterError::Malformed { why, .. } => Some(why.clone()),
    }
}

/// What came back instead of tokens.
#[must_use]
pub fn came_token(error: &TokenError) -> Option<String> {
    Some(match error {
        // Nothing was sent: of our own accord, or for want of a connection, which the text says then.
        TokenError::NotSent(why) => why.clone(),
        TokenError::NoAnswer(why) => format!("no answer ({why})"),
        TokenError::Answer { status, error, .. } => status_and(*status, error.as_deref()),
        TokenError::Blank => "400 without a word".into(),
        TokenError::Nonsense(what) => what.clone(),
        TokenError::VoucherNeedsPerson => return None,
    })
}

fn status_and(status: u16, error: Option<&str>) -> String {
    error.map_or_else(|| status.to_string(), |error| format!("{status} {error}"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::vault::VaultError;

    #[test]
    fn every_step_has_a_name() {
        for one in Step::ALL {
            assert!(!step(one).is_empty(), "{one:?}");
            let text = serde_json::to_value(one).unwrap();
            assert_eq!(text.as_str().map(|text| format!("step.{text}")).as_deref(), Some(step_key(one)));
        }
    }

    #[test]
    fn a_failed_sign_in_says_where_and_what_came() {
        let answer = TokenError::Answer { status: 401, error: Some("invalid_client".into()), retry_after: None };
        let host = || "as.test".to_owned();
        for (error, step, came) in [
            (SignInError::Exchange(answer), Some(Step::Token), Some("401 invalid_client")),
            (SignInError::Exchange(TokenError::NoAnswer("cut".into())), Some(Step::Token), Some("no answer (cut)")),
            (
                SignInError::Callback(CallbackError::Refused("access_denied".into())),
                Some(Step::SignInPage),
                Some("access_denied"),
            ),
            (SignInError::Callback(CallbackError::OtherIssuer), Some(Step::Callback), Some("another server's answer")),
            (SignInError::Deadline, Some(Step::SignInPage), Some("nothing")),
            (
                SignInError::Discovery(FetchError::Status { host: host(), status: 503 }.into()),
                Some(Step::Server),
                Some("503"),
            ),
            (
                SignInError::Identity(FetchError::NotJson { host: host() }.into()),
                Some(Step::Identity),
                Some("200, but no JSON"),
            ),
            (SignInError::Unsaved(VaultError::Locked), Some(Step::Saving), None),
            (SignInError::Cancelled, None, None),
        ] {
            let failure = sign_in_failed("Linear", &"linear".parse().unwrap(), &error);
            assert_eq!((failure.step, failure.came.as_deref()), (step, came), "{error:?}");
            assert_eq!(at_step(&failure).is_some(), step.is_some());
        }
    }

    #[test]
    fn the_first_step_that_is_named_stays() {
        let failure = super::super::not_running().at(Step::Token).at(Step::Saving).came(None).came(Some("x".into()));
        assert_eq!((failure.step, failure.came.as_deref()), (Some(Step::Token), Some("x")));
    }
}
