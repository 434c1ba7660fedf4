//! Signing in on another device (RFC 8628), and through a tunnel.

use std::io::{BufRead as _, BufReader};
use std::process::Stdio;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use signbell_tests::{Chromium, Curl, Process, UrlCatcher};

use crate::SOON;
use crate::world::{CLIENT, World, error_of, refused};

/// The provider's options: `signbell-test` may sign in on other devices.
fn options() -> Value {
    json!({"device": true, "autoConsent": null, "clients": [{
        "client_id": CLIENT, "token_endpoint_auth_method": "none", "application_type": "native",
        "redirect_uris": ["http://127.0.0.1/callback"],
        "grant_types": ["authorization_code", "refresh_token", "urn:ietf:params:oauth:grant-type:device_code"],
    }]})
}

/// `signbell sign-in ada --device --json`, its first line, and the rest to come.
fn begin(world: &World) -> Result<(Process, Value, impl Iterator<Item = std::io::Result<String>>)> {
    let mut command = world.sandbox.signbell()?;
    command.args(["sign-in", "ada", "--device", "--json"]).stdin(Stdio::null());
    command.stdout(Stdio::piped()).stderr(Stdio::null());
    let mut process = Process::spawn(command, "signbell sign-in --device")?;
    let mut lines = BufReader::new(process.take_stdout().context("no stdout")?).lines();
    let first: Value = serde_json::from_str(&lines.next().context("no line")??)?;
    Ok((process, first, lines))
}

#[test]
fn a_person_enters_the_code_on_another_device() -> Result<()> {
    let world = World::with("device", &options())?;
    let access = world.add("notes", &[])?;
    let catcher = UrlCatcher::install(&world.sandbox)?;
    let (mut process, code, mut lines) = begin(&world)?;
    let user_code = code["user_code"].as_str().context("no code")?;
    ensure!(code["verification_uri"] == format!("{}/device", world.provider.issuer()?), "{code}");
    ensure!(code["expires_in"].as_u64().is_some_and(|s| (1..=600).contains(&s)), "{code}");
    let page = code["verification_uri_complete"].as_str().context("no complete address")?;
    ensure!(page.contains(user_code), "{code}");

    let chromium = Chromium::start(&world.sandbox)?;
    // The person compares the code before going on.
    ensure!(chromium.open(page)?.text.contains(user_code));
    chromium.press("#continue")?;
    let done = chromium.go_on("ada")?;
    ensure!(done.text.contains("The other device is signed in."), "{done:?}");

    let last: Value = serde_json::from_str(&lines.next().context("no last line")??)?;
    ensure!(last["state"] == "active" && last["identity"] == "ada@example.test", "{last}");
    ensure!(process.wait(SOON)?.code() == Some(0));
    ensure!(access.get("/me")?["login"] == "ada");
    world.provider.expire_access("ada")?;
    ensure!(access.get("/me")?["login"] == "ada");
    catcher.expect_none()
}

#[test]
fn a_code_that_is_declined_or_not_offered_says_so() -> Result<()> {
    let world = World::with("device-declined", &options())?;
    world.add("notes", &[])?;
    let (mut process, code, lines) = begin(&world)?;
    let chromium = Chromium::start(&world.sandbox)?;
    chromium.open(code["verification_uri_complete"].as_str().context("no complete address")?)?;
    chromium.press("#abort")?;
    let rest: Vec<String> = lines.collect::<std::io::Result<_>>()?;
    let error: Value = serde_json::from_str(rest.last().context("no last line")?)?;
    ensure!(error["error"]["code"] == "access_denied", "{error}");
    ensure!(process.wait(SOON)?.code() == Some(12));

    let world = World::new("device-not-offered")?;
    world.add("notes", &[])?;
    let message = refused(&world.sandbox, &["sign-in", "ada", "--device"], 12, "device_refused")?;
    ensure!(
        message.contains("offers no sign-in on another device") && message.contains("signbell sign-in ada"),
        "{message}"
    );
    Ok(())
}

#[test]
fn people_get_a_code_to_scan() -> Result<()> {
    let world = World::with("device-qr", &options())?;
    world.add("notes", &[])?;
    let mut command = world.sandbox.signbell()?;
    command.args(["sign-in", "ada", "--device"]).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut process = Process::spawn(command, "signbell sign-in --device")?;
    let lines = BufReader::new(process.take_stdout().context("no stdout")?).lines();
    // A version 3 code is 29 modules and its margin wide: half as many lines of half blocks.
    let drawn: Vec<String> = lines.take(15).collect::<std::io::Result<_>>()?;
    let width = drawn.first().map(|line| line.chars().count()).unwrap_or_default();
    ensure!(width > 25 && drawn.iter().all(|line| line.chars().count() == width), "{drawn:#?}");
    ensure!(drawn.iter().all(|line| line.chars().all(|c| " ▀▄█".contains(c))), "{drawn:#?}");
    Ok(())
}

#[test]
fn a_tunnel_has_its_port_or_a_reason() -> Result<()> {
    let world = World::new("tunnel")?;
    let access = world.add("notes", &[])?;
    let taken = std::net::TcpListener::bind("127.0.0.1:0")?;
    let port = taken.local_addr()?.port().to_string();
    let message = refused(&world.sandbox, &["sign-in", "ada", "--port", &port], 1, "no_loopback")?;
    ensure!(message.contains(&port) && message.contains("--port"), "{message}");
    drop(taken);
    let output = world.sandbox.run(&["sign-in", "ada", "--port", &port, "--json"])?;
    if output.code != Some(0) {
        // Somebody else took it meanwhile: then it must have said so.
        ensure!(error_of(&output)?["code"] == "no_loopback", "{output:?}");
        return Ok(());
    }
    let redirect = world.provider.last()?["authorize"]["redirect_uri"].clone();
    ensure!(redirect == format!("http://127.0.0.1:{port}/callback"), "{redirect}");
    ensure!(access.get("/me")?["login"] == "ada" && Curl::new(&access.url).run()?.status == 401);
    Ok(())
}
