//! What was found of a service before it is added, and what it said to the first request.

use url::Url;

use super::labels;
use crate::control::{Found, FoundBy, RegistrationFound};
use crate::model::AccountName;
use crate::provider::FetchError;
use crate::provider::preset::Preset;

/// How the server was found.
#[must_use]
pub fn found_by(by: FoundBy, service: &Url) -> String {
    let host = service.host_str().unwrap_or("The service");
    match by {
        FoundBy::Challenge => format!("Named by {host} itself."),
        FoundBy::WellKnown => format!("Named in the description of {host}."),
        FoundBy::Root => format!("{host} names nobody else, so it is asked itself."),
        FoundBy::Preset => format!("Signbell knows who signs people in at {host}."),
        FoundBy::Given => "As you entered.".into(),
        FoundBy::Account => "Your account is there.".into(),
    }
}

/// How Signbell becomes known to the server, and what the person has to do for it.
#[must_use]
pub fn registration_found(how: RegistrationFound, server: &str, known: Option<&Preset>) -> String {
    match how {
        RegistrationFound::Known => "Signbell is registered there already.".into(),
        RegistrationFound::Given => "By the client ID that you entered.".into(),
        RegistrationFound::Document => "Signbell shows its own public description there.".into(),
        RegistrationFound::Registers => "Signbell registers itself there when you go on.".into(),
        RegistrationFound::NeedsClientId if let Some(known) = known => format!(
            "{} must know Signbell first. Open {} and {}. Then enter the client ID.",
            known.title, known.console, known.create
        ),
        RegistrationFound::NeedsClientId => format!(
            "{server} registers no program by itself. Register Signbell in its developer console, as a desktop or native app, and enter the client ID."
        ),
    }
}

/// Whose tokens the service gets.
#[must_use]
pub fn account_found(account: &AccountName, title: &str, joins: bool) -> String {
    if joins { format!("It joins your account {title}.") } else { format!("A new account, {account}.") }
}

/// What a scope means, if the catalogue knows: the words of its own, or those of its verb.
#[must_use]
pub fn scope_words(scope: &str) -> Option<String> {
    if let Some(words) = labels::of(&format!("scope.{scope}")) {
        return Some(words.to_owned());
    }
    let parts: Vec<&str> = scope.split([':', '.']).collect();
    let is_word = |part: &&str| {
        part.starts_with(|c: char| c.is_ascii_alphabetic())
            && part.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'))
    };
    if parts.len() > 2 || !parts.iter().all(is_word) {
        return None;
    }
    let (at, verb) = parts.iter().enumerate().find_map(|(at, part)| Some((at, verb(part)?)))?;
    match parts.iter().enumerate().find(|(other, _)| *other != at) {
        Some((_, what)) => Some(labels::of(&format!("scope.verb.{verb}"))?.replace("{what}", &spaced(what))),
        None => labels::of(&format!("scope.any.{verb}")).map(str::to_owned),
    }
}

fn verb(part: &str) -> Option<&'static str> {
    Some(match part.to_ascii_lowercase().as_str() {
        "read" | "readonly" => "read",
        "write" => "write",
        "readwrite" => "readwrite",
        "create" => "create",
        "delete" => "delete",
        "admin" | "manage" => "admin",
        _ => return None,
    })
}

/// `MailboxSettings` and `user_data` as words.
fn spaced(what: &str) -> String {
    let mut words = String::new();
    let mut last_small = false;
    for c in what.chars() {
        if matches!(c, '-' | '_') {
            words.push(' ');
        } else {
            if c.is_ascii_uppercase() && last_small {
                words.push(' ');
            }
            words.push(c.to_ascii_lowercase());
        }
        last_small = c.is_ascii_lowercase();
    }
    words
}

/// The service answered as asked. `who` is what it calls itself.
#[must_use]
pub fn first_call_works(host: &str, who: Option<&str>) -> String {
    match who {
        Some(who) => format!("{who} at {host} took your sign-in."),
        None => format!("{host} took your sign-in."),
    }
}

/// The service answered something that is not about the sign-in.
#[must_use]
pub fn first_call_answers(host: &str, status: u16) -> String {
    match status {
        500.. => format!("{host} answered {status}, which is its own trouble and not your sign-in’s. Try again later."),
        300..400 => format!("{host} answered {status}: it sends callers elsewhere, and did not refuse your sign-in."),
        _ => format!("{host} answered {status} at this very address, and did not refuse your sign-in."),
    }
}

/// The service refused the token that was just issued.
#[must_use]
pub fn first_call_refused(host: &str, status: u16, why: Option<&str>) -> String {
    let why = why.map(|why| format!(" {why}")).unwrap_or_default();
    format!(
        "{host} answered {status} to a token that was just issued.{why} Look whether the address, the issuer and the permissions belong to this service."
    )
}

/// Nothing came.
#[must_use]
pub fn first_call_unreachable(host: &str, error: &FetchError) -> String {
    let came = super::came_fetch(error).unwrap_or_else(|| error.to_string());
    format!("{host} could not be asked: {came}. You are signed in all the same; check the address and the network.")
}

/// The lines of `signbell add --dry-run`, each with its heading.
#[must_use]
pub fn found_lines(found: &Found) -> Vec<String> {
    let label = |key| labels::of(key).unwrap_or_default();
    let mut lines = vec![
        format!("{}: {} ({}) {}", label("found.server"), found.server, found.issuer, found.by_words),
        format!("{}: {}", label("found.registration"), found.registration_words),
    ];
    lines.extend(found.redirect.as_ref().map(|redirect| format!("{}: {redirect}", label("found.redirect"))));
    lines.push(format!("{}:", label("found.scopes")));
    for scope in &found.scopes {
        let words = scope.words.as_ref().map(|words| format!("{words} · ")).unwrap_or_default();
        lines.push(format!("  {words}{}", scope.scope));
    }
    if found.scopes.is_empty() {
        lines.push(format!("  {}", label("found.no_scopes")));
    }
    lines.extend(found.preset_title.as_ref().map(|title| format!("{}: {title}", label("found.preset"))));
    lines.push(found.account_words.clone());
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_in_words() {
        for (scope, words) in [
            ("openid", Some("Know who you are")),
            ("offline_access", Some("Renew without you")),
            ("notes:read", Some("Read notes")),
            ("write:issues", Some("Write issues")),
            ("issues.read", Some("Read issues")),
            ("Mail.ReadWrite", Some("Read and write mail")),
            ("MailboxSettings.Read", Some("Read mailbox settings")),
            ("user_data:admin", Some("Manage user data")),
            ("read", Some("Read")),
            ("https://www.googleapis.com/auth/drive", None),
            ("repo", None),
            ("a:b:read", None),
            ("read:<b>", None),
            ("", None),
        ] {
            assert_eq!(scope_words(scope).as_deref(), words, "{scope}");
        }
    }
}
