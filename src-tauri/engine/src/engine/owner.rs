//! One process runs the engine of a home: the tray or `serve`, at whichever login. The others talk to it.

use std::fs::{File, TryLockError};
use std::io::{self, Write as _};
use std::path::Path;
use std::thread;
use std::time::Duration;

use super::StartError;
use crate::paths::Paths;

/// What the owner holds; it goes with the process, however that ends.
pub(super) struct Owner {
    _lock: File,
    /// For versions that look for an owner beside the sockets alone.
    _here: Option<File>,
}

impl Owner {
    /// Takes the engine for this process, and says where it will be spoken to.
    ///
    /// # Errors
    /// [`StartError::AlreadyRunning`] where another process has it.
    pub(super) fn become_one(paths: &Paths) -> Result<Self, StartError> {
        let here = paths.engine_lock_here().map(|path| take(&path)).transpose()?;
        let path = paths.engine_lock();
        let mut lock = take(&path)?;
        let told = lock.set_len(0).and_then(|()| writeln!(lock, "{}", paths.control_socket().display()));
        // Those of this login find us all the same, and a disk that is full is no reason not to run.
        if let Err(e) = told {
            tracing::warn!("other logins will not find this engine: {}: {e}", path.display());
        }
        Ok(Self { _lock: lock, _here: here })
    }
}

/// For so long a lock that is held may only be looked at ([`is_held`]).
const LOOK: Duration = Duration::from_millis(50);

fn take(path: &Path) -> Result<File, StartError> {
    take_after(path, || thread::sleep(LOOK))
}

/// Takes the lock; where somebody has it, once more after `wait`.
fn take_after(path: &Path, wait: impl FnOnce()) -> Result<File, StartError> {
    use std::os::unix::fs::OpenOptionsExt as _;
    let io = |source| StartError::Io { what: path.display().to_string(), source };
    let mut options = File::options();
    options.create(true).truncate(false).write(true).mode(0o600);
    let file = options.open(path).map_err(io)?;
    let mut locked = file.try_lock();
    if matches!(locked, Err(TryLockError::WouldBlock)) {
        wait();
        locked = file.try_lock();
    }
    match locked {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(StartError::AlreadyRunning),
        Err(TryLockError::Error(e)) => Err(io(e)),
    }
}

/// Whether some process runs the engine of this home.
///
/// # Errors
/// Where a lock can't be looked at.
pub fn is_held(paths: &Paths) -> io::Result<bool> {
    for path in [Some(paths.engine_lock()), paths.engine_lock_here()].into_iter().flatten() {
        let file = match File::options().write(true).open(path) {
            Ok(file) => file,
            Err(e) if e.kind() == io::ErrorKind::NotFound => continue,
            Err(e) => return Err(e),
        };
        match file.try_lock() {
            Ok(()) => file.unlock()?,
            Err(TryLockError::WouldBlock) => return Ok(true),
            Err(TryLockError::Error(e)) => return Err(e),
        }
    }
    Ok(false)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn who_only_looks_is_no_owner() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("engine.lock");
        let looking = take(&path).unwrap();
        assert!(matches!(take_after(&path, || ()), Err(StartError::AlreadyRunning)), "it stays");
        assert!(take_after(&path, || drop(looking)).is_ok(), "it was a look");
    }
}
