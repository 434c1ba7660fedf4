//! The tray's own life: it crashes, is started twice, and finds a desktop with parts missing.

use std::fs;

use anyhow::{Context as _, Result, ensure};
use signbell_tests::sandbox::binary;
use signbell_tests::{DesktopOptions, Sandbox, Shown, Tray, process, wait_ok};

use crate::world::{App, World};
use crate::{SOON, proc, shot, turn};

#[test]
fn killed_right_after_signing_in_it_is_signed_in_again_by_itself() -> Result<()> {
    let _turn = turn();
    let mut world = World::signed_in("killed", DesktopOptions::default(), &["ada"])?;
    world.app.kill9()?;
    world.app = App::start(&world.sandbox)?;
    let account = world.wait_account("ada", "the session from the keyring", |account| account["state"] == "active")?;
    ensure!(account["refreshable"] == true, "{account}");
    world.get("ada")?;
    ensure!(world.desktop.notifications().calls().is_empty(), "{:#?}", world.desktop.notifications().calls());
    world.browser.expect_none()?;
    // The engine answers before the panel has heard of the icon.
    wait_ok("the icon in the panel", SOON, || {
        ensure!(Tray::all(&world.desktop)?.iter().any(|tray| tray.title().is_ok_and(|title| title == "Signbell")));
        Ok(())
    })?;

    // The access token is known to whoever may print it; it and the key lie in no file of ours.
    world.permit(&["account", "set", "ada", "--allow-token"])?;
    let token = world.sandbox.run_ok(&["token", "ada"])?;
    let home = world.sandbox.signbell_home();
    for secret in [world.key.as_str(), token.trim()] {
        ensure!(secret.len() > 20, "no secret");
        let found = world.sandbox.files_containing(secret, |file| !file.starts_with(&home))?;
        ensure!(found.is_empty(), "{found:?}");
    }
    Ok(())
}

#[test]
fn a_tray_that_can_t_start_says_so_on_the_desktop() -> Result<()> {
    let _turn = turn();
    let sandbox = Sandbox::new("not-started")?;
    let desktop = DesktopOptions::default().without_panel().without_keyring().start(&sandbox)?;
    let config = sandbox.signbell_home().join("config.toml");
    fs::create_dir_all(config.parent().context("no folder")?)?;
    fs::write(&config, "[proxy]\nport = \"many\"\n")?;
    for (language, title, says) in [
        ("en_GB.UTF-8", "Signbell did not start", "config.toml"),
        ("de_DE.UTF-8", "Signbell ist nicht gestartet", "in Ordnung bringen"),
    ] {
        sandbox.set_env("LANG", language);
        let ended = process::run(sandbox.command(binary("signbell-desktop")?), b"", SOON)?;
        ensure!(ended.code == Some(1), "{ended:?}");
        let told = desktop.notifications().wait_for(|shown| shown.summary == title, SOON)?;
        ensure!(told.body.contains(says), "{told:?}");
    }
    Ok(())
}

#[test]
fn at_login_the_sealed_file_s_passphrase_is_asked_for() -> Result<()> {
    let _turn = turn();
    let sandbox = Sandbox::new("passphrase")?;
    let desktop = DesktopOptions::default().without_panel().without_keyring().start(&sandbox)?;
    sandbox.set_env("SIGNBELL_VAULT", "sealed-file");
    let windows = || desktop.xdotool(&["search", "--onlyvisible", "--name", "^Signbell$"]);
    // A dialog that is asked in for the first time, or once more.
    let dialog = |other: &str| {
        wait_ok("the dialog", SOON, || {
            let id = windows()?.lines().next().context("no dialog")?.to_owned();
            ensure!(id != other, "the same dialog");
            Ok(id)
        })
    };
    let typed = |id: &str, keys: &[&str]| -> Result<()> {
        desktop.xdotool(&["windowfocus", "--sync", id])?;
        keys.iter().try_for_each(|key| match key.strip_prefix("text:") {
            Some(text) => desktop.xdotool(&["type", text]).map(drop),
            None => desktop.xdotool(&["key", key]).map(drop),
        })
    };
    let answers = |app: &App| {
        wait_ok("the engine", SOON, || sandbox.run(&["status"])?.expect_code(0).map(drop).with_context(|| app.log()))
    };
    let end = |app: &mut App| {
        app.end()?;
        wait_ok("no window", SOON, || {
            ensure!(windows().is_err());
            Ok(())
        })
    };

    // A new one is typed twice, for a slip would lock everything away.
    let mut app = App::start_asking(&sandbox)?;
    let id = dialog("")?;
    typed(&id, &["text:open sesame", "Tab", "text:open sesame"])?;
    desktop.screenshot(&shot("passphrase-new.png")?)?;
    typed(&id, &["Return"])?;
    answers(&app)?;
    end(&mut app)?;

    // What does not open it is told, and asked for again.
    sandbox.set_env("LANG", "de_DE.UTF-8");
    let mut app = App::start_asking(&sandbox)?;
    let id = dialog("")?;
    typed(&id, &["text:sesame", "Return"])?;
    // The dialog goes while the file is tried, and another comes.
    let id = dialog(&id)?;
    typed(&id, &[])?;
    desktop.screenshot(&shot("passphrase-wrong.png")?)?;
    typed(&id, &["text:open sesame", "Return"])?;
    answers(&app)?;
    end(&mut app)?;

    // Who would rather not is left alone.
    let mut app = App::start_asking(&sandbox)?;
    typed(&dialog("")?, &["Escape"])?;
    ensure!(app.wait()?.code() == Some(0), "{}", app.log());
    ensure!(desktop.notifications().calls().is_empty(), "{:#?}", desktop.notifications().calls());
    Ok(())
}

#[test]
fn a_second_start_brings_the_window_up() -> Result<()> {
    let _turn = turn();
    let mut world = World::new("second", DesktopOptions::default().without_dunst(), &["ada"])?;
    opens_window(&mut world)?;
    world.desktop.screenshot(&shot("desktop-window.png")?)
}

#[test]
fn without_tray_and_notifications_it_works_and_its_window_opens() -> Result<()> {
    let _turn = turn();
    let parts = DesktopOptions::default().without_panel().without_dunst();
    let mut world = World::signed_in("bare", parts, &["ada"])?;
    world.get("ada")?;
    world.provider.revoke_refresh("ada", true)?;
    let waiting = world.curl("ada")?.spawn()?;
    world.wait_account("ada", "the waiting request", |account| {
        account["waiting"] == 1 && account["state"] == "needs_sign_in"
    })?;
    opens_window(&mut world)?;
    world.sign_in("ada", |url| world.follow(url, "ada"))?;
    ensure!(waiting.wait()?.status == 200);

    // What was missing comes.
    world.desktop.start_panel()?;
    Tray::find(&world.desktop, "ignbell")?;
    world.desktop.start_dunst()?;
    world.provider.revoke_refresh("ada", true)?;
    let waiting = world.curl("ada")?.spawn()?;
    let ring = world.desktop.notifications().wait_for(Shown::is_open, SOON)?;
    world.desktop.notifications().invoke_label(ring.id, "Sign in")?;
    world.follow(&world.browser.next_url(SOON)?, "ada")?;
    ensure!(waiting.wait()?.status == 200);
    ensure!(world.app.is_running());
    Ok(())
}

/// Starts the program while it runs; closes the window that comes, and looks for what it leaves.
fn opens_window(world: &mut World) -> Result<()> {
    ensure!(proc::windows(world.app.id()).is_empty());
    let launch = || {
        let command = world.sandbox.command(binary("signbell-desktop")?);
        process::run(command, b"", SOON)?.expect_code(0)
    };
    launch()?;
    let search = ["search", "--onlyvisible", "--name", "^Signbell$"];
    let shown = wait_ok("the window on the screen", SOON, || world.desktop.xdotool(&search))?;
    // While WebKit starts its helpers, each is for a moment a copy of the window's process.
    let one = || {
        let windows = proc::windows(world.app.id());
        ensure!(windows.len() == 1, "{windows:?}");
        Ok(windows)
    };
    let windows = wait_ok("one window's process", SOON, one)?;
    launch()?;
    ensure!(wait_ok("one window's process still", SOON, one)? == windows, "a second window");
    let helpers = windows.iter().flat_map(|pid| proc::descendants(*pid)).collect::<Vec<_>>();
    ensure!(!helpers.is_empty(), "WebKit has helper processes");
    let id = shown.lines().next().context("no window")?.to_owned();
    world.desktop.xdotool(&["windowkill", &id])?;
    proc::wait_gone("the end of the window and of WebKit", &[windows, helpers].concat())?;
    ensure!(world.app.is_running(), "{}", world.app.log());
    world.sandbox.run_ok(&["status"])?;
    launch()?;
    wait_ok("the window on the screen again", SOON, || world.desktop.xdotool(&search))?;
    Ok(())
}
