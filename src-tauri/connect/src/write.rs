//! Reading a client's file, its backup, and a write that is whole or not at all.

use std::fs::{self, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use crate::Problem;

/// No client's file is larger; one that is, is something else.
const LARGEST: u64 = 32 * 1024 * 1024;

/// What the file says; nothing where there is none.
pub(crate) fn read(path: &Path) -> Result<Option<String>, Problem> {
    let failed = |source| Problem::Io { path: path.to_owned(), source };
    match fs::metadata(path) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(failed(e)),
        Ok(found) if !found.is_file() => return Err(failed(io::ErrorKind::InvalidInput.into())),
        Ok(found) if found.len() > LARGEST => return Err(failed(io::ErrorKind::FileTooLarge.into())),
        Ok(_) => {}
    }
    fs::read_to_string(path).map(Some).map_err(failed)
}

/// Keeps what the file says beside it, for its owner alone.
pub(crate) fn backup(path: &Path, text: &str, date: &str) -> Result<PathBuf, Problem> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    // Two runs within a second: what the first one kept is the person's own.
    let numbered = |n: u32| path.with_file_name(format!("{name}.signbell-{date}-{n}.bak"));
    let plain = path.with_file_name(format!("{name}.signbell-{date}.bak"));
    let copy = std::iter::once(plain).chain((2..).map(numbered)).find(|copy| !copy.exists());
    let copy = copy.unwrap_or_else(|| numbered(0));
    let failed = |source| Problem::Io { path: copy.clone(), source };
    put(&copy, text, Permissions::from_mode(0o600)).map_err(failed)?;
    Ok(copy)
}

/// Replaces the file: it is as before or complete, its mode stays, and a link stays a link. A new one is its
/// owner's alone.
pub(crate) fn write(path: &Path, text: &str) -> Result<(), Problem> {
    let failed = |source| Problem::Io { path: path.to_owned(), source };
    let target = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let mode = fs::metadata(&target).map_or_else(|_| Permissions::from_mode(0o600), |found| found.permissions());
    if let Some(folder) = target.parent() {
        fs::create_dir_all(folder).map_err(failed)?;
    }
    put(&target, text, mode).map_err(failed)
}

/// Removes a file that we made.
pub(crate) fn remove(path: &Path) -> Result<(), Problem> {
    fs::remove_file(path).map_err(|source| Problem::Io { path: path.to_owned(), source })
}

fn put(target: &Path, text: &str, mode: Permissions) -> io::Result<()> {
    let folder = target.parent().ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
    let mut file = tempfile::Builder::new().prefix(".signbell-").tempfile_in(folder)?;
    file.write_all(text.as_bytes())?;
    file.as_file().set_permissions(mode)?;
    file.as_file().sync_all()?;
    file.persist(target).map_err(|e| e.error)?;
    fs::File::open(folder)?.sync_all()
}
