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

use std::fmt;
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
mod sealed_file;

pub use self::keyring::KeyringStore;
pub use self::memory::MemoryStore;
pub(crate) use self::moved::{Commit, Move, MoveError, Moved};
pub use self::sealed_file::SealedFile;

/// How long a caller waits for the store. Then it hears [`VaultError::Timeout`],
/// while the job goes on.
pub const DEADLINE: Duration = Duration::from_secs(5);

/// The longest secret that any store is asked to keep. Ten times what providers
/// send; more is a mistake or an attack, and no keyring is made for it.
pub const MAX_SECRET_BYTES: usize = 64 * 1024;

/// The item that [`Vault::check`] writes and deletes.
const CHECK_ITEM: &str = "signbell-check";

/// Names one kept item: `grant:<id>`, `client-secret:<provider>` and the like.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ItemName(String);

impl ItemName {
    /// Checks and takes a name: a letter or digit, then letters, digits and
    /// `: . _ - @`, 200 characters at most, ASCII. These mean nothing special to
    /// any keyring, file format or terminal.
    ///
    /// # Errors
    /// [`VaultError::BadName`].
    pub fn new(name: impl Into<String>) -> Result<Self, VaultError> {
        let name = name.into();
        let safe = |b: u8| b.is_ascii_alphanumeric() || b":._-@".contains(&b);
        let starts_well = name.bytes().next().is_some_and(|b| b.is_ascii_alphanumeric());
        if starts_well && name.len() <= 200 && name.bytes().all(safe) {
            Ok(Self(name))
        } else {
            Err(VaultError::BadName)
        }
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ItemName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What kind of store keeps the secrets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoreKind {
    /// The operating system's own keyring.
    Keyring,
    /// A file sealed with a passphrase.
    SealedFile,
    /// This process's memory: gone when it ends.
    Memory,
}

/// Why the vault could not do it. The text is for logs; sentences for people are
/// written elsewhere, from the variant.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum VaultError {
    /// The store waits for the person: it is locked, or has yet to be set up.
    #[error("the store is locked")]
    Locked,
    /// There is no such store here: no D-Bus, no secret service, no sealed file.
    #[error("there is no store")]
    Absent,
    /// The store, or the person asked by it, said no.
    #[error("access to the store was denied")]
    Denied,
    /// The store did not answer in time. A write may still take effect.
    #[error("the store did not answer in time")]
    Timeout,
    /// The secret is longer than the store can keep. Nothing was written.
    #[error("the secret has {bytes} bytes, the store keeps {limit}")]
    TooLarge {
        /// The secret's length.
        bytes: usize,
        /// The longest that can be kept.
        limit: usize,
    },
    /// What is stored is damaged, cut short, or not ours.
    #[error("what is stored is damaged")]
    Corrupt,
    /// The store said that it had written, and read back something else.
    #[error("the store did not keep what was written")]
    ReadBackDiffers,
    /// The sealed file doesn't open with this passphrase.
    #[error("the passphrase is wrong")]
    WrongPassphrase,
    /// A newer Signbell wrote this. It is left as it is.
    #[error("what is stored has a newer format")]
    NewerFormat,
    /// A sealed file is there already; a new one would replace it.
    #[error("there is a sealed file already")]
    Exists,
    /// The sealed file is not one that only we can read or change.
    #[error("the sealed file can't be trusted: {0}")]
    UnsafeFile(FileFault),
    /// The text can't name an item.
    #[error("not an item name")]
    BadName,
    /// The file system failed.
    #[error("input or output failed: {0}")]
    Io(String),
    /// The platform's keyring failed in some other way.
    #[error("the platform's store failed: {0}")]
    Platform(String),
}

/// What is wrong with a sealed file that is refused unread.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FileFault {
    /// A link, a folder, a pipe.
    #[error("not a regular file")]
    NotRegular,
    /// It belongs to another user.
    #[error("owned by another user")]
    ForeignOwner,
    /// Its mode lets others in.
    #[error("open to other users")]
    OpenToOthers,
}

/// A place for secrets. Blocking: only the vault's own thread calls it.
pub trait SecretStore: Send + Sync + 'static {
    /// What kind of store this is.
    fn kind(&self) -> StoreKind;

    /// The item's secret, or `None` if the store is open and has no such item.
    ///
    /// # Errors
    /// Any [`VaultError`]; above all `Locked` and `Absent`, never `None` in their place.
    fn read(&self, item: &ItemName) -> Result<Option<Secret>, VaultError>;

    /// Keeps the secret under that name, in place of the old one if there is one.
    ///
    /// # Errors
    /// Any [`VaultError`]. The old secret is then still there, or the new one is, whole.
    fn write(&self, item: &ItemName, secret: &Secret) -> Result<(), VaultError>;

    /// Removes the item. One that isn't there is no error.
    ///
    /// # Errors
    /// Any [`VaultError`].
    fn delete(&self, item: &ItemName) -> Result<(), VaultError>;

    /// Whether the store could be used now. Never asks the person.
    ///
    /// # Errors
    /// What a read would fail with.
    fn probe(&self) -> Result<(), VaultError> {
        Ok(())
    }

    /// Asks the person to unlock the store, even if they said no before.
    ///
    /// # Errors
    /// `Locked` while they are being asked; else what a read would fail with.
    fn unlock(&self) -> Result<(), VaultError> {
        self.probe()
    }
}

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
            for job in queue {
                match job {
                    Job::Move(job, reply) => {
                        let moved = job.run(&mut store);
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

    /// Moves these items to another store, which counts from then on for every clone of this handle.
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
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::memory::FaultyStore;
    use super::*;

    const SHORT: Duration = Duration::from_millis(500);

    fn name(text: &str) -> ItemName {
        ItemName::new(text).unwrap()
    }

    fn vault(store: &Arc<FaultyStore>) -> Vault {
        Vault::with_deadline(Arc::clone(store), SHORT)
    }

    #[test]
    fn names_are_checked() {
        for good in ["grant:1", "client-secret:linear.app", "a", "G:ada@example.com_2"] {
            assert_eq!(name(good).as_str(), good);
        }
        let long = "a".repeat(201);
        for bad in ["", ":a", "-a", "a b", "a/b", "a#0", "a\0", "ä", "a\n", "..", &long] {
            assert_eq!(ItemName::new(bad), Err(VaultError::BadName), "{bad:?}");
        }
    }

    #[tokio::test]
    async fn keeps_reads_and_deletes() {
        let vault = Vault::open(MemoryStore::new());
        let item = name("grant:1");
        assert_eq!(vault.kind(), StoreKind::Memory);
        assert_eq!(vault.check().await, Ok(()));
        assert_eq!(vault.read(&item).await, Ok(None));
        vault.write(&item, &Secret::new("a")).await.unwrap();
        vault.clone().write(&item, &Secret::new("b")).await.unwrap();
        assert_eq!(vault.read(&item).await, Ok(Some(Secret::new("b"))));
        assert_eq!(vault.delete(&item).await, Ok(()));
        assert_eq!(vault.delete(&item).await, Ok(()));
        assert_eq!(vault.read(&item).await, Ok(None));
    }

    #[tokio::test]
    async fn everything_moves_or_nothing_does() {
        let items = || [name("grant:1"), name("grant:2"), name("grant:none")];
        let (old, new) = (Arc::new(FaultyStore::default()), Arc::new(FaultyStore::default()));
        let vault = vault(&old);
        for (item, secret) in [("grant:1", "a"), ("grant:2", "b")] {
            vault.write(&name(item), &Secret::new(secret)).await.unwrap();
        }
        // A store that keeps nothing, and a choice that can't be written down.
        new.lose_writes(true);
        let failed = vault.move_to(Box::new(Arc::clone(&new)), items(), Box::new(|| Ok(()))).await;
        assert_eq!(failed, Err(MoveError::Store(VaultError::ReadBackDiffers)));
        new.lose_writes(false);
        let failed = vault.move_to(Box::new(Arc::clone(&new)), items(), Box::new(|| Err("no".into()))).await;
        assert_eq!(failed, Err(MoveError::Choice("no".into())));
        assert_eq!(new.read(&name("grant:1")), Ok(None));
        assert_eq!(vault.read(&name("grant:2")).await, Ok(Some(Secret::new("b"))));
        assert_eq!(old.read(&name("grant:1")), Ok(Some(Secret::new("a"))));

        let clone = vault.clone();
        let moved = vault.move_to(Box::new(Arc::clone(&new)), items(), Box::new(|| Ok(()))).await;
        assert_eq!(moved, Ok(Moved { items: 2, left_behind: 0 }));
        assert_eq!(clone.read(&name("grant:1")).await, Ok(Some(Secret::new("a"))));
        assert_eq!(old.read(&name("grant:1")), Ok(None));
        clone.write(&name("grant:1"), &Secret::new("c")).await.unwrap();
        assert_eq!(new.read(&name("grant:1")), Ok(Some(Secret::new("c"))));
    }

    #[tokio::test]
    async fn t3_a_hanging_store_times_out_and_still_writes_in_order() {
        let store = Arc::new(FaultyStore::default());
        let vault = vault(&store);
        let item = name("grant:1");
        store.hang(true);
        let secrets = ["one", "two"].map(Secret::new);
        let (one, two, read) =
            tokio::join!(vault.write(&item, &secrets[0]), vault.write(&item, &secrets[1]), vault.read(&item),);
        assert_eq!((one, two), (Err(VaultError::Timeout), Err(VaultError::Timeout)));
        assert_eq!(read, Err(VaultError::Timeout));

        store.hang(false);
        assert_eq!(vault.read(&item).await, Ok(Some(Secret::new("two"))));
        // The read whose caller was gone did not happen: two read-backs and ours did.
        assert_eq!(store.log(), ["write one", "read", "write two", "read", "read"]);
    }

    #[tokio::test]
    async fn t4_reads_work_writes_hang() {
        let store = Arc::new(FaultyStore::default());
        store.hang_writes(true);
        let vault = vault(&store);
        assert_eq!(vault.probe().await, Ok(()));
        assert_eq!(vault.read(&name("grant:1")).await, Ok(None));
        assert_eq!(vault.check().await, Err(VaultError::Timeout));
        store.hang_writes(false);
    }

    #[tokio::test]
    async fn a_store_that_keeps_nothing_is_found_out() {
        let store = Arc::new(FaultyStore::default());
        store.lose_writes(true);
        let vault = vault(&store);
        let differs = Err(VaultError::ReadBackDiffers);
        assert_eq!(vault.check().await, differs);
        assert_eq!(vault.write(&name("grant:1"), &Secret::new("x")).await, differs);
    }

    #[tokio::test]
    async fn p5_a_panicking_store_serves_the_next() {
        let store = Arc::new(FaultyStore::default());
        // Printing a backtrace takes its time.
        let vault = Vault::open(Arc::clone(&store));
        store.panic_once();
        let failed = vault.read(&name("grant:1")).await;
        assert!(matches!(failed, Err(VaultError::Platform(_))), "{failed:?}");
        assert_eq!(vault.read(&name("grant:1")).await, Ok(None));
    }

    #[tokio::test]
    async fn t5_too_large_is_refused_unsent() {
        let store = Arc::new(FaultyStore::default());
        let vault = vault(&store);
        let secret = Secret::new("x".repeat(MAX_SECRET_BYTES + 1));
        let refused = vault.write(&name("grant:1"), &secret).await;
        let limit = MAX_SECRET_BYTES;
        let bytes = limit + 1;
        assert_eq!(refused, Err(VaultError::TooLarge { bytes, limit }));
        assert!(store.log().is_empty());
    }

    #[tokio::test]
    async fn the_last_handle_ends_the_thread_after_what_is_queued() {
        let store = Arc::new(FaultyStore::default());
        let vault = vault(&store);
        store.hang(true);
        let wrote = vault.write(&name("grant:1"), &Secret::new("late")).await;
        assert_eq!(wrote, Err(VaultError::Timeout));
        // Would never return if it waited for the store, which hangs until the next line.
        drop(vault);
        store.hang(false);
        // The thread's own share of the store goes when the thread does.
        for _ in 0..200 {
            if Arc::strong_count(&store) == 1 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        assert_eq!(Arc::strong_count(&store), 1);
        assert_eq!(store.log(), ["write late", "read"]);
    }
}
