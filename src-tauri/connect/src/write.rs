//! Reading a client's file, its backups, and a write that is whole or not at all.

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

/// Who may do what with the file: the nine bits of chmod(1). Nothing where it isn't there.
pub(crate) fn mode(path: &Path) -> Option<u32> {
    fs::metadata(path).ok().map(|found| found.permissions().mode() & 0o777)
}

/// Keeps what the file says beside it, for its owner alone.
pub(crate) fn backup(path: &Path, text: &str, date: &str) -> Result<PathBuf, Problem> {
    // Two runs within a second: what the first one kept is the person's own.
    let numbered = |n: u32| path.with_file_name(format!("{}{date}-{n}{BACKUP}", backups_begin(path)));
    let plain = path.with_file_name(format!("{}{date}{BACKUP}", backups_begin(path)));
    let copy = std::iter::once(plain).chain((2..).map(numbered)).find(|copy| !copy.exists());
    let copy = copy.unwrap_or_else(|| numbered(0));
    write(&copy, text, Some(0o600))?;
    Ok(copy)
}

/// How the name of a backup ends.
const BACKUP: &str = ".bak";

fn backups_begin(path: &Path) -> String {
    format!("{}.signbell-", path.file_name().unwrap_or_default().to_string_lossy())
}

/// Every backup that was kept beside the file.
pub(crate) fn backups(path: &Path) -> Vec<PathBuf> {
    let begin = backups_begin(path);
    let is_backup = |found: &PathBuf| {
        let name = found.file_name().unwrap_or_default().to_string_lossy();
        name.starts_with(&begin) && name.ends_with(BACKUP)
    };
    let folder = path.parent().and_then(|folder| fs::read_dir(folder).ok());
    folder.into_iter().flatten().filter_map(|entry| Some(entry.ok()?.path())).filter(is_backup).collect()
}

/// Replaces the file: it is as before or complete, and a link stays a link. Its mode stays unless another is
/// given; a new file is its owner's alone.
pub(crate) fn write(path: &Path, text: &str, mode: Option<u32>) -> Result<(), Problem> {
    let failed = |source| Problem::Io { path: path.to_owned(), source };
    let target = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let mode = mode.or_else(|| self::mode(&target)).unwrap_or(0o600);
    if let Some(folder) = target.parent() {
        fs::create_dir_all(folder).map_err(failed)?;
    }
    put(&target, text, Permissions::from_mode(mode)).map_err(failed)
}

/// Changes the mode alone.
pub(crate) fn set_mode(path: &Path, mode: u32) -> Result<(), Problem> {
    let changed = fs::set_permissions(path, Permissions::from_mode(mode));
    changed.map_err(|source| Problem::Io { path: path.to_owned(), source })
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
    let folder = fs::File::open(folder)?;
    file.persist(target).map_err(|e| e.error)?;
    // It is in its place by now, so this is no reason to say that it was not written.
    let _ = folder.sync_all();
    Ok(())
}
