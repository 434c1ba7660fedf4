//! What is said of the forward proxy.

use super::failure;
use super::refusals::{Refused, refused};
use crate::control::{Failure, FailureKind, Forwarding};
use crate::model::ServiceName;
use crate::proxy::UpstreamError;
use crate::proxy::forward_proxy::{AuthorityError, ForwardRefusal};

/// Several services are where a request goes.
#[must_use]
pub fn several_services(host: &str, services: &[ServiceName]) -> Refused {
    let names: Vec<&str> = services.iter().map(ServiceName::as_str).collect();
    refused(
        "Which service?",
        format!("This tool may use several services at {host}: {}.", names.join(", ")),
        "Register a tool for each of them with `signbell tool add NAME --service SERVICE`, or name the service in the \
         address.",
    )
}

/// A refusal that only the forward proxy gives.
#[must_use]
pub fn forward_refusal(refusal: &ForwardRefusal) -> Refused {
    match refusal {
        ForwardRefusal::NoKey => refused(
            "No tool key",
            "This is Signbell's forward proxy, and the request shows it no tool key.",
            "Set HTTPS_PROXY to http://signbell:KEY@127.0.0.1:PORT, or start the program with `signbell run`.",
        ),
        ForwardRefusal::UnknownKey => refused(
            "Unknown tool key",
            "No tool has the key that the request shows to the forward proxy.",
            "Check the key in HTTPS_PROXY, or make a new one with `signbell tool rotate NAME`.",
        ),
        ForwardRefusal::Off => refused(
            "Forward proxy off",
            "Signbell's forward proxy is off, so nothing goes through it.",
            "Turn it on with `signbell forward on`, or start the program with `signbell run --forward`.",
        ),
        ForwardRefusal::OtherHost => refused(
            "Other host",
            "The request names another host than the tunnel that it is in.",
            "Open a tunnel for each host.",
        ),
        ForwardRefusal::NoAuthority(why) => no_authority_words(why),
        ForwardRefusal::Outside { trouble: UpstreamError::Tool(why), .. } => {
            refused("Bad request body", format!("The request's body can't be read: {why}."), "")
        }
        ForwardRefusal::Outside { host, trouble } => {
            refused("No connection", format!("{host} gave no answer: {trouble}."), "")
        }
        ForwardRefusal::Loop => refused(
            "Loop",
            "The forward proxy was asked to lead to Signbell itself.",
            "Use Signbell's address directly.",
        ),
    }
}

fn no_authority_words(why: &AuthorityError) -> Refused {
    let detail = match why {
        AuthorityError::Vault(why) => super::vault_banner(why),
        why => format!("The forward proxy has no authority of its own: {why}."),
    };
    refused("No authority", detail, "Try again in a moment; `signbell forward status` says how it stands.")
}

/// There is no authority to turn the forward proxy on with, or to run a program with.
#[must_use]
pub fn no_authority(why: &AuthorityError) -> Failure {
    let kind = match why {
        AuthorityError::Vault(_) => FailureKind::Unavailable,
        AuthorityError::Certificate(_) | AuthorityError::File(_) => FailureKind::Failed,
    };
    failure(kind, "no_authority", format!("{} The forward proxy can't be used.", no_authority_words(why).detail))
}

/// The person turned it on or off.
#[must_use]
pub fn forwarding_turned(on: bool) -> String {
    match on {
        true => "The forward proxy was turned on: tools may go through it with their key.".into(),
        false => "The forward proxy was turned off.".into(),
    }
}

/// The question before it is turned on.
pub const TURN_FORWARDING_ON: &str = "Turn the forward proxy on? Programs that show a tool's key can then use HTTPS_PROXY: the hosts of that tool's services are opened with an authority of this machine's own, and the sign-in is put in. Nothing is added to the system's trust store. Type yes to go on:";

/// Beside the proxy's own state.
pub const FORWARDING_ON: &str = "The forward proxy is on (`signbell forward status`).";

/// Nobody said yes.
#[must_use]
pub fn forwarding_unconfirmed() -> Failure {
    failure(
        FailureKind::NotAllowed,
        "not_confirmed",
        "The forward proxy stays off. `signbell forward on` asks at a terminal; in a script add --yes.",
    )
}

/// How it stands.
#[must_use]
pub fn forwarding_stands(forwarding: &Forwarding) -> String {
    if !forwarding.on {
        return "The forward proxy is off. Turn it on with `signbell forward on`, or start one program with `signbell run --forward`.".into();
    }
    let hosts: Vec<&str> = forwarding.hosts.iter().map(String::as_str).collect();
    let opened = match hosts.as_slice() {
        [] => "No service is reached by https yet, so no host is opened.".to_owned(),
        hosts => format!("Opened for the tools that may use their services: {}.", hosts.join(", ")),
    };
    format!(
        "The forward proxy is on, at {}. {opened} Everything else passes through unseen. \
         `signbell run --tool NAME -- COMMAND` sets a program up for it.",
        forwarding.address
    )
}

/// What a person can do to make a program trust it.
#[must_use]
pub fn trust_forwarding(forwarding: &Forwarding) -> String {
    let Some(file) = &forwarding.certificate else {
        let off = if forwarding.on { "" } else { "The forward proxy is off. " };
        return format!("{off}There is no authority to trust yet. `signbell forward on` makes one.");
    };
    let address = forwarding.address.trim_start_matches("http://");
    let off = match forwarding.on {
        true => "",
        false => "The forward proxy is off: nothing of this works until you turn it on with `signbell forward on`.\n",
    };
    format!(
        "{off}`signbell run --tool NAME -- COMMAND` does all of this by itself, for one run.\n\
         To set a program up by hand, give it these; KEY is the key of its tool:\n  \
         HTTPS_PROXY=http://signbell:KEY@{address}\n  \
         NODE_EXTRA_CA_CERTS={file}   (Node adds it to its own)\n\
         Programs that read one file of authorities (SSL_CERT_FILE, CURL_CA_BUNDLE, REQUESTS_CA_BUNDLE, GIT_SSL_CAINFO) \
         need the system's and this one together:\n  \
         cat /etc/ssl/certs/ca-certificates.crt {file} > my-authorities.pem\n\
         The authority vouches for the hosts of your services only; where you add one at another host, the file is \
         written anew.\n\
         Signbell adds nothing to the system's trust store, and you need not either. If the whole machine is to trust \
         it all the same:\n  \
         sudo cp {file} /usr/local/share/ca-certificates/signbell.crt && sudo update-ca-certificates   (Debian)\n  \
         sudo trust anchor {file}   (Fedora)"
    )
}
