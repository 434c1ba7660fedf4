//! `[desktop]`: the tray and the window.

use serde::{Deserialize, Serialize};

/// `[desktop]`
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DesktopConfig {
    /// How the window looks.
    pub theme: Theme,
    /// The language that it speaks (BCP 47); the system's where absent.
    pub language: Option<String>,
    /// Whether the tray starts when the person logs in.
    pub start_at_login: bool,
}

/// How the window looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Theme {
    /// As the desktop says.
    #[default]
    System,
    /// Dark on light.
    Light,
    /// Light on dark.
    Dark,
}

impl Theme {
    /// As the file has it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::Light => "light",
            Self::Dark => "dark",
        }
    }
}
