//! Which program is at the other end of a connection: its process, what it is called, who started it.
//!
//! On Linux the socket's inode is looked for among the descriptors of this user's processes (proc(5)).
//! That takes some milliseconds, so it is done off the request's way, once a connection, and only where
//! somebody will read it. A program can call itself what it likes, and run any file of its user's: this
//! tells the person what asks, and proves nothing.

#[cfg(target_os = "linux")]
mod script;

use std::sync::{Arc, mpsc};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::sync::{OnceCell, oneshot};

/// Nobody waits longer for it.
const PATIENCE: Duration = Duration::from_millis(500);

/// A program that asks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Program {
    /// Its process id.
    pub pid: u32,
    /// What people call it, else its file's name: `Claude Code`, `curl`.
    pub name: String,
    /// Whether `name` is what people call it.
    pub known: bool,
    /// The file that runs, and the script where that is an interpreter. Nothing else of its command line.
    pub path: String,
    /// Who started it: the next program above that people have a name for, else the one just above.
    pub parent: Option<String>,
    /// Whether people have a name for `parent`.
    pub parent_known: bool,
    /// Whom the person is asked about.
    pub asker: Asker,
}

/// Whom an answer of the person is about: the program itself, or who started it where that is our own bridge,
/// which asks for whoever started it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asker {
    /// What people call it, else its file's name.
    pub name: String,
    /// The file that runs, and the script where that is an interpreter.
    pub path: String,
    /// Whether `path` says which program it is. It does not where that runs whatever it is given: an
    /// interpreter whose script can't be told, the system's own launcher.
    pub lasting: bool,
    /// Whether it asks through our own bridge.
    pub through_us: bool,
}

impl Program {
    /// What "always" can be kept for.
    #[must_use]
    pub fn remembered(&self) -> Option<&str> {
        Some(&*self.asker.path).filter(|path| self.asker.lasting && !path.is_empty())
    }

    /// What to call who asks, where people have a name for it.
    #[must_use]
    pub fn title(&self) -> Option<&str> {
        if self.known { Some(&self.name) } else { self.parent.as_deref().filter(|_| self.parent_known) }
    }
}

/// By what a program is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum From {
    /// The inode of its socket.
    Socket(u32),
    /// Its process id: a Unix socket tells it (SO_PEERCRED, unix(7)).
    Process(u32),
    /// The system does not tell.
    Nowhere,
}

/// Looks for programs, on a thread of its own: however many connections ask at once, the processes are
/// gone through once for all of them.
#[derive(Debug, Clone)]
pub(crate) struct Programs(mpsc::Sender<Wanted>);

struct Wanted {
    from: From,
    tell: oneshot::Sender<Option<Arc<Program>>>,
}

impl Programs {
    /// Starts the thread; it ends when nobody can ask any more.
    pub(crate) fn start() -> Self {
        let (ask, asked) = mpsc::channel::<Wanted>();
        let work = move || {
            while let Ok(first) = asked.recv() {
                let all: Vec<Wanted> = std::iter::once(first).chain(asked.try_iter()).collect();
                let found = system::find(all.iter().map(|wanted| wanted.from));
                for (wanted, program) in all.into_iter().zip(found) {
                    // Who waited may have left.
                    let _ = wanted.tell.send(program);
                }
            }
        };
        if let Err(e) = std::thread::Builder::new().name("programs".into()).spawn(work) {
            tracing::warn!("programs are not told: {e}");
        }
        Self(ask)
    }

    /// Who is there, once somebody wants to know.
    pub(crate) fn caller(&self, from: From) -> Caller {
        Caller { found: Arc::default(), from, programs: self.clone() }
    }
}

/// What runs as this process, where the system tells.
pub(crate) async fn program_of(process: u32) -> Option<Arc<Program>> {
    let look = tokio::task::spawn_blocking(move || system::find(std::iter::once(From::Process(process))));
    look.await.ok()?.pop().flatten()
}

/// The program at the other end of one connection; looked for when it is first asked for.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    found: Arc<OnceCell<Option<Arc<Program>>>>,
    from: From,
    programs: Programs,
}

impl Caller {
    /// What it is; waits for the look-up, and no longer than half a second.
    pub(crate) async fn program(&self) -> Option<Arc<Program>> {
        if let Some(found) = self.found.get() {
            return found.clone();
        }
        if self.from == From::Nowhere {
            return None;
        }
        let look = self.found.get_or_init(async || {
            let (tell, told) = oneshot::channel();
            // An error says that the thread is gone, and nobody tells then.
            let _ = self.programs.0.send(Wanted { from: self.from, tell });
            told.await.ok().flatten()
        });
        tokio::time::timeout(PATIENCE, look).await.ok()?.clone()
    }

    /// What is known of it without a look.
    pub(crate) fn seen(&self) -> Option<Arc<Program>> {
        self.found.get().cloned().flatten()
    }
}

#[cfg(target_os = "linux")]
mod system {
    use std::collections::{HashMap, HashSet};
    use std::fs;
    use std::path::{Path, PathBuf};
    use std::sync::{Arc, LazyLock};

    use super::super::apps::{Seen, file_name, known};
    use super::script::{self, Runs};
    use super::{Asker, From, Program};

    /// Further up nobody is looked for.
    const HIGHEST: usize = 16;

    /// Each in its turn.
    pub(super) fn find(all: impl Iterator<Item = From>) -> Vec<Option<Arc<Program>>> {
        let all: Vec<From> = all.collect();
        let sockets = all.iter().filter_map(|from| match from {
            From::Socket(inode) => Some(format!("socket:[{inode}]")),
            From::Process(_) | From::Nowhere => None,
        });
        let holders = holders(sockets.collect());
        let mut read: HashMap<u32, Option<Arc<Program>>> = HashMap::new();
        let pid = |from: &From| match from {
            From::Socket(inode) => holders.get(&format!("socket:[{inode}]")).copied(),
            From::Process(pid) => Some(*pid),
            From::Nowhere => None,
        };
        all.iter()
            .map(|from| pid(from).and_then(|pid| read.entry(pid).or_insert_with(|| program(pid).map(Arc::new)).clone()))
            .collect()
    }

    fn program(pid: u32) -> Option<Program> {
        let own = Process::read(pid)?;
        let (parent, parent_known) = above(&own);
        let asker = asker(&own, is_ours);
        Some(Program { pid, name: own.name, known: own.known, path: own.path, parent, parent_known, asker })
    }

    /// Our own program asks for who started it; what is named and what is remembered are then the same.
    fn asker(own: &Process, is_ours: impl Fn(&Path) -> bool) -> Asker {
        let through_us = is_ours(Path::new(&own.path));
        let mut parent = own.parent.filter(|pid| through_us && *pid > 1).and_then(Process::read);
        for _ in 0..HIGHEST {
            match &parent {
                Some(process) if is_ours(Path::new(&process.path)) => {
                    parent = process.parent.filter(|pid| *pid > 1).and_then(Process::read);
                }
                _ => break,
            }
        }
        // Nobody above can be told: whoever comes by our bridge is anybody.
        let orphan = through_us && parent.is_none();
        let process = parent.as_ref().unwrap_or(own);
        let lasting = process.lasting && !orphan && !is_ours(Path::new(&process.path));
        Asker { name: process.name.clone(), path: process.path.clone(), lasting, through_us: through_us && !orphan }
    }

    /// Whether this file is the command line that lies where we do.
    fn is_ours(path: &Path) -> bool {
        let Some(folder) = own_folder() else { return false };
        path.parent() == Some(folder) && path.file_name().is_some_and(|name| name == "signbell")
    }

    /// The folder of the program that runs the engine.
    fn own_folder() -> Option<&'static Path> {
        static FOLDER: LazyLock<Option<PathBuf>> =
            LazyLock::new(|| fs::read_link("/proc/self/exe").ok()?.parent().map(Path::to_owned));
        FOLDER.as_deref()
    }

    /// The processes that have these sockets; of several that share one, the one that the others come from.
    fn holders(mut sockets: HashSet<String>) -> HashMap<String, u32> {
        let mut holders = HashMap::new();
        let Ok(processes) = fs::read_dir("/proc") else { return holders };
        let mut pids: Vec<u32> = processes.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok()).collect();
        // Who asks was started of late, more often than not.
        pids.sort_unstable_by(|a, b| b.cmp(a));
        for pid in pids {
            if sockets.is_empty() {
                break;
            }
            for held in held_by(pid) {
                if let Some(socket) = held.to_str().and_then(|held| sockets.take(held)) {
                    holders.insert(socket, pid);
                }
            }
        }
        for (socket, holder) in &mut holders {
            for _ in 0..HIGHEST {
                match parent_of(*holder).filter(|parent| held_by(*parent).any(|held| held.as_os_str() == &**socket)) {
                    Some(parent) => *holder = parent,
                    None => break,
                }
            }
        }
        holders
    }

    /// What the descriptors of a process lead to; nothing where we may not look.
    fn held_by(pid: u32) -> impl Iterator<Item = PathBuf> {
        let descriptors = fs::read_dir(format!("/proc/{pid}/fd")).ok();
        descriptors.into_iter().flatten().filter_map(|entry| fs::read_link(entry.ok()?.path()).ok())
    }

    /// The next program above that people have a name for, else the one just above.
    fn above(own: &Process) -> (Option<String>, bool) {
        let mut first = None;
        let mut next = own.parent;
        for _ in 0..HIGHEST {
            let Some(process) = next.filter(|pid| *pid > 1).and_then(Process::read) else { break };
            if process.known && process.name != own.name {
                return (Some(process.name), true);
            }
            next = process.parent;
            first.get_or_insert(process.name);
        }
        (first, false)
    }

    struct Process {
        name: String,
        known: bool,
        path: String,
        /// [`Asker::lasting`]
        lasting: bool,
        parent: Option<u32>,
    }

    impl Process {
        fn read(pid: u32) -> Option<Self> {
            let link = fs::read_link(format!("/proc/{pid}/exe")).ok();
            // The kernel's own, and other users', have none that we may read.
            let exe = link.map(|path| path.to_string_lossy().into_owned());
            let file_is_told = exe.is_some();
            let exe = exe.or_else(|| Some(fs::read_to_string(format!("/proc/{pid}/comm")).ok()?.trim().to_owned()))?;
            let runs = script::of(pid, &exe);
            let (script, lasting) = match &runs {
                Runs::Itself => (None, file_is_told),
                Runs::Script { file, alone } => (Some(file.to_string_lossy().into_owned()), *alone),
                Runs::Anything => (None, false),
            };
            let title = known(&Seen { exe: &exe, script: script.as_deref() });
            let name = title.unwrap_or_else(|| file_name(script.as_deref().unwrap_or(&exe)));
            let path = exe.strip_suffix(" (deleted)").unwrap_or(&exe);
            Some(Self {
                name: name.to_owned(),
                known: title.is_some(),
                path: script.as_ref().map_or_else(|| path.to_owned(), |script| format!("{path} {script}")),
                lasting,
                parent: parent_of(pid),
            })
        }
    }

    /// The fourth field of proc_pid_stat(5), after a name that may hold anything.
    fn parent_of(pid: u32) -> Option<u32> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        let (_, rest) = stat.rsplit_once(')')?;
        rest.split_ascii_whitespace().nth(1)?.parse().ok()
    }

    #[cfg(test)]
    mod tests {
        #![allow(clippy::unwrap_used)]
        use super::*;

        #[test]
        fn a_process_is_told_with_its_parent() {
            let wanted = [From::Process(std::process::id()), From::Nowhere, From::Socket(u32::MAX)];
            let found = find(wanted.into_iter());
            let own = found[0].as_ref().unwrap();
            assert_eq!(own.pid, std::process::id());
            assert!(!own.known && own.path.contains(&own.name) && own.parent.is_some(), "{own:?}");
            assert_eq!(own.remembered(), Some(&*own.path));
            assert_eq!(found[1..], [None, None]);
        }

        #[test]
        fn our_own_program_asks_for_who_started_it() {
            let here = Process::read(std::process::id()).unwrap();
            let own = |path: &str, parent| Process {
                name: "signbell".into(),
                known: false,
                path: path.into(),
                lasting: true,
                parent,
            };
            let ours = |path: &Path| path == Path::new("/opt/signbell");
            let by_us = asker(&own("/opt/signbell", Some(std::process::id())), ours);
            assert_eq!((&*by_us.name, &*by_us.path), (&*here.name, &*here.path));
            assert!(by_us.lasting && by_us.through_us);
            // Who left it behind is not to be told.
            for nobody in [None, Some(1)] {
                let orphan = asker(&own("/opt/signbell", nobody), ours);
                assert!(!orphan.lasting && !orphan.through_us && orphan.name == "signbell", "{orphan:?}");
            }
            // A file of that name elsewhere is a program as any other.
            let other = asker(&own("/home/ada/signbell", Some(std::process::id())), ours);
            assert!(other.lasting && !other.through_us && other.path == "/home/ada/signbell", "{other:?}");
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod system {
    use super::{From, Program};

    /// This system isn't asked.
    pub(super) fn find(all: impl Iterator<Item = From>) -> Vec<Option<std::sync::Arc<Program>>> {
        all.map(|_| None).collect()
    }
}
