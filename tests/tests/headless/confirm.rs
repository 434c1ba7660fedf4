//! A tool that wants it: the person is asked once for each program and service, and what they said is
//! remembered.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use signbell_tests::sandbox::binary;
use signbell_tests::{Process, Sandbox, wait_ok};

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

/// A script of this name in a folder of the person's, with this line in it.
fn script(sandbox: &Sandbox, name: &str, line: &str) -> Result<PathBuf> {
    let folder = sandbox.home().join("bin");
    fs::create_dir_all(&folder)?;
    let file = folder.join(name);
    // The shell stays, as the parent of what it starts.
    fs::write(&file, format!("#!/bin/sh\n{line}\nexit $?\n"))?;
    fs::set_permissions(&file, fs::Permissions::from_mode(0o755))?;
    Ok(file)
}

fn started(sandbox: &Sandbox, command: Command, what: &str) -> Result<Process> {
    Ok(sandbox.spawn(command, what)?.0)
}

#[test]
fn what_the_question_names_is_what_always_is_kept_for() -> Result<()> {
    let (world, access) = World::signed_in("confirm-named")?;
    let sandbox = &world.sandbox;
    sandbox.run_ok(&["tool", "set", "script", "--confirm"])?;
    let config = || fs::read_to_string(sandbox.signbell_home().join("config.toml"));

    // Who starts curl is told, and is not who is allowed.
    let line =
        format!("curl -q -sS --noproxy '*' --max-time 90 -H 'Authorization: Bearer {}' {}/me", access.key, access.url);
    let mut asks = started(sandbox, sandbox.command(script(sandbox, "claude", &line)?), "claude")?;
    let asked = question(sandbox)?;
    ensure!(asked["title"] == "curl wants to use notes" && asked["program"] == "curl", "{asked}");
    ensure!(asked["path"].as_str().is_some_and(|path| path.ends_with("/curl")), "{asked}");
    let body = asked["body"].as_str().unwrap_or_default();
    ensure!(body.contains("started by Claude Code") && body.contains("whoever starts it"), "{asked}");
    sandbox.run_ok(&["tool", "deny", "script", "notes"])?;
    ensure!(asks.wait(SOON)?.success());

    // Our own program asks for whoever started it: that one is named, and remembered.
    let call = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/list"});
    let message = sandbox.home().join("message");
    fs::write(&message, format!("{call}\n"))?;
    let bridge = binary("signbell")?.display().to_string() + " mcp notes --tool script";
    let bridge = format!("{{ cat {}; sleep 100; }} | {bridge}", message.display());
    let answered = |log: &Path| {
        wait_ok("an answer", SOON, || {
            let told = fs::read_to_string(log)?;
            ensure!(told.contains("\"id\":1"), "{told}");
            Ok(())
        })
    };
    let (asks, log) = sandbox.spawn(sandbox.command(script(sandbox, "claude", &bridge)?), "claude")?;
    let asked = question(sandbox)?;
    ensure!(asked["title"] == "Claude Code wants to use notes", "{asked}");
    let path = asked["path"].as_str().context("no path")?.to_owned();
    ensure!(path.ends_with("/bin/claude") && path.starts_with('/'), "{asked}");
    sandbox.run_ok(&["tool", "allow", "script", "notes"])?;
    answered(&log)?;
    drop(asks);
    let text = config()?;
    ensure!(text.contains(&format!("notes = [\"{path}\"]")), "{text}");
    let told = sandbox.run_ok(&["activity"])?;
    ensure!(told.contains("Claude Code may use notes as script from now on"), "{told}");

    // It is asked no more; another that starts the same bridge is.
    let (again, log) = sandbox.spawn(sandbox.command(sandbox.home().join("bin/claude")), "claude")?;
    answered(&log)?;
    no_question(sandbox)?;
    drop(again);
    let (_other, log) = sandbox.spawn(sandbox.command(script(sandbox, "other", &bridge)?), "other")?;
    let asked = question(sandbox)?;
    ensure!(asked["title"] == "other wants to use notes", "{asked}");
    sandbox.run_ok(&["tool", "deny", "script", "notes"])?;
    answered(&log)
}

#[test]
fn an_interpreter_is_remembered_with_its_script_alone() -> Result<()> {
    let (mut world, mut access) = World::signed_in("confirm-interpreter")?;
    world.sandbox.run_ok(&["tool", "set", "script", "--confirm"])?;
    let program = "import sys, urllib.request as u\n\
                   r = u.Request(sys.argv[1], headers={'Authorization': 'Bearer ' + sys.argv[2]})\n\
                   u.build_opener(u.ProxyHandler({})).open(r, timeout=90)\n";
    let ask = |world: &World, access: &crate::world::Access, before: &[&str]| -> Result<Process> {
        let mut python = world.sandbox.command("python3");
        python.args(before).arg(format!("{}/me", access.url)).arg(&access.key);
        started(&world.sandbox, python, "python")
    };
    let mut asks = ask(&world, &access, &["-c", program])?;
    let asked = question(&world.sandbox)?;
    ensure!(asked["path"].is_null(), "{asked}");
    let body = asked["body"].as_str().unwrap_or_default();
    ensure!(body.contains("python") && body.contains("can’t be allowed for good"), "{asked}");
    let message = refused(&world.sandbox, &["tool", "allow", "script", "notes"], 2, "unknown_program")?;
    ensure!(message.contains("runs whatever it is given") && message.contains("--hour"), "{message}");
    world.sandbox.run_ok(&["tool", "allow", "script", "notes", "--hour"])?;
    ensure!(asks.wait(SOON)?.success());

    // An option before the script may bring other code.
    world.restart()?;
    access.url = world.serve.url("/notes");
    world.sandbox.run_ok(&["sign-in", "ada"])?;
    let file = world.sandbox.home().join("ask.py");
    fs::write(&file, program)?;
    let file = file.to_str().context("no text")?;
    let mut asks = ask(&world, &access, &["-W", "ignore", file])?;
    let asked = question(&world.sandbox)?;
    ensure!(asked["path"].is_null(), "{asked}");
    world.sandbox.run_ok(&["tool", "deny", "script", "notes"])?;
    ensure!(!asks.wait(SOON)?.success());

    // What an older Signbell wrote down for the interpreter counts for nobody.
    let body = asked["body"].as_str().unwrap_or_default();
    let interpreter = body.split(": ").nth(1).and_then(|rest| rest.split(". ").next()).context("no path")?;
    let config = world.sandbox.signbell_home().join("config.toml");
    let text = fs::read_to_string(&config)?;
    fs::write(&config, format!("{text}\n[tools.script.allowed]\nnotes = [\"{interpreter}\"]\n"))?;
    world.restart()?;
    access.url = world.serve.url("/notes");
    world.sandbox.run_ok(&["sign-in", "ada"])?;
    let mut asks = ask(&world, &access, &["-c", program])?;
    question(&world.sandbox)?;
    world.sandbox.run_ok(&["tool", "deny", "script", "notes"])?;
    ensure!(!asks.wait(SOON)?.success());
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
