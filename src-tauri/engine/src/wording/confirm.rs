//! The words of asking whether a program may use a service.

use super::failure;
use crate::confirm::{Answer, Question, Wish};
use crate::control::{Failure, FailureKind};
use crate::model::ToolName;
use crate::proxy::Program;

/// A program that the system does not name.
pub const UNKNOWN_PROGRAM: &str = "A program";

/// The title of the question: `Claude Code wants to use linear`.
#[must_use]
pub fn confirm_title(question: &Question) -> String {
    let who = question.program.as_deref().map_or(UNKNOWN_PROGRAM, |program| program.title().unwrap_or(&program.name));
    format!("{who} wants to use {}", question.wish.service)
}

/// What there is to know of it.
#[must_use]
pub fn confirm_body(question: &Question) -> String {
    let Wish { tool, path, .. } = &question.wish;
    match question.program.as_deref() {
        Some(Program { name, pid, parent, .. }) => {
            let program = super::program(name, Some(*pid), parent.as_deref());
            format!("It shows the key of {tool}. It is {program}: {path}.")
        }
        None => format!("It shows the key of {tool}. The system does not say which program it is."),
    }
}

/// A tool's settings were changed.
#[must_use]
pub fn tool_set(tool: &ToolName, confirm: Option<bool>) -> String {
    match confirm {
        Some(true) => format!("Programs that use {tool} are asked about once from now on"),
        Some(false) => format!("Programs that use {tool} are no longer asked about"),
        None => format!("Tool {tool} was changed"),
    }
}

/// Somebody was asked.
#[must_use]
pub fn confirm_asked(program: &str, wish: &Wish) -> String {
    format!("{program} wants to use {} as {}, and waits for your answer", wish.service, wish.tool)
}

/// Nobody answered.
#[must_use]
pub fn confirm_over(program: &str, wish: &Wish) -> String {
    format!("{program} stopped waiting for your answer on {}", wish.service)
}

/// The person answered.
#[must_use]
pub fn confirm_answered(question: &Question, answer: Answer) -> String {
    let program = question.program.as_deref().map_or(UNKNOWN_PROGRAM, |program| &program.name);
    let Wish { tool, service, .. } = &question.wish;
    match answer {
        Answer::Always => format!("{program} may use {service} as {tool} from now on"),
        Answer::Hour => format!("{program} may use {service} as {tool} for an hour"),
        Answer::No => format!("{program} may not use {service} as {tool}"),
    }
}

/// The question is not open any more.
#[must_use]
pub fn not_asked_any_more() -> Failure {
    failure(FailureKind::Usage, "not_asked", "Nothing waits for that answer any more. The next request asks again.")
}

/// "Always" needs a path to remember.
#[must_use]
pub fn no_path_to_remember() -> Failure {
    failure(
        FailureKind::Usage,
        "unknown_program",
        "The system does not say which program it is, so it can't be allowed for good. Allow it for this hour.",
    )
}
