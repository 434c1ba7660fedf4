//! One connection, top to bottom: where the file lies, what it says, what it is to say, the diff, the
//! backup, the write.

use std::path::PathBuf;

use serde::Serialize;

use crate::client::{Client, Kind};
use crate::journal::{Journal, Made};
use crate::place::{Places, in_work_tree};
use crate::{Entry, Form, Key, Problem, Target, Wanted, diff, edit, write};

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
    /// What is to be done.
    pub what: What,
    /// The key in the file is no tool's any more, or is to be replaced: it is not kept.
    pub forget_key: bool,
    /// The services whose own addresses become ours in what they answer (`rewrite_addresses`); nothing where
    /// nobody can say, and nobody turn it on or off.
    pub rewriting: Option<Vec<String>>,
}

/// What is to be done with a client's file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What {
    /// Put the services in.
    Connect,
    /// Take them out, or all of ours.
    Undo,
    /// Lead all of ours to the port at which we are now, and change nothing else.
    Again,
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
    /// Docker's helper is not in the path.
    NeedsHelper,
    /// `rewrite_addresses` is turned on for a registry's service.
    Rewrites {
        /// The service.
        service: String,
    },
    /// It is turned off again: we had turned it on, and nothing else needs it.
    RewritesNoMore {
        /// The service.
        service: String,
    },
    /// It stays on, since nobody is there to turn it off.
    RewritesStill {
        /// The service.
        service: String,
    },
    /// Others may read the file, and it holds a key: it becomes its owner's alone.
    MadePrivate {
        /// Its mode until now.
        mode: String,
    },
    /// It was made its owner's alone for a key, which goes.
    MadeReadable {
        /// The mode that it gets back.
        mode: String,
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
    /// Our entries that are there.
    pub there: Vec<Entry>,
    /// Our entries that are to be there.
    pub left: Vec<Entry>,
    /// The key of ours that is there.
    pub known_key: Option<Key>,
    /// The tool that is named there to a program of ours.
    pub known_tool: Option<String>,
    /// The services of which `rewrite_addresses` is to be turned on, or with `undo` off.
    pub rewriting: Vec<String>,
    before: Option<String>,
    after: String,
    /// The mode that the file is to have, where it changes.
    mode: Option<u32>,
    made: Made,
}

/// What was done.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Done {
    /// What the file said before, where it said something that was not ours alone.
    pub backup: Option<PathBuf>,
    /// Whether the file is gone, since we had made it and nothing is left in it.
    pub removed: bool,
    /// Earlier backups out of which our key was taken.
    pub cleared: usize,
    /// Earlier backups in which it still stands, since they can't be written.
    pub uncleared: Vec<PathBuf>,
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
        let text = before.clone().unwrap_or_default();
        let known_key = edit::key(ask.client, &text, &ask.proxy);
        let mut plan = Self {
            form: known_key.clone().map_or(Form::Program, Form::Key),
            there: edit::entries(ask.client, &text, &ask.proxy)?,
            left: vec![],
            known_tool: edit::tool(ask.client, &text, &ask.proxy),
            known_key,
            ask: ask.clone(),
            notes: vec![],
            needs_key: false,
            rewriting: vec![],
            mode: None,
            made: journal.get(&file),
            before,
            after: text,
            file,
        };
        match ask.what {
            What::Connect => plan.connect(places, key, journal)?,
            What::Undo => plan.undo(journal)?,
            What::Again => plan.after = edit::moved(ask.client, &plan.after, &ask.proxy, None)?,
        }
        plan.left = edit::entries(ask.client, &plan.after, &ask.proxy)?;
        if ask.what == What::Undo {
            plan.reopen();
        }
        Ok(plan)
    }

    fn connect(&mut self, places: &Places, key: Option<&Key>, journal: &Journal) -> Result<(), Problem> {
        let ask = &self.ask;
        let committed = ask.project || in_work_tree(&self.file);
        let kept = self.known_key.as_ref().filter(|_| !ask.forget_key);
        let (form, needs_key) = form(ask, committed, key.or(kept))?;
        let wanted = Wanted {
            services: ask.services.clone(),
            proxy: ask.proxy.clone(),
            tool: ask.tool.clone(),
            program: if ask.project { "signbell".to_owned() } else { ask.program.clone() },
            form: form.clone(),
        };
        // What was written while we listened elsewhere is mended rather than written twice.
        let names: Vec<_> = ask.services.iter().map(|service| service.name.clone()).collect();
        let text = edit::moved(ask.client, &self.after, &ask.proxy, Some(&names))?;
        let edited = edit::connect(ask.client, &text, &wanted)?;
        if committed && ask.client.takes_key() {
            self.notes.push(Note::LikelyCommitted);
        }
        if matches!(form, Form::Variable) {
            self.notes.push(Note::NeedsVariable);
        }
        self.notes.extend(edited.renamed.into_iter().map(|(service, called)| Note::Renamed { service, called }));
        if self.ask.client == Client::Docker && !places.runs("docker-credential-signbell") {
            self.notes.push(Note::NeedsHelper);
        }
        self.made.file |= self.before.is_none();
        self.made.part |= edited.made;
        (self.after, self.form, self.needs_key) = (edited.text, form, needs_key);
        self.close(places)?;
        if self.ask.client.kind() == Kind::Registry {
            self.rewrite(&names, journal);
        }
        Ok(())
    }

    /// A file that holds a key is its owner's alone.
    fn close(&mut self, places: &Places) -> Result<(), Problem> {
        let open = write::mode(&self.file).filter(|mode| mode & 0o077 != 0);
        let (Some(mode), Form::Key(_)) = (open, &self.form) else { return Ok(()) };
        // Outside the home folder others may be meant to read it, and would lose it.
        if !places.is_at_home(&self.file) {
            return Err(Problem::Shared);
        }
        self.mode = Some(mode & 0o700);
        self.made.mode = Some(mode);
        self.notes.push(Note::MadePrivate { mode: format!("{mode:04o}") });
        Ok(())
    }

    /// The opposite of [`Plan::close`], unless somebody changed the mode since.
    fn reopen(&mut self) {
        let Some(was) = self.made.mode.filter(|_| self.left.is_empty() && !self.removes()) else { return };
        if write::mode(&self.file) == Some(was & 0o700) {
            self.mode = Some(was);
            self.notes.push(Note::MadeReadable { mode: format!("{was:04o}") });
        }
    }

    /// A registry's answers carry addresses, which have to be ours.
    fn rewrite(&mut self, services: &[String], journal: &Journal) {
        let rewriting = self.ask.rewriting.clone().unwrap_or_default();
        for service in services {
            let off = !rewriting.contains(service);
            if off {
                self.rewriting.push(service.clone());
                self.notes.push(Note::Rewrites { service: service.clone() });
            }
            // Where the person turned it on, it is none of ours to turn off.
            if (off || journal.rewrites_elsewhere(service, &self.file)) && !self.made.rewrites.contains(service) {
                self.made.rewrites.push(service.clone());
            }
        }
    }

    fn undo(&mut self, journal: &Journal) -> Result<(), Problem> {
        let ask = &self.ask;
        let only: Vec<_> = ask.services.iter().map(|service| service.name.clone()).collect();
        let only = (!only.is_empty()).then_some(only.as_slice());
        self.after = edit::undo(ask.client, &self.after, &ask.proxy, only, self.made.part)?;
        let goes = |service: &String| only.is_none_or(|only| only.contains(service));
        let (gone, kept) = std::mem::take(&mut self.made.rewrites).into_iter().partition(goes);
        self.made.rewrites = kept;
        let gone: Vec<String> = gone;
        for service in gone.into_iter().filter(|service| !journal.rewrites_elsewhere(service, &self.file)) {
            match &self.ask.rewriting {
                None => self.notes.push(Note::RewritesStill { service }),
                Some(rewriting) if rewriting.contains(&service) => {
                    self.rewriting.push(service.clone());
                    self.notes.push(Note::RewritesNoMore { service });
                }
                Some(_) => {}
            }
        }
        Ok(())
    }

    /// Whether anything is to be done.
    #[must_use]
    pub fn changes(&self) -> bool {
        self.writes() || self.mode.is_some() || !self.rewriting.is_empty()
    }

    /// Whether the file is to say something else.
    #[must_use]
    pub fn writes(&self) -> bool {
        self.before.as_deref().unwrap_or_default() != self.after
    }

    /// The services whose entries go.
    #[must_use]
    pub fn gone(&self) -> Vec<&str> {
        let stays = |name: &str| self.left.iter().any(|entry| entry.service == name);
        self.there.iter().map(|entry| entry.service.as_str()).filter(|name| !stays(name)).collect()
    }

    fn removes(&self) -> bool {
        self.ask.what == What::Undo
            && self.before.is_some()
            && self.made.file
            && edit::is_empty(self.ask.client, &self.after)
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
        let removed = self.removes();
        let last = self.ask.what == What::Undo && self.left.is_empty();
        let mut done = Done { removed, ..Done::default() };
        if self.writes() {
            let before = self.before.as_deref().filter(|text| !text.is_empty() && !removed);
            // When the last of ours goes, no key stays behind.
            let kept = before.map(|text| if last { Key::taken_out(text) } else { text.to_owned() });
            done.backup = kept.map(|text| write::backup(&self.file, &text, date)).transpose()?;
        }
        // The record goes first: once the file is written, nothing that fails could leave it as it was.
        let recorded = journal.get(&self.file);
        journal.set(&self.file, if self.left.is_empty() { Made::default() } else { self.made.clone() })?;
        let written = match (removed, self.mode) {
            (true, _) => write::remove(&self.file),
            (false, mode) if self.writes() => write::write(&self.file, &self.after, mode),
            (false, Some(mode)) => write::set_mode(&self.file, mode),
            (false, None) => Ok(()),
        };
        if let Err(why) = written {
            // What fails now can't be told besides what failed first.
            let _ = journal.set(&self.file, recorded);
            return Err(why);
        }
        if last {
            (done.cleared, done.uncleared) = self.clear_backups();
        }
        Ok(done)
    }

    /// Takes our key out of earlier backups, and removes those that hold nothing but what we wrote. How many
    /// it went out of, and those where it could not.
    fn clear_backups(&self) -> (usize, Vec<PathBuf>) {
        let (client, proxy) = (self.ask.client, &self.ask.proxy);
        let (mut cleared, mut uncleared) = (0, vec![]);
        for backup in write::backups(&self.file) {
            // One that can't be read is nobody's that we could clear.
            let Ok(Some(text)) = write::read(&backup) else { continue };
            let clear = Key::taken_out(&text);
            let ours = edit::entries(client, &text, proxy).is_ok_and(|ours| !ours.is_empty());
            let rest = edit::undo(client, &text, proxy, None, self.made.part);
            let has_key = clear != text;
            let written = if ours && self.made.file && rest.is_ok_and(|rest| edit::is_empty(client, &rest)) {
                write::remove(&backup)
            } else if has_key {
                write::write(&backup, &clear, Some(0o600))
            } else {
                Ok(())
            };
            match written {
                Ok(()) => cleared += usize::from(has_key),
                Err(_) if has_key => uncleared.push(backup),
                // It says nothing that anybody may not know.
                Err(_) => {}
            }
        }
        (cleared, uncleared)
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

#[cfg(test)]
mod tests;
