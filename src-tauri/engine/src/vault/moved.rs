//! Moving what is kept from one store to another, on the vault's own thread: no other job comes between.

use std::collections::BTreeSet;

use super::{ItemName, SecretStore, VaultError, write_and_compare};

/// What has to be so before the new store counts: that the person's choice is written down.
pub(crate) type Commit = Box<dyn FnOnce() -> Result<(), String> + Send>;

/// To where, and what.
pub(crate) struct Move {
    pub(super) to: Box<dyn SecretStore>,
    pub(super) items: Vec<ItemName>,
    pub(super) commit: Commit,
}

/// Why nothing was moved. The old store counts, with all that it had.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum MoveError {
    /// One of the stores failed.
    #[error(transparent)]
    Store(#[from] VaultError),
    /// The choice could not be written down.
    #[error("{0}")]
    Choice(String),
}

/// What was moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Moved {
    /// So many items are in the new store.
    pub(crate) items: usize,
    /// So many could not be wiped in the old one.
    pub(crate) left_behind: usize,
}

impl Move {
    /// `written` is moved too: names that nobody knew when the list was made.
    ///
    /// Each item is written and read back before the new store counts, and wiped in the old one after that.
    pub(super) fn run(
        self,
        store: &mut Box<dyn SecretStore>,
        written: &BTreeSet<ItemName>,
    ) -> Result<Moved, MoveError> {
        let Self { to, items, commit } = self;
        let mut there = Vec::new();
        let copy = || -> Result<(), VaultError> {
            for item in written.iter().cloned().chain(items).collect::<BTreeSet<_>>() {
                if let Some(secret) = store.read(&item)? {
                    there.push(item.clone());
                    write_and_compare(&*to, &item, &secret)?;
                }
            }
            Ok(())
        };
        let copied = copy().map_err(MoveError::from).and_then(|()| commit().map_err(MoveError::Choice));
        if let Err(error) = copied {
            for item in &there {
                // What stays there can't be used by anybody who could not use the old one.
                let _ = to.delete(item);
            }
            return Err(error);
        }
        let old = std::mem::replace(store, to);
        let left_behind = there.iter().filter(|item| old.delete(item).is_err()).count();
        Ok(Moved { items: there.len(), left_behind })
    }
}
