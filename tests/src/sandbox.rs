//! A test's own folders and environment, and running `signbell` in them.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::process::{ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, Result};

use crate::process::{Output, Process, run};

/// Variable by which every program of a sandbox can be told from all other programs on the
/// machine; its value is the sandbox's folder.
const MARK: &str = "SIGNBELL_TEST_SANDBOX";

/// Ends what is left of a sandbox. It runs as a process of its own which notices the end of the
/// test (however it ended) by its stdin being closed.
const WATCHER: &str = r#"
trap '' HUP INT TERM
cat >/dev/null
for signal in TERM KILL KILL KILL KILL; do
    left=$(grep -lzxF -- "$1" /proc/[0-9]*/environ 2>/dev/null | cut -d/ -f3)
    [ -n "$left" ] || break
    kill -$signal $left 2>/dev/null
    sleep 0.1
done
[ -n "$3" ] || rm -rf -- "$2"
"#;

/// How long [`Sandbox::run`] lets a command of `signbell` run.
const RUN_LIMIT: Duration = Duration::from_secs(90);

/// A temporary folder with `home/`, `runtime/` (XDG_RUNTIME_DIR), `signbell/` (SIGNBELL_HOME),
/// `logs/` and `tmp/`, and the small clean environment programs get in it.
///
/// Cheap to clone: all clones are the same sandbox. The folder goes (and programs that still run
/// in it end) when the last one does, so parts like [`crate::Desktop`] each hold one.
/// With `SIGNBELL_TEST_KEEP` set the folder stays for a look afterwards.
#[derive(Debug, Clone)]
pub struct Sandbox(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    root: PathBuf,
    envs: Mutex<BTreeMap<String, String>>,
    counter: AtomicU32,
    watcher: Mutex<Option<(std::process::Child, ChildStdin)>>,
}

impl Sandbox {
    /// A fresh sandbox; `name` becomes part of the folder's name.
    pub fn new(name: &str) -> Result<Self> {
        let root = tempfile::Builder::new()
            .prefix(&format!("signbell-{name}-"))
            .tempdir()
            .context("creating the sandbox's folder")?
            .keep();
        for folder in ["home", "runtime", "signbell", "logs", "tmp"] {
            fs::DirBuilder::new()
                .mode(0o700)
                .create(root.join(folder))
                .with_context(|| format!("creating {folder} in {}", root.display()))?;
        }
        let text = |path: PathBuf| path.to_string_lossy().into_owned();
        let mut envs = BTreeMap::from([
            ("HOME".to_owned(), text(root.join("home"))),
            ("XDG_RUNTIME_DIR".to_owned(), text(root.join("runtime"))),
            ("SIGNBELL_HOME".to_owned(), text(root.join("signbell"))),
            ("TMPDIR".to_owned(), text(root.join("tmp"))),
            ("SIGNBELL_PORT".to_owned(), "0".to_owned()),
            ("LANG".to_owned(), "C.UTF-8".to_owned()),
            (MARK.to_owned(), text(root.clone())),
        ]);
        for name in ["PATH", "RUST_BACKTRACE", "LLVM_PROFILE_FILE"] {
            if let Ok(value) = std::env::var(name) {
                envs.insert(name.to_owned(), value);
            }
        }
        let watcher = start_watcher(&root)?;
        Ok(Self(Arc::new(Inner {
            root,
            envs: Mutex::new(envs),
            counter: AtomicU32::new(0),
            watcher: Mutex::new(Some(watcher)),
        })))
    }

    /// The sandbox's folder.
    pub fn root(&self) -> &Path {
        &self.0.root
    }

    /// A path in the sandbox's folder.
    pub fn path(&self, relative: impl AsRef<Path>) -> PathBuf {
        self.0.root.join(relative)
    }

    /// HOME of the sandbox's programs.
    pub fn home(&self) -> PathBuf {
        self.path("home")
    }

    /// XDG_RUNTIME_DIR of the sandbox's programs.
    pub fn runtime(&self) -> PathBuf {
        self.path("runtime")
    }

    /// SIGNBELL_HOME: where `signbell` keeps everything it keeps in files.
    pub fn signbell_home(&self) -> PathBuf {
        self.path("signbell")
    }

    /// A not yet used path `logs/<stem>-<number>.<extension>`.
    pub fn log_path(&self, stem: &str, extension: &str) -> PathBuf {
        let number = self.0.counter.fetch_add(1, Ordering::Relaxed);
        self.path(format!("logs/{stem}-{number}.{extension}"))
    }

    /// Sets a variable for the programs started from now on (as `Desktop` does with DISPLAY).
    pub fn set_env(&self, name: &str, value: impl Into<String>) {
        self.lock_envs().insert(name.to_owned(), value.into());
    }

    /// Takes a variable away from the programs started from now on.
    pub fn remove_env(&self, name: &str) {
        self.lock_envs().remove(name);
    }

    /// The whole environment programs are started with.
    pub fn envs(&self) -> BTreeMap<String, String> {
        self.lock_envs().clone()
    }

    /// A command for any program, in the sandbox's environment and with its home as the working
    /// directory.
    pub fn command(&self, program: impl AsRef<Path>) -> Command {
        let mut command = Command::new(program.as_ref());
        command.env_clear().envs(self.envs()).current_dir(self.home());
        command
    }

    /// A command for the real `signbell`, to which a test adds arguments.
    pub fn signbell(&self) -> Result<Command> {
        Ok(self.command(binary("signbell")?))
    }

    /// Runs `signbell` with these arguments to its end, whatever the exit code (at most a minute).
    pub fn run(&self, args: &[&str]) -> Result<Output> {
        self.run_input(args, "")
    }

    /// Like [`Sandbox::run`], with text on stdin (secrets are given that way).
    pub fn run_input(&self, args: &[&str], input: &str) -> Result<Output> {
        let mut command = self.signbell()?;
        command.args(args);
        run(command, input.as_bytes(), RUN_LIMIT)
    }

    /// Runs `signbell` with these arguments, wants the exit code 0 and gives stdout.
    pub fn run_ok(&self, args: &[&str]) -> Result<String> {
        let output = self.run(args)?.expect_code(0);
        Ok(output.with_context(|| format!("signbell {}", args.join(" ")))?.stdout)
    }

    /// Runs `signbell` with these arguments and `--json`, wants the exit code 0 and gives the JSON
    /// values it wrote.
    pub fn run_json(&self, args: &[&str]) -> Result<Vec<serde_json::Value>> {
        let args = [args, &["--json"]].concat();
        let context = || format!("signbell {}", args.join(" "));
        let output = self.run(&args)?.expect_code(0).with_context(context)?;
        output.json().with_context(context)
    }

    /// Starts any program of the sandbox in the background, its output going to a log file.
    /// `what` names it in errors and, shortened to its first word, its log.
    pub fn spawn(&self, command: Command, what: &str) -> Result<(Process, PathBuf)> {
        let log = self.log_path(what.split(' ').next().unwrap_or(what), "log");
        Ok((Process::spawn_logged(command, what, &log)?, log))
    }

    /// Every file below the sandbox's folder, for tests which look for a secret where none may be.
    pub fn files(&self) -> Result<Vec<PathBuf>> {
        fn walk(folder: &Path, found: &mut Vec<PathBuf>) -> Result<()> {
            let context = || format!("listing {}", folder.display());
            for entry in fs::read_dir(folder).with_context(context)? {
                let entry = entry.with_context(context)?;
                // Files come and go while programs run; what is gone is not looked at.
                match entry.file_type() {
                    Ok(kind) if kind.is_dir() => walk(&entry.path(), found)?,
                    Ok(kind) if kind.is_file() => found.push(entry.path()),
                    _ => {}
                }
            }
            Ok(())
        }
        let mut found = Vec::new();
        walk(self.root(), &mut found)?;
        Ok(found)
    }

    /// The files below the sandbox's folder which contain `needle`, apart from those `skip` says
    /// yes to.
    pub fn files_containing(&self, needle: &str, skip: impl Fn(&Path) -> bool) -> Result<Vec<PathBuf>> {
        let needle = needle.as_bytes();
        let mut found = self.files()?;
        found.retain(|file| {
            !skip(file) && fs::read(file).is_ok_and(|all| all.windows(needle.len()).any(|w| w == needle))
        });
        Ok(found)
    }

    fn lock_envs(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, String>> {
        self.0.envs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        let watcher = self.watcher.get_mut();
        if let Some((mut child, stdin)) = watcher.unwrap_or_else(PoisonError::into_inner).take() {
            drop(stdin);
            let _ = child.wait();
        }
    }
}

/// The path of one of the project's own programs: from SIGNBELL_BIN_DIR, else from the folder of
/// the profile this test was built with (`target/<profile>/deps/<test>` → `target/<profile>/`).
pub fn binary(name: &str) -> Result<PathBuf> {
    let folder = match std::env::var_os("SIGNBELL_BIN_DIR") {
        Some(folder) => PathBuf::from(folder),
        None => {
            let test = std::env::current_exe().context("finding the test's own path")?;
            let folder = test
                .ancestors()
                .skip(1)
                .find(|folder| !matches!(folder.file_name(), Some(name) if name == "deps" || name == "examples"));
            folder.context("the test has no folder")?.to_owned()
        }
    };
    let file = folder.join(name);
    anyhow::ensure!(
        file.is_file(),
        "{} does not exist: build it first (cargo build) or set SIGNBELL_BIN_DIR",
        file.display()
    );
    Ok(file)
}

fn start_watcher(root: &Path) -> Result<(std::process::Child, ChildStdin)> {
    use std::os::unix::process::CommandExt as _;
    let keep = std::env::var("SIGNBELL_TEST_KEEP").unwrap_or_default();
    let mut child = Command::new("sh")
        .args(["-c", WATCHER, "signbell-test-watcher"])
        .arg(format!("{MARK}={}", root.display()))
        .arg(root)
        .arg(keep)
        .env_remove(MARK)
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(File::create(root.join("logs/watcher.log")).context("creating the watcher's log")?)
        .process_group(0)
        .spawn()
        .context("starting the watcher (sh)")?;
    let stdin = child.stdin.take().context("the watcher has no stdin")?;
    Ok((child, stdin))
}
