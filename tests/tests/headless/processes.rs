//! Which program asks: told in the activity and of each request that waits, and nothing of its arguments.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use signbell_tests::{Process, Sandbox};

use crate::world::{Access, World};

/// A launcher that is called like an app that people know, and runs curl as its child.
fn launcher(sandbox: &Sandbox, name: &str) -> Result<PathBuf> {
    let folder = sandbox.home().join("bin");
    fs::create_dir_all(&folder)?;
    let file = folder.join(name);
    fs::write(&file, "#!/bin/sh\ncurl \"$@\"\nexit $?\n")?;
    fs::set_permissions(&file, fs::Permissions::from_mode(0o755))?;
    Ok(file)
}

/// Starts a request by that launcher.
fn ask(sandbox: &Sandbox, name: &str, access: &Access) -> Result<Process> {
    let mut command = sandbox.command(launcher(sandbox, name)?);
    command.args(["-q", "-sS", "--noproxy", "*", "--max-time", "90", "-H"]);
    command.arg(format!("Authorization: Bearer {}", access.key));
    command.arg(format!("{}/me?secret=hunter2", access.url));
    Ok(sandbox.spawn(command, name)?.0)
}

fn newest(world: &World, kind: &str) -> Result<Value> {
    let records = world.sandbox.run_json(&["activity"])?;
    records.into_iter().rev().find(|record| record["kind"] == kind).with_context(|| format!("nothing was {kind}"))
}

#[test]
fn the_activity_and_who_waits_tell_the_program() -> Result<()> {
    let (world, access) = World::signed_in("programs")?;
    let request = access.curl("/me").spawn()?;
    ensure!(request.wait()?.status == 200);
    let used = newest(&world, "used")?;
    ensure!(used["program"] == "curl" && used["pid"].as_u64() > Some(1) && used["parent"].is_string(), "{used}");
    let told = world.sandbox.run_ok(&["activity"])?;
    ensure!(told.contains(&format!("[curl (process {}, started by ", used["pid"])), "{told}");

    world.provider.revoke_refresh("ada", true)?;
    let mut asks = ask(&world.sandbox, "claude", &access)?;
    let account = world.wait_account("a waiting request", |account| account["waiting"] == 1)?;
    let waits = &account["waiting_requests"][0];
    ensure!(waits["program"] == "curl" && waits["parent"] == "Claude Code", "{waits}");
    ensure!(waits["tool"] == "script" && waits["service"] == "notes", "{waits}");
    let words = format!("curl (process {}, started by Claude Code), as script, for notes", waits["pid"]);
    ensure!(waits["words"] == words.as_str(), "{waits}");
    ensure!(account["waiting_words"] == "1 request from Claude Code is waiting", "{account}");
    let body = account["ring"]["body"].as_str().unwrap_or_default();
    ensure!(body.contains("Claude Code is waiting"), "{account}");
    let held = newest(&world, "held")?;
    ensure!(held["pid"] == waits["pid"] && held["parent"] == "Claude Code", "{held}");
    ensure!(held["text"].as_str().is_some_and(|text| text.starts_with("Claude Code waits")), "{held}");

    world.sandbox.run_ok(&["sign-in", "ada"])?;
    ensure!(asks.wait(crate::SOON)?.success());
    let recovered = newest(&world, "recovered")?;
    ensure!(recovered["pid"] == waits["pid"], "{recovered}");
    // Arguments may carry secrets.
    for file in world.sandbox.files()? {
        let text = fs::read(&file).unwrap_or_default();
        let told = String::from_utf8_lossy(&text);
        let ours = file.starts_with(world.sandbox.signbell_home());
        ensure!(!ours || !told.contains("hunter2"), "{} tells an argument", file.display());
    }
    Ok(())
}

#[test]
fn many_at_once_are_told_as_well_and_none_waits_for_it() -> Result<()> {
    let (world, access) = World::signed_in("programs-many")?;
    access.get("/me")?;
    world.provider.expire_access("ada")?;
    let requests = (0..60).map(|_| access.curl("/me").spawn()).collect::<Result<Vec<_>>>()?;
    for request in requests {
        ensure!(request.wait()?.status == 200);
    }
    let records = world.sandbox.run_json(&["activity"])?;
    let recovered: Vec<_> = records.iter().filter(|record| record["kind"] == "recovered").collect();
    ensure!(!recovered.is_empty() && recovered.iter().all(|record| record["program"] == "curl"), "{recovered:?}");
    Ok(())
}

#[test]
fn at_the_socket_the_program_is_told_as_well() -> Result<()> {
    let (world, access) = World::signed_in("programs-socket")?;
    let socket = world.sandbox.signbell_home().join("proxy.sock");
    let socket = socket.to_string_lossy();
    let url = access.url.replace(world.serve.address(), "http://localhost");
    let request = signbell_tests::Curl::new(format!("{url}/me")).arg("--unix-socket").arg(&*socket);
    let response = request.header("authorization", &format!("Bearer {}", access.key)).run()?;
    ensure!(response.status == 200, "{} {}", response.status, response.text());
    let used = newest(&world, "used")?;
    ensure!(used["program"] == "curl" && used["pid"].as_u64() > Some(1), "{used}");
    Ok(())
}
