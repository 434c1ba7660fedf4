//! Several processes of one person, at several logins and of several versions: one of them runs the engine.

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use signbell_tests::process::{Output, run};
use signbell_tests::{Sandbox, Serve};

use crate::SOON;
use crate::world::{World, control, refused};

/// Two logins: one home, and a runtime folder each.
fn logins(name: &str) -> Result<Sandbox> {
    let sandbox = Sandbox::new(name)?;
    sandbox.remove_env("SIGNBELL_HOME");
    sandbox.set_env("SIGNBELL_VAULT", "memory");
    for login in ["one", "two"] {
        fs::create_dir(sandbox.path(login))?;
    }
    Ok(sandbox)
}

fn log_in(sandbox: &Sandbox, login: &str) {
    sandbox.set_env("XDG_RUNTIME_DIR", sandbox.path(login).to_string_lossy());
}

fn address(sandbox: &Sandbox) -> Result<Value> {
    Ok(sandbox.run_json(&["status"])?[0]["proxy"]["address"].clone())
}

#[test]
fn r17_two_logins_of_one_person_have_one_engine() -> Result<()> {
    let sandbox = logins("logins")?;
    log_in(&sandbox, "one");
    let mut first = Serve::start(&sandbox)?;
    log_in(&sandbox, "two");
    ensure!(address(&sandbox)? == first.address(), "the other login does not find it");
    let lines = sandbox.run_json(&["serve"])?;
    ensure!(lines.len() == 1 && lines[0]["already_running"] == true, "{lines:?}");
    ensure!(lines[0]["address"] == first.address() && first.is_running(), "{lines:?}");
    // A login that knows of no runtime folder, as cron's or `su`'s, is one more.
    sandbox.remove_env("XDG_RUNTIME_DIR");
    ensure!(address(&sandbox)? == first.address());

    // What a crash leaves at the one login does not stand in the way of the other.
    first.kill9()?;
    log_in(&sandbox, "two");
    refused(&sandbox, &["status"], 3, "not_running")?;
    let mut second = Serve::start(&sandbox)?;
    log_in(&sandbox, "one");
    ensure!(sandbox.path("one/signbell/control.sock").exists(), "this is about a socket that was left");
    ensure!(address(&sandbox)? == second.address());
    ensure!(second.stop()?.success());
    refused(&sandbox, &["status"], 3, "not_running")?;
    let third = Serve::start(&sandbox)?;
    ensure!(address(&sandbox)? == third.address());
    Ok(())
}

#[test]
fn who_holds_the_lock_and_does_not_answer_is_told_of() -> Result<()> {
    let sandbox = logins("held")?;
    log_in(&sandbox, "one");
    // The first versions locked beside the sockets alone; a home on two machines has the other lock.
    for lock in ["one/signbell/engine.lock", "home/.local/state/signbell/engine.lock"] {
        let path = sandbox.path(lock);
        fs::create_dir_all(path.parent().context("no folder")?)?;
        let held = File::create(&path)?;
        held.try_lock()?;
        let message = refused(&sandbox, &["serve"], 1, "owner_silent")?;
        ensure!(message.contains("does not answer") && message.contains("End it"), "{message}");
        let doctor = sandbox.run(&["doctor"])?;
        ensure!(doctor.stdout.contains("holds the lock and does not answer"), "{}", doctor.stdout);
        drop(held);
    }
    drop(Serve::start(&sandbox)?);
    Ok(())
}

/// A double: an engine of another version, which can't be had here. It answers each connection with one line.
fn other_engine(sandbox: &Sandbox, answer: Value) -> Result<()> {
    let listener = UnixListener::bind(sandbox.signbell_home().join("control.sock"))?;
    std::thread::spawn(move || {
        // Ends with the test's process.
        for mut stream in listener.incoming().filter_map(Result::ok) {
            let mut request = String::new();
            let read = stream.try_clone().map(|stream| BufReader::new(stream).read_line(&mut request));
            if matches!(read, Ok(Ok(_))) {
                let _ = writeln!(stream, "{answer}");
            }
        }
    });
    Ok(())
}

#[test]
fn a_command_says_that_the_engine_is_of_another_version() -> Result<()> {
    for (name, answer, code, says) in [
        (
            "newer",
            json!({"protocol": 2, "reply": {"as": "in times to come"}}),
            "other_version",
            "newer than this command",
        ),
        ("older", json!({"protocol": 0, "reply": "done"}), "other_version", "newer Signbell than the one that runs"),
        ("odd", json!({"protocol": 1, "reply": "sung"}), "unreadable_reply", "does not understand"),
    ] {
        let sandbox = Sandbox::new(name)?;
        other_engine(&sandbox, answer)?;
        for command in [&["status"][..], &["tool", "list"], &["sign-in", "ada"], &["activity"]] {
            let message = refused(&sandbox, command, 1, code)?;
            ensure!(message.contains(says), "{command:?} at one that is {name}: {message}");
        }
        let doctor = sandbox.run(&["doctor"])?;
        ensure!(doctor.code == Some(1) && doctor.stdout.contains(says), "{name}: {}", doctor.stdout);
    }
    Ok(())
}

#[test]
fn the_engine_says_that_a_command_is_of_another_version() -> Result<()> {
    let world = World::new("client-version")?;
    for (request, code, says) in [
        (json!({"protocol": 2, "do": "quit"}), "other_version", "newer Signbell than the one that runs"),
        (
            json!({"protocol": 2, "do": {"what": "is to come"}}),
            "other_version",
            "newer Signbell than the one that runs",
        ),
        (json!({"protocol": 0, "do": "quit"}), "other_version", "newer than this command"),
        (json!({"protocol": 1, "do": "sing"}), "bad_request", "same version"),
    ] {
        let reply = world.control(&request)?;
        ensure!(reply["reply"] == "failed" && reply["code"] == code && reply["protocol"] == 1, "{request}: {reply}");
        ensure!(reply["message"].as_str().is_some_and(|message| message.contains(says)), "{request}: {reply}");
    }
    // Nothing was done; and who says no version speaks the first.
    ensure!(control(&world.sandbox, &json!({"do": "status"}))?["reply"] == "view");
    Ok(())
}

/// Refused at the start, and not a byte of it changed.
fn left_alone(sandbox: &Sandbox, file: &Path, text: &[u8], exit: i32, code: &str, says: &str) -> Result<()> {
    fs::write(file, text)?;
    fs::set_permissions(file, fs::Permissions::from_mode(0o600))?;
    let message = refused(sandbox, &["serve"], exit, code)?;
    ensure!(message.contains(says), "{}: {message}", file.display());
    ensure!(fs::read(file)? == text, "{} was changed", file.display());
    Ok(())
}

#[test]
fn what_a_newer_signbell_wrote_is_refused_and_left_as_it_is() -> Result<()> {
    let sandbox = Sandbox::new("newer-files")?;
    sandbox.set_env("SIGNBELL_VAULT", "sealed-file");
    sandbox.set_env("SIGNBELL_PASSPHRASE", "correct horse battery staple");
    let home = sandbox.signbell_home();
    ensure!(Serve::start(&sandbox)?.stop()?.success());

    let state = home.join("state.json");
    let good = fs::read(&state)?;
    for text in [r#"{"format":2,"accounts":["in another form"]}"#, r#"{"format":2,"accounts":{}}"#] {
        left_alone(&sandbox, &state, text.as_bytes(), 1, "newer_format", "written by a newer Signbell")?;
    }
    fs::write(&state, good)?;
    let config = home.join("config.toml");
    left_alone(&sandbox, &config, b"[proxy]\nin_times_to_come = 1\n", 1, "bad_config", "in_times_to_come")?;
    fs::remove_file(&config)?;
    for file in ["vault.age", "vault.key.age"] {
        let file = home.join(file);
        let good = fs::read(&file)?;
        let newer = b"age-encryption.org/v9\n-> in times to come\n";
        left_alone(&sandbox, &file, newer, 11, "newer_format", "newer Signbell")?;
        fs::write(&file, good)?;
    }
    drop(Serve::start(&sandbox)?);
    Ok(())
}

#[test]
fn counts_and_activity_of_a_newer_signbell_are_kept() -> Result<()> {
    let (mut world, mut access) = World::signed_in("newer-counts")?;
    ensure!(world.serve.stop()?.success());
    let home = world.sandbox.signbell_home();
    let (tally, activity) = (home.join("tally.json"), home.join("activity.jsonl"));
    let newer = r#"{"format":2,"sign_ins":{"in":"another form"}}"#;
    fs::write(&tally, newer)?;
    let line = r#"{"at":1,"kind":"in_times_to_come","text":"what this version does not know"}"#;
    let records = format!("{}{line}\n", fs::read_to_string(&activity)?);
    fs::write(&activity, &records)?;

    world.serve = Serve::start(&world.sandbox)?;
    access.url = world.serve.url("/notes");
    world.sandbox.run_ok(&["sign-in", "ada"])?;
    // A recovery is counted, were the file ours.
    world.provider.expire_access("ada")?;
    ensure!(access.get("/me")?["login"] == "ada");
    ensure!(world.activity()?.contains(&"recovered".to_owned()));
    ensure!(world.serve.stop()?.success());
    ensure!(fs::read_to_string(&tally)? == newer, "{}", fs::read_to_string(&tally)?);
    let now = fs::read_to_string(&activity)?;
    ensure!(now.starts_with(&records) && now.len() > records.len(), "{now}");
    Ok(())
}

#[test]
fn i6_another_user_s_process_gets_nothing_of_the_control_socket() -> Result<()> {
    if !rustix::process::geteuid().is_root() {
        // Only root can be somebody else.
        return Ok(());
    }
    let world = World::new("control-user")?;
    let socket = world.sandbox.signbell_home().join("control.sock");
    // It speaks no HTTP, and says so to its own user.
    let call = |as_user: &[&str]| -> Result<Output> {
        let mut words = as_user.iter().copied().chain(["curl"]);
        let mut command = Command::new(words.next().context("no program")?);
        command
            .args(words)
            .args(["-q", "--silent", "--verbose", "--http0.9", "--max-time", "60", "--unix-socket"])
            .arg(&socket);
        command.arg("http://control/");
        run(command, b"", SOON)
    };
    let other = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"];
    let kept_out = call(&other)?;
    ensure!(kept_out.stdout.is_empty() && kept_out.stderr.contains("Permission denied"), "{kept_out:?}");
    // Were it open to all, the kernel's word would still count (SO_PEERCRED).
    fs::set_permissions(&socket, fs::Permissions::from_mode(0o777))?;
    let mut folder = socket.parent();
    while let Some(open) = folder.filter(|folder| folder.starts_with(world.sandbox.root())) {
        fs::set_permissions(open, fs::Permissions::from_mode(0o755))?;
        folder = open.parent();
    }
    let refused = call(&other)?;
    // The connection is there, and is closed without a word.
    ensure!(refused.stdout.is_empty() && !refused.stderr.contains("Permission denied"), "{refused:?}");
    let own = call(&[])?;
    ensure!(own.stdout.contains("\"code\":\"bad_request\""), "{own:?}");
    Ok(())
}
