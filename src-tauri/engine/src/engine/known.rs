//! `state.json`: what was learned, without any secret. Lost, it costs nothing but a question to the
//! vault and the identities' names.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::sync::Notify;

use crate::config::write_atomically;
use crate::model::{AccountName, Generation, GrantId, Identity, ServiceName, ToolName};
use crate::session::failure::Reason;
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
    #[serde(default)]
    pub(super) scopes: Vec<String>,
    #[serde(default)]
    pub(super) issued_at: Option<u64>,
    #[serde(default)]
    pub(super) expires_at: Option<u64>,
    #[serde(default)]
    pub(super) refreshable: bool,
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
    changed: Notify,
}

impl Known {
    /// Reads the file. One that is damaged is as good as none: all of it can be learned again.
    pub(super) fn load(path: PathBuf, usage: &Usage) -> Result<Self, KnownError> {
        let content = match std::fs::read(&path) {
            Ok(bytes) => serde_json::from_slice::<Content>(&bytes).unwrap_or_else(|e| {
                tracing::warn!("{} is damaged and begun anew: {e}", path.display());
                Content::default()
            }),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Content::default(),
            Err(e) => return Err(e.into()),
        };
        if content.format > FORMAT {
            return Err(KnownError::Newer(content.format));
        }
        for (service, tool, at) in &content.used {
            usage.restore(service.clone(), tool.clone(), *at);
        }
        Ok(Self { path, content: Mutex::new(content), changed: Notify::new() })
    }

    pub(super) fn identity(&self, account: &AccountName) -> Option<Identity> {
        self.lock().accounts.get(account)?.identity.clone()
    }

    pub(super) fn set_identity(&self, account: &AccountName, identity: Identity) {
        self.lock().accounts.entry(account.clone()).or_default().identity = Some(identity);
        self.changed.notify_one();
    }

    pub(super) fn grant(&self, grant: &GrantId) -> Option<KnownGrant> {
        self.lock().accounts.get(&grant.account)?.grants.get(key(grant)).cloned()
    }

    pub(super) fn set_grant(&self, grant: &GrantId, known: KnownGrant) {
        let mut content = self.lock();
        let account = content.accounts.entry(grant.account.clone()).or_default();
        if account.grants.insert(key(grant).to_owned(), known.clone()) != Some(known) {
            drop(content);
            self.changed.notify_one();
        }
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
            let (path, content) = (self.path.clone(), self.content(usage));
            // A disk may be slow; no request waits for it.
            let _ = tokio::task::spawn_blocking(move || write(&path, &content)).await;
        }
    }

    /// Writes now, at the end.
    pub(super) fn write(&self, usage: &Usage) {
        write(&self.path, &self.content(usage));
    }

    fn content(&self, usage: &Usage) -> Content {
        let mut content = self.lock();
        content.format = FORMAT;
        content.used = usage.all();
        content.clone()
    }

    fn lock(&self) -> MutexGuard<'_, Content> {
        self.content.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn write(path: &Path, content: &Content) {
    let written =
        serde_json::to_vec_pretty(content).map_err(io::Error::from).and_then(|bytes| write_atomically(path, &bytes));
    if let Err(e) = written {
        tracing::warn!("{}: {e}", path.display());
    }
}

fn key(grant: &GrantId) -> &str {
    grant.resource.as_deref().unwrap_or_default()
}
