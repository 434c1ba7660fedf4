//! Which program is at the other end of a connection: its process, what it is called, who started it.
//!
//! On Linux the socket's inode is looked for among the descriptors of this user's processes (proc(5)).
//! That takes some milliseconds, so it is done off the request's way, once a connection, and only where
//! somebody will read it. A program can call itself what it likes, and run any file of its user's: this
//! tells the person what asks, and proves nothing.

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
}

impl Program {
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
    use std::sync::Arc;

    use super::super::apps::{Seen, file_name, known};
    use super::{From, Program};

    /// Further up nobody is looked for.
    const HIGHEST: usize = 16;

    /// A command line is not read further.
    const LONGEST: usize = 16 * 1024;

    /// Programs that run what others wrote: for them the script counts.
    const INTERPRETERS: &[&str] =
        &["node", "nodejs", "bun", "deno", "python", "ruby", "perl", "php", "bash", "sh", "zsh", "dash"];

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
        Some(Program { pid, name: own.name, known: own.known, path: own.path, parent, parent_known })
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
        parent: Option<u32>,
    }

    impl Process {
        fn read(pid: u32) -> Option<Self> {
            let link = fs::read_link(format!("/proc/{pid}/exe")).ok();
            // The kernel's own, and other users', have none that we may read.
            let exe = link.map(|path| path.to_string_lossy().into_owned());
            let exe = exe.or_else(|| Some(fs::read_to_string(format!("/proc/{pid}/comm")).ok()?.trim().to_owned()))?;
            let script = if is_interpreter(&exe) { script(pid) } else { None };
            let script = script.map(|path| path.to_string_lossy().into_owned());
            let title = known(&Seen { exe: &exe, script: script.as_deref() });
            let name = title.unwrap_or_else(|| file_name(script.as_deref().unwrap_or(&exe)));
            let path = exe.strip_suffix(" (deleted)").unwrap_or(&exe);
            Some(Self {
                name: name.to_owned(),
                known: title.is_some(),
                path: script.as_ref().map_or_else(|| path.to_owned(), |script| format!("{path} {script}")),
                parent: parent_of(pid),
            })
        }
    }

    /// `python3.12` is one too.
    fn is_interpreter(exe: &str) -> bool {
        let name = file_name(exe).trim_end_matches(|c: char| c.is_ascii_digit() || c == '.');
        INTERPRETERS.contains(&name)
    }

    /// The script that an interpreter runs: its first argument that is no option, if that is a file. What
    /// else stands on a command line may be secret, and is never kept.
    fn script(pid: u32) -> Option<PathBuf> {
        let line = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
        let folder = fs::read_link(format!("/proc/{pid}/cwd")).ok()?;
        script_of(line.get(..LONGEST).unwrap_or(&line), &folder)
    }

    fn script_of(line: &[u8], folder: &Path) -> Option<PathBuf> {
        let mut words = line.split(|byte| *byte == 0).skip(1);
        let word = words.find(|word| !word.is_empty() && !word.starts_with(b"-"))?;
        let path = folder.join(std::str::from_utf8(word).ok()?);
        // The real file: a link such as `bin/claude` says less than where it leads.
        fs::canonicalize(path).ok().filter(|path| path.is_file())
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
        fn a_script_is_a_file_and_nothing_else_of_the_line_is_kept() {
            let folder = tempfile::tempdir().unwrap();
            let file = fs::canonicalize(folder.path()).unwrap().join("server.js");
            fs::write(&file, "").unwrap();
            for (line, wanted) in [
                ("node\0server.js\0--token\0hunter2\0", Some(&file)),
                ("node\0--inspect\0./server.js\0", Some(&file)),
                ("python3\0-c\0print('hunter2')\0", None),
                ("node\0-e\0hunter2\0", None),
                ("node\0", None),
                ("", None),
                ("sh\0.\0", None),
            ] {
                assert_eq!(script_of(line.as_bytes(), folder.path()).as_ref(), wanted, "{line:?}");
            }
            assert!(
                is_interpreter("/usr/bin/python3.12") && is_interpreter("/x/node") && !is_interpreter("/bin/nodemon")
            );
        }

        #[test]
        fn a_process_is_told_with_its_parent() {
            let wanted = [From::Process(std::process::id()), From::Nowhere, From::Socket(u32::MAX)];
            let found = find(wanted.into_iter());
            let own = found[0].as_ref().unwrap();
            assert_eq!(own.pid, std::process::id());
            assert!(!own.known && own.path.contains(&own.name) && own.parent.is_some(), "{own:?}");
            assert_eq!(found[1..], [None, None]);
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
