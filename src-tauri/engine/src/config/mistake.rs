//! Where in the file a mistake is.

use std::ops::Range;
use std::path::Path;

use super::ConfigError;

/// A part that the types allow and the meaning does not.
pub(super) struct Mistake {
    section: &'static str,
    name: String,
    what: String,
}

impl Mistake {
    /// In `[section.name]`, or at `name` below `[section]`.
    pub(super) fn at(section: &'static str, name: &str, what: String) -> Self {
        Self { section, name: name.to_owned(), what }
    }

    /// What is wrong, where there is no file.
    pub(super) fn what(self) -> String {
        self.what
    }

    pub(super) fn in_file(self, path: &Path, text: &str) -> ConfigError {
        let document: Option<toml_edit::Document<&str>> = toml_edit::Document::parse(text).ok();
        let span = document.as_ref().and_then(|document| {
            let section = document.as_table().get(self.section)?.as_table_like()?;
            let (key, item) = section.get_key_value(&self.name)?;
            item.span().or_else(|| key.span())
        });
        let line = span.map(|span| line_of(text, &span));
        ConfigError::Meaning { path: path.display().to_string(), line, what: self.what }
    }
}

/// What the parser says, with the line.
pub(super) fn syntax(path: &Path, text: &str, whole: &str, brief: &str, span: Option<Range<usize>>) -> ConfigError {
    ConfigError::Syntax {
        path: path.display().to_string(),
        line: span.map(|span| line_of(text, &span)),
        brief: brief.lines().map(str::trim).collect::<Vec<_>>().join(", "),
        why: whole.trim_end().to_owned(),
    }
}

/// From 1.
fn line_of(text: &str, span: &Range<usize>) -> usize {
    let before = text.get(..span.start.min(text.len())).unwrap_or(text);
    before.bytes().filter(|byte| *byte == b'\n').count() + 1
}
