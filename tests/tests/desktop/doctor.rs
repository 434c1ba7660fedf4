//! `signbell doctor` on a desktop: notifications and their buttons, the tray, the keyring.

use anyhow::{Result, ensure};
use serde_json::Value;
use signbell_tests::{DesktopOptions, Sandbox, Serve};

use crate::turn;

fn finding(sandbox: &Sandbox, check: &str, state: &str, says: &str) -> Result<Option<i32>> {
    let output = sandbox.run(&["doctor", "--json"])?;
    let findings = output.json()?;
    let is_said = |finding: &Value| {
        let text = finding["text"].as_str().unwrap_or_default();
        finding["check"] == check && finding["state"] == state && text.contains(says)
    };
    ensure!(findings.iter().any(is_said), "{check} {state} {says:?} in {findings:?}");
    Ok(output.code)
}

#[test]
fn a_desktop_with_everything() -> Result<()> {
    let _turn = turn();
    let sandbox = Sandbox::new("doctor-desktop")?;
    let desktop = DesktopOptions::default().start(&sandbox)?;
    let _serve = Serve::start(&sandbox)?;
    finding(&sandbox, "notifications", "ok", "dunst shows notifications, with buttons")?;
    finding(&sandbox, "tray", "ok", "shows tray icons")?;
    finding(&sandbox, "vault", "ok", "keyring")?;
    ensure!(finding(&sandbox, "keyring", "ok", "open")? == Some(0));

    desktop.lock_keyring()?;
    ensure!(finding(&sandbox, "keyring", "problem", "Unlock it")? == Some(1));
    finding(&sandbox, "vault", "problem", "locked")?;
    ensure!(desktop.keyring_locked()?, "asking unlocked it");
    desktop.unlock_keyring()?;
    ensure!(finding(&sandbox, "keyring", "ok", "open")? == Some(0));
    Ok(())
}

#[test]
fn a_desktop_with_nothing() -> Result<()> {
    let _turn = turn();
    let sandbox = Sandbox::new("doctor-bare")?;
    sandbox.set_env("SIGNBELL_VAULT", "memory");
    let options = DesktopOptions::default().without_dunst().without_panel().without_keyring();
    let _desktop = options.start(&sandbox)?;
    let _serve = Serve::start(&sandbox)?;
    finding(&sandbox, "notifications", "note", "the bell can't ring")?;
    finding(&sandbox, "tray", "note", "No tray")?;
    ensure!(finding(&sandbox, "keyring", "note", "SIGNBELL_VAULT=sealed-file")? == Some(0));
    Ok(())
}
