//! `[desktop]`: the tray and the window.

use serde::Deserialize;

/// `[desktop]`
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DesktopConfig {
    /// The language that it speaks (BCP 47); the system's where absent.
    pub language: Option<String>,
}
