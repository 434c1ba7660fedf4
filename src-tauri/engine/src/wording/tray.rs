//! The words of the tray, of the notifications and of what the desktop shell itself can fail at.

use super::failure;
use crate::browser::BrowserError;
use crate::control::{Failure, FailureKind};

/// The program's name, as the desktop shows it.
pub const NAME: &str = "Signbell";
/// Brings the window up.
pub const OPEN: &str = "Open Signbell";
/// Opens the window where an account is added.
pub const ADD: &str = "Add account…";
/// The submenu with each service's address.
pub const COPY_ADDRESS: &str = "Copy address";
/// Tools get 503 from now on.
pub const PAUSE: &str = "Pause";
/// Tools are served again.
pub const RESUME: &str = "Resume";
/// Ends the program.
pub const QUIT: &str = "Quit";
/// Signs in; also the notification's first button.
pub const SIGN_IN: &str = "Sign in";
/// The notification's second button.
pub const LATER: &str = "Later";
/// Lets a program use a service for good.
pub const ALWAYS: &str = "Always";
/// Lets a program use a service for an hour.
pub const THIS_HOUR: &str = "This hour";
/// Does not let it.
pub const NO: &str = "No";
/// Signs in where there was a session already.
pub const SIGN_IN_AGAIN: &str = "Sign in again";
/// Renews without the person.
pub const RENEW: &str = "Renew now";
/// Ends the session.
pub const SIGN_OUT: &str = "Sign out";
/// Nobody answers on the control socket.
pub const NOT_RUNNING: &str = "Signbell's engine is not running";

/// The menu's first lines: who needs the person.
#[must_use]
pub fn sign_in_again(short_title: &str) -> String {
    format!("Sign in again: {short_title}")
}

/// The same where nobody signed in before.
#[must_use]
pub fn sign_in(short_title: &str) -> String {
    format!("Sign in: {short_title}")
}

/// The same where the session is good and a service asks for more permissions.
#[must_use]
pub fn allow_more(short_title: &str) -> String {
    format!("Allow more: {short_title}")
}

/// One page after the other.
#[must_use]
pub fn sign_in_all(accounts: usize) -> String {
    format!("Sign in all ({accounts})")
}

/// An account in the menu.
#[must_use]
pub fn account(title: &str, state_words: &str) -> String {
    format!("{title} — {state_words}")
}

/// The tooltip while accounts need the person; `first` is the short title of the first.
#[must_use]
pub fn tooltip_needs_you(first: &str, accounts: usize) -> String {
    match accounts {
        0 | 1 => format!("Signbell: {first} needs you"),
        _ => format!("Signbell: {accounts} accounts need you"),
    }
}

/// The tooltip while a program waits for an answer; `title` is the question's.
#[must_use]
pub fn tooltip_asks(title: &str) -> String {
    format!("Signbell: {title}")
}

/// The tooltip while an account's store can't be read.
#[must_use]
pub fn tooltip_unavailable(short_title: &str, state_words: &str) -> String {
    format!("Signbell: {short_title}: {state_words}")
}

/// The tooltip while the proxy is paused.
pub const TOOLTIP_PAUSED: &str = "Signbell is paused";
/// The tooltip while the proxy's port is closed.
pub const TOOLTIP_CLOSED: &str = "Signbell does not accept requests";
/// The tooltip while a session is being renewed or signed in.
pub const TOOLTIP_WORKING: &str = "Signbell: renewing…";
/// The tooltip while all is well.
pub const TOOLTIP_FINE: &str = "Signbell: everything is signed in";
/// The tooltip where nothing was added yet.
pub const TOOLTIP_EMPTY: &str = "Signbell: no accounts yet";

/// The heading of a notification on something that was asked for an account and failed.
#[must_use]
pub fn failed_for(short_title: &str) -> String {
    format!("{short_title}: that did not work")
}

/// No browser was opened for a sign-in.
#[must_use]
pub fn browser_failed(error: &BrowserError) -> Failure {
    failure(
        FailureKind::Failed,
        "browser",
        format!("The sign-in page could not be opened: {error}. Set BROWSER, or use `signbell sign-in --no-browser`."),
    )
}

/// The desktop's clipboard did not take a text.
#[must_use]
pub fn clipboard_failed(error: &str) -> Failure {
    failure(FailureKind::Failed, "clipboard", format!("The clipboard did not take it: {error}."))
}

/// The window's page asked for something in a form that is not understood.
#[must_use]
pub fn not_understood(error: &str) -> Failure {
    failure(FailureKind::Usage, "not_understood", format!("That was not understood: {error}."))
}

/// The engine answered with something else than was asked for.
#[must_use]
pub fn unexpected_reply() -> Failure {
    failure(
        FailureKind::Failed,
        "unexpected_reply",
        "Signbell gave an answer of another version. Quit it and start it again.",
    )
}

/// The shell was started where no screen is.
#[must_use]
pub fn no_screen() -> Failure {
    failure(
        FailureKind::Unavailable,
        "no_screen",
        "There is no screen here (neither WAYLAND_DISPLAY nor DISPLAY leads to one). `signbell serve` runs without one.",
    )
}

/// A folder or the lock of the shell could not be made.
#[must_use]
pub fn no_folder(what: &str, error: &std::io::Error) -> Failure {
    failure(FailureKind::Failed, "folder", format!("{what} can't be used: {error}."))
}

/// The desktop's toolkit refused to start.
#[must_use]
pub fn toolkit_failed(error: &str) -> Failure {
    failure(FailureKind::Failed, "toolkit", format!("The desktop shell could not start: {error}."))
}

/// The arguments of `signbell-desktop` are not known.
#[must_use]
pub fn desktop_usage() -> Failure {
    failure(
        FailureKind::Usage,
        "usage",
        "signbell-desktop takes nothing (the tray), or `window [--at add]` (the window).",
    )
}

/// The demo is not part of this build.
#[must_use]
pub fn no_demo() -> Failure {
    failure(FailureKind::Failed, "no_demo", "The demo is not part of this build.")
}
