//! Files that nobody but the person may read or change.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io::{ErrorKind, Read, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use super::LOCK_FILE;
use crate::faults;
use crate::vault::{FileFault, VaultError};

/// No vault is this large; a file that is must not be read into memory.
const MAX_FILE_BYTES: u64 = 16 * 1024 * 1024;

/// How long we wait for another process that writes. Shorter than the vault's own deadline, so that a process
/// that holds the lock for good does not keep the vault's thread, nor a start.
const LOCK_LIMIT: Duration = Duration::from_secs(3);

/// Holds the vault for writing until dropped. Other processes wait.
pub(super) fn lock(folder: &Path) -> Result<File, VaultError> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true);
    let file = open_private(&mut options, folder, LOCK_FILE)?;
    let until = Instant::now() + LOCK_LIMIT;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) if Instant::now() < until => std::thread::sleep(Duration::from_millis(10)),
            Err(TryLockError::WouldBlock) => return Err(VaultError::Busy),
            Err(TryLockError::Error(e)) => return Err(io(LOCK_FILE, &e)),
        }
    }
}

/// The file's bytes, or `None` if there is no such file.
pub(super) fn read_private(folder: &Path, name: &str) -> Result<Option<Vec<u8>>, VaultError> {
    let file = match open_private(OpenOptions::new().read(true), folder, name) {
        Err(VaultError::Absent) => return Ok(None),
        file => file?,
    };
    let mut bytes = Vec::new();
    let read = file.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes);
    read.map_err(|e| io(name, &e))?;
    if bytes.len() as u64 > MAX_FILE_BYTES {
        return Err(VaultError::DamagedFile);
    }
    Ok(Some(bytes))
}

/// Puts the bytes in the file's place: at every moment the old file is there, or
/// the new one is, whole.
pub(super) fn replace(folder: &Path, name: &str, bytes: &[u8]) -> Result<(), VaultError> {
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
    match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge => {
            VaultError::Full(what.to_owned())
        }
        ErrorKind::ReadOnlyFilesystem | ErrorKind::PermissionDenied => VaultError::ReadOnly(what.to_owned()),
        _ => VaultError::Io(format!("{what}: {error}")),
    }
}

pub(super) fn make_private_folder(folder: &Path) -> Result<(), VaultError> {
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
