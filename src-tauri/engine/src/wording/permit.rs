//! The words of asking at the screen before programs may do more.

use super::{UNKNOWN_PROGRAM, failure};
use crate::control::{Failure, FailureKind};
use crate::permit::{Act, Question};
use crate::proxy::Program;

/// What it is about, behind "wants" and "lets".
fn what(act: &Act) -> String {
    match act {
        Act::PrintTokens(account) => format!("print the tokens of {account}"),
        Act::Widen { tool, services } => format!("let {tool} use {} too", services.join(", ")),
        Act::Forward => "turn the forward proxy on".into(),
        Act::StopAsking(tool) => format!("no longer ask you about the programs that use {tool}"),
    }
}

fn who(program: Option<&Program>) -> &str {
    program.map_or(UNKNOWN_PROGRAM, |program| program.title().unwrap_or(&program.name))
}

/// The title of the question: `signbell wants to let script use github too`.
#[must_use]
pub fn permit_title(question: &Question) -> String {
    format!("{} wants to {}", who(question.program.as_deref()), what(&question.act))
}

/// What there is to know of it.
#[must_use]
pub fn permit_body(question: &Question) -> String {
    let asks = match question.program.as_deref() {
        Some(Program { name, pid, parent, path, .. }) => {
            format!("It is {}: {path}.", super::program(name, Some(*pid), parent.as_deref()))
        }
        None => "The system does not say which program it is.".into(),
    };
    format!("{asks} If you did not start this yourself, say no.")
}

/// What the command says while it waits.
pub const CLICK_WANTED: &str =
    "Answer the question on your screen: in the tray’s menu, the notification, or the window.";

/// Somebody was asked.
#[must_use]
pub fn permit_asked(program: Option<&Program>, act: &Act) -> String {
    format!("{} wants to {}, and waits for your click", who(program), what(act))
}

/// The person said yes.
#[must_use]
pub fn permit_given(program: Option<&Program>, act: &Act) -> String {
    format!("You let {} {}", who(program), what(act))
}

/// The person said no.
#[must_use]
pub fn permit_refused(program: Option<&Program>, act: &Act) -> String {
    format!("You did not let {} {}", who(program), what(act))
}

/// The person did not come.
#[must_use]
pub fn permit_over(program: Option<&Program>, act: &Act) -> String {
    format!("{} wanted to {}; nobody answered, so it was not done", who(program), what(act))
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
