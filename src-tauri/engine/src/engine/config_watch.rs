//! Notices that `config.toml`, or the file of authorities that it names, was changed by another hand.
//!
//! The folder is watched and not the file: most editors write a new file and rename it over the old one,
//! which a watch on the file would not see. A link is followed to its file's folder too.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::core::{Core, lock};

/// An editor's several steps are one change.
const SETTLED: Duration = Duration::from_millis(120);

/// A file that is written all the time is read all the same.
const LONGEST: Duration = Duration::from_secs(2);

/// Where the system tells nothing, it is asked so often.
const POLL: Duration = Duration::from_secs(2);

impl Core {
    /// Keeps what `config.toml` says in force.
    pub(super) async fn keep_config(&self) {
        let path = self.paths.config_file();
        let mut watch = Watch::new(&path);
        // It may have changed since the start read it.
        self.reread();
        loop {
            watch.changed().await;
            watch.settled().await;
            // A link may lead elsewhere by now, and a folder be another or none.
            watch = Watch::new(&path);
            self.reread();
        }
    }

    /// Keeps what the person's own file of authorities says in force, whichever file that is.
    pub(super) async fn keep_authorities(&self) {
        loop {
            let file = lock(&self.network).extra_ca.clone();
            let Some(file) = file else {
                self.network_changed.notified().await;
                continue;
            };
            let mut watch = Watch::new(&file);
            loop {
                tokio::select! {
                    () = watch.changed() => {}
                    () = self.network_changed.notified() => break,
                }
                watch.settled().await;
                watch = Watch::new(&file);
                self.reread_authorities();
            }
        }
    }
}

enum Watch {
    #[cfg(target_os = "linux")]
    Told(inotify::Inotify),
    Asking(PathBuf, Option<Look>),
}

/// What a file looks like from outside.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Look {
    changed: Option<std::time::SystemTime>,
    bytes: u64,
    readonly: bool,
}

impl Look {
    fn at(path: &Path) -> Option<Self> {
        let metadata = std::fs::metadata(path).ok()?;
        Some(Self {
            changed: metadata.modified().ok(),
            bytes: metadata.len(),
            readonly: metadata.permissions().readonly(),
        })
    }
}

impl Watch {
    fn new(path: &Path) -> Self {
        #[cfg(target_os = "linux")]
        match inotify::Inotify::new(path) {
            Ok(told) => return Self::Told(told),
            Err(e) => tracing::info!("{} is looked at every two seconds: {e}", path.display()),
        }
        Self::Asking(path.to_owned(), Look::at(path))
    }

    async fn changed(&mut self) {
        match self {
            #[cfg(target_os = "linux")]
            Self::Told(told) => told.changed().await,
            Self::Asking(path, before) => loop {
                tokio::time::sleep(POLL).await;
                let now = Look::at(path);
                if now != *before {
                    *before = now;
                    return;
                }
            },
        }
    }

    /// Returns once nothing more happens to it for a while, or goes on happening for too long.
    async fn settled(&mut self) {
        let quiet = async { while tokio::time::timeout(SETTLED, self.changed()).await.is_ok() {} };
        // Either way it is read now.
        let _ = tokio::time::timeout(LONGEST, quiet).await;
    }
}

#[cfg(target_os = "linux")]
mod inotify {
    use std::ffi::OsString;
    use std::io;
    use std::mem::MaybeUninit;
    use std::os::fd::OwnedFd;
    use std::os::unix::ffi::OsStrExt as _;
    use std::path::Path;

    use rustix::fs::inotify::{CreateFlags, Reader, WatchFlags, add_watch, init};
    use tokio::io::unix::AsyncFd;

    /// inotify(7) on the folders of one file.
    pub(super) struct Inotify {
        kernel: AsyncFd<OwnedFd>,
        names: Vec<OsString>,
    }

    impl Inotify {
        pub(super) fn new(path: &Path) -> io::Result<Self> {
            let kernel = init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC)?;
            #[expect(
                deprecated,
                reason = "the new way takes unsafe code, and an OwnedFd is what makes the old one sound"
            )]
            let kernel = AsyncFd::new(kernel)?;
            let mut new = Self { kernel, names: vec![] };
            new.watch(path)?;
            Ok(new)
        }

        fn watch(&mut self, path: &Path) -> io::Result<()> {
            // ATTRIB: a file that others could write is mended by its mode alone. The folder itself may go, and the
            // watch with it.
            let flags = WatchFlags::CLOSE_WRITE
                | WatchFlags::MOVED_TO
                | WatchFlags::MOVED_FROM
                | WatchFlags::DELETE
                | WatchFlags::CREATE
                | WatchFlags::ATTRIB
                | WatchFlags::DELETE_SELF
                | WatchFlags::MOVE_SELF;
            let target = match std::fs::canonicalize(path) {
                Ok(target) => target,
                // Where a link leads nowhere, nobody tells when it leads somewhere again.
                Err(e) if path.is_symlink() => return Err(e),
                Err(_) => path.to_owned(),
            };
            for one in [path, target.as_path()] {
                if let (Some(folder), Some(name)) = (one.parent(), one.file_name()) {
                    add_watch(self.kernel.get_ref(), folder, flags)?;
                    self.names.push(name.to_owned());
                }
            }
            Ok(())
        }

        /// Returns once something happened to the file.
        pub(super) async fn changed(&mut self) {
            loop {
                let Ok(mut ready) = self.kernel.readable().await else { return std::future::pending().await };
                let mut space = [MaybeUninit::uninit(); 4096];
                let mut events = Reader::new(self.kernel.get_ref(), &mut space);
                let mut ours = false;
                // It ends with "would block": the kernel has no more.
                while let Ok(event) = events.next() {
                    let name = event.file_name().map(|name| name.to_bytes().to_vec());
                    // An event without a name is one of the folder itself, or says that some were lost.
                    ours |= name.is_none_or(|name| self.names.iter().any(|own| own.as_bytes() == name));
                }
                ready.clear_ready();
                if ours {
                    return;
                }
            }
        }
    }
}
