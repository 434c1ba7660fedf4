//! In which language the desktop speaks.
//!
//! The window's labels, the tray's menu, the notifications, and states and reasons as rows show them are
//! in the person's language. Commands, their failures, the log and the activity that was written down are
//! in English: they are read by scripts, searched for, and quoted.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A language of the catalogue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Language {
    /// English.
    #[default]
    En,
    /// German.
    De,
}

impl Language {
    /// Every one that there is.
    pub const ALL: [Self; 2] = [Self::En, Self::De];

    /// Its code (BCP 47), which is also the page's `lang`.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::En => "en",
            Self::De => "de",
        }
    }

    /// What the environment asks for: the first of `LC_ALL`, `LC_MESSAGES` and `LANG` that is set decides
    /// (POSIX, chapter 8.2). English where that is no language of ours.
    #[must_use]
    pub fn of_environment(variable: impl Fn(&str) -> Option<String>) -> Self {
        let set = |name: &&str| variable(name).filter(|value| !value.is_empty());
        let locale = ["LC_ALL", "LC_MESSAGES", "LANG"].iter().find_map(set).unwrap_or_default();
        Self::of_tag(&locale).unwrap_or_default()
    }

    /// The language of a tag (BCP 47: `de-AT`) or a locale (`de_AT.UTF-8`), if the catalogue has it.
    #[must_use]
    pub fn of_tag(tag: &str) -> Option<Self> {
        let language = tag.split(['_', '.', '@', '-']).next().unwrap_or_default();
        language.to_ascii_lowercase().parse().ok()
    }
}

impl fmt::Display for Language {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

/// A language that the catalogue does not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no language of Signbell's")]
pub struct NoLanguage;

impl FromStr for Language {
    type Err = NoLanguage;

    fn from_str(code: &str) -> Result<Self, NoLanguage> {
        Self::ALL.into_iter().find(|language| language.code() == code).ok_or(NoLanguage)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_variable_that_is_set_decides() {
        for (variables, language) in [
            (&[][..], Language::En),
            (&[("LANG", "de_DE.UTF-8")][..], Language::De),
            (&[("LANG", "de")][..], Language::De),
            (&[("LANG", "de_AT@euro")][..], Language::De),
            (&[("LANG", "de_DE.UTF-8"), ("LC_ALL", "C")][..], Language::En),
            (&[("LANG", "C.UTF-8"), ("LC_MESSAGES", "de_CH.UTF-8")][..], Language::De),
            (&[("LANG", "de_DE.UTF-8"), ("LC_ALL", "")][..], Language::De),
            (&[("LANG", "fr_FR.UTF-8")][..], Language::En),
            (&[("LANG", "default")][..], Language::En),
            (&[("LANG", "DE-de")][..], Language::De),
        ] {
            let of = |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, v)| (*v).to_owned());
            assert_eq!(Language::of_environment(of), language, "{variables:?}");
        }
    }
}
