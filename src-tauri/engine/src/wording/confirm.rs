//! The words of asking whether a program may use a service.

use super::failure;
use super::labels::{fill, say};
use super::language::Language;
use crate::confirm::{Answer, Question, Wish};
use crate::control::{Failure, FailureKind};
use crate::model::ToolName;
use crate::proxy::Program;

/// The title of the question: `Claude Code wants to use linear`. It names what an answer is kept for.
#[must_use]
pub fn confirm_title(language: Language, question: &Question) -> String {
    let who = super::asker(language, question.program.as_deref());
    fill(language, "confirm.title", &[("program", who), ("service", question.wish.service.as_str())])
}

/// What there is to know of it, and what "always" would be kept for.
#[must_use]
pub fn confirm_body(language: Language, question: &Question) -> String {
    let Wish { tool, path, .. } = &question.wish;
    let Some(program) = question.program.as_deref() else {
        return fill(language, "confirm.body.unknown", &[("tool", tool.as_str())]);
    };
    let Program { name, pid, parent, asker, .. } = program;
    let it = match asker.through_us {
        true => super::program(language, &asker.name, None, None),
        false => super::program(language, name, Some(*pid), parent.as_deref()),
    };
    let key = if asker.through_us { "confirm.body.through" } else { "confirm.body" };
    let values = [("tool", tool.as_str()), ("program", &*it), ("path", path.as_str()), ("pid", &*pid.to_string())];
    let kept = if program.remembered().is_some() { "confirm.kept" } else { "confirm.not_kept" };
    format!("{} {}", fill(language, key, &values), say(language, kept))
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
    let program = super::asker(Language::En, question.program.as_deref());
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

/// "Always" needs a path that says which program it is.
#[must_use]
pub fn no_path_to_remember(path: &str) -> Failure {
    let why = match path {
        "" => "The system does not say which program it is".to_owned(),
        path => format!("{path} runs whatever it is given"),
    };
    let message = format!("{why}, so it can't be allowed for good. Allow it for this hour (`--hour`).");
    failure(FailureKind::Usage, "unknown_program", message)
}
