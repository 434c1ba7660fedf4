//! What happened: an append-only record of sign-ins, refreshes, recoveries and refusals.
//!
//! Kept as JSON lines in `activity.jsonl`. No record has a field that could hold a secret, a body or
//! a URL's query.

mod tally;

use std::collections::{BTreeSet, VecDeque};
use std::fs::{File, OpenOptions};
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};

use serde::{Deserialize, Serialize};
use tokio::sync::broadcast;

use self::tally::Counter;
pub use self::tally::Tally;
use crate::model::{AccountName, ServiceName, ToolName};

/// One thing that happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// Unix seconds on this machine's clock.
    pub at: u64,
    /// What it was.
    pub kind: Kind,
    /// The account it happened to.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub account: Option<AccountName>,
    /// The service it was about.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub service: Option<ServiceName>,
    /// The tool that asked.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub tool: Option<ToolName>,
    /// The program that asked, where the system tells: `Claude Code`, `curl`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub program: Option<String>,
    /// Its process id.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub pid: Option<u32>,
    /// The program that started it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub parent: Option<String>,
    /// The same in a person's words.
    pub text: String,
    /// How long it took, in milliseconds, where that tells something.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub took_ms: Option<u64>,
    /// The refusal that it began with, and what was decided about it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub refusal: Option<Refused>,
    /// Whether the person had a part in it: a request that waited for them, a renewal that they asked for.
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub by_person: bool,
}

/// How a server said no, and what was decided. Never a body.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refused {
    /// The response's status.
    pub status: u16,
    /// The rule that recognised it.
    pub rule: String,
    /// What that means, in a sentence.
    pub why: String,
    /// What was done, in a few words.
    pub decision: String,
}

/// What can happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// The person signed in.
    SignedIn,
    /// A sign-in came to nothing.
    SignInFailed,
    /// The person signed out.
    SignedOut,
    /// The access token was renewed.
    Refreshed,
    /// Renewing failed for now.
    RefreshFailed,
    /// The session ended; only the person can help.
    Ended,
    /// A request was rescued: its tool never saw the dead token.
    Recovered,
    /// A request waits for the person.
    Held,
    /// A waiting request was answered without the person.
    HoldOver,
    /// A refusal was recognised and passed on to the tool.
    PassedOn,
    /// A server wants more scopes; the person is asked.
    ScopesAsked,
    /// A server says something that only the person can act on.
    Hint,
    /// A request was refused by Signbell itself.
    Refused,
    /// A tool first used a service today.
    Used,
    /// The person changed something.
    Changed,
}

/// How large the file may grow before its older half goes.
const LARGEST: u64 = 2 * 1024 * 1024;

/// How many records are kept at hand.
const AT_HAND: usize = 1000;

/// The record of what happened. Cheap to clone; writing happens on a thread of its own, so that no
/// request waits for a disk.
#[derive(Clone)]
pub struct Activity {
    inner: Arc<Inner>,
}

struct Inner {
    recent: Mutex<VecDeque<Record>>,
    counter: Mutex<Counter>,
    /// Accounts that are there for a while only: nothing of theirs is counted.
    uncounted: Mutex<BTreeSet<AccountName>>,
    live: broadcast::Sender<Record>,
    writer: mpsc::Sender<Written>,
}

impl Activity {
    /// Opens the file and reads its newest records. A line that can't be read (cut short by a crash)
    /// is passed over.
    #[must_use]
    pub fn open(path: PathBuf) -> Self {
        let recent = read_newest(&path);
        let tally_file = path.with_file_name("tally.json");
        let counter = Counter::open(&tally_file, &recent);
        let (writer, records) = mpsc::channel::<Written>();
        let (live, _) = broadcast::channel(256);
        let spawned = std::thread::Builder::new().name("activity".into()).spawn(move || {
            let mut file = Log { path, size: 0, file: None };
            while let Ok(first) = records.recv() {
                let mut newest = None;
                // Many at once are one write of the tally.
                for Written { record, tally } in std::iter::once(first).chain(records.try_iter()) {
                    if let Err(e) = file.append(&record) {
                        tracing::warn!("activity: {e}");
                    }
                    newest = tally.or(newest);
                }
                if let Some(Err(e)) = newest.map(|tally| tally.write(&tally_file)) {
                    tracing::warn!("{}: {e}", tally_file.display());
                }
            }
        });
        if let Err(e) = spawned {
            tracing::warn!("activity is not written: {e}");
        }
        let (recent, counter, uncounted) = (Mutex::new(recent), Mutex::new(counter), Mutex::default());
        Self { inner: Arc::new(Inner { recent, counter, uncounted, live, writer }) }
    }

    /// Notes that something of this kind happened; `fill` says to what.
    pub fn record(&self, kind: Kind, fill: impl FnOnce(&mut Record)) {
        let at = crate::clock::now().unix();
        let mut record = Record {
            at,
            kind,
            account: None,
            service: None,
            tool: None,
            program: None,
            pid: None,
            parent: None,
            text: String::new(),
            took_ms: None,
            refusal: None,
            by_person: false,
        };
        fill(&mut record);
        let mut recent = self.recent();
        if recent.len() == AT_HAND {
            recent.pop_front();
        }
        recent.push_back(record.clone());
        drop(recent);
        let counted = record.account.as_ref().is_none_or(|account| !lock(&self.inner.uncounted).contains(account));
        let tally = if counted { lock(&self.inner.counter).count(&record) } else { None };
        // Nobody follows: fine.
        let _ = self.inner.live.send(record.clone());
        let _ = self.inner.writer.send(Written { record, tally });
    }

    /// What Signbell spared the person since it began to count.
    #[must_use]
    pub fn tally(&self) -> Tally {
        lock(&self.inner.counter).tally()
    }

    /// Nothing of these accounts is counted.
    pub fn leave_out(&self, accounts: BTreeSet<AccountName>) {
        *lock(&self.inner.uncounted) = accounts;
    }

    /// The newest records, oldest first, and those to come.
    #[must_use]
    pub fn newest(&self, limit: usize) -> (Vec<Record>, broadcast::Receiver<Record>) {
        let recent = self.recent();
        let skip = recent.len().saturating_sub(limit);
        (recent.iter().skip(skip).cloned().collect(), self.inner.live.subscribe())
    }

    fn recent(&self) -> MutexGuard<'_, VecDeque<Record>> {
        lock(&self.inner.recent)
    }
}

/// A record on its way to the file, and the tally where it moved.
struct Written {
    record: Record,
    tally: Option<Tally>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn read_newest(path: &Path) -> VecDeque<Record> {
    let Ok(file) = File::open(path) else { return VecDeque::new() };
    let mut newest = VecDeque::new();
    for line in BufReader::new(file).lines().map_while(Result::ok) {
        if let Ok(record) = serde_json::from_str(&line) {
            if newest.len() == AT_HAND {
                newest.pop_front();
            }
            newest.push_back(record);
        }
    }
    newest
}

/// The file, with its size.
struct Log {
    path: PathBuf,
    size: u64,
    file: Option<File>,
}

impl Log {
    fn append(&mut self, record: &Record) -> io::Result<()> {
        if self.size > LARGEST {
            self.halve()?;
        }
        let mut file = match self.file.take() {
            Some(file) => file,
            None => {
                use std::os::unix::fs::OpenOptionsExt as _;
                let mut file = OpenOptions::new().append(true).create(true).mode(0o600).open(&self.path)?;
                self.size = file.metadata()?.len();
                if self.size > 0 && !ends_with_newline(&self.path)? {
                    file.write_all(b"\n")?;
                }
                file
            }
        };
        let mut line = serde_json::to_vec(record)?;
        line.push(b'\n');
        file.write_all(&line)?;
        self.size += line.len() as u64;
        self.file = Some(file);
        Ok(())
    }

    /// Drops the older half, so that the size is capped and the newest stays.
    fn halve(&mut self) -> io::Result<()> {
        let text = std::fs::read(&self.path)?;
        let middle = text.len() / 2;
        let cut = text.iter().skip(middle).position(|b| *b == b'\n').map_or(text.len(), |at| middle + at + 1);
        crate::config::write_atomically(&self.path, text.get(cut..).unwrap_or_default())?;
        self.file = None;
        self.size = 0;
        Ok(())
    }
}

/// A crash may have cut the last line short; the next must not be glued to it.
fn ends_with_newline(path: &Path) -> io::Result<bool> {
    use std::io::{Read as _, Seek as _};
    let mut file = File::open(path)?;
    file.seek(io::SeekFrom::End(-1))?;
    let mut last = [0];
    file.read_exact(&mut last)?;
    Ok(last == *b"\n")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    pub(super) fn record(text: &str) -> Record {
        Record {
            at: 1,
            kind: Kind::Used,
            account: None,
            service: None,
            tool: None,
            program: None,
            pid: None,
            parent: None,
            text: text.into(),
            took_ms: None,
            refusal: None,
            by_person: false,
        }
    }

    #[test]
    fn survives_a_cut_line_and_stays_small() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("activity.jsonl");
        let mut log = Log { path: path.clone(), size: 0, file: None };
        log.append(&record("first")).unwrap();
        OpenOptions::new().append(true).open(&path).unwrap().write_all(b"{\"at\":1,\"ki").unwrap();
        Log { path: path.clone(), size: 0, file: None }.append(&record("second")).unwrap();
        let texts: Vec<_> = read_newest(&path).into_iter().map(|r| r.text).collect();
        assert_eq!(texts, ["first", "second"]);

        let long = "x".repeat(100_000);
        for _ in 0..50 {
            log.append(&record(&long)).unwrap();
        }
        log.append(&record("last")).unwrap();
        assert!(std::fs::metadata(&path).unwrap().len() <= LARGEST + 200_000);
        assert_eq!(read_newest(&path).back().unwrap().text, "last");
    }
}
