//! Servers of `tests/` that run on Node and say with one line of JSON where they listen.

use std::ffi::OsString;
use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{ChildStdin, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use serde_json::Value;

use crate::process::Process;
use crate::sandbox::Sandbox;

/// How long one start may take. On a quiet machine it is half a second.
const START: Duration = Duration::from_secs(30);
/// A start that hung is tried again: it was seen once that Node, with nothing to wait for, never came
/// to the script's second line while everything beside it ran on. What is tested is not Node.
const STARTS: usize = 3;

/// A command that runs this script, a path in `tests/`.
pub fn node(sandbox: &Sandbox, script: &str) -> Command {
    let node = std::env::var_os("SIGNBELL_NODE").unwrap_or_else(|| OsString::from("node"));
    let mut command = sandbox.command(PathBuf::from(node));
    command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join(script));
    command
}

/// A running script that ends when its standard input closes.
#[derive(Debug)]
pub struct NodeServer {
    // Dropped before the process.
    stdin: Option<ChildStdin>,
    process: Process,
    ready: Value,
    log: PathBuf,
}

impl NodeServer {
    /// Starts `script` with these arguments and waits for its ready line.
    pub fn start(sandbox: &Sandbox, script: &str, args: &[&str]) -> Result<Self> {
        let mut last = None;
        for _ in 0..STARTS {
            match Self::start_once(sandbox, script, args)? {
                Ok(server) => return Ok(server),
                Err(hung) => last = Some(hung),
            }
        }
        Err(last.context("no attempt was made")?)
    }

    /// The inner error is of a start that hung.
    fn start_once(sandbox: &Sandbox, script: &str, args: &[&str]) -> Result<Result<Self, anyhow::Error>> {
        let log = sandbox.log_path("node", "log");
        let mut command = node(sandbox, script);
        command.args(args).stdin(Stdio::piped()).stdout(Stdio::piped());
        command.stderr(File::create(&log).context("creating a log")?);
        let mut process = Process::spawn(command, &format!("{script} (node)"))?;
        let stdin = process.take_stdin();
        let stdout = process.take_stdout().context("no stdout")?;
        let (sender, lines) = mpsc::channel();
        // Reads on after the ready line, so that it never writes into a full pipe.
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                let _ = sender.send(line);
            }
        });
        let line = match lines.recv_timeout(START) {
            Ok(line) => line,
            Err(mpsc::RecvTimeoutError::Timeout) => {
                let failure = process.failure(&log).context("waiting for its ready line");
                process.kill9()?;
                return Ok(Err(failure));
            }
            Err(mpsc::RecvTimeoutError::Disconnected) => {
                let _ = process.wait(Duration::from_secs(1));
                return Err(process.failure(&log).context("waiting for its ready line"));
            }
        };
        let ready = serde_json::from_str(&line).with_context(|| format!("the ready line is not JSON: {line:?}"))?;
        Ok(Ok(Self { stdin, process, ready, log }))
    }

    /// Any string of the ready line, by JSON pointer.
    pub fn field(&self, pointer: &str) -> Result<&str> {
        let field = self.ready.pointer(pointer).and_then(Value::as_str);
        field.with_context(|| format!("no {pointer} in the ready line {}", self.ready))
    }

    /// What it wrote to stderr so far.
    pub fn log(&self) -> Result<String> {
        std::fs::read_to_string(&self.log).with_context(|| format!("reading {}", self.log.display()))
    }

    /// Ends it, so that nobody listens at its addresses any more.
    pub fn stop(&mut self) -> Result<()> {
        self.stdin = None;
        if self.process.wait(Duration::from_secs(5)).is_err() {
            self.process.kill9()?;
        }
        Ok(())
    }
}
