//! Where there is a screen, what lets programs do more waits for a click.

use std::os::unix::net::UnixStream;
use std::path::Path;
use std::thread;

use anyhow::{Context as _, Result, anyhow, ensure};
use serde_json::json;
use signbell_tests::process::Output;
use signbell_tests::sandbox::binary;
use signbell_tests::{DesktopOptions, Tray, Webview, wait_ok};

use crate::world::{CLIENT, TOOL, World};
use crate::{SOON, shot, turn};

/// Runs the command, and does `click` while it waits.
fn asked(world: &World, args: &[&str], click: impl FnOnce() -> Result<()>) -> Result<Output> {
    thread::scope(|scope| {
        let command = scope.spawn(|| world.sandbox.run(&[args, &["--json"]].concat()));
        let clicked = click();
        let output = command.join().map_err(|_| anyhow!("the command panicked"))?;
        clicked.with_context(|| format!("{args:?}: {output:?}"))?;
        output
    })
}

#[test]
fn what_lets_programs_do_more_waits_for_a_click() -> Result<()> {
    let _turn = turn();
    let world = World::new("permits", DesktopOptions::default(), &["ada", "bob"])?;
    let (sandbox, bell) = (&world.sandbox, world.desktop.notifications());
    let tray = Tray::find(&world.desktop, "ignbell")?;
    sandbox.run_ok(&["tool", "add", "other", "--service", "ada"])?;
    ensure!(bell.calls().is_empty(), "a new tool is no widening: {:#?}", bell.calls());
    let allowed = |account: &str| -> Result<bool> {
        let config = std::fs::read_to_string(sandbox.signbell_home().join("config.toml"))?;
        let section = config.split(&format!("[accounts.{account}]")).nth(1).unwrap_or_default();
        Ok(section.split("\n[").next().is_some_and(|section| section.contains("allow_token = true")))
    };

    // Yes in the tray's menu; the notification has the same question, and goes with it.
    let title = "signbell wants to print the tokens of ada";
    let output = asked(&world, &["account", "set", "ada", "--allow-token"], || {
        let shown = bell.wait_for(|shown| shown.summary == title, SOON)?;
        ensure!(shown.body.contains("If you did not start this yourself, say no"), "{shown:?}");
        let menu = tray.wait_menu("the question", SOON, |menu| menu.find(title).is_some())?;
        ensure!(!allowed("ada")?, "it was done unasked");
        let question = menu.find(title).context("no question")?;
        ensure!(question.labels() == ["Allow", "No"], "{question:?}");
        tray.click_id(question.find("Allow").context("no button")?.id)?;
        bell.wait_closed(shown.id, SOON)?;
        Ok(())
    })?;
    let output = output.expect_code(0)?;
    ensure!(output.stderr.contains("Answer the question on your screen"), "{output:?}");
    ensure!(allowed("ada")?);
    // It is so already: nobody is asked again.
    sandbox.run_ok(&["account", "set", "ada", "--allow-token"])?;

    // No in the notification.
    let output = asked(&world, &["tool", "add", "other", "--service", "bob"], || {
        let title = "signbell wants to let other use bob (127.0.0.1, bob) too";
        let shown = bell.wait_for(|shown| shown.summary == title && shown.is_open(), SOON)?;
        bell.invoke_label(shown.id, "No")
    })?;
    let error = output.expect_code(13)?.json()?.last().map(|line| line["error"].clone()).unwrap_or_default();
    ensure!(error["code"] == "not_permitted", "{error}");
    let status = sandbox.run_json(&["status"])?;
    let tools = status[0]["tools"].as_array().cloned().unwrap_or_default();
    let other = tools.iter().find(|tool| tool["tool"] == "other").context("no tool")?;
    ensure!(other["services"] == json!(["ada"]), "{other}");

    // In the window. The command line is no screen, though it speaks to the same socket.
    let window = Webview::open(sandbox, &world.desktop, &binary("signbell-desktop")?, &["window"])?;
    window.wait_text("body", "2 accounts need you", SOON)?;
    let output = asked(&world, &["forward", "on", "--yes"], || {
        let title = "signbell wants to turn the forward proxy on";
        let id = wait_ok("the question", SOON, || {
            let status = sandbox.run_json(&["status"])?;
            let open = status[0]["permits"][0].clone();
            ensure!(open["title"] == title, "{open}");
            open["id"].as_u64().context("no id")
        })?;
        let socket = UnixStream::connect(sandbox.signbell_home().join("control.sock"))?;
        let reply = ask(socket, &json!({"do": "permit", "id": id, "allow": true}))?;
        ensure!(reply["code"] == "click_needed", "{reply}");
        window.wait_text(".confirm-title", title, SOON)?;
        window.screenshot(&shot("permit.png")?)?;
        window.click(&format!("#permit-{id}-allow"))
    })?;
    output.expect_code(0)?;
    let errors = window.console_errors()?;
    ensure!(errors.is_empty(), "{errors:?}");

    let told = sandbox.run_ok(&["activity"])?;
    for says in [
        "signbell wants to print the tokens of ada, and waits for your click",
        "You let signbell print the tokens of ada",
        "You did not let signbell let other use bob (127.0.0.1, bob) too",
        "You let signbell turn the forward proxy on",
    ] {
        ensure!(told.contains(says), "{says:?} is not in {told}");
    }
    ensure!(!told.contains(&world.key), "the key is in the activity");
    Ok(())
}

#[test]
fn no_way_round_a_click() -> Result<()> {
    let _turn = turn();
    let world = World::signed_in("permits-round", DesktopOptions::default(), &["ada"])?;
    let (sandbox, bell) = (&world.sandbox, world.desktop.notifications());
    let shown = |title: &str| bell.wait_for(|shown| shown.summary == title && shown.is_open(), SOON);
    let config = || std::fs::read_to_string(sandbox.signbell_home().join("config.toml"));

    // The forward proxy is off, also for one command, until the click.
    sandbox.run_ok(&["run", "--tool", TOOL, "--", "true"])?;
    ensure!(bell.calls().is_empty(), "a key alone is no widening: {:#?}", bell.calls());
    let mark = sandbox.path("ran").display().to_string();
    let run = ["run", "--tool", TOOL, "--forward", "--", "touch", &mark];
    let title = format!("signbell wants to open the forward proxy for one command, as {TOOL}");
    for (answer, code) in [("No", 13), ("Allow", 0)] {
        let output = thread::scope(|scope| {
            let command = scope.spawn(|| sandbox.run(&run));
            let clicked = shown(&title).and_then(|shown| {
                ensure!(!Path::new(&mark).exists(), "it ran before the click");
                bell.invoke_label(shown.id, answer)?;
                bell.wait_closed(shown.id, SOON)
            });
            let output = command.join().map_err(|_| anyhow!("the command panicked"))?;
            clicked.with_context(|| format!("{output:?}"))?;
            output
        })?;
        let output = output.expect_code(code)?;
        ensure!(output.stderr.contains("Answer the question on your screen"), "{output:?}");
        ensure!(Path::new(&mark).exists() == (code == 0), "{answer}: {output:?}");
    }
    ensure!(!config()?.contains("forward = true"), "it stays off for all others");

    // A service by a name that says nothing: its host and account are told.
    let (url, issuer) = (world.provider.api()?, world.provider.issuer()?);
    let add = ["add", url, "--name", "calendar", "--issuer", issuer, "--client-id", CLIENT, "--tool", TOOL];
    let output = asked(&world, &add, || {
        let shown = shown(&format!("signbell wants to let {TOOL} use calendar (127.0.0.1, a new account) too"))?;
        bell.invoke_label(shown.id, "No")
    })?;
    output.expect_code(13)?;

    // The program that waits can't say yes to itself, by the command line or the socket; a no is heard.
    sandbox.run_ok(&["tool", "set", TOOL, "--confirm"])?;
    let waiting = world.curl("ada")?.spawn()?;
    let question = shown("curl wants to use ada")?;
    let status = sandbox.run_json(&["status"])?;
    let id = status[0]["confirms"][0]["id"].as_u64().with_context(|| format!("no question: {status:?}"))?;
    for answer in ["always", "hour"] {
        let socket = UnixStream::connect(sandbox.signbell_home().join("control.sock"))?;
        let reply = ask(socket, &json!({"do": "confirm", "id": id, "answer": answer}))?;
        ensure!(reply["code"] == "click_needed", "{answer}: {reply}");
    }
    let allow = sandbox.run(&["tool", "allow", TOOL, "ada", "--json"])?.expect_code(13)?;
    let error = allow.json()?.last().map(|line| line["error"].clone()).unwrap_or_default();
    let deny = format!("signbell tool deny {TOOL} ada");
    ensure!(error["code"] == "click_needed" && error["message"].as_str().is_some_and(|m| m.contains(&deny)), "{error}");
    ensure!(bell.get(question.id)?.is_open(), "the question is gone");
    sandbox.run_ok(&["tool", "deny", TOOL, "ada"])?;
    ensure!(waiting.wait()?.status == 403);
    bell.wait_closed(question.id, SOON)?;
    ensure!(!config()?.contains("allowed"), "{}", config()?);
    Ok(())
}

/// One request and its first reply, as any program can.
fn ask(socket: UnixStream, request: &serde_json::Value) -> Result<serde_json::Value> {
    use std::io::{BufRead as _, BufReader, Write as _};
    socket.set_read_timeout(Some(SOON))?;
    writeln!(&socket, "{request}")?;
    let mut line = String::new();
    BufReader::new(&socket).read_line(&mut line)?;
    serde_json::from_str(&line).with_context(|| line.clone())
}

#[test]
fn who_asked_and_left_leaves_no_question() -> Result<()> {
    let _turn = turn();
    let world = World::new("permits-left", DesktopOptions::default(), &["ada"])?;
    let mut command = world.sandbox.signbell()?;
    command.args(["account", "set", "ada", "--allow-token"]);
    let (mut command, _) = world.sandbox.spawn(command, "signbell")?;
    let bell = world.desktop.notifications();
    let shown = bell.wait_for(|shown| shown.summary.contains("wants to print the tokens of ada"), SOON)?;
    command.kill9()?;
    bell.wait_closed(shown.id, SOON)?;
    wait_ok("no question", SOON, || {
        let status = world.sandbox.run_json(&["status"])?;
        ensure!(status[0]["permits"].is_null(), "{}", status[0]["permits"]);
        Ok(())
    })?;
    let config = std::fs::read_to_string(world.sandbox.signbell_home().join("config.toml"))?;
    ensure!(!config.contains("allow_token"), "{config}");
    Ok(())
}
