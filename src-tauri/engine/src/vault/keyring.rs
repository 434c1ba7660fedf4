//! The operating system's keyring, through the `keyring` crate.
//!
//! The service is `Signbell`, the user is the item's name.
//!
//! On Linux that crate unlocks what is locked, and waits for the person without an
//! end; so each access first passes the [`gate`], which can't hang. A keyring that is
//! locked in the instant between the two still holds the vault's thread until the
//! person answers; callers have their deadline.

use std::collections::HashMap;
use std::sync::Arc;

use keyring_core::{CredentialStore, Entry, Error};
use secrecy::zeroize::Zeroizing;

use super::item::{Items, RawStore};
use super::{ItemName, SecretStore, StoreKind, VaultError};
use crate::secret::Secret;

#[cfg(target_os = "linux")]
mod gate;

const SERVICE: &str = "Signbell";

/// The longest entry, where the platform's is too short for a token set:
/// Windows' `CRED_MAX_CREDENTIAL_BLOB_SIZE`.
const ENTRY_LIMIT: Option<usize> = if cfg!(windows) { Some(2560) } else { None };

/// The operating system's keyring.
#[derive(Default)]
pub struct KeyringStore {
    gate: gate::Gate,
}

impl KeyringStore {
    /// The keyring of the person whose process this is. Touches nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Runs the call once the gate says that it can't prompt. A secret service that
    /// was restarted has forgotten our session with it, so a failure is tried again
    /// on a new one; each call here can be made twice.
    fn run<T>(
        &self,
        item: &ItemName,
        need: Need,
        call: impl Fn(&Items<'_, Entries>) -> Result<T, VaultError>,
    ) -> Result<T, VaultError> {
        self.gate.pass(item, need)?;
        let attempt = |fresh| {
            let raw = &Entries(connect(fresh)?);
            let limit = ENTRY_LIMIT;
            call(&Items { raw, limit })
        };
        let outcome = match attempt(false) {
            Err(VaultError::Platform(error)) => {
                tracing::debug!(%error, "the keyring failed; connecting anew");
                attempt(true)
            }
            outcome => outcome,
        };
        if outcome.is_err() {
            // It may have been locked after we looked: then that is the reason.
            self.gate.pass(item, Need::Nothing)?;
        }
        outcome
    }
}

impl SecretStore for KeyringStore {
    fn kind(&self) -> StoreKind {
        StoreKind::Keyring
    }

    fn read(&self, item: &ItemName) -> Result<Option<Secret>, VaultError> {
        self.run(item, Need::Reading, |items| items.read(item))
    }

    fn write(&self, item: &ItemName, secret: &Secret) -> Result<(), VaultError> {
        self.run(item, Need::Writing, |items| items.write(item, secret))
    }

    fn delete(&self, item: &ItemName) -> Result<(), VaultError> {
        self.run(item, Need::Reading, |items| items.delete(item))
    }

    fn probe(&self) -> Result<(), VaultError> {
        self.gate.pass(&no_item()?, Need::Nothing)
    }

    fn unlock(&self) -> Result<(), VaultError> {
        self.gate.forget_refusal();
        self.gate.pass(&no_item()?, Need::Writing)
    }
}

/// For questions about the keyring as a whole: a name that nothing is kept under.
fn no_item() -> Result<ItemName, VaultError> {
    ItemName::new("signbell")
}

/// What the person may be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Need {
    /// Nothing: only look.
    Nothing,
    /// To unlock what is there.
    Reading,
    /// Also to make a keyring where there is none.
    Writing,
}

/// The platform's store, as the `keyring` crate chooses it.
fn connect(fresh: bool) -> Result<Arc<CredentialStore>, VaultError> {
    // That crate connects once a process and would keep a lost connection for good.
    let first = keyring::Entry::store_status();
    #[cfg(target_os = "linux")]
    if fresh {
        let store = zbus_secret_service_keyring_store::Store::new().map_err(failed)?;
        keyring_core::set_default_store(store);
    }
    match (keyring_core::get_default_store(), first) {
        (Some(store), _) => Ok(store),
        (None, Err(error)) => Err(VaultError::Platform(error.to_string())),
        (None, Ok(())) => Err(VaultError::Absent),
    }
}

/// The keyring's entries under our service.
struct Entries(Arc<CredentialStore>);

impl Entries {
    fn entry(&self, key: &str) -> Result<Entry, VaultError> {
        // What the person sees in Seahorse or KWalletManager. Elsewhere the name of
        // the service is shown, and a label is not understood.
        let label = format!("Signbell: {key}");
        let modifiers = HashMap::from([("label", label.as_str())]);
        let modifiers = cfg!(target_os = "linux").then_some(&modifiers);
        self.0.build(SERVICE, key, modifiers).map_err(failed)
    }
}

impl RawStore for Entries {
    fn get(&self, key: &str) -> Result<Option<Zeroizing<Vec<u8>>>, VaultError> {
        match self.entry(key)?.get_secret() {
            Ok(bytes) => Ok(Some(Zeroizing::new(bytes))),
            Err(Error::NoEntry) => Ok(None),
            Err(error) => Err(failed(error)),
        }
    }

    fn put(&self, key: &str, bytes: &[u8]) -> Result<(), VaultError> {
        self.entry(key)?.set_secret(bytes).map_err(failed)
    }

    fn remove(&self, key: &str) -> Result<(), VaultError> {
        match self.entry(key)?.delete_credential() {
            Ok(()) | Err(Error::NoEntry) => Ok(()),
            Err(error) => Err(failed(error)),
        }
    }
}

/// Some of these carry the stored bytes, which must not get into a text.
fn failed(error: Error) -> VaultError {
    match error {
        Error::NoStorageAccess(_) => VaultError::Denied,
        Error::NoDefaultStore => VaultError::Absent,
        Error::BadEncoding(_) | Error::BadDataFormat(..) | Error::BadStoreFormat(_) => VaultError::Corrupt,
        Error::Ambiguous(entries) => VaultError::Platform(format!("{} items have this name", entries.len())),
        other => VaultError::Platform(other.to_string()),
    }
}

/// Other platforms prompt by themselves, on the vault's thread; callers have their
/// deadline.
#[cfg(not(target_os = "linux"))]
mod gate {
    use super::{ItemName, Need, VaultError};

    #[derive(Default)]
    pub(super) struct Gate;

    impl Gate {
        pub(super) fn pass(&self, _: &ItemName, _: Need) -> Result<(), VaultError> {
            Ok(())
        }

        pub(super) fn forget_refusal(&self) {}
    }
}
