//! The words of which program asks.

use super::labels::{fill, say};
use super::language::Language;
use crate::bell::Waiting;
use crate::proxy::Program;

/// `curl (process 4711, started by bash)`.
#[must_use]
pub fn program(language: Language, name: &str, pid: Option<u32>, parent: Option<&str>) -> String {
    let pid = pid.map(|pid| pid.to_string()).unwrap_or_default();
    let key = match (pid.is_empty(), parent) {
        (false, Some(_)) => "program.process_parent",
        (false, None) => "program.process",
        (true, Some(_)) => "program.parent",
        (true, None) => return name.to_owned(),
    };
    fill(language, key, &[("name", name), ("pid", &pid), ("parent", parent.unwrap_or_default())])
}

/// Whom the person is asked about; a few words where the system does not tell.
#[must_use]
pub fn asker(language: Language, program: Option<&Program>) -> &str {
    program.map_or_else(|| say(language, "program.unknown"), |program| &program.asker.name)
}

/// `curl (process 4711, started by bash), as claude-code, for linear`.
#[must_use]
pub fn waiting_request(language: Language, request: &Waiting) -> String {
    let Waiting { tool, service, program: asks } = request;
    let who =
        asks.as_deref().map(|Program { name, pid, parent, .. }| program(language, name, Some(*pid), parent.as_deref()));
    let key = if who.is_some() { "waiting.by" } else { "waiting.tool" };
    let values =
        [("program", who.as_deref().unwrap_or_default()), ("tool", tool.as_str()), ("service", service.as_str())];
    fill(language, key, &values)
}
