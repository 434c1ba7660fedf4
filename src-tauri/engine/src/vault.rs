//! Where secrets are kept: one story for the OS keyring, a sealed file, and memory.
//!
//! A [`SecretStore`] is blocking and may hang: a keyring can wait two minutes for
//! a person to answer a prompt. So one [`Vault`] owns one store on one thread of
//! its own, with a queue. Callers wait [`DEADLINE`] at most and then get
//! [`VaultError::Timeout`]; the job itself is never cancelled, so a write whose
//! caller gave up still takes effect, and later jobs follow it in order. From the
//! one thread it follows that no item ever has two writers.
//!
//! After each write the item is read back and compared: a keyring that says "done"
//! and keeps nothing would else lose a rotated refresh token for good.
//!
//! [`VaultError::Locked`] is never confused with "there is no such item": the
//! first means "later", the second means "signed out".

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, PoisonError, RwLock, mpsc};
use std::time::Duration;

use tokio::sync::oneshot;

use crate::faults;
use crate::secret::Secret;

mod item;
mod keyring;
mod memory;
mod moved;
mod name;
mod sealed_file;
mod store;

pub use self::keyring::KeyringStore;
pub use self::memory::MemoryStore;
pub(crate) use self::moved::{Commit, Move, MoveError, Moved};
pub use self::name::ItemName;
pub use self::sealed_file::SealedFile;
pub use self::store::{FileFault, SecretStore, StoreKind, VaultError};

/// How long a caller waits for the store. Then it hears [`VaultError::Timeout`],
/// while the job goes on.
pub const DEADLINE: Duration = Duration::from_secs(5);

/// The longest secret that any store is asked to keep. Ten times what providers
/// send; more is a mistake or an attack, and no keyring is made for it.
pub const MAX_SECRET_BYTES: usize = 64 * 1024;

/// The item that [`Vault::check`] writes and deletes.
const CHECK_ITEM: &str = "signbell-check";

/// The handle to a store on its own thread. Clones share the thread; it ends when
/// the last of them is dropped and the queue is empty. Nobody joins it, so a
/// store stuck in a prompt doesn't hold the process back.
#[derive(Debug, Clone)]
pub struct Vault {
    jobs: mpsc::Sender<Job>,
    /// Of the store that counts now.
    kind: Arc<RwLock<StoreKind>>,
    deadline: Duration,
}

impl Vault {
    /// Moves the store to its thread.
    pub fn open(store: impl SecretStore) -> Self {
        Self::with_deadline(store, DEADLINE)
    }

    fn with_deadline(store: impl SecretStore, deadline: Duration) -> Self {
        let (jobs, queue) = mpsc::channel::<Job>();
        let kind = Arc::new(RwLock::new(store.kind()));
        let now = Arc::clone(&kind);
        let work = move || {
            let mut store: Box<dyn SecretStore> = Box::new(store);
            // Whoever wants everything moved lists what is known then; this is what came meanwhile.
            let mut written = BTreeSet::new();
            for job in queue {
                if let Job::Write(item, ..) = &job {
                    written.insert(item.clone());
                }
                match job {
                    Job::Move(job, reply) => {
                        let panicked = |_| Err(MoveError::Store(VaultError::Platform("the store panicked".into())));
                        let moving = AssertUnwindSafe(|| job.run(&mut store, &written));
                        let moved = catch_unwind(moving).unwrap_or_else(panicked);
                        *now.write().unwrap_or_else(PoisonError::into_inner) = store.kind();
                        // A caller that gave up is no concern of the store.
                        let _ = reply.send(moved);
                    }
                    job => job.run(&*store),
                }
            }
        };
        let started = std::thread::Builder::new().name("vault".into()).spawn(work);
        if let Err(error) = started {
            // The queue is gone with the closure, so every call fails and says so.
            tracing::error!(%error, "the vault's thread did not start");
        }
        Self { jobs, kind, deadline }
    }

    /// What kind of store this is.
    pub fn kind(&self) -> StoreKind {
        *self.kind.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Moves these items, and whatever else was written by this process, to another store, which counts from then on for every clone of this handle.
    /// `commit` is called once all are there and before any is wiped here. It takes as long as the stores do,
    /// and their prompts.
    ///
    /// # Errors
    /// [`MoveError`]; the old store counts then, with all that it had.
    pub(crate) async fn move_to(
        &self,
        to: Box<dyn SecretStore>,
        items: impl IntoIterator<Item = ItemName>,
        commit: Commit,
    ) -> Result<Moved, MoveError> {
        let (reply, answer) = oneshot::channel();
        let job = Move { to, items: items.into_iter().collect(), commit };
        let gone = || MoveError::Store(VaultError::Platform("the vault's thread is gone".into()));
        self.jobs.send(Job::Move(job, reply)).map_err(|_| gone())?;
        answer.await.map_err(|_| gone())?
    }

    /// The item's secret, or `None` if there is no such item.
    ///
    /// This and its neighbours take their place in the queue when they are called, not when they are
    /// first waited for.
    ///
    /// # Errors
    /// Any [`VaultError`].
    pub fn read(&self, item: &ItemName) -> impl Future<Output = Result<Option<Secret>, VaultError>> + Send + use<> {
        let item = item.clone();
        self.ask(move |reply| Job::Read(item, reply))
    }

    /// Keeps the secret under that name, and sees that it was kept.
    ///
    /// # Errors
    /// Any [`VaultError`]. After `Timeout` it is still going to be written; what is
    /// written later wins.
    pub fn write(
        &self,
        item: &ItemName,
        secret: &Secret,
    ) -> impl Future<Output = Result<(), VaultError>> + Send + use<> {
        let bytes = secret.len();
        let (item, secret) = (item.clone(), secret.clone());
        let fits = bytes <= MAX_SECRET_BYTES;
        let written = fits.then(|| self.ask(move |reply| Job::Write(item, secret, reply)));
        async move {
            match written {
                Some(written) => written.await,
                None => Err(VaultError::TooLarge { bytes, limit: MAX_SECRET_BYTES }),
            }
        }
    }

    /// Removes the item. One that isn't there is no error.
    ///
    /// # Errors
    /// Any [`VaultError`].
    pub fn delete(&self, item: &ItemName) -> impl Future<Output = Result<(), VaultError>> + Send + use<> {
        let item = item.clone();
        self.ask(move |reply| Job::Delete(item, reply))
    }

    /// Whether the store could be used now, without asking the person anything.
    ///
    /// # Errors
    /// What a read would fail with.
    pub async fn probe(&self) -> Result<(), VaultError> {
        self.ask(Job::Probe).await
    }

    /// Finds out by writing, reading and deleting an item whether the store works:
    /// some answer every read and hang at the first write. To be done before a
    /// browser opens for a sign-in that could not be kept.
    ///
    /// # Errors
    /// What the first failing step failed with.
    pub async fn check(&self) -> Result<(), VaultError> {
        self.ask(Job::Check).await
    }

    /// Asks the person to unlock the store, even if they said no before.
    ///
    /// # Errors
    /// `Locked` while they are being asked; else what a read would fail with.
    pub async fn unlock(&self) -> Result<(), VaultError> {
        self.ask(Job::Unlock).await
    }

    fn ask<T: Send + 'static, F: FnOnce(Reply<T>) -> Job>(&self, job: F) -> Answered<T> {
        let (reply, answer) = oneshot::channel();
        let sent = self.jobs.send(job(reply)).is_ok();
        let deadline = self.deadline;
        Box::pin(async move {
            let gone = || VaultError::Platform("the vault's thread is gone".into());
            if !sent {
                return Err(gone());
            }
            match tokio::time::timeout(deadline, answer).await {
                Ok(answered) => answered.map_err(|_| gone())?,
                Err(_) => Err(VaultError::Timeout),
            }
        })
    }
}

/// Boxed, so that it borrows nothing of the call.
type Answered<T> = std::pin::Pin<Box<dyn Future<Output = Result<T, VaultError>> + Send>>;

type Reply<T> = oneshot::Sender<Result<T, VaultError>>;

enum Job {
    Read(ItemName, Reply<Option<Secret>>),
    Write(ItemName, Secret, Reply<()>),
    Delete(ItemName, Reply<()>),
    Probe(Reply<()>),
    Check(Reply<()>),
    Unlock(Reply<()>),
    Move(Move, oneshot::Sender<Result<Moved, MoveError>>),
}

impl Job {
    fn run(self, store: &dyn SecretStore) {
        match self {
            // Nobody waits for these any more: a store that was stuck has better to do.
            Job::Read(_, reply) if reply.is_closed() => {}
            Job::Probe(reply) | Job::Check(reply) if reply.is_closed() => {}
            Job::Read(item, reply) => answer(reply, || store.read(&item)),
            Job::Write(item, secret, reply) => {
                answer(reply, || write_and_compare(store, &item, &secret));
            }
            Job::Delete(item, reply) => answer(reply, || store.delete(&item)),
            Job::Probe(reply) => answer(reply, || store.probe()),
            Job::Check(reply) => answer(reply, || check(store)),
            Job::Unlock(reply) => answer(reply, || store.unlock()),
            // The thread itself does that, for it changes the store.
            Job::Move(..) => {}
        }
    }
}

/// Runs one job. A store that panics fails that job and not the ones behind it.
fn answer<T>(reply: Reply<T>, job: impl FnOnce() -> Result<T, VaultError>) {
    let panicked = |_| Err(VaultError::Platform("the store panicked".into()));
    let outcome = catch_unwind(AssertUnwindSafe(job)).unwrap_or_else(panicked);
    // A caller that gave up is no concern of the store.
    let _ = reply.send(outcome);
}

fn write_and_compare(store: &dyn SecretStore, item: &ItemName, secret: &Secret) -> Result<(), VaultError> {
    faults::point("vault-before");
    store.write(item, secret)?;
    faults::point("vault-written");
    if store.read(item)?.as_ref() == Some(secret) { Ok(()) } else { Err(VaultError::ReadBackDiffers) }
}

fn check(store: &dyn SecretStore) -> Result<(), VaultError> {
    let item = ItemName::new(CHECK_ITEM)?;
    // What a killed check left behind must not make this one look good.
    store.delete(&item)?;
    write_and_compare(store, &item, &Secret::new("signbell"))?;
    store.delete(&item)
}

#[cfg(test)]
mod tests;
