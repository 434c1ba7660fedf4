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

impl Tally {
    pub(super) fn write(&self, path: &Path) -> io::Result<()> {
        write_atomically(path, &serde_json::to_vec(self)?)
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
pub(super) struct Counter(Tally);

impl Counter {
    /// Goes on where the file ends; where there is none, the records that are left begin it.
    pub(super) fn open<'a>(path: &Path, records: impl IntoIterator<Item = &'a Record>) -> Self {
        let kept = std::fs::read(path).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok());
        Self(kept.unwrap_or_else(|| {
            let mut tally = Tally::default();
            for record in records {
                tally.add(record);
            }
            tally
        }))
    }

    pub(super) fn tally(&self) -> Tally {
        self.0
    }

    /// Counts it; the new tally, if it is one that counts.
    pub(super) fn count(&mut self, record: &Record) -> Option<Tally> {
        self.0.add(record).then_some(self.0)
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
}
