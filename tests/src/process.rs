//! Starting programs so that nothing outlives the test, and ending them by process id.

use std::fs::File;
use std::io::Write as _;
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow, ensure};
use rustix::process::{Pid, Signal};

use crate::wait::wait_until;

/// How long a program may take to end after SIGTERM before its group gets SIGKILL in `Drop`.
const GRACE: Duration = Duration::from_secs(3);

/// How long the rest of a program's output may take to arrive after its end.
const LINGER: Duration = Duration::from_secs(1);

/// A running program in a process group of its own.
///
/// The kernel kills it when the test process ends in whatever way; dropping it sends SIGTERM to
/// its whole group and, where that does not help, SIGKILL.
#[derive(Debug)]
pub struct Process {
    what: String,
    child: Child,
    status: Option<ExitStatus>,
}

impl Process {
    /// Starts `command`; `what` names it in errors.
    pub fn spawn(command: Command, what: &str) -> Result<Self> {
        Self::spawn_dying(command, what, Signal::KILL)
    }

    /// Like [`Process::spawn`], with the signal it gets when the test process ends: SIGTERM for
    /// programs that have to tidy up outside of the sandbox.
    pub(crate) fn spawn_dying(command: Command, what: &str, death: Signal) -> Result<Self> {
        let program = command.get_program().to_string_lossy().into_owned();
        let child = spawn_child(command, death).with_context(|| format!("starting {what} (program {program:?})"))?;
        Ok(Self { what: what.to_owned(), child, status: None })
    }

    /// Starts `command` with stdout and stderr going to the file `log`, which [`Process::failure`]
    /// quotes. The usual way for helpers that run in the background.
    pub fn spawn_logged(mut command: Command, what: &str, log: &Path) -> Result<Self> {
        let file = File::create(log).with_context(|| format!("creating {}", log.display()))?;
        command.stdin(Stdio::null());
        command.stdout(file.try_clone().context("sharing a log file")?);
        command.stderr(file);
        Self::spawn(command, what)
    }

    /// The process id, which is also the id of its process group.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// The pipe to its stdin, if it was started with one. Can be taken once.
    pub fn take_stdin(&mut self) -> Option<ChildStdin> {
        self.child.stdin.take()
    }

    /// The pipe from its stdout, if it was started with one. Can be taken once.
    pub fn take_stdout(&mut self) -> Option<ChildStdout> {
        self.child.stdout.take()
    }

    /// The pipe from its stderr, if it was started with one. Can be taken once.
    pub fn take_stderr(&mut self) -> Option<ChildStderr> {
        self.child.stderr.take()
    }

    /// The exit status if it has ended, else `None`.
    pub fn try_wait(&mut self) -> Result<Option<ExitStatus>> {
        if self.status.is_none() {
            let seen = self.child.try_wait();
            self.status = seen.with_context(|| format!("asking whether {} runs", self.what))?;
        }
        Ok(self.status)
    }

    /// Whether it still runs.
    pub fn is_running(&mut self) -> bool {
        matches!(self.try_wait(), Ok(None))
    }

    /// Waits until it ends by itself, at most for `timeout`.
    pub fn wait(&mut self, timeout: Duration) -> Result<ExitStatus> {
        let what = format!("the end of {} (process {})", self.what, self.id());
        wait_until(&what, timeout, || self.try_wait().transpose())?
    }

    /// Sends SIGTERM to the program alone (as a service manager does first) and waits for its end.
    pub fn terminate(&mut self, timeout: Duration) -> Result<ExitStatus> {
        self.signal(Signal::TERM)?;
        self.wait(timeout)
    }

    /// Sends SIGKILL to the program alone, as a crash or the out-of-memory killer would, and waits
    /// for its end.
    pub fn kill9(&mut self) -> Result<ExitStatus> {
        self.signal(Signal::KILL)?;
        self.wait(GRACE)
    }

    /// Sends any signal to the program alone; without effect once it has ended.
    pub fn signal(&mut self, signal: Signal) -> Result<()> {
        if self.try_wait()?.is_none() {
            let pid = self.pid()?;
            rustix::process::kill_process(pid, signal)
                .with_context(|| format!("sending {signal:?} to {}", self.what))?;
        }
        Ok(())
    }

    /// An error which says that the program ended early, with the end of its log.
    pub fn failure(&mut self, log: &Path) -> anyhow::Error {
        let state = match self.try_wait() {
            Ok(Some(status)) => format!("ended with {status}"),
            _ => "still runs".to_owned(),
        };
        anyhow!("{} {state}; its log ends:\n{}", self.what, tail(log, 2000))
    }

    fn pid(&self) -> Result<Pid> {
        let raw = i32::try_from(self.child.id()).context("process id out of range")?;
        Pid::from_raw(raw).context("process id 0")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Once the leader has been waited for, its id may belong to somebody else: members of the
        // group that remain then are left to the sandbox, which knows them by their environment.
        if let (Ok(group), true) = (self.pid(), self.is_running()) {
            let _ = rustix::process::kill_process_group(group, Signal::TERM);
            if self.wait(GRACE).is_err() {
                let _ = rustix::process::kill_process_group(group, Signal::KILL);
                let _ = self.wait(GRACE);
            }
        }
    }
}

/// What a program that ran to its end left behind.
#[derive(Debug, Clone)]
pub struct Output {
    /// The exit code; `None` if a signal ended it (see [`Output::signal`]).
    pub code: Option<i32>,
    /// The signal which ended it, if one did.
    pub signal: Option<i32>,
    /// Everything it wrote to stdout, invalid UTF-8 replaced.
    pub stdout: String,
    /// Everything it wrote to stderr, invalid UTF-8 replaced.
    pub stderr: String,
    /// How long it ran.
    pub took: Duration,
}

impl Output {
    /// Gives itself back if the exit code is `code`, else an error quoting both outputs.
    pub fn expect_code(self, code: i32) -> Result<Self> {
        ensure!(
            self.code == Some(code),
            "exit code {code} expected, got {:?} (signal {:?})\nstdout: {}\nstderr: {}",
            self.code,
            self.signal,
            self.stdout.trim_end(),
            self.stderr.trim_end()
        );
        Ok(self)
    }

    /// stdout as the JSON values it consists of (one per line or spread over lines).
    pub fn json(&self) -> Result<Vec<serde_json::Value>> {
        serde_json::Deserializer::from_str(&self.stdout)
            .into_iter()
            .collect::<Result<_, _>>()
            .with_context(|| format!("stdout is not JSON: {}", self.stdout))
    }
}

/// Runs `command` to its end with `input` on stdin, at most for `timeout`. What it leaves running in
/// the background stays, until the sandbox ends it.
pub fn run(mut command: Command, input: &[u8], timeout: Duration) -> Result<Output> {
    let what = describe(&command);
    command.stdin(Stdio::piped());
    command.stdout(Stdio::piped());
    command.stderr(Stdio::piped());
    let start = Instant::now();
    let mut process = Process::spawn(command, &what)?;
    let mut stdin = process.take_stdin().context("no stdin pipe")?;
    let input = input.to_vec();
    // A program which does not read its input closes the pipe: no failure of the test.
    thread::spawn(move || stdin.write_all(&input));
    let stdout = Collected::read(process.take_stdout().context("no stdout pipe")?);
    let stderr = Collected::read(process.take_stderr().context("no stderr pipe")?);
    let waited = process.wait(timeout);
    let took = start.elapsed();
    drop(process);
    let (stdout, stderr) = (stdout.text(), stderr.text());
    let status = waited.with_context(|| format!("running {what}\nstdout: {stdout}\nstderr: {stderr}"))?;
    Ok(Output { code: status.code(), signal: status.signal(), stdout, stderr, took })
}

/// Where `program` lies in PATH, for parts that want a full path.
pub fn which(program: &str) -> Result<PathBuf> {
    let path = std::env::var_os("PATH").context("PATH is not set")?;
    std::env::split_paths(&path)
        .map(|folder| folder.join(program))
        .find(|file| file.is_file())
        .with_context(|| format!("program {program:?} is not in PATH"))
}

/// The last `limit` bytes of a file as text, for error messages; empty if it cannot be read.
pub fn tail(file: &Path, limit: usize) -> String {
    let bytes = std::fs::read(file).unwrap_or_default();
    let from = bytes.len().saturating_sub(limit);
    String::from_utf8_lossy(bytes.get(from..).unwrap_or_default()).into_owned()
}

/// The program's name and arguments, as one would type them.
fn describe(command: &Command) -> String {
    std::iter::once(command.get_program())
        .chain(command.get_args())
        .map(|part| part.to_string_lossy().into_owned())
        .collect::<Vec<_>>()
        .join(" ")
}

/// What a thread reads from a pipe, and the word that it has come to its end.
struct Collected {
    bytes: Arc<Mutex<Vec<u8>>>,
    end: mpsc::Receiver<()>,
}

impl Collected {
    fn read(mut pipe: impl std::io::Read + Send + 'static) -> Self {
        let bytes = Arc::new(Mutex::new(Vec::new()));
        let (sender, end) = mpsc::channel();
        let shared = Arc::clone(&bytes);
        thread::spawn(move || {
            let mut part = [0; 8192];
            while let Ok(count @ 1..) = pipe.read(&mut part) {
                let mut bytes = shared.lock().unwrap_or_else(PoisonError::into_inner);
                bytes.extend_from_slice(part.get(..count).unwrap_or_default());
            }
            sender.send(())
        });
        Self { bytes, end }
    }

    /// Everything read, after the program's end. A program it left in the background may hold the
    /// pipe open for ever, so the end of the pipe is not waited for long.
    fn text(&self) -> String {
        let _ = self.end.recv_timeout(LINGER);
        let bytes = self.bytes.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

type Order = (Command, mpsc::Sender<std::io::Result<Child>>);

/// Starts a child from a thread that lives as long as the test process: the kernel's "parent
/// death signal" means the *thread* which started the child, and tests run in short-lived ones.
fn spawn_child(mut command: Command, death: Signal) -> Result<Child> {
    static SPAWNER: OnceLock<mpsc::Sender<Order>> = OnceLock::new();
    command.process_group(0);
    die_with_parent(&mut command, death);
    let spawner = SPAWNER.get_or_init(|| {
        let (sender, orders) = mpsc::channel::<Order>();
        thread::spawn(move || {
            for (mut command, reply) in orders {
                let _ = reply.send(command.spawn());
            }
        });
        sender
    });
    let (reply, answer) = mpsc::channel();
    spawner.send((command, reply)).map_err(|_| anyhow!("the spawning thread has ended"))?;
    Ok(answer.recv().context("the spawning thread has ended")??)
}

#[allow(unsafe_code)]
fn die_with_parent(command: &mut Command, death: Signal) {
    let parent = rustix::process::getpid();
    // SAFETY: between fork and exec only the async-signal-safe system calls prctl and getppid are
    // made; nothing is allocated and no lock is taken.
    unsafe {
        command.pre_exec(move || {
            rustix::process::set_parent_process_death_signal(Some(death))?;
            if rustix::process::getppid() == Some(parent) {
                Ok(())
            } else {
                Err(std::io::Error::from_raw_os_error(3)) // ESRCH: the test has died meanwhile
            }
        });
    }
}
