//! The tray goes on with the engine where the `serve` that ran it has ended.

use anyhow::{Context as _, Result, ensure};
use serde_json::json;
use signbell_tests::{Desktop, DesktopOptions, Provider, Sandbox, Serve, Tray, UrlCatcher, wait_ok};

use crate::world::{self, App, World};
use crate::{SOON, turn};

/// Waits until the tray shows what the engine elsewhere has.
fn has_seen(desktop: &Desktop) -> Result<()> {
    let tray = Tray::find(desktop, "ignbell")?;
    let labels = ["Copy address", "Adresse kopieren"];
    tray.wait_menu("the service", SOON, |menu| labels.iter().any(|label| menu.find(label).is_some())).map(drop)
}

#[test]
fn the_tray_goes_on_where_serve_has_ended() -> Result<()> {
    let _turn = turn();
    let sandbox = Sandbox::new("takes-over")?;
    let desktop = DesktopOptions::default().start(&sandbox)?;
    let browser = UrlCatcher::install(&sandbox)?;
    let provider = Provider::start(&sandbox, &json!({}))?;
    let mut serve = Serve::start(&sandbox)?;
    let key = world::add(&sandbox, &provider, "ada")?["key"].as_str().unwrap_or_default().to_owned();
    let mut world = World { app: App::start(&sandbox)?, provider, browser, desktop, sandbox, key };
    has_seen(&world.desktop)?;
    world.sign_in("ada", |url| world.follow(url, "ada"))?;
    // A restart of `serve` is no reason: it comes back before the tray would begin.
    ensure!(serve.stop()?.success());
    serve = Serve::start(&world.sandbox)?;
    world.get("ada")?;
    ensure!(serve.is_running());

    serve.kill9()?;
    let bell = world.desktop.notifications();
    bell.wait_for(|shown| shown.body.contains("The tray goes on in its place"), SOON)?;
    world.wait_account("ada", "the session from the keyring", |account| account["state"] == "active")?;
    world.get("ada")?;
    world.browser.expect_none()?;
    let lines = world.sandbox.run_json(&["serve"])?;
    ensure!(lines[0]["already_running"] == true, "{lines:?}");
    ensure!(world.app.is_running());
    // It ends with the tray now, as one that was the tray's from the beginning.
    let tray = Tray::find(&world.desktop, "ignbell")?;
    tray.wait_menu("the account", SOON, |menu| menu.find("Quit").is_some())?;
    tray.click("Quit")?;
    ensure!(world.app.wait()?.success(), "{}", world.app.log());
    ensure!(world.sandbox.run(&["status"])?.code == Some(3));
    Ok(())
}

#[test]
fn the_tray_does_not_go_on_where_it_would_find_no_tokens() -> Result<()> {
    let _turn = turn();
    let sandbox = Sandbox::new("kept-elsewhere")?;
    let desktop = DesktopOptions::default().start(&sandbox)?;
    let provider = Provider::start(&sandbox, &json!({}))?;
    let mut serve = Serve::start_with(&sandbox, |command| {
        command.env("SIGNBELL_VAULT", "memory");
    })?;
    world::add(&sandbox, &provider, "ada")?;
    let mut app = App::start(&sandbox)?;
    has_seen(&desktop)?;
    ensure!(serve.stop()?.success());
    let told = desktop.notifications().wait_for(|shown| shown.body.contains("does not take over"), SOON)?;
    ensure!(told.body.contains("memory") && told.body.contains("keyring"), "{told:?}");
    ensure!(app.is_running(), "{}", app.log());
    ensure!(sandbox.run(&["status"])?.code == Some(3));
    Ok(())
}

#[test]
fn the_tray_asks_for_the_passphrase_that_serve_was_told() -> Result<()> {
    let _turn = turn();
    let sandbox = Sandbox::new("takes-over-sealed")?;
    sandbox.set_env("SIGNBELL_VAULT", "sealed-file");
    sandbox.set_env("LANG", "de_DE.UTF-8");
    let desktop = DesktopOptions::default().without_keyring().start(&sandbox)?;
    let provider = Provider::start(&sandbox, &json!({}))?;
    let serve = || {
        Serve::start_with(&sandbox, |command| {
            command.env("SIGNBELL_PASSPHRASE", "open sesame");
        })
    };
    let dialog = || {
        wait_ok("the dialog", SOON, || {
            let found = desktop.xdotool(&["search", "--onlyvisible", "--name", "^Signbell$"])?;
            found.lines().next().map(str::to_owned).context("no dialog")
        })
    };
    let mut running = serve()?;
    world::add(&sandbox, &provider, "ada")?;
    let mut app = App::start(&sandbox)?;
    has_seen(&desktop)?;
    running.kill9()?;
    dialog()?;
    // The question does not keep it from ending.
    app.end()?;

    running = serve()?;
    let app = App::start(&sandbox)?;
    has_seen(&desktop)?;
    running.kill9()?;
    desktop.xdotool(&["windowfocus", "--sync", &dialog()?])?;
    desktop.xdotool(&["type", "open sesame"])?;
    desktop.xdotool(&["key", "Return"])?;
    desktop.notifications().wait_for(|shown| shown.body.contains("macht an seiner Stelle weiter"), SOON)?;
    let status = || sandbox.run(&["status"])?.expect_code(0).map(drop).with_context(|| app.log());
    wait_ok("the engine", SOON, status)
}
