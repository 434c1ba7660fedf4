//! What only a record can tell of the files that we wrote to.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::{Problem, write};

/// What was not so before we wrote.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Made {
    /// The file was not there.
    pub file: bool,
    /// Nor was the part of it that holds our entries.
    pub part: bool,
    /// The mode of the file, before a key made it its owner's alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mode: Option<u32>,
    /// The services that it needs rewritten addresses of (`rewrite_addresses`), which were turned on for it or for
    /// another such file.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub rewrites: Vec<String>,
}

/// The record of that by file, a file of Signbell's own.
#[derive(Debug, Clone)]
pub struct Journal(PathBuf);

impl Journal {
    /// The record in this folder.
    #[must_use]
    pub fn in_folder(folder: &Path) -> Self {
        Self(folder.join("connected.json"))
    }

    pub(crate) fn get(&self, file: &Path) -> Made {
        self.all().get(&file.display().to_string()).cloned().unwrap_or_default()
    }

    /// Whether another file than this one needs the service's addresses rewritten, and we turned that on.
    pub(crate) fn rewrites_elsewhere(&self, service: &str, file: &Path) -> bool {
        let name = file.display().to_string();
        self.all().iter().any(|(other, made)| *other != name && made.rewrites.iter().any(|known| known == service))
    }

    pub(crate) fn set(&self, file: &Path, made: Made) -> Result<(), Problem> {
        let mut all = self.all();
        let name = file.display().to_string();
        if made == Made::default() {
            all.remove(&name)
        } else {
            all.insert(name, made)
        };
        let text = serde_json::to_string_pretty(&all);
        text.map_err(|e| Problem::Io { path: self.0.clone(), source: e.into() })
            .and_then(|text| write::write(&self.0, &text, None))
    }

    /// One that can't be read says nothing: then empty parts stay where they are.
    fn all(&self) -> BTreeMap<String, Made> {
        let text = write::read(&self.0).ok().flatten().unwrap_or_default();
        serde_json::from_str(&text).unwrap_or_default()
    }
}
