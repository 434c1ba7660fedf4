//! `signbell app`: becomes the tray app, which brings its window up where it runs already.

use std::io;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Command;

use signbell_engine::control::Failure;

use signbell_engine::wording::cli as words;

const DESKTOP: &str = "signbell-desktop";

/// Returns only where that failed.
pub(super) fn run() -> Failure {
    words::desktop_missing(&Command::new(desktop()).exec())
}

/// The one beside us, so that both are of one version; else whichever `PATH` has.
fn desktop() -> PathBuf {
    let beside = std::env::current_exe().and_then(|own| {
        let folder = own.parent().ok_or(io::ErrorKind::NotFound)?;
        Ok(folder.join(DESKTOP))
    });
    beside.ok().filter(|path| path.is_file()).unwrap_or_else(|| DESKTOP.into())
}
