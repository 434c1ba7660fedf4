//! The file itself: read as a whole, changed as a whole.

use std::fs;
use std::io::{self, Write as _};
use std::path::Path;

use toml_edit::DocumentMut;

use super::Config;
use super::check::check;
use super::mistake::{self, Mistake};
use crate::faults;

/// Why the file can't be used. It is left as it is.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// It can't be read or written.
    #[error("{path}: {source}")]
    Io {
        /// Which file.
        path: String,
        /// Why.
        source: io::Error,
    },
    /// It is not TOML, or not of this shape; the text names the line.
    #[error("{path}: {why}")]
    Syntax {
        /// Which file.
        path: String,
        /// In which line it is, from 1.
        line: Option<usize>,
        /// The same in one line.
        brief: String,
        /// What and where.
        why: String,
    },
    /// Two parts contradict each other.
    #[error("{path}: {what}")]
    Meaning {
        /// Which file.
        path: String,
        /// In which line the part begins, from 1.
        line: Option<usize>,
        /// What.
        what: String,
    },
    /// Somebody else may write it (T10).
    #[error("{path}: belongs to another user or is writable by others")]
    Exposed {
        /// Which file.
        path: String,
    },
}

/// Reads the file; one that is not there is empty.
///
/// # Errors
/// [`ConfigError`].
pub fn load(path: &Path) -> Result<Config, ConfigError> {
    parse(path, &read(path)?)
}

/// Changes the file: `change` edits the document, whose comments survive; nothing is written unless
/// the whole result is good.
///
/// # Errors
/// [`ConfigError`], or what `change` says; the file is then as it was.
pub fn edit<T, E: From<ConfigError>>(
    path: &Path,
    change: impl FnOnce(&mut DocumentMut) -> Result<T, E>,
) -> Result<(Config, T), E> {
    let text = read(path)?;
    let mut document: DocumentMut = text
        .parse()
        .map_err(|e: toml_edit::TomlError| mistake::syntax(path, &text, &e.to_string(), e.message(), e.span()))?;
    let outcome = change(&mut document)?;
    let text = document.to_string();
    let config = parse(path, &text)?;
    faults::point("config-before");
    write_atomically(path, text.as_bytes())
        .map_err(|source| ConfigError::Io { path: path.display().to_string(), source })?;
    faults::point("config-written");
    Ok((config, outcome))
}

/// Writes a file so that it is either as before or complete, and readable by its owner alone. A link
/// stays a link: what it leads to is replaced.
pub(crate) fn write_atomically(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let target = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let folder = target.parent().ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
    let mut file = tempfile::Builder::new().prefix(".signbell-").tempfile_in(folder)?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    faults::point("file-temporary");
    file.persist(&target).map_err(|e| e.error)?;
    fs::File::open(folder)?.sync_all()
}

fn read(path: &Path) -> Result<String, ConfigError> {
    let io = |source| ConfigError::Io { path: path.display().to_string(), source };
    match fs::metadata(path) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(String::new()),
        Err(e) => return Err(io(e)),
        Ok(metadata) => {
            use std::os::unix::fs::MetadataExt as _;
            if metadata.uid() != rustix::process::getuid().as_raw() || metadata.mode() & 0o022 != 0 {
                return Err(ConfigError::Exposed { path: path.display().to_string() });
            }
        }
    }
    fs::read_to_string(path).map_err(io)
}

pub(super) fn parse(path: &Path, text: &str) -> Result<Config, ConfigError> {
    let config: Config = toml_edit::de::from_str(text)
        .map_err(|e| mistake::syntax(path, text, &e.to_string(), e.message(), e.span()))?;
    check(&config).map_err(|mistake| mistake.in_file(path, text))?;
    Ok(config)
}

/// Reads the file's text.
#[cfg(fuzzing)]
pub(crate) fn read_text(path: &Path, text: &str) -> Result<Config, ConfigError> {
    parse(path, text)
}

/// Reads a text that is no file of ours: another machine's settings.
///
/// # Errors
/// What is wrong with it.
pub(crate) fn parse_text(text: &str) -> Result<Config, String> {
    let config: Config = toml_edit::de::from_str(text).map_err(|e| e.message().to_owned())?;
    check(&config).map_err(Mistake::what)?;
    Ok(config)
}
