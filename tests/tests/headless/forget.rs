//! `sign-out --forget` leaves nothing: not in the keyring, not at the provider, not by a page that is
//! still open.

use std::process::Stdio;

use anyhow::{Result, ensure};
use serde_json::{Value, json};
use signbell_tests::process::run;
use signbell_tests::{Curl, DesktopOptions, Process, Sandbox, Serve, UrlCatcher, wait_ok};

use crate::SOON;
use crate::world::{self, World, follow_links, provider, refused};

/// The user names of our items, by a program that is not ours.
pub fn items(sandbox: &Sandbox) -> Result<Vec<String>> {
    let mut command = sandbox.command("secret-tool");
    command.args(["search", "--all", "service", "Signbell"]);
    let found = run(command, b"", SOON)?;
    // The secrets go to stdout, the attributes to stderr.
    let name = |line: &str| line.strip_prefix("attribute.username = ").map(str::to_owned);
    let mut names: Vec<String> = found.stdout.lines().chain(found.stderr.lines()).filter_map(name).collect();
    names.sort();
    Ok(names)
}

fn refresh_tokens(world: &World) -> Result<usize> {
    let tokens = world.provider.control("GET", "/tokens", &[("login", "ada")], None)?;
    Ok(tokens["RefreshToken"].as_array().map_or(0, Vec::len))
}

#[test]
fn the_keyring_is_empty_afterwards_even_of_what_no_service_used_any_more() -> Result<()> {
    let sandbox = Sandbox::new("forget")?;
    let _desktop = DesktopOptions::default().without_panel().without_dunst().start(&sandbox)?;
    follow_links(&sandbox)?;
    let provider = provider(&sandbox, &json!({}))?;
    let serve = Serve::start(&sandbox)?;
    let mut world = World { serve, provider, sandbox: sandbox.clone() };
    let mut command = sandbox.signbell()?;
    command.args(["add", world.provider.api_named("notes")?, "--name", "notes", "--account", "ada"]);
    command.args(["--issuer", world.provider.issuer()?, "--client-id", "signbell-secret", "--client-secret-stdin"]);
    command.args(["--resource", world.provider.api_named("notes")?, "--tool", "script", "--sign-in", "--json"]);
    let output = run(command, b"s3cr3t-for-tests\n", SOON)?.expect_code(0)?;
    let access = world::access(&output.json()?[0])?;
    ensure!(access.get("/me")?["login"] == "ada");
    world.add("issues", &["--resource", world.provider.api_named("issues")?, "--sign-in"])?;
    let kept = items(&sandbox)?;
    ensure!(kept.len() == 3 && kept.iter().filter(|name| name.starts_with("grant:ada:")).count() == 2, "{kept:?}");
    ensure!(kept.iter().any(|name| name.starts_with("client-secret:")), "{kept:?}");

    // The secret is read from the keyring again by an engine that never saw the person type it.
    world.restart()?;
    let access = world::Access { url: world.serve.url("/notes"), ..access };
    world.provider.expire_access("ada")?;
    ensure!(access.get("/me")?["login"] == "ada" && world.provider.last()?["token"]["authorization"] == "Basic");

    sandbox.run_ok(&["service", "remove", "notes"])?;
    sandbox.run_ok(&["service", "remove", "issues"])?;
    ensure!(items(&sandbox)? == kept, "a service was removed, nobody signed out");
    world.restart()?;
    ensure!(refresh_tokens(&world)? >= 2);
    let told = sandbox.run_json(&["sign-out", "ada", "--forget"])?[0]["removed"].clone();
    ensure!(told["sign_ins"] == 2 && told["client_secret"] == true && told["services"] == json!([]), "{told}");
    ensure!(items(&sandbox)?.is_empty(), "{:?}", items(&sandbox)?);
    ensure!(refresh_tokens(&world)? == 0, "the provider still honours a refresh token");
    let config = std::fs::read_to_string(sandbox.signbell_home().join("config.toml"))?;
    ensure!(!config.contains("[accounts") && !config.contains("[providers"), "{config}");
    ensure!(world.serve.stop()?.code() == Some(0));
    Ok(())
}

#[test]
fn t9_a_page_that_is_still_open_signs_nobody_in_again() -> Result<()> {
    for forget in [true, false] {
        let (world, access) = World::signed_in("open-page")?;
        let catcher = UrlCatcher::install(&world.sandbox)?;
        let mut command = world.sandbox.signbell()?;
        command.args(["sign-in", "ada", "--force", "--json"]).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut waiting = Process::spawn(command, "signbell sign-in")?;
        let page = catcher.next_url(SOON)?;
        world.sandbox.run_ok(if forget { &["sign-out", "ada", "--forget"] } else { &["sign-out", "ada"] })?;
        ensure!(waiting.wait(SOON)?.code() == Some(1), "the sign-in goes on");
        // The person at the browser finishes all the same: nobody is there for the redirect.
        let redirect = Curl::new(page).arg("--location").run_any()?;
        ensure!(redirect.exit != 0, "{redirect:?}");
        ensure!(world.count("/authorization_code/ok")? == 1, "a code was redeemed after the sign-out");
        if forget {
            refused(&world.sandbox, &["status", "ada"], 1, "unknown_account")?;
        } else {
            ensure!(world.account()?["state"] == "signed_out", "{}", world.account()?);
            ensure!(access.curl("/me").run()?.status == 401);
        }
        catcher.expect_none()?;
    }
    Ok(())
}

#[test]
fn t9_a_sign_out_that_a_crash_came_into_is_finished_at_the_next_start() -> Result<()> {
    let sandbox = Sandbox::new("forget-crash")?;
    let _desktop = DesktopOptions::default().without_panel().without_dunst().start(&sandbox)?;
    follow_links(&sandbox)?;
    let provider = provider(&sandbox, &json!({}))?;
    // Killed once what is wanted is noted, and before anything is wiped.
    let serve = Serve::start_with(&sandbox, |command| {
        command.env("SIGNBELL_FAULT", "sign-out-noted");
    })?;
    let mut world = World { serve, provider, sandbox: sandbox.clone() };
    world.add("notes", &["--sign-in"])?;
    ensure!(items(&sandbox)?.len() == 1 && refresh_tokens(&world)? == 1);
    sandbox.run(&["sign-out", "ada"])?;
    wait_ok("the kill", SOON, || {
        ensure!(!world.serve.is_running());
        Ok(())
    })?;
    ensure!(items(&sandbox)?.len() == 1, "it was wiped before the kill");
    world.serve = Serve::start(&sandbox)?;
    ensure!(world.account()?["state"] == "signed_out", "{}", world.account()?);
    wait_ok("what is left of the sign-in", SOON, || {
        ensure!(items(&sandbox)?.is_empty() && refresh_tokens(&world)? == 0);
        ensure!(sandbox.run_ok(&["activity"])?.contains("has revoked"));
        Ok(())
    })
}

#[test]
fn what_goes_with_an_account_is_told() -> Result<()> {
    let (world, _) = World::signed_in("forget-told")?;
    world.add("issues", &[])?;
    let said = world.sandbox.run_ok(&["account", "remove", "ada"])?;
    for part in ["Removed \"ada\"", "its services \"issues\", \"notes\"", "its sign-in", "\"script\"", "has revoked"] {
        ensure!(said.contains(part), "no {part:?}: {said}");
    }
    ensure!(!said.contains("client secret"), "there was none: {said}");
    // Nobody was signed in, and nothing else was there.
    world.sandbox.run_ok(&[
        "add",
        world.provider.api()?,
        "--name",
        "later",
        "--account",
        "bob",
        "--issuer",
        world.provider.issuer()?,
        "--client-id",
        world::CLIENT,
    ])?;
    world.sandbox.run_ok(&["service", "remove", "later"])?;
    let said = world.sandbox.run_ok(&["sign-out", "bob", "--forget"])?;
    ensure!(said.contains("Removed \"bob\".") && !said.contains("its sign-in"), "{said}");
    Ok(())
}

#[test]
fn a_provider_with_another_account_stays() -> Result<()> {
    let (world, _) = World::signed_in("other-account")?;
    let notes = world.provider.api_named("notes")?.to_owned();
    world.provider.auto_consent(Some("bob"))?;
    world.sandbox.run_ok(&[
        "add",
        &notes,
        "--name",
        "bobs",
        "--account",
        "bob",
        "--issuer",
        world.provider.issuer()?,
        "--client-id",
        world::CLIENT,
        "--sign-in",
    ])?;
    world.sandbox.run_ok(&["sign-out", "ada", "--forget"])?;
    let bob = || -> Result<Value> { Ok(world.sandbox.run_json(&["status", "bob"])?[0]["accounts"][0].clone()) };
    ensure!(bob()?["state"] == "active", "{}", bob()?);
    world.sandbox.run_ok(&["refresh", "bob"])?;
    wait_ok("bob's session", SOON, || {
        ensure!(bob()?["state"] == "active", "{}", bob()?);
        Ok(())
    })
}
