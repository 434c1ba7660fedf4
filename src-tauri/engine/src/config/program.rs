//! The sections on the program itself: `[bell]`, `[vault]`.

use serde::Deserialize;

/// `[bell]`
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BellConfig {
    /// Whether the desktop shows notifications. The tray and the window say the same either way.
    pub notifications: bool,
    /// How many minutes after a ring nobody answered it rings again; the last stands for all that follow,
    /// none is no reminder.
    pub reminders: Vec<u64>,
}

impl Default for BellConfig {
    fn default() -> Self {
        Self { notifications: true, reminders: vec![10, 30, 120, 480, 1440] }
    }
}

/// `[vault]`
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct VaultConfig {
    /// Where tokens are kept.
    pub kind: VaultKind,
}

/// Where tokens are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum VaultKind {
    /// The operating system's keyring.
    #[default]
    Keyring,
    /// A file sealed with a passphrase.
    SealedFile,
}

impl VaultKind {
    /// As the file has it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Keyring => "keyring",
            Self::SealedFile => "sealed-file",
        }
    }
}
