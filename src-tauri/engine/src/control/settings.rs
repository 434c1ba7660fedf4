//! The settings of the program itself, as a client sees them.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::config::Unit;

/// One setting.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SettingView {
    /// `proxy.port`: below `[proxy]`, `port`. [`super::Request::SettingsSet`] takes it.
    pub key: String,
    /// A few words.
    pub title: String,
    /// What it does.
    pub about: String,
    /// What it can be.
    pub kind: SettingKind,
    /// Where it is one of some: those.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub choices: Vec<String>,
    /// Of a number: no less.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub least: Option<u64>,
    /// Of a number: no more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub most: Option<u64>,
    /// Of a number: what it counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<Unit>,
    /// What it is now, as `config.toml` has it; null where there is none.
    pub value: Value,
    /// What it is where `config.toml` says nothing.
    pub default: Value,
    /// The variable of the environment that counts instead, where one is set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub overridden_by: Option<String>,
}

/// What a setting can be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SettingKind {
    /// Yes or no.
    Switch,
    /// A whole number.
    Number,
    /// Minutes, one after the other.
    Minutes,
    /// One of some.
    Choice,
    /// An address.
    Address,
    /// A file on this machine.
    File,
}
