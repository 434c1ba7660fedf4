//! What is said of settings on their way to another machine.
#![expect(missing_docs, reason = "each name says which sentence it is")]

use std::io;
use std::path::Path;

use super::failure;
use crate::control::{Failure, FailureKind};
use crate::export::Export;

/// At the top of the file.
pub const HEAD: &str = "# Settings of Signbell for another machine: `signbell import FILE` there.\n# No token, no secret and no tool's key is in here: sign in there, and give each tool its new key.\n";

pub fn unreadable(file: &Path, error: &io::Error) -> Failure {
    failure(
        FailureKind::Failed,
        "bad_config",
        format!("{} can't be read: {error}. Nothing was written.", file.display()),
    )
}

pub fn not_written(file: &Path, error: &io::Error) -> Failure {
    failure(FailureKind::Failed, "not_written", format!("{} could not be written: {error}.", file.display()))
}

pub fn exists(file: &Path) -> Failure {
    failure(
        FailureKind::Failed,
        "exists",
        format!("{} is there already and was left as it is. Choose another name, or say --force.", file.display()),
    )
}

pub fn written(file: &Path, export: &Export) -> String {
    let Export { accounts, services, tools, .. } = export;
    format!(
        "Wrote {accounts} accounts, {services} services and {tools} tools to {}. There: `signbell import {}`, sign in, and give each tool its new key.",
        file.display(),
        file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
    )
}
