//! What the running engine knows of its own health.

use serde::{Deserialize, Serialize};

use crate::model::AccountName;

/// For `signbell doctor`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checkup {
    /// Where tokens are kept.
    pub vault: VaultSeen,
    /// One for each session whose provider told the time.
    pub clocks: Vec<ClockSeen>,
}

/// How the vault stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VaultSeen {
    /// What it is, for people.
    pub words: String,
    /// Whether it was tried by writing, and not only looked at.
    pub tried: bool,
    /// What is wrong with it, and what to do.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub trouble: Option<String>,
}

/// This machine's clock beside a provider's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClockSeen {
    /// Whose provider.
    pub account: AccountName,
    /// How far ours is ahead of theirs.
    pub seconds_ahead: i64,
}
