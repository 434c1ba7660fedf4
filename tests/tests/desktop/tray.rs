//! The tray's icon and menu, over D-Bus as a panel shows them.

use std::fs;

use anyhow::{Context as _, Result, ensure};
use signbell_tests::process::run;
use signbell_tests::{Chromium, DesktopOptions, MenuItem, Tray, wait_ok};

use crate::world::World;
use crate::{SOON, proc, shot, turn};

#[test]
fn the_menu_signs_in_pauses_opens_and_quits() -> Result<()> {
    let _turn = turn();
    let mut world = World::signed_in("menu", DesktopOptions::default().without_dunst(), &["ada"])?;
    let chromium = Chromium::start(&world.sandbox)?;
    world.get("ada")?;
    let tray = Tray::find(&world.desktop, "ignbell")?;
    ensure!(tray.status()? == "Active" && tray.title()? == "Signbell", "{:?}", tray.title());
    let menu = tray.wait_menu("the account, signed in", SOON, |menu| has(menu, "ada@", "Signed in"))?;
    let labels = menu.labels();
    ensure!(labels.len() == 8 && labels[1] == "---" && labels[5] == "---", "{labels:?}");
    ensure!(labels[2..5] == ["Add account…", "Copy address", "Pause"], "{labels:?}");
    ensure!(labels.last() == Some(&"Quit"), "{labels:?}");
    ensure!(menu.find("Open Signbell").is_some_and(|item| item.enabled), "{labels:?}");
    ensure!(menu.find("Copy address").is_some_and(|item| item.labels() == ["ada"]), "{menu:#?}");
    let fine = wait_icon(&tray, "that all is well", |_| true)?;
    let address = menu.find("Copy address").and_then(|item| item.find("ada")).context("no item for the service")?;
    tray.click_id(address.id)?;
    let status = world.sandbox.run_json(&["status"])?[0].clone();
    let url = format!("{}/ada", status["proxy"]["address"].as_str().context("no address")?);
    wait_ok("the address in the clipboard", SOON, || {
        let mut command = world.sandbox.command("xclip");
        command.args(["-selection", "clipboard", "-out"]);
        let copied = run(command, b"", SOON)?.expect_code(0)?.stdout;
        ensure!(url == copied, "{copied:?}, not {url}");
        Ok(())
    })?;

    world.provider.revoke_refresh("ada", true)?;
    let waiting = world.curl("ada")?.spawn()?;
    let menu = tray.wait_menu("who needs the person", SOON, |menu| has(menu, "ada@", "Needs you"))?;
    let first = menu.labels().first().copied().unwrap_or_default().to_owned();
    ensure!(first.starts_with("Sign in again: "), "{:?}", menu.labels());
    let needs_you = wait_icon(&tray, "that the person is needed", |icon| icon != fine)?;
    open_menu(&world, "tray-menu.png")?;
    tray.click(&first)?;
    let page = chromium.sign_in(&world.browser.next_url(SOON)?, "ada")?;
    ensure!(page.text.contains("Signed in"), "{page:?}");
    ensure!(waiting.wait()?.status == 200);
    let menu = tray.wait_menu("nobody who needs the person", SOON, |menu| {
        has(menu, "ada@", "Signed in") && !menu.labels().contains(&first.as_str())
    });
    menu.with_context(|| {
        let icon = tray.icon_name().and_then(|name| Ok(fs::read(name)?));
        let icon_is_fine = icon.is_ok_and(|icon| icon == fine);
        format!("the engine says {:?}; the icon says that all is well: {icon_is_fine}", world.account("ada"))
    })?;
    wait_icon(&tray, "that all is well again", |icon| icon == fine)?;

    tray.click("Pause")?;
    tray.wait_menu("Resume", SOON, |menu| menu.find("Resume").is_some())?;
    let paused = wait_icon(&tray, "the pause", |icon| icon != fine && icon != needs_you)?;
    ensure!(world.curl("ada")?.run()?.status == 503);
    tray.click("Resume")?;
    tray.wait_menu("Pause", SOON, |menu| menu.find("Pause").is_some())?;
    world.get("ada")?;
    wait_icon(&tray, "the end of the pause", |icon| icon != paused)?;

    ensure!(proc::windows(world.app.id()).is_empty());
    tray.click("Open Signbell")?;
    wait_ok("a window on the screen", SOON, || {
        world.desktop.xdotool(&["search", "--onlyvisible", "--name", "^Signbell$"])
    })?;
    ensure!(proc::windows(world.app.id()).len() == 1);
    let started = proc::descendants(world.app.id());
    tray.click("Quit")?;
    let ended = world.app.wait()?;
    ensure!(ended.code() == Some(0), "{ended}; {}", world.app.log());
    proc::wait_gone("the end of all that the tray started", &started)?;
    wait_ok("an empty tray", SOON, || {
        let left = Tray::all(&world.desktop)?;
        ensure!(left.is_empty(), "{left:?}");
        Ok(())
    })?;
    ensure!(world.sandbox.run(&["status"])?.code == Some(3));
    Ok(())
}

#[test]
fn sign_in_all_takes_one_page_after_the_other() -> Result<()> {
    let _turn = turn();
    let names = ["ada", "bob"];
    let world = World::signed_in("all", DesktopOptions::default(), &names)?;
    let tray = Tray::find(&world.desktop, "ignbell")?;
    let mut waiting = Vec::new();
    for name in names {
        world.provider.revoke_refresh(name, true)?;
        waiting.push(world.curl(name)?.spawn()?);
    }
    // Not the menu from before they signed in, which is drawn a moment longer.
    let again = |menu: &MenuItem| menu.labels().iter().filter(|label| label.starts_with("Sign in again: ")).count();
    tray.wait_menu("both", SOON, |menu| menu.find("Sign in all (2)").is_some() && again(menu) == 2)?;
    open_menu(&world, "tray-menu-all.png")?;
    tray.click("Sign in all (2)")?;
    let mut left = names.to_vec();
    while !left.is_empty() {
        let url = world.browser.next_url(SOON)?;
        // Two pages at once would steal each other's attention.
        world.browser.expect_none()?;
        let at = left.iter().position(|name| url.contains(name)).with_context(|| format!("nobody's page: {url}"))?;
        world.follow(&url, left.remove(at))?;
    }
    for (name, request) in names.iter().zip(waiting) {
        let response = request.wait()?;
        ensure!(response.status == 200 && response.json()?["login"] == *name, "{response:?}");
    }
    tray.wait_menu("nobody who needs the person", SOON, |menu| {
        menu.find("Sign in all (2)").is_none() && has(menu, "ada@", "Signed in") && has(menu, "bob@", "Signed in")
    })?;
    world.browser.expect_none()
}

/// Whether there is a line on this account in this state.
fn has(menu: &MenuItem, account: &str, state: &str) -> bool {
    menu.labels().iter().any(|label| label.starts_with(account) && label.contains(&format!("— {state}")))
}

/// Waits until the picture in the tray is as wanted, and gives it.
fn wait_icon(tray: &Tray, what: &str, wanted: impl Fn(&[u8]) -> bool) -> Result<Vec<u8>> {
    wait_ok(&format!("the icon that says {what}"), SOON, || {
        let name = tray.icon_name()?;
        let picture = fs::read(&name).with_context(|| name.clone())?;
        ensure!(!picture.is_empty() && wanted(&picture), "{name}");
        Ok(picture)
    })
}

/// Opens the menu with the mouse, takes a picture of the screen, and closes it again.
fn open_menu(world: &World, name: &str) -> Result<()> {
    // The one icon in the panel, between its end and the clock.
    const ICON: [&str; 2] = ["1233", "883"];
    let desktop = &world.desktop;
    let file = shot(name)?;
    let picture = || -> Result<Vec<u8>> {
        desktop.screenshot(&file)?;
        Ok(fs::read(&file)?)
    };
    let closed = picture()?;
    desktop.xdotool(&["mousemove", ICON[0], ICON[1], "click", "1"])?;
    wait_ok("the open menu on the screen", SOON, || {
        // Much more than a clock that goes on.
        let (now, before) = (picture()?.len(), closed.len());
        ensure!(now > before + 2000, "a picture of {now} bytes, and {before} before");
        Ok(())
    })?;
    desktop.xdotool(&["key", "Escape"])?;
    Ok(())
}
