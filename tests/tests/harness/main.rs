//! Proves the harness itself: the other tests stand on it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use signbell_tests::process::which;
use signbell_tests::*;

mod browser;
mod desktop;

const SOON: Duration = Duration::from_secs(45);

/// Picks up a picture a test made when SIGNBELL_TEST_SHOTS names a folder for it.
fn keep(file: &Path) -> Result<()> {
    if let Some(folder) = std::env::var_os("SIGNBELL_TEST_SHOTS") {
        let name = file.file_name().context("a picture without name")?;
        std::fs::copy(file, PathBuf::from(folder).join(name))?;
    }
    Ok(())
}

#[test]
fn serve_is_awaited_and_stopped() -> Result<()> {
    let sandbox = Sandbox::new("serve")?;
    let script = |text: &str| {
        let mut command = sandbox.command("sh");
        command.args(["-c", text]);
        command
    };
    let ready = r#"echo '{"ready":true,"address":"http://127.0.0.1:1"}'; echo started >&2"#;
    let on_term = "trap 'echo stopping >&2; exit 0' TERM";
    let wait = "while :; do sleep 0.05; done";
    let event = r#"echo '{"event":"x"}'"#;
    let text = format!("{on_term}; {ready}; {event}; {wait}");
    let mut serve = Serve::start_command(&sandbox, script(&text))?;
    ensure!(serve.address() == "http://127.0.0.1:1" && serve.url("/a").ends_with(":1/a"));
    let events = wait_until("the event", SOON, || serve.events().ok().filter(|e| e.len() == 1));
    ensure!(events?[0]["event"] == "x");
    ensure!(serve.is_running());
    ensure!(serve.stop()?.code() == Some(0));
    ensure!(serve.stderr()?.contains("stopping") && !serve.is_running());
    let mut killed = Serve::start_command(&sandbox, script(&text))?;
    ensure!(killed.kill9()?.code().is_none());
    ensure!(!killed.stderr()?.contains("stopping"));
    let failed = Serve::start_command(&sandbox, script("echo no luck >&2; exit 3"));
    let error = failed.err().context("it started")?.to_string();
    ensure!(error.contains("no luck"), "{error}");
    Ok(())
}

#[test]
fn programs_end_with_the_sandbox() -> Result<()> {
    let sandbox = Sandbox::new("end")?;
    // One that left its process group and its parent, as daemons do.
    let mut command = sandbox.command("sh");
    command.args(["-c", "setsid sleep 1000 & echo $!"]);
    let output = process::run(command, b"", SOON)?.expect_code(0)?;
    let status = PathBuf::from(format!("/proc/{}/cmdline", output.stdout.trim()));
    ensure!(!std::fs::read(&status)?.is_empty(), "it does not run");
    drop(sandbox);
    ensure!(std::fs::read(&status).unwrap_or_default().is_empty(), "it still runs");
    Ok(())
}

#[test]
fn waiting_says_what_was_seen() -> Result<()> {
    let short = Duration::from_millis(50);
    let error = wait_ok("rain", short, || -> Result<()> { anyhow::bail!("sunshine") });
    let text = error.err().context("it rained")?.to_string();
    ensure!(text.contains("rain") && text.contains("sunshine"), "{text}");
    ensure!(wait_until("rain", short, || None::<()>).is_err());
    ensure!(which("no-such-program-here").is_err());
    let wait = wait_until_async("rain", short, async || None::<()>);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
    ensure!(runtime.block_on(wait).is_err());
    Ok(())
}
