//! `signbell demo`: the story, played by itself.

use anyhow::{Result, ensure};
use serde_json::Value;
use signbell_tests::{Sandbox, Serve};

const STEPS: [&str; 12] = [
    "started",
    "added",
    "open_browser",
    "signed_in",
    "called",
    "expiring",
    "renewed",
    "ended",
    "rings",
    "open_browser",
    "completed",
    "done",
];

fn played(sandbox: &Sandbox) -> Result<()> {
    let lines = sandbox.run_json(&["demo", "--auto"])?;
    let steps: Vec<&str> = lines.iter().filter_map(|line| line["step"].as_str()).collect();
    // The second page is opened beside the story, which does not tell of it.
    let expected: Vec<&str> = match steps.iter().filter(|step| **step == "open_browser").count() {
        1 => STEPS.iter().enumerate().filter(|(at, _)| *at != 9).map(|(_, step)| *step).collect(),
        _ => STEPS.to_vec(),
    };
    ensure!(steps == expected, "{steps:?}");
    ensure!(lines.iter().all(|line| line["text"].as_str().is_some_and(|text| !text.is_empty())), "{lines:?}");
    ensure!(lines.iter().any(|line| line["url"].is_string()), "{lines:?}");
    Ok(())
}

#[test]
fn the_demo_plays_by_itself_and_leaves_nothing() -> Result<()> {
    let sandbox = Sandbox::new("demo")?;
    played(&sandbox)?;
    let left = sandbox.files()?;
    let own: Vec<_> = left.iter().filter(|file| !file.starts_with(sandbox.path("logs"))).collect();
    ensure!(own.is_empty(), "{own:?}");
    Ok(())
}

#[test]
fn the_demo_plays_in_a_running_engine_and_leaves_it_as_it_was() -> Result<()> {
    let sandbox = Sandbox::new("guest")?;
    sandbox.set_env("SIGNBELL_VAULT", "memory");
    let _serve = Serve::start(&sandbox)?;
    played(&sandbox)?;
    let status = sandbox.run_json(&["status"])?;
    for part in ["accounts", "services", "tools"] {
        ensure!(status[0][part] == Value::Array(vec![]), "{status:?}");
    }
    let config = std::fs::read_to_string(sandbox.signbell_home().join("config.toml")).unwrap_or_default();
    ensure!(config.is_empty(), "{config}");
    Ok(())
}
