//! One connection, top to bottom: where the file lies, what it says, what it is to say, the diff, the
//! backup, the write.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::client::Client;
use crate::place::{Places, in_work_tree};
use crate::{Form, Key, Problem, Target, Wanted, diff, edit, write};

/// What is asked for.
#[derive(Debug, Clone)]
pub struct Ask {
    /// Whose file.
    pub client: Client,
    /// The services; none with `undo` means all of ours.
    pub services: Vec<Target>,
    /// The proxy: `http://127.0.0.1:8401`.
    pub proxy: String,
    /// The tool whose key it is.
    pub tool: String,
    /// How `signbell` is started.
    pub program: String,
    /// The file of the project in the current folder, which is likely to be committed.
    pub project: bool,
    /// Start a program of ours, even where a key could stand in the file.
    pub stdio: bool,
    /// Name the variable of the environment that holds the key.
    pub env: bool,
    /// Take out instead of putting in.
    pub undo: bool,
    /// The key in the file is no tool's any more, or is to be replaced: it is not kept.
    pub forget_key: bool,
}

/// What is to be told besides the diff.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "note", rename_all = "kebab-case")]
pub enum Note {
    /// The file is likely to be committed, so no key stands in it.
    LikelyCommitted,
    /// The client takes the key from `SIGNBELL_KEY`.
    NeedsVariable,
    /// Somebody else's entry has the service's name.
    Renamed {
        /// The service.
        service: String,
        /// What ours is called.
        called: String,
    },
}

/// A change of one file that is ready to be made.
#[derive(Clone)]
pub struct Plan {
    /// What was asked for.
    pub ask: Ask,
    /// Which file.
    pub file: PathBuf,
    /// How the client gets at the key.
    pub form: Form,
    /// What else is to be told.
    pub notes: Vec<Note>,
    /// Whether the key in it is one that is still to be had.
    pub needs_key: bool,
    before: Option<String>,
    after: String,
    made: Made,
}

/// What was done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Done {
    /// What the file said before, where it said something.
    pub backup: Option<PathBuf>,
    /// Whether the file is gone, since we had made it and nothing is left in it.
    pub removed: bool,
}

impl Plan {
    /// Looks at the client's file and says what it is to say. Where a key has to stand in it and none does,
    /// that is `key`, or where there is none yet something that stands for it.
    ///
    /// # Errors
    /// [`Problem`]: the file is to be left alone.
    pub fn new(places: &Places, ask: &Ask, key: Option<&Key>, journal: &Journal) -> Result<Self, Problem> {
        let file = places.file(ask.client, ask.project).ok_or(Problem::NoProject)?;
        let before = write::read(&file)?;
        let mut text = before.clone().unwrap_or_default();
        let mut made = journal.get(&file);
        let only: Vec<_> = ask.services.iter().map(|service| service.name.clone()).collect();
        let only = (!only.is_empty()).then_some(only.as_slice());
        let mut known = edit::key(ask.client, &text, &ask.proxy);
        // What was written while we listened elsewhere is ours too.
        for old in made.proxies.iter().filter(|old| **old != ask.proxy) {
            // Some files name our host in another way.
            let port = old.rfind(':').and_then(|at| old.get(at..)).unwrap_or_default();
            if text.contains(port) {
                known = known.or_else(|| edit::key(ask.client, &text, old));
                text = edit::undo(ask.client, &text, old, only, made.part)?;
            }
        }
        if ask.undo {
            let after = edit::undo(ask.client, &text, &ask.proxy, only, made.part)?;
            let form = known.map_or(Form::Program, Form::Key);
            return Ok(Self { ask: ask.clone(), file, form, notes: vec![], needs_key: false, before, after, made });
        }
        let committed = ask.project || in_work_tree(&file);
        let kept = known.as_ref().filter(|_| !ask.forget_key);
        let (form, needs_key) = form(ask, committed, key.or(kept))?;
        let wanted = Wanted {
            services: ask.services.clone(),
            proxy: ask.proxy.clone(),
            tool: ask.tool.clone(),
            program: if ask.project { "signbell".to_owned() } else { ask.program.clone() },
            form: form.clone(),
        };
        let edited = edit::connect(ask.client, &text, &wanted)?;
        let mut notes = Vec::new();
        if committed && ask.client.takes_key() {
            notes.push(Note::LikelyCommitted);
        }
        if matches!(form, Form::Variable) {
            notes.push(Note::NeedsVariable);
        }
        notes.extend(edited.renamed.into_iter().map(|(service, called)| Note::Renamed { service, called }));
        made.file |= before.is_none();
        made.part |= edited.made;
        if !made.proxies.contains(&ask.proxy) {
            made.proxies.push(ask.proxy.clone());
        }
        Ok(Self { ask: ask.clone(), file, form, notes, needs_key, before, after: edited.text, made })
    }

    /// Whether anything is to be done.
    #[must_use]
    pub fn changes(&self) -> bool {
        self.before.as_deref().unwrap_or_default() != self.after
    }

    /// What changes, with every secret shortened.
    #[must_use]
    pub fn diff(&self) -> String {
        diff::unified(self.before.as_deref().unwrap_or_default(), &self.after, &self.file.display().to_string())
    }

    /// Whether the two were made of the same file.
    #[must_use]
    pub fn is_of_the_same_file(&self, other: &Self) -> bool {
        self.file == other.file && self.before == other.before
    }

    /// Makes the change; `date` names the backup.
    ///
    /// # Errors
    /// [`Problem`]; the file is then as it was.
    pub fn carry_out(&self, date: &str, journal: &Journal) -> Result<Done, Problem> {
        if write::read(&self.file)? != self.before {
            return Err(Problem::Changed);
        }
        let before = self.before.as_deref().filter(|text| !text.is_empty());
        let backup = before.map(|text| write::backup(&self.file, text, date)).transpose()?;
        let removed = self.ask.undo && self.made.file && edit::is_empty(self.ask.client, &self.after);
        if removed {
            write::remove(&self.file)?;
        } else {
            write::write(&self.file, &self.after)?;
        }
        let mut made = self.made.clone();
        let client = self.ask.client;
        let is_left = |proxy: &String| edit::connected(client, &self.after, proxy).is_ok_and(|left| !left.is_empty());
        made.proxies.retain(is_left);
        let none_left = made.proxies.is_empty() && !is_left(&self.ask.proxy);
        journal.set(&self.file, if none_left { Made::default() } else { made })?;
        Ok(Done { backup, removed })
    }
}

/// The form that serves, and whether its key is still to be had.
fn form(ask: &Ask, committed: bool, key: Option<&Key>) -> Result<(Form, bool), Problem> {
    let client = ask.client;
    if ask.env {
        return client.variable().map(|_| (Form::Variable, false)).ok_or(Problem::NoSuchForm);
    }
    if ask.stdio || !client.takes_key() {
        return if client.takes_program() { Ok((Form::Program, false)) } else { Err(Problem::NoSuchForm) };
    }
    if committed {
        return match (client.takes_program(), client.variable()) {
            (true, _) => Ok((Form::Program, false)),
            (false, Some(_)) => Ok((Form::Variable, false)),
            (false, None) => Err(Problem::NoKeyHere),
        };
    }
    Ok((Form::Key(key.cloned().unwrap_or_else(Key::to_come)), key.is_none()))
}

/// What was not there before we wrote: only a record can tell.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Made {
    /// The file.
    pub file: bool,
    /// The part of it that holds our entries.
    pub part: bool,
    /// The addresses that our entries lead to: the port may have been another once.
    pub proxies: Vec<String>,
}

/// The record of that, a file of Signbell's own.
#[derive(Debug, Clone)]
pub struct Journal(PathBuf);

impl Journal {
    /// The record in this folder.
    #[must_use]
    pub fn in_folder(folder: &Path) -> Self {
        Self(folder.join("connected.json"))
    }

    fn get(&self, file: &Path) -> Made {
        self.all().get(&file.display().to_string()).cloned().unwrap_or_default()
    }

    fn set(&self, file: &Path, made: Made) -> Result<(), Problem> {
        let mut all = self.all();
        let name = file.display().to_string();
        if made == Made::default() {
            all.remove(&name)
        } else {
            all.insert(name, made)
        };
        let text = serde_json::to_string_pretty(&all);
        text.map_err(|e| Problem::Io { path: self.0.clone(), source: e.into() })
            .and_then(|text| write::write(&self.0, &text))
    }

    /// One that can't be read says nothing: then empty parts stay where they are.
    fn all(&self) -> BTreeMap<String, Made> {
        let text = write::read(&self.0).ok().flatten().unwrap_or_default();
        serde_json::from_str(&text).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests;
