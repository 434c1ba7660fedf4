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

use std::collections::BTreeMap;
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::path::{Path, PathBuf};

use age::{DecryptError, Decryptor, Identity, scrypt, x25519};
use secrecy::zeroize::Zeroizing;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};

use super::{FileFault, ItemName, SecretStore, StoreKind, VaultError};
use crate::faults;
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

/// No vault is this large; a file that is must not be read into memory.
const MAX_FILE_BYTES: u64 = 16 * 1024 * 1024;

/// Secrets in a folder, sealed with a passphrase.
pub struct SealedFile {
    folder: PathBuf,
    identity: x25519::Identity,
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
        let vault = Self { folder: folder.to_owned(), identity };
        vault.save(&BTreeMap::new())?;
        Ok(vault)
    }

    /// Opens the folder's vault. Blocks for about a second.
    ///
    /// # Errors
    /// `Absent` if there is none, `WrongPassphrase`, `Corrupt`, `NewerFormat`,
    /// `UnsafeFile`, `Io`.
    pub fn open(folder: &Path, passphrase: &Secret) -> Result<Self, VaultError> {
        let Some(sealed) = read_private(folder, KEY_FILE)? else {
            // Data whose key is lost is not "nothing here yet".
            return Err(match Self::exists(folder) {
                true => VaultError::Corrupt,
                false => VaultError::Absent,
            });
        };
        let mut by_passphrase = scrypt::Identity::new(passphrase_for_age(passphrase));
        by_passphrase.set_max_work_factor(MAX_WORK_FACTOR);
        let text = unseal(&by_passphrase, &sealed)?;
        let text = std::str::from_utf8(&text).map_err(|_| VaultError::Corrupt)?;
        // An identity file made by `age-keygen` has comments above the key.
        let key = text.lines().find(|line| line.starts_with("AGE-SECRET-KEY-1"));
        let identity = key.and_then(|key| key.trim_end().parse().ok());
        let vault = Self { folder: folder.to_owned(), identity: identity.ok_or(VaultError::Corrupt)? };
        vault.load()?;
        Ok(vault)
    }

    fn load(&self) -> Result<BTreeMap<String, Secret>, VaultError> {
        let Some(sealed) = read_private(&self.folder, DATA_FILE)? else {
            return Ok(BTreeMap::new());
        };
        let json = unseal(&self.identity, &sealed)?;
        let version: Version = serde_json::from_slice(&json).map_err(|_| VaultError::Corrupt)?;
        if version.format > FORMAT {
            return Err(VaultError::NewerFormat);
        }
        let contents: Contents = serde_json::from_slice(&json).map_err(|_| VaultError::Corrupt)?;
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
        _ => VaultError::Corrupt,
    })?;
    let mut plain = decryptor.decrypt(std::iter::once(identity as &dyn Identity)).map_err(|e| match e {
        DecryptError::DecryptionFailed => VaultError::WrongPassphrase,
        _ => VaultError::Corrupt,
    })?;
    // The plain text is shorter than the sealed one, so this never grows and moves.
    let mut bytes = Zeroizing::new(Vec::with_capacity(sealed.len()));
    let read = plain.read_to_end(&mut bytes);
    read.map_err(|_| VaultError::Corrupt)?;
    Ok(bytes)
}

fn sealing_failed(_: age::EncryptError) -> VaultError {
    VaultError::Io("sealing failed".into())
}

fn passphrase_for_age(passphrase: &Secret) -> SecretString {
    SecretString::from(passphrase.expose())
}

/// Holds the vault for writing until dropped. Other processes wait.
fn lock(folder: &Path) -> Result<File, VaultError> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true);
    let file = open_private(&mut options, folder, LOCK_FILE)?;
    file.lock().map_err(|e| io(LOCK_FILE, &e))?;
    Ok(file)
}

/// The file's bytes, or `None` if there is no such file.
fn read_private(folder: &Path, name: &str) -> Result<Option<Vec<u8>>, VaultError> {
    let file = match open_private(OpenOptions::new().read(true), folder, name) {
        Err(VaultError::Absent) => return Ok(None),
        file => file?,
    };
    let mut bytes = Vec::new();
    let read = file.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes);
    read.map_err(|e| io(name, &e))?;
    if bytes.len() as u64 > MAX_FILE_BYTES {
        return Err(VaultError::Corrupt);
    }
    Ok(Some(bytes))
}

/// Puts the bytes in the file's place: at every moment the old file is there, or
/// the new one is, whole.
fn replace(folder: &Path, name: &str, bytes: &[u8]) -> Result<(), VaultError> {
    let failed = |e: std::io::Error| io(name, &e);
    // Mode 0600 from its first moment.
    let mut new = tempfile::Builder::new().prefix(".vault-").tempfile_in(folder).map_err(failed)?;
    new.write_all(bytes).map_err(failed)?;
    new.as_file().sync_all().map_err(failed)?;
    faults::point("sealed-temporary");
    new.persist(folder.join(name)).map_err(|e| failed(e.error))?;
    faults::point("sealed-renamed");
    // Else the rename itself could be lost with the power.
    #[cfg(unix)]
    File::open(folder).and_then(|f| f.sync_all()).map_err(failed)?;
    Ok(())
}

fn io(what: &str, error: &std::io::Error) -> VaultError {
    VaultError::Io(format!("{what}: {error}"))
}

fn make_private_folder(folder: &Path) -> Result<(), VaultError> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder).map_err(|e| io("the vault's folder", &e))
}

/// Opens a file that only we may read and write; says what is wrong with another.
/// `Absent` if there is none. Looks at the open file, so nobody can swap it between
/// the look and the reading.
fn open_private(options: &mut OpenOptions, folder: &Path, name: &str) -> Result<File, VaultError> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        // Without O_NONBLOCK a pipe in the file's place would hang us here.
        options.mode(0o600).custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK);
    }
    let file = options.open(folder.join(name)).map_err(|e| {
        if e.kind() == ErrorKind::NotFound {
            VaultError::Absent
        } else if is_link(&e) {
            VaultError::UnsafeFile(FileFault::NotRegular)
        } else {
            io(name, &e)
        }
    })?;
    let found = file.metadata().map_err(|e| io(name, &e))?;
    if !found.is_file() {
        return Err(VaultError::UnsafeFile(FileFault::NotRegular));
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        if found.uid() != rustix::process::geteuid().as_raw() {
            return Err(VaultError::UnsafeFile(FileFault::ForeignOwner));
        }
        if found.mode() & 0o077 != 0 {
            return Err(VaultError::UnsafeFile(FileFault::OpenToOthers));
        }
    }
    Ok(file)
}

/// What `O_NOFOLLOW` says of a symbolic link.
fn is_link(error: &std::io::Error) -> bool {
    #[cfg(unix)]
    return error.raw_os_error() == Some(libc::ELOOP);
    #[cfg(not(unix))]
    return false;
}

#[cfg(all(test, unix))]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::fs;
    use std::os::unix::fs::{PermissionsExt, symlink};
    use std::sync::Barrier;

    use tempfile::TempDir;

    use super::*;

    /// Makes scrypt quick; nothing else differs.
    const QUICK: u8 = 4;

    fn passphrase() -> Secret {
        Secret::new("correct horse")
    }

    fn new_vault() -> (TempDir, SealedFile) {
        let folder = TempDir::new().unwrap();
        let vault = SealedFile::create_with(folder.path(), &passphrase(), QUICK).unwrap();
        (folder, vault)
    }

    fn reopen(folder: &TempDir) -> Result<SealedFile, VaultError> {
        SealedFile::open(folder.path(), &passphrase())
    }

    fn name(text: &str) -> ItemName {
        ItemName::new(text).unwrap()
    }

    fn refused<T>(outcome: Result<T, VaultError>) -> VaultError {
        outcome.err().unwrap()
    }

    fn files(folder: &TempDir) -> Vec<String> {
        let entries = fs::read_dir(folder.path()).unwrap();
        let mut names: Vec<_> = entries.map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn kept_over_opening_again() {
        let (folder, vault) = new_vault();
        let odd = Secret::new("\u{0}\"\\ä\u{1F511}\n".repeat(500));
        vault.write(&name("grant:1"), &Secret::new("one")).unwrap();
        vault.write(&name("grant:1"), &Secret::new("two")).unwrap();
        vault.write(&name("grant:2"), &odd).unwrap();
        vault.write(&name("grant:3"), &odd).unwrap();
        vault.delete(&name("grant:3")).unwrap();
        vault.delete(&name("grant:3")).unwrap();
        drop(vault);
        let vault = reopen(&folder).unwrap();
        assert_eq!(vault.read(&name("grant:1")), Ok(Some(Secret::new("two"))));
        assert_eq!(vault.read(&name("grant:2")), Ok(Some(odd)));
        assert_eq!(vault.read(&name("grant:3")), Ok(None));
        assert_eq!(vault.probe(), Ok(()));
        assert_eq!(files(&folder), [DATA_FILE, KEY_FILE, LOCK_FILE]);
    }

    #[test]
    fn nothing_is_readable_and_all_is_private() {
        let (folder, vault) = new_vault();
        vault.write(&name("grant:1"), &Secret::new("canary-1")).unwrap();
        for file in files(&folder) {
            let path = folder.path().join(&file);
            let mode = fs::metadata(&path).unwrap().permissions().mode();
            assert_eq!(mode & 0o7777, 0o600, "{file}");
            let bytes = fs::read(&path).unwrap();
            let text = String::from_utf8_lossy(&bytes);
            assert!(!text.contains("canary") && !text.contains("grant") && !text.contains("SECRET"));
        }
        let made = folder.path().join("a/b");
        SealedFile::create_with(&made, &passphrase(), QUICK).unwrap();
        let mode = fs::metadata(&made).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o700);
    }

    #[test]
    fn there_or_not_there() {
        let folder = TempDir::new().unwrap();
        assert!(!SealedFile::exists(folder.path()));
        assert_eq!(refused(reopen(&folder)), VaultError::Absent);
        SealedFile::create_with(folder.path(), &passphrase(), QUICK).unwrap();
        assert!(SealedFile::exists(folder.path()));
        let again = SealedFile::create_with(folder.path(), &passphrase(), QUICK);
        assert_eq!(refused(again), VaultError::Exists);
        // Killed between the two files of a new vault: it is empty, and works.
        fs::remove_file(folder.path().join(DATA_FILE)).unwrap();
        let vault = reopen(&folder).unwrap();
        vault.write(&name("a"), &Secret::new("1")).unwrap();
        // Data without its key must not be taken for a fresh start.
        fs::remove_file(folder.path().join(KEY_FILE)).unwrap();
        assert_eq!(refused(reopen(&folder)), VaultError::Corrupt);
        let again = SealedFile::create_with(folder.path(), &passphrase(), QUICK);
        assert_eq!(refused(again), VaultError::Exists);
    }

    #[test]
    fn another_passphrase_is_wrong() {
        let (folder, _) = new_vault();
        for wrong in ["", "correct hors", "Correct horse", "correct horse "] {
            let opened = SealedFile::open(folder.path(), &Secret::new(wrong));
            assert_eq!(refused(opened), VaultError::WrongPassphrase, "{wrong:?}");
        }
    }

    #[test]
    fn t10_cut_short_at_every_length_is_told_and_kept() {
        let (folder, vault) = new_vault();
        vault.write(&name("grant:1"), &Secret::new("one")).unwrap();
        for file in [KEY_FILE, DATA_FILE] {
            let path = folder.path().join(file);
            let whole = fs::read(&path).unwrap();
            for length in 0..whole.len() {
                fs::write(&path, &whole[..length]).unwrap();
                assert_eq!(refused(reopen(&folder)), VaultError::Corrupt, "{file} {length}");
                if file == DATA_FILE {
                    let written = vault.write(&name("grant:2"), &Secret::new("two"));
                    assert_eq!(written, Err(VaultError::Corrupt));
                    assert_eq!(fs::read(&path).unwrap().len(), length, "overwritten");
                }
            }
            fs::write(&path, &whole).unwrap();
        }
        assert_eq!(vault.read(&name("grant:1")), Ok(Some(Secret::new("one"))));
    }

    #[test]
    fn a_changed_byte_is_told() {
        let (folder, vault) = new_vault();
        vault.write(&name("grant:1"), &Secret::new("one")).unwrap();
        let path = folder.path().join(DATA_FILE);
        let whole = fs::read(&path).unwrap();
        // Within the version line the answer may also be "newer".
        for at in 25..whole.len() {
            let mut changed = whole.clone();
            changed[at] ^= 1;
            fs::write(&path, &changed).unwrap();
            assert_eq!(vault.read(&name("grant:1")), Err(VaultError::Corrupt), "{at}");
        }
    }

    #[test]
    fn t10_not_ours_alone_is_refused() {
        for file in [KEY_FILE, DATA_FILE] {
            let (folder, vault) = new_vault();
            let path = folder.path().join(file);
            for mode in [0o640, 0o604, 0o620, 0o602, 0o610] {
                fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
                let fault = VaultError::UnsafeFile(FileFault::OpenToOthers);
                assert_eq!(refused(reopen(&folder)), fault, "{file} {mode:o}");
            }
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
            // Only root can give a file away; elsewhere this one step says nothing.
            if std::os::unix::fs::chown(&path, Some(12345), None).is_ok() {
                let fault = VaultError::UnsafeFile(FileFault::ForeignOwner);
                assert_eq!(refused(reopen(&folder)), fault, "{file}");
                std::os::unix::fs::chown(&path, Some(0), None).unwrap();
            }
            let elsewhere = folder.path().join("elsewhere");
            fs::rename(&path, &elsewhere).unwrap();
            symlink(&elsewhere, &path).unwrap();
            let fault = VaultError::UnsafeFile(FileFault::NotRegular);
            assert_eq!(refused(reopen(&folder)), fault, "{file}");
            fs::remove_file(&path).unwrap();
            fs::create_dir(&path).unwrap();
            assert_eq!(refused(reopen(&folder)), fault, "{file}");
            drop(vault);
        }
    }

    #[test]
    fn newer_is_left_as_it_is() {
        let (folder, vault) = new_vault();
        let path = folder.path().join(DATA_FILE);
        let newer: [&[u8]; 3] = [br#"{"format":2,"items":[["a","1"]]}"#, br#"{"items":{},"format":99}"#, b""];
        for json in newer {
            let sealed = match json {
                b"" => b"age-encryption.org/v9\n-> x\n".to_vec(),
                json => age::encrypt(&vault.identity.to_public(), json).unwrap(),
            };
            fs::write(&path, &sealed).unwrap();
            assert_eq!(refused(reopen(&folder)), VaultError::NewerFormat);
            assert_eq!(vault.read(&name("a")), Err(VaultError::NewerFormat));
            let written = vault.write(&name("a"), &Secret::new("1"));
            assert_eq!(written, Err(VaultError::NewerFormat));
            assert_eq!(vault.delete(&name("a")), Err(VaultError::NewerFormat));
            assert_eq!(fs::read(&path).unwrap(), sealed);
        }
        let wrong: [&[u8]; 4] = [b"[]", br#"{"items":{}}"#, br#"{"format":1}"#, b"\xff"];
        for json in wrong {
            let sealed = age::encrypt(&vault.identity.to_public(), json).unwrap();
            fs::write(&path, &sealed).unwrap();
            assert_eq!(vault.read(&name("a")), Err(VaultError::Corrupt));
        }
    }

    #[test]
    fn t8_two_processes_lose_nothing_of_each_other() {
        let (folder, one) = new_vault();
        let two = reopen(&folder).unwrap();
        let start = Barrier::new(2);
        std::thread::scope(|scope| {
            for (vault, whose) in [(&one, "one"), (&two, "two")] {
                let start = &start;
                scope.spawn(move || {
                    start.wait();
                    for n in 0..20 {
                        let item = name(&format!("{whose}:{n}"));
                        vault.write(&item, &Secret::new(whose)).unwrap();
                    }
                });
            }
        });
        let items = one.load().unwrap();
        assert_eq!(items.len(), 40);
    }

    #[test]
    fn t10_a_write_that_fails_leaves_the_old_file() {
        let (folder, vault) = new_vault();
        vault.write(&name("a"), &Secret::new("old")).unwrap();
        let old = fs::read(folder.path().join(DATA_FILE)).unwrap();
        // A folder in the temporary file's way is what even root can't write through.
        let missing = replace(&folder.path().join("missing"), DATA_FILE, b"new");
        assert!(matches!(missing, Err(VaultError::Io(_))), "{missing:?}");
        fs::create_dir(folder.path().join("taken")).unwrap();
        let taken = replace(folder.path(), "taken", b"new");
        assert!(matches!(taken, Err(VaultError::Io(_))), "{taken:?}");
        assert_eq!(fs::read(folder.path().join(DATA_FILE)).unwrap(), old);
        let left: Vec<_> = files(&folder).into_iter().filter(|f| f.starts_with(".vault-")).collect();
        assert!(left.is_empty(), "{left:?}");
    }
}
