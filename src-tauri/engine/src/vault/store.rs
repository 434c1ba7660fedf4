//! What a store is to the vault, and how one can fail.

use super::ItemName;
use crate::secret::Secret;

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
    /// The sealed file is cut short or changed. It is left as it is.
    #[error("the sealed file is damaged")]
    DamagedFile,
    /// The sealed file was there and is not any more.
    #[error("the sealed file is gone")]
    FileGone,
    /// Another process holds the sealed file's lock.
    #[error("another process is writing the sealed file")]
    Busy,
    /// There is no room for what should be written. What was there stays.
    #[error("no space left for {0}")]
    Full(String),
    /// The sealed file or its folder can't be written to.
    #[error("no right to write {0}")]
    ReadOnly(String),
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
