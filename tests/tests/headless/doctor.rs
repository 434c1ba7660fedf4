//! `signbell doctor` where something is wrong: each thing is named, with what to do.

use std::fs::{self, File};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixListener;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use signbell_tests::process::run;
use signbell_tests::upstream::response;
use signbell_tests::{Sandbox, Serve, wait_ok};

use crate::SOON;
use crate::double::{Bare, Double};
use crate::world::World;

/// What doctor says, and its exit code.
fn doctor(sandbox: &Sandbox, more: &[&str]) -> Result<(Vec<Value>, Option<i32>)> {
    let output = sandbox.run(&[&["doctor", "--json"], more].concat())?;
    Ok((output.json()?, output.code))
}

/// The finding of a check; the text must say this.
fn finding(findings: &[Value], check: &str, state: &str, says: &[&str]) -> Result<()> {
    let of_check: Vec<&Value> = findings.iter().filter(|finding| finding["check"] == check).collect();
    let is_said = |finding: &&&Value| {
        let text = finding["text"].as_str().unwrap_or_default();
        finding["state"] == state && says.iter().all(|says| text.contains(says))
    };
    ensure!(of_check.iter().any(|finding| is_said(&finding)), "{check} {state} {says:?} in {findings:?}");
    Ok(())
}

fn problems(findings: &[Value]) -> Vec<&Value> {
    findings.iter().filter(|finding| finding["state"] == "problem").collect()
}

#[test]
fn where_all_is_well_it_says_so() -> Result<()> {
    let (world, access) = World::signed_in("doctor-well")?;
    let server = json!({"url": access.url, "headers": {"Authorization": format!("Bearer {}", access.key)}});
    fs::create_dir_all(world.sandbox.home().join(".cursor"))?;
    fs::write(world.sandbox.home().join(".cursor/mcp.json"), json!({"mcpServers": {"n": server}}).to_string())?;
    let (findings, code) = doctor(&world.sandbox, &["--test-vault"])?;
    ensure!(code == Some(0) && problems(&findings).is_empty(), "{findings:?}");
    finding(&findings, "config", "ok", &["is good"])?;
    finding(&findings, "proxy", "ok", &[world.serve.address()])?;
    finding(&findings, "vault", "ok", &["memory", "read back"])?;
    finding(&findings, "clock", "ok", &["agrees"])?;
    finding(&findings, "trust store", "ok", &["authorities"])?;
    finding(&findings, "browser", "ok", &["browser.sh"])?;
    finding(&findings, "client", "ok", &["Cursor", "as script"])?;
    let text = world.sandbox.run(&["doctor"])?.expect_code(0)?;
    ensure!(!format!("{}{findings:?}", text.stdout).contains(&access.key), "a key is shown");
    Ok(())
}

#[test]
fn p4_a_taken_port_and_what_a_dead_signbell_left() -> Result<()> {
    let sandbox = Sandbox::new("doctor-port")?;
    sandbox.remove_env("SIGNBELL_PORT");
    let holder = TcpListener::bind("127.0.0.1:0")?;
    let port = holder.local_addr()?.port();
    let home = sandbox.signbell_home();
    fs::write(home.join("config.toml"), format!("[proxy]\nport = {port}\n"))?;
    drop(UnixListener::bind(home.join("control.sock"))?);
    fs::write(home.join("vault.age"), "not a real one")?;
    let (findings, code) = doctor(&sandbox, &[])?;
    ensure!(code == Some(1), "{findings:?}");
    finding(&findings, "app", "problem", &["signbell serve"])?;
    let (port, pid) = (port.to_string(), std::process::id().to_string());
    finding(&findings, "port", "problem", &[&port, &pid, "config.toml"])?;
    finding(&findings, "socket", "note", &["harmless"])?;
    finding(&findings, "config", "note", &["chmod 600"])?;

    drop(holder);
    let lock = File::create(home.join("engine.lock"))?;
    lock.lock()?;
    let (findings, _) = doctor(&sandbox, &[])?;
    finding(&findings, "port", "ok", &[&port, "free"])?;
    finding(&findings, "lock", "problem", &["does not answer"])?;
    Ok(())
}

#[test]
fn a_mistake_in_the_configuration_is_named_by_its_meaning_too() -> Result<()> {
    let sandbox = Sandbox::new("doctor-config")?;
    let file = sandbox.signbell_home().join("config.toml");
    for (text, says) in [
        ("[proxy]\nport = \"x\"\n", "line 2"),
        ("# mine\n[proxy]\nprot = 1\n", "prot"),
        ("[accounts.ada]\nprovider = \"gone\"\n", "gone, which is not there"),
    ] {
        fs::write(&file, text)?;
        let (findings, code) = doctor(&sandbox, &[])?;
        finding(&findings, "config", "problem", &[says, "last good"])?;
        ensure!(code == Some(1));
    }
    fs::write(&file, "")?;
    fs::set_permissions(&file, fs::Permissions::from_mode(0o666))?;
    let (findings, _) = doctor(&sandbox, &[])?;
    finding(&findings, "config", "problem", &["writable by others"])?;
    // An extra authority that is none.
    let bad = sandbox.path("ca.pem");
    fs::write(&bad, "no certificate")?;
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600))?;
    fs::write(&file, format!("[network]\nextra_ca = \"{}\"\n", bad.display()))?;
    let (findings, _) = doctor(&sandbox, &[])?;
    finding(&findings, "trust store", "problem", &["ca.pem", "no certificate", "extra_ca"])?;
    Ok(())
}

#[test]
fn a_mistake_that_the_running_app_tells_too_is_told_once() -> Result<()> {
    let world = World::new("doctor-once")?;
    let sandbox = &world.sandbox;
    fs::write(sandbox.signbell_home().join("config.toml"), "# mine\n[proxy]\nhold_secs = 9\n")?;
    wait_ok("the banner", SOON, || {
        let banners = sandbox.run_json(&["status"])?[0]["banners"].to_string();
        ensure!(banners.contains("hold_secs"), "{banners}");
        Ok(())
    })?;
    let (findings, code) = doctor(sandbox, &[])?;
    finding(&findings, "config", "problem", &["line 3", "hold_secs", "last good"])?;
    ensure!(code == Some(1) && problems(&findings).len() == 1, "{findings:?}");
    Ok(())
}

#[test]
fn p2_a_clock_that_is_wrong_is_told_with_how_far() -> Result<()> {
    let bare = Bare::new("doctor-clock")?;
    let mut date = Command::new("date");
    date.args(["-u", "-d", "+2 hours", "+%a, %d %b %Y %H:%M:%S GMT"]).env("LC_ALL", "C");
    let date = run(date, b"", SOON)?.expect_code(0)?.stdout.trim().to_owned();
    let double = Double::start(move |request, _| {
        let answer = br#"{"access_token":"access-of-another-time","token_type":"Bearer","expires_in":600}"#;
        let head = format!("200 OK\r\ncontent-type: application/json\r\ndate: {date}");
        (request.target == "/token").then(|| response(&head, answer))
    })?;
    bare.signed_in(&double)?;
    let (findings, code) = doctor(&bare.sandbox, &[])?;
    finding(&findings, "clock", "problem", &["behind", "ada", "timedatectl"])?;
    ensure!(code == Some(1));
    Ok(())
}

#[test]
fn clients_that_look_for_us_in_vain_are_named() -> Result<()> {
    let (mut world, access) = World::signed_in("doctor-clients")?;
    world.add("issues", &[])?;
    let home = world.sandbox.home();
    let server = |url: &str, key: &str| {
        json!({"mcpServers": {"n": {"url": url, "headers": {"Authorization": format!("Bearer {key}")}}}}).to_string()
    };
    let other = world.sandbox.run_json(&["tool", "add", "other", "--service", "issues"])?[0].clone();
    let other = other["key"].as_str().context("no key")?.to_owned();
    for folder in [".cursor", ".gemini", ".codeium/windsurf"] {
        fs::create_dir_all(home.join(folder))?;
    }
    fs::write(home.join(".cursor/mcp.json"), server("http://127.0.0.1:1/notes", &access.key))?;
    fs::write(home.join(".gemini/settings.json"), server(&access.url, "sbk_of-a-tool-that-is-gone"))?;
    fs::write(home.join(".codeium/windsurf/mcp_config.json"), server(&access.url, &other))?;
    let registry = access.url.replace("/notes", "/gone");
    fs::write(home.join(".npmrc"), format!("registry={registry}/\n"))?;
    let (findings, code) = doctor(&world.sandbox, &[])?;
    ensure!(code == Some(1) && problems(&findings).len() == 4, "{findings:?}");
    finding(&findings, "client", "problem", &["Cursor", "port 1,", ".cursor/mcp.json"])?;
    finding(&findings, "client", "problem", &["Gemini CLI", "no tool's"])?;
    finding(&findings, "client", "problem", &["Windsurf", "as other", "may not use it"])?;
    finding(&findings, "client", "problem", &["npm", "\"gone\""])?;
    for secret in [&access.key, &other] {
        ensure!(!format!("{findings:?}").contains(secret.as_str()), "a key is shown: {findings:?}");
    }
    // The same where nobody runs: the configured port counts.
    world.serve.stop()?;
    let (findings, _) = doctor(&world.sandbox, &[])?;
    finding(&findings, "client", "problem", &["Cursor", "8401"])?;
    Ok(())
}

#[test]
fn a_sealed_file_that_nobody_uses_is_mentioned() -> Result<()> {
    let sandbox = Sandbox::new("doctor-sealed")?;
    sandbox.set_env("SIGNBELL_VAULT", "sealed-file");
    sandbox.set_env("SIGNBELL_PASSPHRASE", "correct horse battery");
    let mut serve = Serve::start(&sandbox)?;
    let (findings, _) = doctor(&sandbox, &["--test-vault"])?;
    finding(&findings, "vault", "ok", &["sealed file", "read back"])?;
    ensure!(!findings.iter().any(|finding| finding["check"] == "sealed file"), "{findings:?}");
    serve.stop()?;
    sandbox.set_env("SIGNBELL_VAULT", "memory");
    let (findings, _) = doctor(&sandbox, &[])?;
    finding(&findings, "sealed file", "note", &["SIGNBELL_VAULT=sealed-file"])?;
    Ok(())
}
