//! The words of an engine that is another process's, or of another version.

use super::failure;
use crate::control::{Failure, FailureKind, Older};

/// The command and the engine don't speak the same version.
#[must_use]
pub fn other_version(older: Older) -> Failure {
    let message = match older {
        Older::Engine => {
            "This command is of a newer Signbell than the one that runs. Quit that one (in its tray menu, or end `signbell serve`) and start Signbell again. Nothing was done."
        }
        Older::Client => {
            "The Signbell that runs is newer than this command. Use the command that came with it (`which -a signbell` shows an old one that stands in its way). Nothing was done."
        }
    };
    failure(FailureKind::Failed, "other_version", message)
}

/// The engine's answer means nothing to this version.
#[must_use]
pub fn unreadable_reply(error: &serde_json::Error) -> Failure {
    failure(
        FailureKind::Failed,
        "unreadable_reply",
        format!(
            "The running Signbell answered something that this command does not understand ({error}). If Signbell was updated meanwhile, quit it and start it again."
        ),
    )
}

/// The lock is held, and nobody answers.
#[must_use]
pub fn owner_silent() -> Failure {
    failure(
        FailureKind::Failed,
        "owner_silent",
        "A Signbell runs already and does not answer. It hangs (the process list shows `signbell`), or runs on another machine with the same home folder. End it, and start Signbell again.",
    )
}
