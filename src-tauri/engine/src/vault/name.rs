//! What items are called.

use std::fmt;

use super::VaultError;

/// Names one kept item: `grant:<id>`, `client-secret:<provider>` and the like.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ItemName(String);

impl ItemName {
    /// Checks and takes a name: a letter or digit, then letters, digits and
    /// `: . _ - @`, 200 characters at most, ASCII. These mean nothing special to
    /// any keyring, file format or terminal.
    ///
    /// # Errors
    /// [`VaultError::BadName`].
    pub fn new(name: impl Into<String>) -> Result<Self, VaultError> {
        let name = name.into();
        let safe = |b: u8| b.is_ascii_alphanumeric() || b":._-@".contains(&b);
        let starts_well = name.bytes().next().is_some_and(|b| b.is_ascii_alphanumeric());
        if starts_well && name.len() <= 200 && name.bytes().all(safe) {
            Ok(Self(name))
        } else {
            Err(VaultError::BadName)
        }
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ItemName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
