//! `signbell serve` running in the background.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

use crate::process::{Process, tail};
use crate::sandbox::Sandbox;
use crate::wait::wait_ok;

/// How long `signbell serve` may take until it says that it is ready.
const READY: Duration = Duration::from_secs(60);
/// How long it may take to end on SIGTERM.
const END: Duration = Duration::from_secs(45);

/// A running `signbell serve --json`, ended with SIGTERM when dropped.
#[derive(Debug)]
pub struct Serve {
    process: Process,
    address: String,
    stdout: PathBuf,
    stderr: PathBuf,
    _sandbox: Sandbox,
}

impl Serve {
    /// Starts it and waits for its ready line.
    pub fn start(sandbox: &Sandbox) -> Result<Self> {
        Self::start_with(sandbox, |_| {})
    }

    /// Like [`Serve::start`], after `change` added arguments or variables to the command.
    pub fn start_with(sandbox: &Sandbox, change: impl FnOnce(&mut Command)) -> Result<Self> {
        let mut command = sandbox.signbell()?;
        command.args(["serve", "--json"]);
        change(&mut command);
        Self::start_command(sandbox, command)
    }

    /// Starts any command that writes the ready line `{"ready":true,"address":"http://…"}` first
    /// (the tray program does so too).
    pub fn start_command(sandbox: &Sandbox, mut command: Command) -> Result<Self> {
        let stdout = sandbox.log_path("serve", "out");
        let stderr = sandbox.log_path("serve", "err");
        command.stdin(Stdio::null());
        command.stdout(File::create(&stdout).context("creating the file for stdout")?);
        command.stderr(File::create(&stderr).context("creating the file for stderr")?);
        let mut process = Process::spawn(command, "signbell serve")?;
        let ready = wait_ok("the ready line of signbell serve", READY, || {
            let text = fs::read_to_string(&stdout).unwrap_or_default();
            if let Some((line, _)) = text.split_once('\n') {
                return Ok(Ok(line.to_owned()));
            }
            if !process.is_running() {
                return Ok(Err(process.failure(&stderr)));
            }
            bail!("stdout {text:?}, stderr {:?}", tail(&stderr, 2000))
        })??;
        let parsed: Value = serde_json::from_str(&ready)
            .with_context(|| format!("the first line of signbell serve is not JSON: {ready:?}"))?;
        let address = match (&parsed["ready"], parsed["address"].as_str()) {
            (Value::Bool(true), Some(address)) => address.to_owned(),
            _ => bail!("not a ready line: {ready:?}"),
        };
        Ok(Self { process, address, stdout, stderr, _sandbox: sandbox.clone() })
    }

    /// Where it listens, like `http://127.0.0.1:43210`.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// A URL on it: its address followed by `path` (which begins with a slash).
    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.address)
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// Whether it still runs.
    pub fn is_running(&mut self) -> bool {
        self.process.is_running()
    }

    /// Ends it as a service manager does (SIGTERM) and gives its exit status.
    pub fn stop(&mut self) -> Result<ExitStatus> {
        let ended = self.process.terminate(END);
        ended.with_context(|| format!("its stderr ends: {}", tail(&self.stderr, 2000)))
    }

    /// Kills it without warning (SIGKILL), as a crash would.
    pub fn kill9(&mut self) -> Result<ExitStatus> {
        self.process.kill9()
    }

    /// Sends it any other signal (SIGSTOP, SIGHUP, …).
    pub fn signal(&mut self, signal: rustix::process::Signal) -> Result<()> {
        self.process.signal(signal)
    }

    /// Everything it wrote to stdout so far.
    pub fn stdout(&self) -> Result<String> {
        read(&self.stdout)
    }

    /// Everything it wrote to stderr so far: its log.
    pub fn stderr(&self) -> Result<String> {
        read(&self.stderr)
    }

    /// The lines of stdout so far as JSON, without the ready line and an unfinished last line.
    pub fn events(&self) -> Result<Vec<Value>> {
        let text = self.stdout()?;
        let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
        let parse = |line| serde_json::from_str(line).with_context(|| format!("no JSON: {line:?}"));
        whole.lines().skip(1).map(parse).collect()
    }
}

fn read(file: &Path) -> Result<String> {
    let bytes = fs::read(file).with_context(|| format!("reading {}", file.display()))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
