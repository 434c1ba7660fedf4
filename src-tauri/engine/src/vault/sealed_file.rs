//! A folder sealed with a passphrase, for machines without a keyring.
//!
//! Two files, both of the age format, that `age` and `rage` open as well:
//!
//! - `vault.key.age` holds an X25519 identity, sealed with the passphrase. Its
//!   scrypt takes about a second and 256 MiB, once, when the vault is opened.
//! - `vault.age` holds `{"format":1,"items":{"<name>":"<secret>"}}`, sealed to that
//!   identity. Opening and writing it takes a millisecond.
//!
//! `age --decrypt -i vault.key.age vault.age` asks for the passphrase and prints
//! the second. `vault.lock` is empty: whoever holds its lock may write.
//!
//! Each read opens the file anew and each write replaces it whole (a new file,
//! synced, renamed over the old one, the folder synced), so that two processes
//! see each other's items, and a full disk or a kill leaves the old file as it was.

mod private;

use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use age::{DecryptError, Decryptor, Identity, scrypt, x25519};
use secrecy::zeroize::Zeroizing;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};

use self::private::{lock, make_private_folder, read_private, replace};
use super::{ItemName, SecretStore, StoreKind, VaultError};
use crate::secret::Secret;

const KEY_FILE: &str = "vault.key.age";
const DATA_FILE: &str = "vault.age";
const LOCK_FILE: &str = "vault.lock";
const FORMAT: u32 = 1;

/// scrypt's work as a power of two: what the `age` command uses. Fixed, since age's
/// own measurement picks a weak one when the machine happens to be busy.
const WORK_FACTOR: u8 = 18;
/// The most work that opening may take: again the `age` command's own bound.
const MAX_WORK_FACTOR: u8 = 22;

/// How the age files begin that we can read.
const AGE_V1: &[u8] = b"age-encryption.org/v1\n";

/// Secrets in a folder, sealed with a passphrase.
pub struct SealedFile {
    folder: PathBuf,
    identity: x25519::Identity,
    /// Whether the data file was ever there: one that goes away is no vault that is still empty.
    seen: AtomicBool,
}

impl SealedFile {
    /// Whether the folder has a vault, so that a caller knows if it should ask for
    /// the passphrase or for a new one twice.
    pub fn exists(folder: &Path) -> bool {
        [KEY_FILE, DATA_FILE].iter().any(|file| folder.join(file).symlink_metadata().is_ok())
    }

    /// Makes a new, empty vault, and the folder if need be. Blocks for about a second.
    ///
    /// # Errors
    /// `Exists` if there is one; `Io`; `UnsafeFile`.
    pub fn create(folder: &Path, passphrase: &Secret) -> Result<Self, VaultError> {
        Self::create_with(folder, passphrase, WORK_FACTOR)
    }

    fn create_with(folder: &Path, passphrase: &Secret, work: u8) -> Result<Self, VaultError> {
        make_private_folder(folder)?;
        let _lock = lock(folder)?;
        if Self::exists(folder) {
            return Err(VaultError::Exists);
        }
        let identity = x25519::Identity::generate();
        let mut recipient = scrypt::Recipient::new(passphrase_for_age(passphrase));
        recipient.set_work_factor(work);
        let text = identity.to_string();
        let key = age::encrypt(&recipient, text.expose_secret().as_bytes());
        // The key goes first: a data file without one could never be opened, and a
        // key without data is a vault that is still empty.
        replace(folder, KEY_FILE, &key.map_err(sealing_failed)?)?;
        let vault = Self { folder: folder.to_owned(), identity, seen: AtomicBool::new(false) };
        vault.save(&BTreeMap::new())?;
        Ok(vault)
    }

    /// Opens the folder's vault. Blocks for about a second.
    ///
    /// # Errors
    /// `Absent` if there is none, `WrongPassphrase`, `DamagedFile`, `NewerFormat`,
    /// `UnsafeFile`, `Io`.
    pub fn open(folder: &Path, passphrase: &Secret) -> Result<Self, VaultError> {
        let Some(sealed) = read_private(folder, KEY_FILE)? else {
            // Data whose key is lost is not "nothing here yet".
            return Err(match Self::exists(folder) {
                true => VaultError::DamagedFile,
                false => VaultError::Absent,
            });
        };
        let mut by_passphrase = scrypt::Identity::new(passphrase_for_age(passphrase));
        by_passphrase.set_max_work_factor(MAX_WORK_FACTOR);
        let text = unseal(&by_passphrase, &sealed)?;
        let text = std::str::from_utf8(&text).map_err(|_| VaultError::DamagedFile)?;
        // An identity file made by `age-keygen` has comments above the key.
        let key = text.lines().find(|line| line.starts_with("AGE-SECRET-KEY-1"));
        let identity = key.and_then(|key| key.trim_end().parse().ok());
        let identity = identity.ok_or(VaultError::DamagedFile)?;
        let vault = Self { folder: folder.to_owned(), identity, seen: AtomicBool::new(false) };
        vault.load()?;
        Ok(vault)
    }

    fn load(&self) -> Result<BTreeMap<String, Secret>, VaultError> {
        let Some(sealed) = read_private(&self.folder, DATA_FILE)? else {
            return if self.seen.load(Ordering::Relaxed) { Err(VaultError::FileGone) } else { Ok(BTreeMap::new()) };
        };
        self.seen.store(true, Ordering::Relaxed);
        let json = unseal(&self.identity, &sealed)?;
        let version: Version = serde_json::from_slice(&json).map_err(|_| VaultError::DamagedFile)?;
        if version.format > FORMAT {
            return Err(VaultError::NewerFormat);
        }
        let contents: Contents = serde_json::from_slice(&json).map_err(|_| VaultError::DamagedFile)?;
        Ok(contents.items)
    }

    fn save(&self, items: &BTreeMap<String, Secret>) -> Result<(), VaultError> {
        let exposed = items.iter().map(|(name, secret)| (name.as_str(), secret.expose()));
        let contents = ExposedContents { format: FORMAT, items: exposed.collect() };
        // Room for the worst escaping (`\u0000`), because a vector that grows leaves
        // its old bytes behind.
        let room = items.iter().map(|(name, secret)| name.len() + 6 * secret.len() + 8);
        let mut json = Zeroizing::new(Vec::with_capacity(64 + room.sum::<usize>()));
        serde_json::to_writer(&mut *json, &contents).map_err(|e| VaultError::Io(e.to_string()))?;
        let sealed = age::encrypt(&self.identity.to_public(), &json);
        replace(&self.folder, DATA_FILE, &sealed.map_err(sealing_failed)?)
    }
}

impl SecretStore for SealedFile {
    fn kind(&self) -> StoreKind {
        StoreKind::SealedFile
    }

    fn read(&self, item: &ItemName) -> Result<Option<Secret>, VaultError> {
        Ok(self.load()?.remove(item.as_str()))
    }

    fn write(&self, item: &ItemName, secret: &Secret) -> Result<(), VaultError> {
        let _lock = lock(&self.folder)?;
        let mut items = self.load()?;
        items.insert(item.as_str().to_owned(), secret.clone());
        self.save(&items)
    }

    fn delete(&self, item: &ItemName) -> Result<(), VaultError> {
        let _lock = lock(&self.folder)?;
        let mut items = self.load()?;
        match items.remove(item.as_str()) {
            Some(_) => self.save(&items),
            None => Ok(()),
        }
    }

    fn probe(&self) -> Result<(), VaultError> {
        self.load().map(drop)
    }
}

/// Read by itself first: a newer format may mean something else by "items".
#[derive(Deserialize)]
struct Version {
    format: u32,
}

#[derive(Deserialize)]
struct Contents {
    items: BTreeMap<String, Secret>,
}

#[derive(Serialize)]
struct ExposedContents<'a> {
    format: u32,
    items: BTreeMap<&'a str, &'a str>,
}

fn unseal(identity: &impl Identity, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, VaultError> {
    let decryptor = Decryptor::new_buffered(sealed).map_err(|e| match e {
        // To the age crate each header that it can't read is of an unknown format.
        DecryptError::UnknownFormat if !sealed.starts_with(AGE_V1) => VaultError::NewerFormat,
        _ => VaultError::DamagedFile,
    })?;
    let mut plain = decryptor.decrypt(std::iter::once(identity as &dyn Identity)).map_err(|e| match e {
        DecryptError::DecryptionFailed => VaultError::WrongPassphrase,
        _ => VaultError::DamagedFile,
    })?;
    // The plain text is shorter than the sealed one, so this never grows and moves.
    let mut bytes = Zeroizing::new(Vec::with_capacity(sealed.len()));
    let read = plain.read_to_end(&mut bytes);
    read.map_err(|_| VaultError::DamagedFile)?;
    Ok(bytes)
}

fn sealing_failed(_: age::EncryptError) -> VaultError {
    VaultError::Io("sealing failed".into())
}

fn passphrase_for_age(passphrase: &Secret) -> SecretString {
    SecretString::from(passphrase.expose())
}

#[cfg(all(test, unix))]
mod tests;
