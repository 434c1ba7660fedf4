//! Secrets kept in this process's memory: for the demo, for tests, and for a
//! machine without a keyring whose person did not choose a sealed file.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::{ItemName, SecretStore, StoreKind, VaultError};
use crate::secret::Secret;

/// Keeps secrets until the process ends.
#[derive(Debug, Default)]
pub struct MemoryStore(Mutex<BTreeMap<ItemName, Secret>>);

impl MemoryStore {
    /// An empty store.
    pub fn new() -> Self {
        Self::default()
    }

    fn items(&self) -> MutexGuard<'_, BTreeMap<ItemName, Secret>> {
        // No code panics while holding it, and a map is whole between two calls.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl SecretStore for MemoryStore {
    fn kind(&self) -> StoreKind {
        StoreKind::Memory
    }

    fn read(&self, item: &ItemName) -> Result<Option<Secret>, VaultError> {
        Ok(self.items().get(item).cloned())
    }

    fn write(&self, item: &ItemName, secret: &Secret) -> Result<(), VaultError> {
        self.items().insert(item.clone(), secret.clone());
        Ok(())
    }

    fn delete(&self, item: &ItemName) -> Result<(), VaultError> {
        self.items().remove(item);
        Ok(())
    }
}

#[cfg(test)]
pub(super) use faulty::FaultyStore;

#[cfg(test)]
mod faulty {
    #![allow(clippy::unwrap_used, clippy::panic)]

    use std::sync::{Arc, Condvar};

    use super::*;

    #[derive(Default)]
    struct Faults {
        hang_reads: bool,
        hang_writes: bool,
        lose_writes: bool,
        panic_once: bool,
        log: Vec<String>,
    }

    /// A memory store that hangs, forgets or panics when told to, and tells what
    /// it was asked.
    #[derive(Default)]
    pub(crate) struct FaultyStore {
        kept: MemoryStore,
        faults: Mutex<Faults>,
        changed: Condvar,
    }

    impl FaultyStore {
        fn set(&self, change: impl FnOnce(&mut Faults)) {
            change(&mut self.faults.lock().unwrap());
            self.changed.notify_all();
        }

        pub(crate) fn hang(&self, on: bool) {
            self.set(|f| (f.hang_reads, f.hang_writes) = (on, on));
        }

        pub(crate) fn hang_writes(&self, on: bool) {
            self.set(|f| f.hang_writes = on);
        }

        pub(crate) fn lose_writes(&self, on: bool) {
            self.set(|f| f.lose_writes = on);
        }

        pub(crate) fn panic_once(&self) {
            self.set(|f| f.panic_once = true);
        }

        pub(crate) fn log(&self) -> Vec<String> {
            self.faults.lock().unwrap().log.clone()
        }

        /// Waits while told to hang, notes the call, and gives the faults.
        fn enter(&self, call: &str, hangs: fn(&Faults) -> bool) -> bool {
            let faults = self.faults.lock().unwrap();
            let mut faults = self.changed.wait_while(faults, |f| hangs(f)).unwrap();
            faults.log.push(call.to_owned());
            let panics = std::mem::take(&mut faults.panic_once);
            let loses = faults.lose_writes;
            drop(faults);
            if panics {
                panic!("told to");
            }
            loses
        }
    }

    impl SecretStore for Arc<FaultyStore> {
        fn kind(&self) -> StoreKind {
            StoreKind::Memory
        }

        fn read(&self, item: &ItemName) -> Result<Option<Secret>, VaultError> {
            self.enter("read", |f| f.hang_reads);
            self.kept.read(item)
        }

        fn write(&self, item: &ItemName, secret: &Secret) -> Result<(), VaultError> {
            if self.enter(&format!("write {}", secret.expose()), |f| f.hang_writes) {
                return Ok(());
            }
            self.kept.write(item, secret)
        }

        fn delete(&self, item: &ItemName) -> Result<(), VaultError> {
            self.enter("delete", |f| f.hang_writes);
            self.kept.delete(item)
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn keeps_reads_and_deletes() {
        let store = MemoryStore::new();
        let [a, b] = ["a", "b"].map(|n| ItemName::new(n).unwrap());
        store.write(&a, &Secret::new("1")).unwrap();
        store.write(&b, &Secret::new("2")).unwrap();
        store.write(&a, &Secret::new("3")).unwrap();
        assert_eq!(store.read(&a), Ok(Some(Secret::new("3"))));
        store.delete(&a).unwrap();
        store.delete(&a).unwrap();
        assert_eq!(store.read(&a), Ok(None));
        assert_eq!(store.read(&b), Ok(Some(Secret::new("2"))));
        assert!(!format!("{store:?}").contains('2'));
    }
}
