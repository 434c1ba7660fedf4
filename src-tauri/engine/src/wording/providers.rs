//! What a person must do at a provider before Signbell can sign in there.

use url::Url;

use super::failure;
use crate::control::{Failure, FailureKind, Step};
use crate::provider::preset::{Preset, SecretRule};

/// Nobody has told us a client id, and the provider gives none by itself.
#[must_use]
pub fn client_id_needed(known: &Preset) -> Failure {
    let secret = match known.secret {
        SecretRule::Needed => " and --client-secret-stdin, which reads the client secret",
        SecretRule::Optional => " (and --client-secret-stdin where it gave you a client secret)",
        SecretRule::None => "",
    };
    failure(
        FailureKind::Usage,
        "client_id_needed",
        format!(
            "{title} must know Signbell before it signs you in. Open {console} and {create}. Enter {redirect} as redirect where it asks for one, then run this again with --client-id{secret}.",
            title = known.title,
            console = known.console,
            create = known.create,
            redirect = known.redirect,
        ),
    )
    .at(Step::Registration)
}

/// The provider takes no client without its secret.
#[must_use]
pub fn client_secret_needed(known: &Preset) -> Failure {
    failure(
        FailureKind::Usage,
        "client_secret_needed",
        format!(
            "{} gives no tokens without the client secret, of a desktop program too. Copy it at {} and run this again with --client-secret-stdin.",
            known.title, known.console,
        ),
    )
    .at(Step::Registration)
}

/// A service that is not of the provider names it as the one that signs people in there.
#[must_use]
pub fn provider_needs_naming(service: &Url, issuer: Option<&Url>, known: &Preset) -> Failure {
    let host = service.host_str().unwrap_or("This service");
    failure(
        FailureKind::NotAllowed,
        "provider_needs_naming",
        format!(
            "{host} says that {title} signs you in there. A token of {title} opens {title}'s own API too, so {host} could use it in your name. If you trust {host} with that, run this again with --issuer {issuer}.",
            title = known.title,
            issuer = issuer.map(Url::as_str).unwrap_or_default(),
        ),
    )
}

/// Each organisation has an issuer of its own there.
#[must_use]
pub fn issuer_of_preset_needed(known: &Preset, name: &str) -> Failure {
    let forms: Vec<&str> = known.issuers.iter().map(crate::provider::preset::Pattern::as_str).collect();
    failure(
        FailureKind::Usage,
        "issuer_needed",
        format!(
            "Every organisation has its own address at {}. Add --issuer and yours to --provider-preset {name}: {}.",
            known.title,
            forms.join(" or "),
        ),
    )
}

/// The preset knows another server's addresses, not those of this issuer.
#[must_use]
pub fn preset_of_another(known: &Preset, issuer: &Url) -> Failure {
    failure(
        FailureKind::Usage,
        "preset_of_another",
        format!(
            "What Signbell knows of {title} is about {title}'s own server, not about {issuer}. Leave --provider-preset out; where {issuer} does not describe itself, set authorization_endpoint and token_endpoint below [providers] in config.toml.",
            title = known.title,
        ),
    )
}

/// There is no such provider preset.
#[must_use]
pub fn unknown_provider_preset(name: &str) -> Failure {
    failure(
        FailureKind::Failed,
        "unknown_preset",
        format!("There is no provider preset {name:?}. `signbell provider presets` lists those there are."),
    )
}

/// How a person begins at a provider, in lines: where to register, what to enter, what to mind.
#[must_use]
pub fn about_provider(known: &Preset) -> String {
    let secret = match known.secret {
        SecretRule::Needed => "needed, with --client-secret-stdin",
        SecretRule::Optional => "as the provider gives one or not",
        SecretRule::None => "none",
    };
    let mut lines = vec![
        known.title.clone(),
        format!("  Register: open {} and {}.", known.console, known.create),
        format!("  Redirect: {}", known.redirect),
        format!("  Client secret: {secret}"),
    ];
    if !known.scopes.default.is_empty() {
        lines.push(format!("  Asks for: {} (unless you name scopes with --scope)", known.scopes.default));
    }
    lines.extend(known.notes.iter().map(|note| format!("  - {note}")));
    lines.join("\n")
}
