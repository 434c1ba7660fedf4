//! `state.json`: what was learned, without any secret. Lost, it costs nothing but a question to the
//! vault and the identities' names.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::sync::Notify;

use crate::config::write_atomically;
use crate::model::{AccountName, Generation, GrantId, Identity, Scopes, ServiceName, ToolName};
use crate::provider::Registration;
use crate::session::failure::Reason;
use crate::session::tokens::Owner;
use crate::usage::Usage;

const FORMAT: u32 = 1;

/// The file's content.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Content {
    format: u32,
    #[serde(default)]
    accounts: BTreeMap<AccountName, KnownAccount>,
    #[serde(default)]
    used: Vec<(ServiceName, ToolName, u64)>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct KnownAccount {
    #[serde(default)]
    identity: Option<Identity>,
    /// By resource; the empty text is "no resource".
    #[serde(default)]
    grants: BTreeMap<String, KnownGrant>,
    /// The scopes that were asked for and refused, likewise.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    refused: BTreeMap<String, Scopes>,
    /// The scopes that were added to those of the settings, likewise.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    added: BTreeMap<String, Scopes>,
}

/// What was last known of a grant.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct KnownGrant {
    pub(super) generation: Generation,
    /// Why it was over, if it was.
    #[serde(default)]
    pub(super) ended: Option<Reason>,
    #[serde(default)]
    pub(super) signed_out: bool,
    /// Signed out, and not seen yet that its tokens are gone from the vault.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) unwiped: bool,
    #[serde(default)]
    pub(super) scopes: Vec<String>,
    #[serde(default)]
    pub(super) issued_at: Option<u64>,
    #[serde(default)]
    pub(super) expires_at: Option<u64>,
    #[serde(default)]
    pub(super) refreshable: bool,
    /// Which registration its tokens belong to.
    #[serde(default)]
    pub(super) owner: Option<Owner>,
}

/// Read by itself first: in a newer format the rest may mean something else.
#[derive(Deserialize)]
struct Version {
    format: u32,
}

/// Why the file can't be used.
#[derive(Debug, thiserror::Error)]
pub(super) enum KnownError {
    /// A newer Signbell wrote it; it is left as it is.
    #[error("written by a newer Signbell (format {0})")]
    Newer(u32),
    /// It can't be read.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// What is known, and the file it is kept in.
pub(super) struct Known {
    path: PathBuf,
    content: Mutex<Content>,
    /// How many contents were to be written so far.
    taken: AtomicU64,
    changed: Notify,
    /// The number of the newest content that is in the file; held while that is written.
    written: Arc<Mutex<u64>>,
}

impl Known {
    /// Reads the file. One that is damaged is as good as none: all of it can be learned again.
    pub(super) fn load(path: PathBuf, usage: &Usage) -> Result<Self, KnownError> {
        let content = match std::fs::read(&path) {
            Ok(bytes) => match serde_json::from_slice::<Version>(&bytes) {
                Ok(Version { format }) if format > FORMAT => return Err(KnownError::Newer(format)),
                _ => serde_json::from_slice::<Content>(&bytes).unwrap_or_else(|e| {
                    tracing::warn!("{} is damaged and begun anew: {e}", path.display());
                    Content::default()
                }),
            },
            Err(e) if e.kind() == io::ErrorKind::NotFound => Content::default(),
            Err(e) => return Err(e.into()),
        };
        for (service, tool, at) in &content.used {
            usage.restore(service.clone(), tool.clone(), *at);
        }
        Ok(Self {
            path,
            content: Mutex::new(content),
            taken: AtomicU64::new(0),
            changed: Notify::new(),
            written: Arc::default(),
        })
    }

    pub(super) fn identity(&self, account: &AccountName) -> Option<Identity> {
        self.lock().accounts.get(account)?.identity.clone()
    }

    pub(super) fn set_identity(&self, account: &AccountName, identity: Identity) {
        self.lock().accounts.entry(account.clone()).or_default().identity = Some(identity);
        self.changed.notify_one();
    }

    /// What was last known of a grant, if its tokens were this registration's.
    pub(super) fn grant(&self, grant: &GrantId, registration: &Registration) -> Option<KnownGrant> {
        let known = self.lock().accounts.get(&grant.account)?.grants.get(key(grant)).cloned()?;
        let owner = Owner::from(registration);
        known.owner.as_ref().is_none_or(|known| *known == owner).then_some(known)
    }

    /// What was last known of a grant, whosever its tokens were.
    pub(super) fn last(&self, grant: &GrantId) -> Option<KnownGrant> {
        self.lock().accounts.get(&grant.account)?.grants.get(key(grant)).cloned()
    }

    /// Every grant of the account that was ever seen and not forgotten.
    pub(super) fn grants(&self, account: &AccountName) -> Vec<GrantId> {
        let content = self.lock();
        let grants = content.accounts.get(account).map(|known| known.grants.keys());
        let resource = |key: &String| Some(key.clone()).filter(|resource| !resource.is_empty());
        grants.into_iter().flatten().map(|key| GrantId { account: account.clone(), resource: resource(key) }).collect()
    }

    /// Whether there ever were tokens of this account.
    pub(super) fn ever_signed_in(&self, account: &AccountName) -> bool {
        let content = self.lock();
        content.accounts.get(account).is_some_and(|known| known.grants.values().any(|grant| grant.generation.0 > 0))
    }

    /// Whether there are tokens of this account, as far as was last known.
    pub(super) fn is_signed_in(&self, account: &AccountName) -> bool {
        let content = self.lock();
        let lives = |grant: &KnownGrant| grant.generation.0 > 0 && grant.ended.is_none() && !grant.signed_out;
        content.accounts.get(account).is_some_and(|known| known.grants.values().any(lives))
    }

    /// What was asked for and refused.
    pub(super) fn refused(&self) -> Vec<(GrantId, Scopes)> {
        let content = self.lock();
        let of = |account: &AccountName, key: &str| GrantId {
            account: account.clone(),
            resource: Some(key.to_owned()).filter(|resource| !resource.is_empty()),
        };
        content
            .accounts
            .iter()
            .flat_map(|(account, known)| {
                known.refused.iter().map(move |(key, scopes)| (of(account, key), scopes.clone()))
            })
            .collect()
    }

    pub(super) fn set_refused(&self, grant: &GrantId, scopes: Scopes) {
        let mut content = self.lock();
        let refused = &mut content.accounts.entry(grant.account.clone()).or_default().refused;
        match scopes.is_empty() {
            true => drop(refused.remove(key(grant))),
            false => drop(refused.insert(key(grant).to_owned(), scopes)),
        }
        drop(content);
        self.changed.notify_one();
    }

    /// What was added to the scopes of the settings for this grant.
    pub(super) fn added(&self, grant: &GrantId) -> Scopes {
        let content = self.lock();
        content.accounts.get(&grant.account).and_then(|a| a.added.get(key(grant))).cloned().unwrap_or_default()
    }

    pub(super) fn add_scopes(&self, grant: &GrantId, scopes: &Scopes) {
        let mut content = self.lock();
        let added = content.accounts.entry(grant.account.clone()).or_default().added.entry(key(grant).to_owned());
        let added = added.or_default();
        *added = added.union(scopes);
        drop(content);
        self.changed.notify_one();
    }

    pub(super) fn forget_grant(&self, grant: &GrantId) {
        if let Some(account) = self.lock().accounts.get_mut(&grant.account) {
            account.grants.remove(key(grant));
            account.refused.remove(key(grant));
            account.added.remove(key(grant));
        }
        self.changed.notify_one();
    }

    pub(super) fn set_grant(&self, grant: &GrantId, known: KnownGrant) {
        let mut content = self.lock();
        let account = content.accounts.entry(grant.account.clone()).or_default();
        if account.grants.insert(key(grant).to_owned(), known.clone()) != Some(known) {
            drop(content);
            self.changed.notify_one();
        }
    }

    /// The person signs out of this grant. [`Known::write_now`] before its tokens are wiped: whoever starts after
    /// a crash knows then what was wanted.
    pub(super) fn signs_out(&self, grant: &GrantId) {
        let generation = self.last(grant).unwrap_or_default().generation;
        self.set_grant(grant, KnownGrant { generation, signed_out: true, unwiped: true, ..KnownGrant::default() });
    }

    /// The tokens of a grant that the person signed out of are gone from the vault.
    pub(super) fn wiped(&self, grant: &GrantId) {
        if let Some(known) = self.last(grant).filter(|known| known.unwiped) {
            self.set_grant(grant, KnownGrant { unwiped: false, ..known });
        }
    }

    /// Grants that the person signed out of, whose tokens may be in the vault all the same.
    pub(super) fn unwiped(&self) -> Vec<GrantId> {
        let accounts: Vec<AccountName> = self.lock().accounts.keys().cloned().collect();
        let grants = accounts.iter().flat_map(|account| self.grants(account));
        grants.filter(|grant| self.last(grant).is_some_and(|known| known.unwiped)).collect()
    }

    pub(super) fn forget(&self, account: &AccountName) {
        self.lock().accounts.remove(account);
        self.changed.notify_one();
    }

    /// Writes what changed, again and again; several changes in quick succession are one write.
    pub(super) async fn keep_written(&self, usage: &Usage) {
        loop {
            self.changed.notified().await;
            tokio::time::sleep(Duration::from_millis(50)).await;
            self.write_now(usage).await;
        }
    }

    /// Writes, and returns once that is on the disk.
    pub(super) async fn write_now(&self, usage: &Usage) {
        let (path, written, content) = (self.path.clone(), Arc::clone(&self.written), self.content(usage));
        // A disk may be slow; no request waits for it.
        let _ = tokio::task::spawn_blocking(move || write(&path, &content, &written)).await;
    }

    /// Writes now, at the end.
    pub(super) fn write(&self, usage: &Usage) {
        write(&self.path, &self.content(usage), &self.written);
    }

    /// What is to be written, and its number among all that ever was.
    fn content(&self, usage: &Usage) -> (u64, Content) {
        let mut content = self.lock();
        content.format = FORMAT;
        content.used = usage.all();
        (self.taken.fetch_add(1, Ordering::Relaxed) + 1, content.clone())
    }

    fn lock(&self) -> MutexGuard<'_, Content> {
        self.content.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Writes it, unless something newer is there already: whoever was to write this may have been late.
fn write(path: &Path, (number, content): &(u64, Content), newest: &Mutex<u64>) {
    let mut newest = newest.lock().unwrap_or_else(PoisonError::into_inner);
    if *number < *newest {
        return;
    }
    match serde_json::to_vec_pretty(content).map_err(io::Error::from).and_then(|bytes| write_atomically(path, &bytes)) {
        Ok(()) => *newest = *number,
        Err(e) => tracing::warn!("{}: {e}", path.display()),
    }
}

fn key(grant: &GrantId) -> &str {
    grant.resource.as_deref().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn who_is_late_writes_over_nothing_newer() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state.json");
        let usage = Usage::default();
        let known = Known::load(path.clone(), &usage).unwrap();
        let account = || "ada".parse::<AccountName>().unwrap();
        let older = known.content(&usage);
        known.set_identity(&account(), Identity { subject: "1".into(), display: "ada".into() });
        known.write(&usage);
        write(&path, &older, &known.written);
        assert!(Known::load(path, &usage).unwrap().identity(&account()).is_some());
    }
}
