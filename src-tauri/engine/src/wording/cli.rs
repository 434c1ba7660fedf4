//! The command line's own sentences.
#![expect(missing_docs, reason = "each name says which sentence it is")]

use std::io;

use super::failure;
use crate::control::{Answer, Failure, FailureKind, Removed, SignedIn};
use crate::model::{AccountName, ServiceName, ToolName};
use crate::view::StateName;

/// The code of a failure that nobody can be told: the reader of our output left.
pub const OUTPUT_CLOSED: &str = "output_closed";

pub const NO_COMMAND: &str = "A command is missing. `signbell --help` lists them.";
pub const PASSPHRASE: &str = "Passphrase of Signbell's sealed file: ";
pub const PASSPHRASE_AGAIN: &str = "The same passphrase again: ";
pub const CLIENT_SECRET: &str = "Client secret: ";
pub const PASTE: &str =
    "Open the link in any browser. If it ends on a page that does not load, paste that page's address here.";
pub const NO_ACCOUNTS: &str = "No accounts yet. Add one with `signbell add URL`.";
pub const NO_SERVICES: &str = "No services yet. Add one with `signbell add URL`.";
pub const NO_TOOLS: &str = "No tools yet. Register one with `signbell tool add NAME --service SERVICE`.";
pub const NO_ACTIVITY: &str = "Nothing happened yet.";
pub const NOBODY_NEEDS_YOU: &str = "No account needs you.";
pub const NEVER: &str = "never";
pub const KEY_ONCE: &str = "The key is shown this once. Its tool sends it as \"Authorization: Bearer KEY\".";

pub const KEY_IN_PATH_ONCE: &str = "The key is shown this once. It is part of the address: the tool sends nothing else, and whoever sees the address has it.";

pub fn output_failed(error: &io::Error) -> Failure {
    let code = if error.kind() == io::ErrorKind::BrokenPipe { OUTPUT_CLOSED } else { "output" };
    failure(FailureKind::Failed, code, format!("The output could not be written: {error}."))
}

pub fn input_failed(what: &str, error: &io::Error) -> Failure {
    failure(FailureKind::Failed, "input", format!("No {what} could be read: {error}."))
}

pub fn no_program() -> Failure {
    failure(FailureKind::Usage, "usage", "Name the command to run: `signbell run --tool NAME -- COMMAND`.".to_owned())
}

pub fn cannot_start(program: &str, error: &io::Error) -> Failure {
    failure(FailureKind::Failed, "cannot_start", format!("{program} could not be started: {error}."))
}

pub fn no_client(error: &impl std::fmt::Display) -> Failure {
    failure(FailureKind::Failed, "no_client", format!("The proxy can't be asked: {error}."))
}

pub fn no_tool_for_git(failure: Failure, tool: &ToolName) -> Failure {
    if failure.code != "unknown_tool" {
        return failure;
    }
    let message = format!(
        "git has no key yet: there is no tool {tool}. `signbell tool add {tool} --service SERVICE` says what it may use."
    );
    Failure { message, ..failure }
}

pub fn not_our_address(address: &str) -> Failure {
    let address: String = address.chars().take(200).collect();
    failure(
        FailureKind::NotAllowed,
        "not_our_address",
        format!("{address:?} does not lead to Signbell, which gives keys for its own address alone."),
    )
}

/// The account that a client's requests will wait for.
pub fn account_waits(account: &AccountName) -> String {
    format!("{account} needs you first; requests wait for that. Run `signbell sign-in {account}`.")
}

pub fn add_it_first(failure: Failure, address: &str) -> Failure {
    let message =
        format!("{} Add it with `signbell add {address}`, which takes those, and start this again.", failure.message);
    Failure { message, ..failure }
}

pub fn no_service_or_address(text: &str) -> Failure {
    let text: String = text.chars().take(200).collect();
    failure(
        FailureKind::Usage,
        "usage",
        format!("{text} is neither a service's name nor an address. `signbell service list` shows the names."),
    )
}

pub fn no_longer_granted(tool: &ToolName, service: &ServiceName) -> Failure {
    failure(
        FailureKind::NotAllowed,
        "not_granted",
        format!(
            "{tool} may not use {service} any more. `signbell tool add {tool} --service {service}` allows it again."
        ),
    )
}

pub fn empty_secret() -> Failure {
    failure(
        FailureKind::Usage,
        "usage",
        "--client-secret-stdin needs the client secret as one line on standard input, but there was none.",
    )
}

pub fn passphrases_differ() -> Failure {
    failure(FailureKind::Usage, "usage", "The two passphrases differ. Nothing was made.")
}

pub fn no_home(error: &io::Error) -> Failure {
    failure(FailureKind::Failed, "no_home", format!("Signbell does not know its folder: {error}."))
}

pub fn page_not_written(file: &str, error: &io::Error) -> Failure {
    failure(FailureKind::Failed, "not_written", format!("The manual page {file} could not be written: {error}."))
}

pub fn pages_written(number: usize, folder: &str) -> String {
    format!("{number} manual pages are in {folder}.")
}

pub fn no_runtime(error: &io::Error) -> Failure {
    failure(FailureKind::Failed, "runtime", format!("The system refused what Signbell runs on: {error}."))
}

pub fn no_temporary_folder(error: &io::Error) -> Failure {
    failure(FailureKind::Failed, "temporary_folder", format!("No temporary folder could be made: {error}."))
}

pub fn odd_reply() -> Failure {
    failure(
        FailureKind::Failed,
        "odd_reply",
        "The running Signbell answered something that this command does not understand; they may be of different versions. Restart it.",
    )
}

pub fn unknown_account(account: &AccountName) -> Failure {
    failure(
        FailureKind::Failed,
        "unknown_account",
        format!("There is no account \"{account}\". `signbell account list` shows those that there are."),
    )
}

pub fn desktop_missing(error: &io::Error) -> Failure {
    failure(
        FailureKind::Failed,
        "no_desktop_app",
        format!(
            "The tray app `signbell-desktop` could not be started: {error}. It is installed beside `signbell`; without a screen use `signbell serve`."
        ),
    )
}

pub fn bad_page(scheme: &str) -> Failure {
    failure(
        FailureKind::Refused,
        "bad_sign_in_page",
        format!(
            "The provider's sign-in page has a {scheme}: address. Signbell opens https pages only, so nothing was opened."
        ),
    )
}

pub fn interrupted() -> Failure {
    failure(FailureKind::Failed, "interrupted", "Ended before it was done.")
}

pub fn bad_log_filter(filter: &str) -> String {
    format!(
        "SIGNBELL_LOG={filter} is no filter, so only warnings are shown. An example: SIGNBELL_LOG=signbell_engine=debug."
    )
}

pub fn ready(address: &str, already: bool) -> String {
    if already { format!("Signbell is running already: {address}") } else { format!("Signbell is ready: {address}") }
}

pub fn opening(account: &AccountName, page: &url::Url) -> String {
    format!(
        "Opening the browser to sign in to \"{account}\". Waiting, ten minutes at most…\nIf no page opens, or it shows an error, the link is:\n{page}"
    )
}

pub fn device(page: &url::Url, code: &str, seconds: u64) -> String {
    let minutes = (seconds / 60).max(1);
    format!("Open {page} on any device and enter {code}, or scan this. The code is good for {minutes} minutes.")
}

pub fn no_browser(error: &impl std::fmt::Display) -> String {
    format!("No browser opened ({error}).")
}

pub fn added(service: &str, account: &str, url: &str) -> String {
    format!("Added the service \"{service}\" with the account \"{account}\". Tools reach it at {url}")
}

pub fn moved(service: &str, account: &AccountName) -> String {
    format!("The service \"{service}\" now uses the account \"{account}\"; its tools keep their key and their address.")
}

pub fn preset_chosen(preset: &str) -> String {
    format!("It answers as {preset} does (--preset none turns that off; signbell service presets lists what is known).")
}

pub fn sign_in_next(account: &AccountName) -> String {
    format!("Next: signbell sign-in {account}")
}

pub fn tool_key(tool: &str, key: &str) -> String {
    format!("Key of the tool \"{tool}\": {key}")
}

pub fn tool_widened(tool: &str) -> String {
    format!("The tool \"{tool}\" keeps its key.")
}

pub fn tool_keeps_its_path(tool: &str) -> String {
    format!("The tool \"{tool}\" keeps its key, which stands for KEY in its addresses.")
}

/// How an account stands after a sign-in or a renewal; `until` is already a time of day.
pub fn stands(signed_in: &SignedIn, until: Option<&str>) -> String {
    let who = match &signed_in.identity {
        Some(identity) => format!("\"{}\" as {identity}", signed_in.account),
        None => format!("\"{}\", identity unknown", signed_in.account),
    };
    let stands = match (state(signed_in.state), until) {
        (words, Some(until)) => format!("{words}: {who}. The token lives until {until}."),
        (words, None) => format!("{words}: {who}."),
    };
    match signed_in.not_granted.as_slice() {
        [] => stands,
        scopes => format!("{stands} {}", super::not_granted(scopes)),
    }
}

pub fn state(state: StateName) -> &'static str {
    match state {
        StateName::Active => "Signed in",
        StateName::Refreshing => "Renewing",
        StateName::SignedOut => "Signed out",
        StateName::Unavailable => "Unavailable",
        StateName::NeedsSignIn => "Needs you",
    }
}

pub fn proxy(address: &str, running: bool, paused: bool, vault: &str) -> String {
    let state = match (running, paused) {
        (true, true) => "paused",
        (true, false) => "running",
        (false, _) => "not listening",
    };
    format!("Proxy {address}, {state}. Tokens: {vault}.")
}

pub fn changed(account_or_so: &str) -> String {
    format!("Changed \"{account_or_so}\".")
}

pub fn removed(what: &str) -> String {
    format!("Removed \"{what}\".")
}

/// What went with an account that was forgotten.
pub fn forgotten(account: &AccountName, removed: &Removed) -> String {
    fn names<N: std::fmt::Display>(names: &[N]) -> String {
        names.iter().map(|name| format!("\"{name}\"")).collect::<Vec<_>>().join(", ")
    }
    let mut with = Vec::new();
    match removed.services.as_slice() {
        [] => {}
        [_] => with.push(format!("its service {}", names(&removed.services))),
        services => with.push(format!("its services {}", names(services))),
    }
    match removed.sign_ins {
        0 => {}
        1 => with.push("its sign-in".to_owned()),
        many => with.push(format!("its {many} sign-ins")),
    }
    if removed.client_secret {
        with.push("the client secret at its provider".to_owned());
    }
    if removed.client_key {
        with.push("the client's private key".to_owned());
    }
    let with = match with.as_slice() {
        [] => String::new(),
        with => format!(", with {}", with.join(", ")),
    };
    let tools = match removed.tools.as_slice() {
        [] => String::new(),
        tools => format!(" What could use it keeps its key and the rest: {}.", names(tools)),
    };
    format!("Removed \"{account}\"{with}.{tools}")
}

pub fn signed_out(account: &AccountName, at_provider: &str) -> String {
    format!("Signed out of \"{account}\". {at_provider}")
}

pub fn yes_no(yes: bool) -> &'static str {
    if yes { "yes" } else { "no" }
}

pub fn token_may_be_printed(allowed: bool) -> &'static str {
    if allowed { "may be printed" } else { "stays here" }
}

pub fn tool_address(service: &str, url: &str) -> String {
    format!("Address of \"{service}\": {url}")
}

/// With a full stop, if it ends without one.
pub fn sentence(text: &str) -> String {
    if text.ends_with(['.', '?', ':', '…']) { text.to_owned() } else { format!("{text}.") }
}

pub mod doctor;

/// What a client of `signbell mcp` reads where the server says nothing itself.
pub mod bridge {
    pub const NO_JSON: &str = "The line is no JSON.";
    pub const CUT: &str = "The server ended its answer before it was whole.";
    pub const TOO_LONG: &str = "A message of the server is too long.";

    pub fn unreachable(why: &str) -> String {
        format!("Signbell can't be reached: {why}. Start it with `signbell app` or `signbell serve`.")
    }

    pub fn broke_off(why: &str) -> String {
        format!("The server's answer broke off: {why}.")
    }

    pub fn answered(status: u16, said: Option<&str>) -> String {
        match said {
            Some(said) => format!("{said} (HTTP {status})"),
            None => format!("The server answered HTTP {status}."),
        }
    }
}

/// A setting that is nothing.
pub const NONE: &str = "none";

/// A setting in the list that the environment overrides.
#[must_use]
pub fn overridden(value: &str, variable: &str) -> String {
    format!("{value} ({variable} counts)")
}

/// A setting was changed.
#[must_use]
pub fn set(key: &str, value: &str, overridden_by: Option<&str>) -> String {
    match overridden_by {
        None => format!("{key} is {value} now."),
        Some(variable) => format!("{key} is {value} in config.toml; as long as {variable} is set, that counts."),
    }
}

/// Behind a line of the activity: what asked.
#[must_use]
pub fn by_program(program: &str) -> String {
    format!(" [{program}]")
}

/// What a program may do now.
#[must_use]
pub fn confirmed(program: &str, service: &str, answer: Answer) -> String {
    match answer {
        Answer::Always => format!("{program} may use {service} from now on."),
        Answer::Hour => format!("{program} may use {service} for an hour."),
        Answer::No => format!("{program} may not use {service} for an hour."),
    }
}
