//! How often Signbell spared the person something. Kept apart from the activity, whose older half goes when
//! it grows: a count that shrinks would be no count.

use std::io;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::{Kind, Record};
use crate::config::write_atomically;

/// What was spared since counting began.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Tally {
    /// Renewals that Signbell did by itself, where else a sign-in would have been due. Those that the person
    /// asked for are not among them.
    pub sign_ins: u64,
    /// Requests whose token was refused and that went through all the same, without the person.
    pub requests: u64,
    /// When counting began, in Unix seconds; 0 where nothing was counted yet.
    pub since: u64,
}

const FORMAT: u32 = 1;

/// The file's content.
#[derive(Debug, Serialize, Deserialize)]
struct Kept {
    /// The first version did not say it.
    #[serde(default = "first_format")]
    format: u32,
    #[serde(flatten)]
    tally: Tally,
}

/// Read by itself first: in a newer format the rest may mean something else.
#[derive(Deserialize)]
struct Version {
    #[serde(default = "first_format")]
    format: u32,
}

fn first_format() -> u32 {
    1
}

impl Tally {
    pub(super) fn write(&self, path: &Path) -> io::Result<()> {
        write_atomically(path, &serde_json::to_vec(&Kept { format: FORMAT, tally: *self })?)
    }

    fn add(&mut self, record: &Record) -> bool {
        let counted = match record.kind {
            _ if record.by_person => return false,
            Kind::Refreshed => &mut self.sign_ins,
            Kind::Recovered => &mut self.requests,
            _ => return false,
        };
        *counted += 1;
        if self.since == 0 {
            self.since = record.at;
        }
        true
    }
}

/// Counts as things happen.
#[derive(Debug)]
pub(super) struct Counter {
    tally: Tally,
    /// A newer Signbell wrote the file. It is left as it is, and what is counted now is forgotten at the end.
    newer: bool,
}

impl Counter {
    /// Goes on where the file ends; where there is none, the records that are left begin it.
    pub(super) fn open<'a>(path: &Path, records: impl IntoIterator<Item = &'a Record>) -> Self {
        let bytes = std::fs::read(path).unwrap_or_default();
        let newer = serde_json::from_slice::<Version>(&bytes).is_ok_and(|version| version.format > FORMAT);
        if newer {
            tracing::warn!("{} is a newer Signbell's and left as it is", path.display());
        }
        let kept = serde_json::from_slice::<Kept>(&bytes).ok().map(|kept| kept.tally);
        let from_records = || {
            let mut tally = Tally::default();
            for record in records {
                tally.add(record);
            }
            tally
        };
        Self { tally: kept.unwrap_or_else(from_records), newer }
    }

    pub(super) fn tally(&self) -> Tally {
        self.tally
    }

    /// Counts it; the tally to be written, if this is one that counts.
    pub(super) fn count(&mut self, record: &Record) -> Option<Tally> {
        (self.tally.add(record) && !self.newer).then_some(self.tally)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::tests::record;
    use super::*;

    fn of(kind: Kind, by_person: bool) -> Record {
        Record { kind, by_person, at: 7, ..record("x") }
    }

    #[test]
    fn only_what_the_person_had_no_part_in_counts() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tally.json");
        let before = [of(Kind::Refreshed, false), of(Kind::SignedIn, false)];
        let mut counter = Counter::open(&path, &before);
        assert_eq!(counter.tally(), Tally { sign_ins: 1, requests: 0, since: 7 });
        for (kind, by_person, counts) in [
            (Kind::Refreshed, false, true),
            (Kind::Refreshed, true, false),
            (Kind::Recovered, false, true),
            (Kind::Recovered, true, false),
            (Kind::SignedIn, false, false),
            (Kind::RefreshFailed, false, false),
        ] {
            assert_eq!(counter.count(&of(kind, by_person)).is_some(), counts, "{kind:?} {by_person}");
        }
        let tally = Tally { sign_ins: 2, requests: 1, since: 7 };
        counter.tally().write(&path).unwrap();
        // The file counts, and no longer what is left of the records.
        assert_eq!(Counter::open(&path, &before).tally(), tally);
    }

    #[test]
    fn the_first_version_s_file_counts_and_a_newer_one_is_left_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tally.json");
        std::fs::write(&path, r#"{"sign_ins":3,"requests":4,"since":5}"#).unwrap();
        let tally = Tally { sign_ins: 3, requests: 4, since: 5 };
        assert_eq!(Counter::open(&path, &[]).tally(), tally);
        tally.write(&path).unwrap();
        assert_eq!(Counter::open(&path, &[]).tally(), tally);
        for newer in [r#"{"format":2,"sign_ins":"many"}"#, r#"{"format":2,"sign_ins":3,"requests":4,"since":5}"#] {
            std::fs::write(&path, newer).unwrap();
            assert_eq!(Counter::open(&path, &[]).count(&of(Kind::Refreshed, false)), None, "it would be written");
        }
    }
}
