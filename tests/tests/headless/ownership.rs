//! One engine a home, a port that is its own, a configuration that is the person's.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt as _;

use anyhow::{Context as _, Result, ensure};
use signbell_tests::{Sandbox, Serve};

use crate::world::{World, refused};

fn memory(name: &str) -> Result<Sandbox> {
    let sandbox = Sandbox::new(name)?;
    sandbox.set_env("SIGNBELL_VAULT", "memory");
    Ok(sandbox)
}

#[test]
fn a_second_serve_tells_where_the_first_one_is() -> Result<()> {
    let sandbox = memory("second")?;
    let mut first = Serve::start(&sandbox)?;
    let lines = sandbox.run_json(&["serve"])?;
    ensure!(lines.len() == 1 && lines[0]["already_running"] == true && lines[0]["ready"] == true, "{lines:?}");
    ensure!(lines[0]["address"] == first.address(), "{lines:?}");
    ensure!(first.is_running());
    let status = sandbox.run_json(&["status"])?;
    ensure!(status[0]["proxy"]["address"] == first.address());
    Ok(())
}

#[test]
fn sigterm_ends_cleanly_and_leaves_no_socket() -> Result<()> {
    let sandbox = memory("sigterm")?;
    let mut serve = Serve::start(&sandbox)?;
    let address = serve.address().trim_start_matches("http://").to_owned();
    let socket = sandbox.signbell_home().join("control.sock");
    let mode = fs::metadata(&socket)?.permissions().mode() & 0o777;
    ensure!(mode == 0o600, "{mode:o}");
    let mode = fs::metadata(sandbox.signbell_home())?.permissions().mode() & 0o777;
    ensure!(mode == 0o700, "{mode:o}");
    drop(TcpStream::connect(&address)?);
    let ended = serve.stop()?;
    ensure!(ended.code() == Some(0), "{ended}: {}", serve.stderr()?);
    ensure!(!socket.exists(), "the socket was left");
    ensure!(TcpStream::connect(&address).is_err(), "somebody still listens");
    refused(&sandbox, &["status"], 3, "not_running")?;
    // What a crash leaves is no obstacle.
    let mut serve = Serve::start(&sandbox)?;
    serve.kill9()?;
    ensure!(socket.exists(), "this is about a socket that was left");
    refused(&sandbox, &["status"], 3, "not_running")?;
    let mut serve = Serve::start(&sandbox)?;
    sandbox.run_ok(&["status"])?;
    ensure!(serve.stop()?.code() == Some(0));
    Ok(())
}

#[test]
fn p4_a_taken_port_is_an_error_that_names_who_holds_it() -> Result<()> {
    let sandbox = memory("taken")?;
    let holder = TcpListener::bind("127.0.0.1:0")?;
    let port = holder.local_addr()?.port().to_string();
    sandbox.set_env("SIGNBELL_PORT", port.as_str());
    let message = refused(&sandbox, &["serve"], 1, "port_taken")?;
    ensure!(message.contains(&port), "{message}");
    ensure!(message.contains(&format!("process {}", std::process::id())), "{message}");
    ensure!(!sandbox.signbell_home().join("control.sock").exists());
    // With the port free again it is the very same one.
    drop(holder);
    let serve = Serve::start(&sandbox)?;
    ensure!(serve.address() == format!("http://127.0.0.1:{port}"), "{}", serve.address());
    Ok(())
}

#[test]
fn a_mistake_in_the_configuration_is_named_with_its_line() -> Result<()> {
    let sandbox = memory("mistake")?;
    let file = sandbox.signbell_home().join("config.toml");
    for (text, line) in [
        ("# mine\n[proxy]\nport = 0\nholdseconds = 5\n", "line 4"),
        ("[proxy]\nport = zero\n", "line 2"),
        ("[services.x]\nurl = \"http://evil.test/\"\naccount = \"a\"\n", "service x names the account a"),
    ] {
        fs::write(&file, text)?;
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600))?;
        let message = refused(&sandbox, &["serve"], 1, "bad_config")?;
        ensure!(message.contains(line) && message.contains("config.toml"), "{message}");
        ensure!(fs::read_to_string(&file)? == text, "the file was changed");
    }
    fs::write(&file, "[proxy]\nport = 0\n")?;
    fs::set_permissions(&file, fs::Permissions::from_mode(0o666))?;
    let message = refused(&sandbox, &["serve"], 1, "bad_config")?;
    ensure!(message.contains("writable by others"), "{message}");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600))?;
    drop(Serve::start(&sandbox)?);
    Ok(())
}

#[test]
fn comments_survive_and_a_mistake_made_meanwhile_changes_nothing() -> Result<()> {
    let (world, access) = World::signed_in("comments")?;
    let sandbox = &world.sandbox;
    let file = sandbox.signbell_home().join("config.toml");
    let mode = fs::metadata(&file)?.permissions().mode() & 0o777;
    ensure!(mode & 0o077 == 0, "{mode:o}");
    let text = format!("# my own words\n\n{} # at the end\n", fs::read_to_string(&file)?.trim_end());
    fs::write(&file, &text)?;
    let tool = sandbox.run_json(&["tool", "add", "second", "--service", "notes"])?[0].clone();
    let key = tool["key"].as_str().context("no key")?;
    let edited = fs::read_to_string(&file)?;
    ensure!(edited.starts_with("# my own words\n") && edited.contains("# at the end"), "{edited}");
    ensure!(edited.contains("[tools.second]") && !edited.contains(key), "{edited}");
    ensure!(edited.contains(&crate::world::sha256(key.as_bytes())?), "{edited}");

    fs::write(&file, "[services.notes\n")?;
    let message = refused(sandbox, &["tool", "add", "third", "--service", "notes"], 1, "bad_config")?;
    ensure!(message.contains("line 1"), "{message}");
    ensure!(fs::read_to_string(&file)? == "[services.notes\n");
    ensure!(access.get("/me")?["login"] == "ada", "the last good configuration stays in force");
    Ok(())
}
