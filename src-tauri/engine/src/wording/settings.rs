//! The words of the settings, and of what can be wrong with them.

use super::failure;
use super::labels::{self, fill, say};
use super::language::Language;
use crate::config::{ConfigError, Kind, Setting, Unit};
use crate::control::{Failure, FailureKind};
use crate::provider::NetworkError;
use crate::vault::VaultError;

/// A setting in words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SettingWords {
    /// A few words.
    pub title: &'static str,
    /// What it does.
    pub about: &'static str,
}

/// The words of the setting `section.name`, in English; the window has them from the catalogue.
#[must_use]
pub fn setting(key: &str) -> SettingWords {
    let words = |suffix| labels::of(&format!("setting.{key}{suffix}")).unwrap_or_default();
    SettingWords { title: words(""), about: words(".about") }
}

/// What a setting can be, for one that was given something else.
fn can_be(kind: Kind) -> String {
    match kind {
        Kind::Switch => "yes or no".into(),
        Kind::Number { least, most, unit: Unit::Seconds } => {
            format!("a time from {least} to {most} seconds, written 90, 90s, 5m or 1h")
        }
        Kind::Number { least, most, unit: Unit::Bytes } => format!("a number of bytes from {least} to {most}"),
        Kind::Number { least, most, unit: Unit::None } => format!("a whole number from {least} to {most}"),
        Kind::Minutes => "minutes from 1 up, 20 at most, written 10, 30, 2h; or none".into(),
        Kind::Choice(choices) => choices.join(" or "),
        Kind::Address => "an address that begins with http:// or https://".into(),
        Kind::File => "a file's absolute path".into(),
    }
}

/// There is no such setting.
#[must_use]
pub fn unknown_setting(key: &str) -> Failure {
    let key: String = key.chars().take(60).collect();
    failure(
        FailureKind::Usage,
        "unknown_setting",
        format!("There is no setting {key:?}. `signbell settings list` shows those there are."),
    )
}

/// It can't be that.
#[must_use]
pub fn bad_setting(setting: &Setting, text: &str) -> Failure {
    let text: String = text.chars().take(80).collect();
    failure(
        FailureKind::Usage,
        "bad_value",
        format!("{} can't be {text:?}: it is {}. Nothing was changed.", setting.key(), can_be(setting.kind)),
    )
}

/// The port that was chosen is somebody else's.
#[must_use]
pub fn port_not_free(port: u16, holder: Option<&str>) -> Failure {
    let by = holder.unwrap_or("another program");
    failure(
        FailureKind::Failed,
        "port_taken",
        format!("Port {port} is taken by {by}. Nothing was changed; end that program, or choose another port."),
    )
}

/// The network can't be reached like that.
#[must_use]
pub fn bad_network(error: &NetworkError) -> Failure {
    failure(
        FailureKind::Failed,
        "bad_network",
        format!("The network can't be reached so: {error}. Nothing was changed."),
    )
}

/// The banner while `config.toml` has a mistake. What the parser says of it is in English.
#[must_use]
pub fn config_banner(language: Language, error: &ConfigError) -> String {
    let at = |path: &str, line: Option<usize>| match line {
        Some(line) => fill(language, "banner.config.at", &[("file", path), ("line", &line.to_string())]),
        None => path.to_owned(),
    };
    let what = match error {
        ConfigError::Syntax { path, line, brief, .. } => format!("{}: {brief}", at(path, *line)),
        ConfigError::Meaning { path, line, what } => format!("{}: {what}", at(path, *line)),
        other => other.to_string(),
    };
    fill(language, "banner.config", &[("what", what.trim_end_matches('.'))])
}

/// The banner while `config.toml` is not there any more.
#[must_use]
pub fn config_gone(language: Language, path: &std::path::Path) -> String {
    fill(language, "banner.config.gone", &[("file", &path.display().to_string())])
}

/// The same to whoever wants to change a setting now.
#[must_use]
pub fn config_gone_failure(path: &std::path::Path) -> Failure {
    let words = config_gone(Language::En, path);
    failure(
        FailureKind::Failed,
        "config_gone",
        format!("{words} Nothing was changed: a change would be all that is left in it. Put the file back first."),
    )
}

/// The banner while the port that `config.toml` names is somebody else's.
#[must_use]
pub fn port_banner(language: Language, port: u16, holder: Option<&str>, address: &str) -> String {
    let by = holder.unwrap_or(say(language, "program.another"));
    fill(language, "banner.port", &[("port", &port.to_string()), ("holder", by), ("address", address)])
}

/// The banner while the network settings can't be used.
#[must_use]
pub fn network_banner(language: Language, error: &NetworkError) -> String {
    fill(language, "banner.network", &[("error", &error.to_string())])
}

/// The banner while the person's own file of authorities can't be used as it is now.
#[must_use]
pub fn authorities_banner(language: Language, error: &NetworkError) -> String {
    fill(language, "banner.authorities", &[("error", &error.to_string())])
}

/// The banner while tokens are kept elsewhere than `config.toml` says.
#[must_use]
pub fn vault_choice_banner(language: Language, wanted: &str, kept: &str) -> String {
    fill(language, "banner.vault_choice", &[("wanted", wanted), ("kept", kept)])
}

/// Where the port went.
#[must_use]
pub fn port_moved(address: &str) -> String {
    format!("Tools reach Signbell at {address} now")
}

/// `config.toml` was edited by hand.
pub const EDITED_BY_HAND: &str = "config.toml was edited, and what it says counts now";

/// A setting was changed.
#[must_use]
pub fn setting_changed(key: &str, value: Option<&str>) -> String {
    match value {
        Some(value) => format!("Setting {key} is {value} now"),
        None => format!("Setting {key} was changed"),
    }
}

/// The environment says where tokens are kept.
#[must_use]
pub fn vault_overridden() -> Failure {
    failure(
        FailureKind::Usage,
        "overridden",
        "SIGNBELL_VAULT says where tokens are kept. Start Signbell without it, and choose then. Nothing was changed.",
    )
}

/// A sealed file wants a passphrase.
#[must_use]
pub fn passphrase_wanted() -> Failure {
    failure(
        FailureKind::Usage,
        "passphrase_missing",
        "A sealed file needs a passphrase, now and at each start. `signbell settings set vault.kind sealed-file` in a terminal asks for it. Nothing was changed.",
    )
}

/// The tokens stay where they are.
#[must_use]
pub fn vault_not_moved(why: &VaultError) -> Failure {
    failure(
        FailureKind::Unavailable,
        super::vault_code(why),
        format!("Your tokens stay where they are: {why}. Nothing was changed."),
    )
}

/// The tokens stay where they are, for the choice could not be written down.
#[must_use]
pub fn vault_choice_unwritten(why: &str) -> Failure {
    failure(FailureKind::Failed, "bad_config", format!("Your tokens stay where they are: {why}. Nothing was changed."))
}

/// Tokens are kept elsewhere now.
#[must_use]
pub fn vault_moved(to: &str, items: usize, left_behind: usize) -> String {
    match left_behind {
        0 => format!("What Signbell keeps ({items}) was moved to: {to}"),
        _ => format!(
            "What Signbell keeps ({items}) was moved to: {to}; {left_behind} could not be wiped in the old place"
        ),
    }
}
