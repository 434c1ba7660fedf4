//! Reading files that other programs wrote: bounded, and only such as nobody else may write.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

/// Claude Code's own file holds its history too and has megabytes; none has this much.
const LARGEST: u64 = 16 * 1024 * 1024;

/// More entries than this no program's folder has.
const MOST_ENTRIES: usize = 2000;

/// Why a file is not used. None of these holds anything of its content.
#[derive(Debug, PartialEq, Eq)]
pub enum ReadError {
    /// The system's own words.
    Io(String),
    /// A folder, a pipe, a device; or a link that leads to one.
    NotAFile,
    /// Somebody else's file could name services that are theirs.
    ForeignOwner,
    /// As above.
    WritableByAll,
    /// No program writes so much.
    TooLarge,
    /// It is not UTF-8.
    NotText,
    /// It is not in the form that its program writes; what and where, without its content.
    NotUnderstood(String),
}

/// The whole file; nothing if there is none. A person's own link is followed: dotfiles are kept so.
///
/// # Errors
/// [`ReadError`].
pub fn text(path: &Path) -> Result<Option<String>, ReadError> {
    let io = |e: io::Error| ReadError::Io(e.to_string());
    match fs::metadata(path) {
        // A link to nothing is one that somebody made, and worth a word.
        Err(e) if e.kind() == io::ErrorKind::NotFound && fs::symlink_metadata(path).is_err() => return Ok(None),
        Err(e) if e.kind() == io::ErrorKind::NotADirectory => return Ok(None),
        Err(e) => return Err(io(e)),
        Ok(metadata) => check(&metadata)?,
    }
    let file = File::open(path).map_err(io)?;
    // What was opened counts; what was looked at may be another one by now.
    check(&file.metadata().map_err(io)?)?;
    let mut bytes = Vec::new();
    file.take(LARGEST + 1).read_to_end(&mut bytes).map_err(io)?;
    if bytes.len() as u64 > LARGEST {
        return Err(ReadError::TooLarge);
    }
    let text = String::from_utf8(bytes).map_err(|_| ReadError::NotText)?;
    Ok(Some(text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text)))
}

fn check(metadata: &fs::Metadata) -> Result<(), ReadError> {
    if !metadata.is_file() {
        return Err(ReadError::NotAFile);
    }
    if metadata.uid() != rustix::process::geteuid().as_raw() {
        return Err(ReadError::ForeignOwner);
    }
    if metadata.mode() & 0o002 != 0 {
        return Err(ReadError::WritableByAll);
    }
    if metadata.len() > LARGEST {
        return Err(ReadError::TooLarge);
    }
    Ok(())
}

/// What is in a folder, in order; nothing where there is none.
pub(crate) fn entries(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return vec![] };
    let mut paths: Vec<PathBuf> = entries.filter_map(Result::ok).map(|e| e.path()).take(MOST_ENTRIES).collect();
    paths.sort();
    paths
}

/// A path's last part as text.
pub(crate) fn name(path: &Path) -> &str {
    path.file_name().and_then(|name| name.to_str()).unwrap_or_default()
}
