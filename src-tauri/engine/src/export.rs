//! Our own settings as a file for another machine: no secret, and no tool's key.
//!
//! What travels: providers, accounts, services, and tools by name. What does not: tokens, client secrets and
//! keys (they never were in the settings), digests of tools' keys (each machine makes its own), the leave to
//! print an account's token and the programs that were allowed for good (given on each machine), and what belongs to one machine or its network: the
//! proxy's port, the corporate proxy, extra authorities.

use std::path::Path;

use toml_edit::{DocumentMut, Item, Table, value};

use crate::config::{self, Config};
use crate::control::Failure;
use crate::wording;

/// The key by which such a file is known, with the number of its form.
pub(crate) const FORM_KEY: &str = "signbell_export";
/// The form that this version writes, and the newest that it reads.
pub(crate) const FORM: i64 = 1;

/// What travels, and what of each does not.
pub(crate) const SECTIONS: [(&str, &[&str]); 4] =
    [("providers", &[]), ("accounts", &["allow_token"]), ("services", &[]), ("tools", &["key_sha256", "allowed"])];

/// The text of an export, and what it has of each kind.
#[derive(Debug)]
pub struct Export {
    /// TOML.
    pub text: String,
    /// How many accounts.
    pub accounts: usize,
    /// How many services.
    pub services: usize,
    /// How many tools, each of which needs a new key.
    pub tools: usize,
}

/// The settings of `config.toml` for another machine. They are read as a whole first: a file with a mistake
/// is not carried on.
///
/// # Errors
/// Where the file can't be used.
pub fn export(config_file: &Path) -> Result<Export, Failure> {
    let config = config::load(config_file)?;
    let text = match std::fs::read_to_string(config_file) {
        Ok(text) => text,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => String::new(),
        Err(e) => return Err(wording::export::unreadable(config_file, &e)),
    };
    let ours: DocumentMut = text.parse().unwrap_or_default();
    Ok(of(&ours, &config))
}

/// PURE: comments stay behind too, for nobody knows what is in them.
fn of(ours: &DocumentMut, config: &Config) -> Export {
    let mut document = DocumentMut::new();
    document.insert(FORM_KEY, value(FORM));
    for (section, left_out) in SECTIONS {
        let Some(entries) = ours.get(section).and_then(Item::as_table_like) else { continue };
        let mut outer = Table::new();
        outer.set_implicit(true);
        for (name, entry) in entries.iter() {
            let Some(entry) = entry.as_table_like() else { continue };
            let mut inner = Table::new();
            for (key, item) in entry.iter().filter(|(key, _)| !left_out.contains(key)) {
                inner.insert(key, without_comments(item));
            }
            outer.insert(name, Item::Table(inner));
        }
        document.insert(section, Item::Table(outer));
    }
    document.decor_mut().set_prefix(wording::export::HEAD);
    Export {
        text: document.to_string(),
        accounts: config.accounts.len(),
        services: config.services.len(),
        tools: config.tools.len(),
    }
}

fn without_comments(item: &Item) -> Item {
    match item {
        Item::None => Item::None,
        Item::Value(given) => value(plain(given)),
        Item::Table(table) => {
            let mut clean = Table::new();
            for (key, item) in table.iter() {
                clean.insert(key, without_comments(item));
            }
            Item::Table(clean)
        }
        Item::ArrayOfTables(tables) => {
            let mut clean = toml_edit::ArrayOfTables::new();
            for table in tables.iter() {
                if let Item::Table(table) = without_comments(&Item::Table(table.clone())) {
                    clean.push(table);
                }
            }
            Item::ArrayOfTables(clean)
        }
    }
}

fn plain(given: &toml_edit::Value) -> toml_edit::Value {
    use toml_edit::Value;
    match given {
        Value::String(text) => Value::from(text.value().as_str()),
        Value::Integer(number) => Value::from(*number.value()),
        Value::Float(number) => Value::from(*number.value()),
        Value::Boolean(yes) => Value::from(*yes.value()),
        Value::Datetime(time) => Value::from(*time.value()),
        Value::Array(values) => Value::Array(values.iter().map(plain).collect()),
        Value::InlineTable(table) => {
            Value::InlineTable(table.iter().map(|(key, value)| (key.to_owned(), plain(value))).collect())
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn g1_what_is_secret_or_of_one_machine_stays() {
        let digest = "ab".repeat(32);
        let text = format!(
            "# canary-comment\n[proxy]\nport = 9000 # canary-port\n[network]\nproxy = \"http://u:canary-password@p.test\"\n\
             [providers.p]\nissuer = \"https://p.test\" # canary-inline\nclient_id = \"c\"\nclient_secret_in_vault = true\n\
             [accounts.ada] # canary-head\nprovider = \"p\"\nscopes = [\n  # canary-in-array\n  \"x\",\n]\nallow_token = true\n\
             [services.notes]\nurl = \"https://n.test\"\naccount = \"ada\"\n\
             [[services.notes.rules]]\n# canary-rule\nname = \"r\"\n\
             [tools.script]\nkey_sha256 = \"{digest}\"\nservices = [\"notes\"] # canary\nkey_in_path = true\n"
        );
        let document: DocumentMut = text.parse().unwrap();
        let export = of(&document, &Config::default()).text;
        for gone in ["canary", &digest, "allow_token", "9000", "network"] {
            assert!(!export.contains(gone), "{gone} in:\n{export}");
        }
        let read: DocumentMut = export.parse().unwrap();
        assert_eq!(read[FORM_KEY].as_integer(), Some(FORM));
        assert_eq!(read["accounts"]["ada"]["scopes"].as_array().unwrap().len(), 1);
        assert_eq!(read["services"]["notes"]["rules"].as_array_of_tables().unwrap().len(), 1);
        assert_eq!(read["tools"]["script"]["key_in_path"].as_bool(), Some(true));
        assert_eq!(read["providers"]["p"]["client_secret_in_vault"].as_bool(), Some(true));
    }
}
