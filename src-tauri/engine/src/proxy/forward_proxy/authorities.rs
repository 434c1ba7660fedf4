//! Which authority vouches for which tool: a run of `signbell run` has one of its own that ends with it,
//! everybody else the lasting one, whose key lies in the vault.

use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::authority::{Authority, AuthorityError};
use crate::config::{KeyDigest, write_atomically};
use crate::vault::{DEADLINE, ItemName, Vault, VaultError};

/// A run's. It is of use to nobody after the run, for its key is gone then.
const RUN_LIFE: Duration = Duration::from_secs(30 * 24 * 3600);
/// The lasting one's certificate is made anew at each start, so this is for machines that are seldom on.
const LASTING_LIFE: Duration = Duration::from_secs(825 * 24 * 3600);

/// Where its key is kept in the vault.
pub const AUTHORITY_ITEM: &str = "forward-authority";

/// The authorities of one engine.
pub struct Authorities {
    vault: Vault,
    file: PathBuf,
    /// What the lasting one vouches for.
    hosts: Mutex<BTreeSet<String>>,
    lasting: tokio::sync::Mutex<Option<Arc<Authority>>>,
    runs: Mutex<HashMap<KeyDigest, Arc<Authority>>>,
}

impl Authorities {
    /// None is made before one is needed.
    #[must_use]
    pub fn new(vault: Vault, file: PathBuf) -> Self {
        Self { vault, file, hosts: Mutex::default(), lasting: tokio::sync::Mutex::new(None), runs: Mutex::default() }
    }

    /// The hosts of all services; whether they are others than before.
    pub fn set_hosts(&self, hosts: BTreeSet<String>) -> bool {
        let mut before = lock(&self.hosts);
        let differ = *before != hosts;
        *before = hosts;
        differ
    }

    /// An authority for the run that has this key, for these hosts alone.
    ///
    /// # Errors
    /// [`AuthorityError`].
    pub fn begin_run(&self, key: KeyDigest, hosts: BTreeSet<String>) -> Result<Arc<Authority>, AuthorityError> {
        let authority = Arc::new(Authority::with_key("one run", &Authority::new_key()?, hosts, RUN_LIFE)?);
        lock(&self.runs).insert(key, Arc::clone(&authority));
        Ok(authority)
    }

    /// The run is over: nothing of its authority is left.
    pub fn end_run(&self, key: &KeyDigest) {
        lock(&self.runs).remove(key);
    }

    /// The authority that the tool with this key trusts.
    ///
    /// # Errors
    /// [`AuthorityError`].
    pub(super) async fn of(&self, key: &KeyDigest) -> Result<Arc<Authority>, AuthorityError> {
        let run = lock(&self.runs).get(key).cloned();
        match run {
            Some(authority) => Ok(authority),
            None => self.lasting().await,
        }
    }

    /// The lasting one. Made at first use, and made anew with the same key where the hosts are others: its
    /// certificate is then written for tools to trust.
    ///
    /// # Errors
    /// [`AuthorityError`].
    pub async fn lasting(&self) -> Result<Arc<Authority>, AuthorityError> {
        // A keyring that waits for the person keeps nobody waiting for longer than it does the first.
        let waited = tokio::time::timeout(DEADLINE, self.lasting.lock()).await;
        let mut lasting = waited.map_err(|_| VaultError::Timeout)?;
        let hosts = lock(&self.hosts).clone();
        if let Some(authority) = lasting.as_ref().filter(|authority| *authority.hosts() == hosts) {
            return Ok(Arc::clone(authority));
        }
        let item = ItemName::new(AUTHORITY_ITEM)?;
        let key = match self.vault.read(&item).await? {
            Some(key) => key,
            None => {
                let key = Authority::new_key()?;
                self.vault.write(&item, &key).await?;
                key
            }
        };
        let authority = Arc::new(Authority::with_key("lasting", &key, hosts, LASTING_LIFE)?);
        write_atomically(&self.file, authority.certificate().as_bytes())
            .map_err(|e| AuthorityError::File(e.to_string()))?;
        *lasting = Some(Arc::clone(&authority));
        Ok(authority)
    }

    /// Where the lasting one's certificate is written.
    #[must_use]
    pub fn file(&self) -> &Path {
        &self.file
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
