//! The sentences of the demo: its sign-in page, its steps, and what can go wrong with it.

use crate::control::{Failure, FailureKind};

use super::failure;

/// The title of the demo provider's page.
pub const PAGE_TITLE: &str = "Demo sign-in";
/// What that page says.
pub const PAGE_BODY: &str = "This page belongs to Signbell's demo and runs on this machine. No password, no real account. A real provider would ask who you are here.";
/// Its one button.
pub const PAGE_BUTTON: &str = "Continue as Ada";
/// What the page says when the sign-in was opened wrongly or too late.
pub const PAGE_STALE: &str =
    "This sign-in is over or was opened wrongly. Close this tab and start again from Signbell.";

/// The demo's servers run.
#[must_use]
pub fn started(provider: &str, api: &str) -> String {
    format!("A demo provider runs at {provider} and a demo API at {api}. Nothing leaves this machine.")
}

/// Signbell knows the demo service.
#[must_use]
pub fn added(tool: &str, address: &str) -> String {
    format!("The tool \"{tool}\" got an address and a key: {address}. It never sees a token.")
}

/// The browser must open a page.
#[must_use]
pub fn open_browser() -> String {
    "Sign in to the demo provider: one page, one button.".to_owned()
}

/// The same where the demo presses the button itself.
#[must_use]
pub fn follow_page() -> String {
    "Signing in to the demo provider without a browser (--auto presses the page's button).".to_owned()
}

/// The person signed in.
#[must_use]
pub fn signed_in(identity: &str) -> String {
    format!("Signed in as {identity}. Signbell keeps the tokens.")
}

/// A call through the proxy came back.
#[must_use]
pub fn called(status: u16, answer: &str) -> String {
    format!("The tool called the API: {status}, \"{answer}\".")
}

/// The token is about to end.
#[must_use]
pub fn expiring(seconds: u64) -> String {
    format!("The access token lives {seconds} seconds here. Waiting until it is dead…")
}

/// A call after the token's end came back well.
#[must_use]
pub fn renewed(status: u16, renewals: u64) -> String {
    let times = match renewals {
        0 => "not at all".to_owned(),
        1 => "once".to_owned(),
        n => format!("{n} times"),
    };
    format!("The tool called again and saw only {status}: Signbell renewed the token ({times} so far).")
}

/// The provider forgot the session.
#[must_use]
pub fn ended() -> String {
    "The provider now ends the session, as providers do. The tool calls again…".to_owned()
}

/// The bell rings and a call waits.
#[must_use]
pub fn rings(title: &str) -> String {
    format!("The bell rings: \"{title}\". The tool's call waits meanwhile; click the notification, or sign in again.")
}

/// What Enter does in a terminal while the bell rings.
#[must_use]
pub fn press_enter() -> String {
    "Press Enter to open the sign-in page.".to_owned()
}

/// The waiting call came back well.
#[must_use]
pub fn completed(status: u16, seconds: u64) -> String {
    format!("The waiting call completed after {seconds} s: {status}. The tool noticed nothing but the wait.")
}

/// The end of the story.
#[must_use]
pub fn done() -> String {
    "That is all of Signbell. The demo account is gone again. Add your own with `signbell add URL`.".to_owned()
}

/// The story runs in an engine of its own.
#[must_use]
pub fn private_engine() -> String {
    "Signbell is not running, so the demo starts one of its own for a minute, without a bell.".to_owned()
}

/// The story runs in the person's own engine.
#[must_use]
pub fn running_engine() -> String {
    "The demo uses the Signbell that is running; its account lives in memory only.".to_owned()
}

/// The demo's servers could not be started.
#[must_use]
pub fn servers_failed(error: &std::io::Error) -> Failure {
    failure(
        FailureKind::Failed,
        "demo_servers",
        format!("The demo's servers could not be started on 127.0.0.1: {error}."),
    )
}

/// The engine gave no key for the demo's tool.
#[must_use]
pub fn tool_taken(tool: &str) -> Failure {
    failure(
        FailureKind::Failed,
        "demo_tool_taken",
        format!(
            "A tool named \"{tool}\" exists already, so the demo got no key for it. End the other demo, or remove it with `signbell tool remove {tool}`."
        ),
    )
}

/// A step answered otherwise than it should.
#[must_use]
pub fn unexpected(step: &str, what: &str) -> Failure {
    failure(FailureKind::Failed, "demo_failed", format!("The demo stopped at \"{step}\": {what}."))
}

/// The person did not sign in.
#[must_use]
pub fn nobody_came() -> Failure {
    failure(
        FailureKind::SignInNeeded,
        "demo_no_sign_in",
        "Nobody signed in to the demo, so it ended. Run `signbell demo` again, or `signbell demo --auto` without a browser.",
    )
}
