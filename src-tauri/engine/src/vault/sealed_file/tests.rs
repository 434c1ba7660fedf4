#![allow(clippy::unwrap_used)]

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::sync::Barrier;

use tempfile::TempDir;

use super::*;
use crate::vault::FileFault;

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
    assert_eq!(refused(reopen(&folder)), VaultError::DamagedFile);
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
            assert_eq!(refused(reopen(&folder)), VaultError::DamagedFile, "{file} {length}");
            if file == DATA_FILE {
                let written = vault.write(&name("grant:2"), &Secret::new("two"));
                assert_eq!(written, Err(VaultError::DamagedFile));
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
        assert_eq!(vault.read(&name("grant:1")), Err(VaultError::DamagedFile), "{at}");
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
        assert_eq!(vault.read(&name("a")), Err(VaultError::DamagedFile));
    }
}

#[test]
fn a_file_that_goes_away_is_not_begun_anew() {
    let (folder, vault) = new_vault();
    vault.write(&name("a"), &Secret::new("1")).unwrap();
    let (file, away) = (folder.path().join(DATA_FILE), folder.path().join("away"));
    fs::rename(&file, &away).unwrap();
    assert_eq!(vault.read(&name("a")), Err(VaultError::FileGone));
    assert_eq!(vault.write(&name("b"), &Secret::new("2")), Err(VaultError::FileGone));
    assert_eq!(vault.delete(&name("a")), Err(VaultError::FileGone));
    assert!(!file.exists());
    fs::rename(&away, &file).unwrap();
    vault.write(&name("b"), &Secret::new("2")).unwrap();
    assert_eq!(vault.read(&name("a")), Ok(Some(Secret::new("1"))));
}

#[test]
fn t3_who_holds_the_lock_for_good_is_told_of_and_waited_for_no_longer() {
    let (folder, vault) = new_vault();
    let held = lock(folder.path()).unwrap();
    assert_eq!(vault.write(&name("a"), &Secret::new("1")), Err(VaultError::Busy));
    assert_eq!(vault.read(&name("a")), Ok(None), "reading needs no lock");
    drop(held);
    vault.write(&name("a"), &Secret::new("1")).unwrap();
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
