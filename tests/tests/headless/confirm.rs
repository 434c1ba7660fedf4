//! A tool that wants it: the person is asked once for each program and service, and what they said is
//! remembered.

use std::fs;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use signbell_tests::{Sandbox, wait_ok};

use crate::SOON;
use crate::world::{World, refused};

/// The one question that is open.
fn question(sandbox: &Sandbox) -> Result<Value> {
    wait_ok("a question", SOON, || {
        let status = sandbox.run_json(&["status"])?;
        let open = status[0]["confirms"].as_array().cloned().unwrap_or_default();
        ensure!(open.len() == 1, "{open:?}");
        open.into_iter().next().context("no question")
    })
}

fn no_question(sandbox: &Sandbox) -> Result<()> {
    let status = sandbox.run_json(&["status"])?;
    ensure!(status[0]["confirms"].is_null(), "{}", status[0]["confirms"]);
    Ok(())
}

#[test]
fn always_is_written_down_and_asked_no_more() -> Result<()> {
    let (mut world, mut access) = World::signed_in("confirm-always")?;
    world.sandbox.run_ok(&["tool", "set", "script", "--confirm"])?;
    let before = world.provider.counts()?["api"].clone();
    let waiting = [access.curl("/me").spawn()?, access.curl("/me").spawn()?];
    let asked = question(&world.sandbox)?;
    ensure!(asked["tool"] == "script" && asked["service"] == "notes" && asked["program"] == "curl", "{asked}");
    let path = asked["path"].as_str().context("no path")?.to_owned();
    ensure!(path.starts_with('/') && path.ends_with("/curl"), "{asked}");
    ensure!(asked["title"] == "curl wants to use notes", "{asked}");
    ensure!(asked["body"].as_str().is_some_and(|body| body.contains(&path) && !body.contains(&access.key)), "{asked}");
    ensure!(world.provider.counts()?["api"] == before, "it was sent unasked");

    world.sandbox.run_ok(&["tool", "allow", "script", "notes"])?;
    for request in waiting {
        ensure!(request.wait()?.status == 200);
    }
    no_question(&world.sandbox)?;
    access.get("/me")?;
    let config = fs::read_to_string(world.sandbox.signbell_home().join("config.toml"))?;
    ensure!(config.contains("confirm = true") && config.contains("[tools.script.allowed]"), "{config}");
    ensure!(config.contains(&format!("notes = [\"{path}\"]")), "{config}");
    let told = world.sandbox.run_ok(&["activity"])?;
    ensure!(told.contains("curl may use notes as script from now on"), "{told}");

    // Also after a restart; and another program is another matter. Sign in again, for the vault was memory.
    world.restart()?;
    access.url = world.serve.url("/notes");
    world.sandbox.run_ok(&["sign-in", "ada"])?;
    access.get("/me")?;
    no_question(&world.sandbox)?;
    let mut python = world.sandbox.command("python3");
    let script = "import sys, urllib.request as u\n\
                  r = u.Request(sys.argv[1], headers={'Authorization': 'Bearer ' + sys.argv[2]})\n\
                  u.build_opener(u.ProxyHandler({})).open(r, timeout=90)\n";
    let file = world.sandbox.home().join("ask.py");
    fs::write(&file, script)?;
    python.arg(&file).arg(format!("{}/me", access.url)).arg(&access.key);
    let (mut python, _) = world.sandbox.spawn(python, "python")?;
    let asked = question(&world.sandbox)?;
    let path = asked["path"].as_str().unwrap_or_default();
    ensure!(asked["program"] == "ask.py" && path.contains("python") && path.ends_with("/ask.py"), "{asked}");
    ensure!(!asked.to_string().contains(&access.key), "an argument is told: {asked}");
    world.control(&json!({"do": "confirm", "id": asked["id"], "answer": "hour"}))?;
    ensure!(python.wait(SOON)?.success());
    let config = fs::read_to_string(world.sandbox.signbell_home().join("config.toml"))?;
    ensure!(!config.contains("ask.py"), "an hour was written down: {config}");
    Ok(())
}

#[test]
fn no_is_a_403_and_silence_a_503() -> Result<()> {
    let (world, access) = World::signed_in("confirm-no")?;
    world.sandbox.run_ok(&["tool", "set", "script", "--confirm"])?;
    let sent = world.provider.counts()?["api"].clone();
    let waiting = access.curl("/me").spawn()?;
    question(&world.sandbox)?;
    world.sandbox.run_ok(&["tool", "deny", "script", "notes"])?;
    let answer = waiting.wait()?;
    let problem = answer.json()?;
    ensure!(answer.status == 403 && problem["code"] == "not_confirmed", "{} {problem}", answer.status);
    ensure!(answer.header("content-type") == Some("application/problem+json"), "{answer:?}");
    // It stands for a while: a program that tries again and again does not ask again and again.
    let again = access.curl("/me").run()?;
    ensure!(again.status == 403);
    no_question(&world.sandbox)?;
    refused(&world.sandbox, &["tool", "allow", "script", "notes"], 2, "not_asked")?;
    // JSON-RPC gets it in its own form.
    let call = json!({"jsonrpc": "2.0", "id": 7, "method": "tools/list"});
    let answer = access.curl("/me").json(&call).run()?;
    ensure!(answer.status == 403 && answer.json()?["id"] == 7, "{}", answer.text());
    ensure!(world.provider.counts()?["api"] == sent, "a refused request was sent");

    // Nobody answers: the question stays for the next request.
    world.add("issues", &[])?;
    world.sandbox.run_ok(&["settings", "set", "proxy.hold_seconds", "1"])?;
    let mut issues = access.clone();
    issues.url = world.serve.url("/issues");
    let answer = issues.curl("/me").run()?;
    let problem = answer.json()?;
    ensure!(answer.status == 503 && problem["code"] == "confirmation_needed", "{} {problem}", answer.status);
    ensure!(answer.header("retry-after").is_some(), "{answer:?}");
    ensure!(
        problem["remedy"].as_str().is_some_and(|text| text.contains("signbell tool allow script issues")),
        "{problem}"
    );
    let asked = question(&world.sandbox)?;
    ensure!(asked["waiting"] == 0 && asked["service"] == "issues", "{asked}");
    world.sandbox.run_ok(&["tool", "allow", "script", "issues", "--hour"])?;
    issues.get("/me")?;

    // Turned off, nobody is asked.
    world.sandbox.run_ok(&["tool", "set", "script", "--confirm=no"])?;
    access.get("/me")?;
    // Where nothing waits, it is said why: a name that is not quite right, or nothing that could.
    world.sandbox.run_ok(&["tool", "add", "other", "--service", "issues"])?;
    for (args, status, code, says) in [
        (["tool", "allow", "scrpt", "notes"], 1, "unknown_tool", "Did you mean \"script\"?"),
        (["tool", "deny", "nobody", "notes"], 1, "unknown_tool", "signbell tool list"),
        (["tool", "allow", "script", "note"], 1, "unknown_service", "Did you mean \"notes\"?"),
        (["tool", "allow", "other", "notes"], 2, "not_granted", "signbell tool add other --service notes"),
        (["tool", "deny", "script", "notes"], 2, "not_asked", "signbell tool set script --confirm"),
    ] {
        let message = refused(&world.sandbox, &args, status, code)?;
        ensure!(message.contains(says), "{args:?}: {message}");
    }
    Ok(())
}
