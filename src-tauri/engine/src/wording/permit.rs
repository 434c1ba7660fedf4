//! The words of asking at the screen before programs may do more.

use super::failure;
use super::labels::{fill, say};
use super::language::Language;
use crate::control::{Failure, FailureKind};
use crate::permit::{Act, Offered, Question};
use crate::proxy::Program;

/// What it is about, behind "wants to" and "lets".
fn what(language: Language, act: &Act) -> String {
    match act {
        Act::PrintTokens(account) => fill(language, "permit.print_tokens", &[("account", account.as_str())]),
        Act::Widen { tool, services } => {
            let services: Vec<String> = services.iter().map(|service| offered(language, service)).collect();
            fill(language, "permit.widen", &[("tool", tool.as_str()), ("services", &*services.join(", "))])
        }
        Act::Forward => say(language, "permit.forward").to_owned(),
        Act::ForwardOnce(tool) => fill(language, "permit.forward_once", &[("tool", tool.as_str())]),
        Act::StopAsking(tool) => fill(language, "permit.stop_asking", &[("tool", tool.as_str())]),
    }
}

/// `github (api.github.com, ada)`
fn offered(language: Language, Offered { name, host, account }: &Offered) -> String {
    let Some(host) = host else { return name.clone() };
    let account = account.as_ref().map_or_else(|| say(language, "permit.new_account"), |account| account.as_str());
    format!("{name} ({host}, {account})")
}

/// The activity is in English, whatever the desktop's language.
fn noted(act: &Act) -> String {
    what(Language::En, act)
}

fn who(language: Language, program: Option<&Program>) -> &str {
    let known = program.map(|program| program.title().unwrap_or(&program.name));
    known.unwrap_or_else(|| say(language, "program.unknown"))
}

/// The title of the question: `signbell wants to let script use github (api.github.com, ada) too`.
#[must_use]
pub fn permit_title(language: Language, question: &Question) -> String {
    let what = what(language, &question.act);
    fill(language, "permit.title", &[("program", who(language, question.program.as_deref())), ("what", &*what)])
}

/// What there is to know of it.
#[must_use]
pub fn permit_body(language: Language, question: &Question) -> String {
    match question.program.as_deref() {
        Some(Program { name, pid, parent, path, .. }) => {
            let program = super::program(language, name, Some(*pid), parent.as_deref());
            fill(language, "permit.body", &[("program", &*program), ("path", path)])
        }
        None => say(language, "permit.body.unknown").to_owned(),
    }
}

/// What the command says while it waits.
pub const CLICK_WANTED: &str =
    "Answer the question on your screen: in the tray’s menu, the notification, or the window.";

/// Somebody was asked.
#[must_use]
pub fn permit_asked(program: Option<&Program>, act: &Act) -> String {
    format!("{} wants to {}, and waits for your click", who(Language::En, program), noted(act))
}

/// The person said yes.
#[must_use]
pub fn permit_given(program: Option<&Program>, act: &Act) -> String {
    format!("You let {} {}", who(Language::En, program), noted(act))
}

/// The person said no.
#[must_use]
pub fn permit_refused(program: Option<&Program>, act: &Act) -> String {
    format!("You did not let {} {}", who(Language::En, program), noted(act))
}

/// The person did not come.
#[must_use]
pub fn permit_over(program: Option<&Program>, act: &Act) -> String {
    format!("{} wanted to {}; nobody answered, so it was not done", who(Language::En, program), noted(act))
}

/// To who asked: the person said no.
#[must_use]
pub fn not_permitted() -> Failure {
    failure(FailureKind::NotAllowed, "not_permitted", "You said no at the screen. Nothing was changed.")
}

/// To who asked: the person did not come.
#[must_use]
pub fn nobody_clicked() -> Failure {
    failure(
        FailureKind::NotAllowed,
        "nobody_clicked",
        "Nobody answered the question on the screen. Nothing was changed; try again when you are there.",
    )
}

/// Too many ask at once.
#[must_use]
pub fn too_many_questions() -> Failure {
    failure(
        FailureKind::NotAllowed,
        "too_many_questions",
        "Too many questions wait on the screen already. Answer those, and try again. Nothing was changed.",
    )
}

/// An answer that is no click.
#[must_use]
pub fn click_needed() -> Failure {
    failure(
        FailureKind::NotAllowed,
        "click_needed",
        "Only a click at the screen answers that: in the tray’s menu, the notification, or the window.",
    )
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_service_is_named_with_what_its_name_may_hide() {
        let offered = |name: &str, host: Option<&str>, account: Option<&str>| Offered {
            name: name.into(),
            host: host.map(Into::into),
            account: account.map(|account| account.parse().unwrap()),
        };
        let widen = |services| Act::Widen { tool: "script".parse().unwrap(), services };
        let once = Act::ForwardOnce("script".parse().unwrap());
        let two = vec![offered("gh", Some("api.github.com"), Some("ada")), offered("gone", None, None)];
        let new = vec![offered("notes", Some("evil.example"), None)];
        for (language, act, said) in [
            (Language::En, widen(two), "A program wants to let script use gh (api.github.com, ada), gone too"),
            (
                Language::En,
                widen(new.clone()),
                "A program wants to let script use notes (evil.example, a new account) too",
            ),
            (
                Language::De,
                widen(new),
                "Ein Programm möchte script auch notes (evil.example, ein neues Konto) nutzen lassen",
            ),
            (Language::En, once.clone(), "A program wants to open the forward proxy for one command, as script"),
            (Language::De, once, "Ein Programm möchte den Forward-Proxy für einen Befehl öffnen, als script"),
        ] {
            assert_eq!(permit_title(language, &Question { id: 1, act, program: None }), said);
        }
    }
}
