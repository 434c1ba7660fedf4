//! The settings of the program itself, in one table: the command line, the window and `docs/config.md`
//! are made from it.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use toml_edit::{Array, DocumentMut, Item, Table, value};
use url::Url;

use super::{Config, Theme, VaultKind};

/// One setting: `[section] name` in the file.
pub struct Setting {
    /// The section.
    pub section: &'static str,
    /// Its name in it.
    pub name: &'static str,
    /// What it can be.
    pub kind: Kind,
    read: fn(&Config) -> Value,
}

/// What a setting can be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Yes or no.
    Switch,
    /// A whole number.
    Number {
        /// No less.
        least: u64,
        /// No more.
        most: u64,
        /// What it counts.
        unit: Unit,
    },
    /// Minutes, one after the other.
    Minutes,
    /// One of these.
    Choice(&'static [&'static str]),
    /// An address.
    Address,
    /// A file on this machine.
    File,
}

/// What a number counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// Nothing: a port.
    None,
    /// Seconds.
    Seconds,
    /// Octets.
    Bytes,
}

/// The languages of the catalogue (BCP 47).
pub(super) const LANGUAGES: &[&str] = &["en", "de"];

const DAY: u64 = 24 * 60 * 60;
const GIB: u64 = 1024 * 1024 * 1024;
const SECONDS: Kind = Kind::Number { least: 0, most: DAY, unit: Unit::Seconds };

/// A year: a longer reminder is none.
const LONGEST_REMINDER: u64 = 365 * 24 * 60;

/// As many reminders as anybody tells apart.
const MOST_REMINDERS: usize = 20;

/// Every setting, in the order in which a person reads them.
pub const SETTINGS: &[Setting] = &[
    Setting {
        section: "proxy",
        name: "port",
        kind: Kind::Number { least: 0, most: 65535, unit: Unit::None },
        read: |c| json!(c.proxy.port),
    },
    Setting { section: "proxy", name: "hold_seconds", kind: SECONDS, read: |c| json!(c.proxy.hold_seconds) },
    Setting {
        section: "proxy",
        name: "hold_seconds_json_rpc",
        kind: SECONDS,
        read: |c| json!(c.proxy.hold_seconds_json_rpc),
    },
    Setting {
        section: "proxy",
        name: "answer_seconds",
        kind: Kind::Number { least: 1, most: DAY, unit: Unit::Seconds },
        read: |c| json!(c.proxy.answer_seconds),
    },
    Setting {
        section: "proxy",
        name: "replay_bytes",
        kind: Kind::Number { least: 0, most: GIB, unit: Unit::Bytes },
        read: |c| json!(c.proxy.replay_bytes),
    },
    Setting {
        section: "proxy",
        name: "replay_bytes_in_all",
        kind: Kind::Number { least: 0, most: 16 * GIB, unit: Unit::Bytes },
        read: |c| json!(c.proxy.replay_bytes_in_all),
    },
    Setting { section: "proxy", name: "forward", kind: Kind::Switch, read: |c| json!(c.proxy.forward) },
    Setting { section: "bell", name: "notifications", kind: Kind::Switch, read: |c| json!(c.bell.notifications) },
    Setting { section: "bell", name: "reminders", kind: Kind::Minutes, read: |c| json!(c.bell.reminders) },
    Setting {
        section: "desktop",
        name: "theme",
        kind: Kind::Choice(&[Theme::System.as_str(), Theme::Light.as_str(), Theme::Dark.as_str()]),
        read: |c| json!(c.desktop.theme.as_str()),
    },
    Setting {
        section: "desktop",
        name: "language",
        kind: Kind::Choice(LANGUAGES),
        read: |c| json!(c.desktop.language),
    },
    Setting {
        section: "desktop",
        name: "start_at_login",
        kind: Kind::Switch,
        read: |c| json!(c.desktop.start_at_login),
    },
    Setting { section: "network", name: "proxy", kind: Kind::Address, read: |c| json!(c.network.proxy) },
    Setting { section: "network", name: "extra_ca", kind: Kind::File, read: |c| json!(c.network.extra_ca) },
    Setting {
        section: "network",
        name: "client_metadata_url",
        kind: Kind::Address,
        read: |c| json!(c.network.client_metadata_url),
    },
    Setting {
        section: "vault",
        name: "kind",
        kind: Kind::Choice(&[VaultKind::Keyring.as_str(), VaultKind::SealedFile.as_str()]),
        read: |c| json!(c.vault.kind.as_str()),
    },
];

/// The setting `section.name`.
#[must_use]
pub fn setting(key: &str) -> Option<&'static Setting> {
    SETTINGS.iter().find(|setting| setting.key() == key)
}

impl Setting {
    /// `proxy.port`
    #[must_use]
    pub fn key(&self) -> String {
        format!("{}.{}", self.section, self.name)
    }

    /// Its value; null where there is none.
    #[must_use]
    pub fn read(&self, config: &Config) -> Value {
        (self.read)(config)
    }

    /// Puts what a person wrote into the document; the empty text takes it out, so that the default counts.
    ///
    /// # Errors
    /// Where it can't be that.
    pub fn write(&self, document: &mut DocumentMut, text: &str) -> Result<(), BadValue> {
        let text = text.trim();
        let item = if text.is_empty() { None } else { Some(self.kind.item(text).ok_or(BadValue(self.kind))?) };
        let section = document.entry(self.section).or_insert_with(|| Item::Table(Table::new()));
        let Some(section) = section.as_table_like_mut() else { return Err(BadValue(self.kind)) };
        match item {
            None => drop(section.remove(self.name)),
            Some(item) => put(section, self.name, item),
        }
        Ok(())
    }
}

/// Comments above the old value, and behind it, stay with the new one.
pub fn put(section: &mut dyn toml_edit::TableLike, name: &str, mut item: Item) {
    let old = section.get(name).and_then(Item::as_value).map(|old| old.decor().clone());
    if let (Some(decor), Some(new)) = (old, item.as_value_mut()) {
        *new.decor_mut() = decor;
    }
    // `insert` would make the key anew, without what stands above it.
    match section.get_mut(name) {
        Some(old) => *old = item,
        None => drop(section.insert(name, item)),
    }
}

/// Why a text is no value of a setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BadValue(pub Kind);

impl Kind {
    fn item(self, text: &str) -> Option<Item> {
        Some(match self {
            Self::Switch => value(switch(text)?),
            Self::Number { least, most, unit } => {
                let number = if unit == Unit::Seconds { seconds(text)? } else { text.parse().ok()? };
                value(i64::try_from(number).ok().filter(|_| (least..=most).contains(&number))?)
            }
            Self::Minutes => {
                let inner = text.trim_start_matches('[').trim_end_matches(']');
                let words = inner.split([',', ' ']).filter(|word| !word.is_empty() && *word != "none");
                let minutes: Vec<i64> = words.map(minutes).collect::<Option<_>>()?;
                (minutes.len() <= MOST_REMINDERS).then(|| value(minutes.into_iter().collect::<Array>()))?
            }
            Self::Choice(choices) => value(*choices.iter().find(|choice| **choice == text)?),
            Self::Address => {
                let url: Url = text.parse().ok()?;
                value(Some(text).filter(|_| matches!(url.scheme(), "http" | "https") && url.has_host())?)
            }
            Self::File => value(Some(text).filter(|text| std::path::Path::new(text).is_absolute())?),
        })
    }
}

fn switch(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "yes" | "on" | "1" => Some(true),
        "false" | "no" | "off" | "0" => Some(false),
        _ => None,
    }
}

/// `90`, `90s`, `2m`, `1h`.
fn seconds(text: &str) -> Option<u64> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let factor = match text.strip_prefix(digits)? {
        "" | "s" => 1,
        "m" => 60,
        "h" => 3600,
        _ => return None,
    };
    digits.parse::<u64>().ok()?.checked_mul(factor)
}

/// `10`, `10m`, `2h`.
fn minutes(text: &str) -> Option<i64> {
    let minutes = if text.ends_with(['m', 'h', 's']) {
        let whole = Duration::from_secs(seconds(text)?).as_secs();
        Some(whole / 60).filter(|_| whole.is_multiple_of(60))?
    } else {
        text.parse().ok()?
    };
    i64::try_from(minutes).ok().filter(|_| is_reminder(minutes))
}

/// Whether a reminder can come after so many minutes.
pub(super) fn is_reminder(minutes: u64) -> bool {
    (1..=LONGEST_REMINDER).contains(&minutes)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn written(key: &str, text: &str) -> Option<Value> {
        let setting = setting(key).unwrap();
        let mut document = DocumentMut::new();
        setting.write(&mut document, text).ok()?;
        let config: Config = toml_edit::de::from_str(&document.to_string()).unwrap();
        Some(setting.read(&config))
    }

    #[test]
    fn what_a_person_writes() {
        for (key, text, wanted) in [
            ("proxy.port", "9000", Some(json!(9000))),
            ("proxy.port", "65536", None),
            ("proxy.port", "-1", None),
            ("proxy.port", "9000s", None),
            ("proxy.port", "", Some(json!(8401))),
            ("proxy.hold_seconds", "5m", Some(json!(300))),
            ("proxy.hold_seconds", "0", Some(json!(0))),
            ("proxy.hold_seconds", "5 m", None),
            ("proxy.hold_seconds", "100h", None),
            ("proxy.answer_seconds", "0", None),
            ("bell.notifications", "off", Some(json!(false))),
            ("bell.notifications", "maybe", None),
            ("bell.reminders", "5, 1h", Some(json!([5, 60]))),
            ("bell.reminders", "[5,10]", Some(json!([5, 10]))),
            ("bell.reminders", "none", Some(json!([]))),
            ("bell.reminders", "0", None),
            ("bell.reminders", "90s", None),
            ("desktop.theme", "dark", Some(json!("dark"))),
            ("desktop.theme", "Dark", None),
            ("desktop.language", "de", Some(json!("de"))),
            ("desktop.language", "", Some(Value::Null)),
            ("desktop.language", "tlh", None),
            ("network.proxy", "http://proxy.example:3128", Some(json!("http://proxy.example:3128/"))),
            ("network.proxy", "proxy.example:3128", None),
            ("network.proxy", "", Some(Value::Null)),
            ("network.extra_ca", "/etc/ca.pem", Some(json!("/etc/ca.pem"))),
            ("network.extra_ca", "ca.pem", None),
            ("vault.kind", "sealed-file", Some(json!("sealed-file"))),
            ("vault.kind", "memory", None),
        ] {
            assert_eq!(written(key, text), wanted, "{key} = {text:?}");
        }
    }

    #[test]
    fn a_comment_stays_with_its_line() {
        let mut document: DocumentMut = "[proxy]\n# mine\nport = 8401 # or so\n".parse().unwrap();
        setting("proxy.port").unwrap().write(&mut document, "9000").unwrap();
        assert_eq!(document.to_string(), "[proxy]\n# mine\nport = 9000 # or so\n");
    }
}
