//! What a crash leaves: sessions that live on without a browser.

use std::fs;

use anyhow::{Result, ensure};
use serde_json::json;
use signbell_tests::{DesktopOptions, Sandbox, Serve, UrlCatcher};

use crate::world::{self, Access, follow_links, provider, refused};

/// Signs in, kills the engine at once, starts it again: the session is there, and no page is opened.
fn killed_after_sign_in(sandbox: &Sandbox) -> Result<()> {
    follow_links(sandbox)?;
    let provider = provider(sandbox, &json!({}))?;
    let mut serve = Serve::start(sandbox)?;
    let access = world::add(sandbox, &provider, "notes", &["--sign-in"])?;
    serve.kill9()?;

    let catcher = UrlCatcher::install(sandbox)?;
    let mut serve = Serve::start(sandbox)?;
    let again = |serve: &Serve| Access { url: serve.url("/notes"), ..access.clone() };
    ensure!(again(&serve).get("/me")?["login"] == "ada");
    let account = world::account(sandbox)?;
    ensure!(account["state"] == "active" && account["refreshable"] == true, "{account}");
    // It is the same session, and it renews itself.
    provider.expire_access("ada")?;
    ensure!(again(&serve).get("/me")?["login"] == "ada");
    serve.kill9()?;

    // Killed again right after a rotation: the new refresh token was saved before it was used.
    let mut serve = Serve::start(sandbox)?;
    provider.expire_access("ada")?;
    ensure!(again(&serve).get("/me")?["login"] == "ada", "what a rotation brought was lost");
    let counts = provider.counts()?;
    ensure!(counts["refresh_token"] == json!({"ok": 2, "failed": 0}), "{counts}");
    ensure!(counts["authorization_code"] == json!({"ok": 1, "failed": 0}), "{counts}");
    ensure!(serve.stop()?.code() == Some(0));
    catcher.expect_none()
}

#[test]
fn p1_killed_after_sign_in_with_the_sealed_file() -> Result<()> {
    let sandbox = Sandbox::new("sealed")?;
    sandbox.set_env("SIGNBELL_VAULT", "sealed-file");
    sandbox.set_env("SIGNBELL_PASSPHRASE", "correct horse battery staple");
    killed_after_sign_in(&sandbox)?;

    let sealed = || -> Result<Vec<(std::path::PathBuf, Vec<u8>)>> {
        let mut files = Vec::new();
        for entry in fs::read_dir(sandbox.signbell_home())? {
            let path = entry?.path();
            if path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("vault")) {
                files.push((path.clone(), fs::read(&path)?));
            }
        }
        files.sort();
        Ok(files)
    };
    let before = sealed()?;
    ensure!(!before.is_empty(), "no vault in {:?}", sandbox.files()?);
    sandbox.set_env("SIGNBELL_PASSPHRASE", "wrong");
    let message = refused(&sandbox, &["serve"], 11, "wrong_passphrase")?;
    ensure!(message == "The passphrase does not open the sealed file. Nothing was changed; try again.", "{message}");
    ensure!(sealed()? == before, "a wrong passphrase changed the file");
    sandbox.remove_env("SIGNBELL_PASSPHRASE");
    refused(&sandbox, &["serve"], 11, "passphrase_missing")?;
    ensure!(sealed()? == before);
    sandbox.set_env("SIGNBELL_PASSPHRASE", "correct horse battery staple");
    let _serve = Serve::start(&sandbox)?;
    ensure!(world::account(&sandbox)?["state"] == "active");
    Ok(())
}

#[test]
fn p1_killed_after_sign_in_with_the_real_keyring() -> Result<()> {
    let sandbox = Sandbox::new("keyring")?;
    let _desktop = DesktopOptions::default().without_panel().without_dunst().start(&sandbox)?;
    killed_after_sign_in(&sandbox)
}

#[test]
fn t1_without_a_keyring_it_is_said_and_nothing_lies_about() -> Result<()> {
    let sandbox = Sandbox::new("nokeyring")?;
    let _desktop = DesktopOptions::default().without_panel().without_dunst().without_keyring().start(&sandbox)?;
    follow_links(&sandbox)?;
    let provider = provider(&sandbox, &json!({}))?;
    let mut serve = Serve::start(&sandbox)?;
    let output = sandbox.run(&[
        "add",
        provider.api()?,
        "--name",
        "notes",
        "--account",
        "ada",
        "--issuer",
        provider.issuer()?,
        "--client-id",
        world::CLIENT,
        "--tool",
        "script",
        "--sign-in",
        "--json",
    ])?;
    // Signed in for now, and told that it will not last.
    let output = output.expect_code(11)?;
    let error = world::error_of(&output)?;
    let message = error["message"].as_str().unwrap_or_default();
    ensure!(message.contains("only until Signbell ends") && message.contains("No keyring was found"), "{error}");
    let access = world::access(&output.json()?[0])?;
    ensure!(access.get("/me")?["login"] == "ada");
    let status = sandbox.run_json(&["status"])?;
    let banner = status[0]["banners"][0].as_str().unwrap_or_default().to_owned();
    ensure!(banner.contains("No keyring was found"), "{status:?}");
    let tokens = provider.control("GET", "/tokens", &[("login", "ada")], None)?;
    for token in tokens["RefreshToken"].as_array().into_iter().flatten().filter_map(serde_json::Value::as_str) {
        ensure!(sandbox.files_containing(token, |_| false)?.is_empty(), "a refresh token lies in a file");
    }
    ensure!(serve.stop()?.code() == Some(0));
    Ok(())
}
