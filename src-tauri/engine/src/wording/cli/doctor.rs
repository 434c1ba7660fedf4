//! What `signbell doctor` says.
#![expect(missing_docs, reason = "each name says which sentence it is")]

use std::io;

use crate::checkup::Trust;
use crate::model::{AccountName, ToolName};

pub const RUNNING: &str = "Signbell is running.";
pub const NO_BUS: &str = "There is no desktop session here: no notifications, tray or keyring. Use `signbell serve` with SIGNBELL_VAULT=sealed-file.";
pub const NO_NOTIFICATIONS: &str =
    "No notification service is running, so the bell can't ring. Start your desktop's, or install one (mako, dunst).";
pub const NO_TRAY: &str = "No tray is shown by this desktop. Signbell works without it: `signbell app` brings up its window. GNOME shows trays with its AppIndicator extension.";
pub const NO_TRAY_HOST: &str = "A tray service runs, but nothing shows its icons: add the tray (\"status icons\") to your panel. Until then `signbell app` brings up the window.";
pub const TRAY: &str = "The desktop shows tray icons.";
pub const NO_KEYRING: &str =
    "No keyring service is there. Install gnome-keyring, KWallet or KeePassXC, or choose SIGNBELL_VAULT=sealed-file.";
pub const NO_COLLECTION: &str = "The keyring service has no default keyring yet. It asks for a password the first time that something is kept, or open your password manager's database.";
pub const KEYRING_LOCKED: &str = "The keyring is locked: tools get 503 until it is open. Unlock it (your desktop asks at the next sign-in or request), or log in with its password.";
pub const KEYRING_OPEN: &str = "The keyring is there and open.";
pub const KEYRING_SILENT: &str = "The keyring service does not answer. Restart it, or log out and in again.";
pub const STALE_SOCKET: &str =
    "A socket was left by a Signbell that is gone. That is harmless: the next start replaces it.";
pub const HANGS: &str = "A Signbell holds the lock and does not answer. It hangs (the process list shows `signbell`), or runs on another machine with the same home folder. End it, and start it again.";
pub const SEALED_UNUSED: &str =
    "There is a sealed file, and tokens are kept elsewhere. To use it start Signbell with SIGNBELL_VAULT=sealed-file.";
pub const NO_BROWSER: &str = "No program that opens pages was found. Install a browser (and xdg-utils), set BROWSER, or sign in with --no-browser.";
pub const NO_CLIENT: &str = "No client's configuration on this machine mentions Signbell.";
pub const NO_AUTHORITIES: &str =
    "The system's trust store is empty, so no server can be believed. Install ca-certificates.";

pub fn no_config(file: &str) -> String {
    format!("There is no {file}; the defaults hold.")
}

pub fn good_config(file: &str) -> String {
    format!("{file} is good: every key and what they mean to each other.")
}

pub fn bad_config(mistake: &str) -> String {
    let end = if mistake.ends_with('.') { "" } else { "." };
    format!("{mistake}{end} Mend the file; the last good configuration stays in force.")
}

pub fn config_open(file: &str) -> String {
    format!("{file} can be read by other users of this machine. It holds no secret; `chmod 600` keeps it to you.")
}

pub fn listening(address: &str) -> String {
    format!("Tools reach it at {address}.")
}

pub fn paused(address: &str) -> String {
    format!("It is paused: tools get 503 at {address}.")
}

pub fn not_listening(address: &str) -> String {
    format!("It does not listen at {address}: tools can't reach it.")
}

pub fn port_free(port: u16) -> String {
    format!("Port {port} is free.")
}

pub fn port_taken(port: u16, holder: Option<&str>) -> String {
    let by = holder.unwrap_or("a program of another user");
    format!(
        "Port {port} is taken by {by}, so Signbell can't start. End it, or choose another port with `port` below `[proxy]` in config.toml."
    )
}

pub fn lock_unseen(error: &io::Error) -> String {
    format!("The lock can't be looked at: {error}. Its folder must be yours.")
}

pub fn vault(vault: &str, tried: bool) -> String {
    match tried {
        true => format!("Tokens are kept in: {vault}. A test item was written, read back and removed."),
        false => format!("Tokens are kept in: {vault}."),
    }
}

pub fn vault_trouble(vault: &str, why: &str) -> String {
    format!("Tokens are kept in: {vault}. {why}")
}

pub fn there(name: &str) -> String {
    format!("{name} is there.")
}

pub fn starts_when_needed(name: &str) -> String {
    format!("{name} is started when it is needed.")
}

pub fn notifications(server: &str) -> String {
    format!("{server} shows notifications, with buttons.")
}

pub fn no_buttons(server: &str) -> String {
    format!(
        "{server} shows notifications without buttons: the bell rings, but to sign in you open the window or run `signbell sign-in`."
    )
}

pub fn silent(what: &str) -> String {
    format!("{what} does not answer. Restart it, or log out and in again.")
}

pub fn clock_right(accounts: usize) -> String {
    format!("This machine's clock agrees with the providers' ({accounts} asked at the last renewal).")
}

pub const CLOCK_UNKNOWN: &str = "No provider has told the time yet; sign in, then it can be compared.";

pub fn clock_wrong(account: &AccountName, seconds: i64) -> String {
    let side = if seconds > 0 { "ahead of" } else { "behind" };
    format!(
        "This machine's clock is {} {side} that of {account}'s provider. Tokens are renewed all the same, but other programs will see them as expired: set the clock (`timedatectl set-ntp true`).",
        span(seconds.unsigned_abs())
    )
}

fn span(seconds: u64) -> String {
    match seconds {
        0..120 => format!("{seconds} seconds"),
        120..7200 => format!("{} minutes", seconds / 60),
        7200..172_800 => format!("{} hours", seconds / 3600),
        _ => format!("{} days", seconds / 86_400),
    }
}

pub fn trust(trust: Trust) -> String {
    match trust {
        Trust { system, extra: 0 } => format!("{system} authorities of the system's trust store are believed."),
        Trust { system, extra } => {
            format!("{system} authorities of the system's trust store are believed, and {extra} of extra_ca.")
        }
    }
}

pub fn bad_trust(why: &str) -> String {
    format!(
        "No server can be believed: {why}. Install ca-certificates, or mend extra_ca below [network] in config.toml."
    )
}

pub fn browser(program: &str) -> String {
    format!("Pages are opened with {program}.")
}

pub fn client_good(client: &str, tool: &ToolName) -> String {
    format!("{client} uses Signbell as {tool}.")
}

pub fn client_keyless(client: &str) -> String {
    format!("{client} uses Signbell.")
}

pub fn client_dead_port(client: &str, file: &str, port: u16, ours: u16, connected: bool) -> String {
    let mend = match connected {
        true => format!("`signbell connect --again` mends {file}"),
        false => format!("Mend the address in {file}"),
    };
    format!("{client} looks for Signbell at port {port}, and it is at {ours}. {mend}.")
}

pub fn client_unknown_key(client: &str, file: &str) -> String {
    format!(
        "{client} carries a key that is no tool's (removed, rotated, or of another machine). Make one with `signbell tool add NAME --service SERVICE` or `signbell tool rotate NAME`, and put it into {file}."
    )
}

pub fn client_unknown_service(client: &str, file: &str, service: &str) -> String {
    format!(
        "{client} asks for the service \"{service}\", which is not there. `signbell service list` shows the names; mend {file}."
    )
}

pub fn client_not_granted(client: &str, tool: &ToolName, service: &str) -> String {
    format!(
        "{client} asks for \"{service}\" as {tool}, which may not use it. `signbell tool add {tool} --service {service}` allows it."
    )
}

pub fn client_unreadable(client: &str, file: &str, why: &str) -> String {
    format!("{client}'s {file} was not looked at: {why}.")
}
