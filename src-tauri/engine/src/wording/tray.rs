//! The words of the tray, of the notifications and of what the desktop shell itself can fail at.

use super::failure;
use super::labels::{count, fill, say};
use super::language::Language;
use crate::browser::BrowserError;
use crate::control::{Failure, FailureKind};

/// The program's name, as the desktop shows it.
pub const NAME: &str = "Signbell";

/// A line of the menu, or of the tooltip, that says the same whatever happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Line {
    /// Brings the window up.
    Open,
    /// Opens the window where an account is added.
    Add,
    /// The submenu with each service's address.
    CopyAddress,
    /// Tools get 503 from now on.
    Pause,
    /// Tools are served again.
    Resume,
    /// Ends the program.
    Quit,
    /// Signs in; also the notification's first button.
    SignIn,
    /// The notification's second button.
    Later,
    /// Lets a program use a service for good.
    Always,
    /// Lets a program use a service for an hour.
    ThisHour,
    /// Lets programs do more.
    Allow,
    /// Does not let it.
    No,
    /// Signs in where there was a session already.
    SignInAgain,
    /// Renews without the person.
    Renew,
    /// Ends the session.
    SignOut,
    /// Nobody answers on the control socket.
    NotRunning,
    /// The tray could not be started; why is the failure's to say.
    NotStarted,
    /// The tooltip while the proxy is paused.
    TipPaused,
    /// The tooltip while the proxy's port is closed.
    TipClosed,
    /// The tooltip while a session is being renewed or signed in.
    TipWorking,
    /// The tooltip while all is well.
    TipFine,
    /// The tooltip where nothing was added yet.
    TipEmpty,
}

/// The line in words.
#[must_use]
pub fn line(language: Language, line: Line) -> &'static str {
    say(
        language,
        match line {
            Line::Open => "tray.open",
            Line::Add => "tray.add",
            Line::CopyAddress => "tray.copy_address",
            Line::Pause => "tray.pause",
            Line::Resume => "tray.resume",
            Line::Quit => "tray.quit",
            Line::SignIn => "tray.sign_in",
            Line::Later => "tray.later",
            Line::Always => "tray.always",
            Line::ThisHour => "tray.this_hour",
            Line::Allow => "tray.allow",
            Line::No => "tray.no",
            Line::SignInAgain => "tray.sign_in_again",
            Line::Renew => "tray.renew",
            Line::SignOut => "tray.sign_out",
            Line::NotRunning => "tray.not_running",
            Line::NotStarted => "tray.not_started",
            Line::TipPaused => "tray.tip.paused",
            Line::TipClosed => "tray.tip.closed",
            Line::TipWorking => "tray.tip.working",
            Line::TipFine => "tray.tip.fine",
            Line::TipEmpty => "tray.tip.empty",
        },
    )
}

/// The menu's first lines: who needs the person.
#[must_use]
pub fn sign_in_again(language: Language, short_title: &str) -> String {
    fill(language, "tray.sign_in_again.to", &[("name", short_title)])
}

/// The same where nobody signed in before.
#[must_use]
pub fn sign_in(language: Language, short_title: &str) -> String {
    fill(language, "tray.sign_in.to", &[("name", short_title)])
}

/// The same where the session is good and a service asks for more permissions.
#[must_use]
pub fn allow_more(language: Language, short_title: &str) -> String {
    fill(language, "tray.allow_more", &[("name", short_title)])
}

/// One page after the other.
#[must_use]
pub fn sign_in_all(language: Language, accounts: usize) -> String {
    fill(language, "tray.sign_in_all", &[("n", &accounts.to_string())])
}

/// An account in the menu.
#[must_use]
pub fn account(language: Language, title: &str, state_words: &str) -> String {
    fill(language, "tray.account", &[("title", title), ("state", state_words)])
}

/// The tooltip while accounts need the person; `first` is the short title of the first.
#[must_use]
pub fn tooltip_needs_you(language: Language, first: &str, accounts: usize) -> String {
    count(language, "tray.tip.needs", accounts.max(1), &[("name", first)])
}

/// The tooltip while a program waits for an answer; `title` is the question's.
#[must_use]
pub fn tooltip_asks(title: &str) -> String {
    format!("Signbell: {title}")
}

/// The tooltip while an account's store can't be read.
#[must_use]
pub fn tooltip_unavailable(language: Language, short_title: &str, state_words: &str) -> String {
    fill(language, "tray.tip.unavailable", &[("name", short_title), ("state", state_words)])
}

/// The heading of a notification on something that was asked for an account and failed.
#[must_use]
pub fn failed_for(language: Language, short_title: &str) -> String {
    fill(language, "tray.failed", &[("name", short_title)])
}

/// The window's banner while nobody answers on the control socket.
#[must_use]
pub fn not_running(language: Language) -> &'static str {
    say(language, "banner.not_running")
}

/// The process that ran the engine is gone, and the tray runs it now.
#[must_use]
pub fn taken_over(language: Language) -> &'static str {
    say(language, "tray.taken_over")
}

/// The process that ran the engine is gone, and the tray would look for the tokens elsewhere. Both
/// are what [`super::states::vault_kind`] says in English.
#[must_use]
pub fn kept_elsewhere(there: &str, here: &str) -> Failure {
    failure(
        FailureKind::Failed,
        "kept_elsewhere",
        format!(
            "`signbell serve` has ended. It kept your tokens in the {there}; the tray would look in the {here}, so it does not take over. Start `signbell serve` again, or the tray with the same SIGNBELL_VAULT."
        ),
    )
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
