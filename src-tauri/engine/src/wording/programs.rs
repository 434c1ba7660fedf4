//! The words of which program asks.

use crate::bell::Waiting;
use crate::proxy::Program;

/// `curl (process 4711, started by bash)`.
#[must_use]
pub fn program(name: &str, pid: Option<u32>, parent: Option<&str>) -> String {
    match (pid, parent) {
        (Some(pid), Some(parent)) => format!("{name} (process {pid}, started by {parent})"),
        (Some(pid), None) => format!("{name} (process {pid})"),
        (None, Some(parent)) => format!("{name} (started by {parent})"),
        (None, None) => name.to_owned(),
    }
}

/// `curl (process 4711, started by bash), as claude-code, for linear`.
#[must_use]
pub fn waiting_request(request: &Waiting) -> String {
    let Waiting { tool, service, program: asks } = request;
    match asks.as_deref() {
        Some(Program { name, pid, parent, .. }) => {
            format!("{}, as {tool}, for {service}", program(name, Some(*pid), parent.as_deref()))
        }
        None => format!("{tool}, for {service}"),
    }
}
