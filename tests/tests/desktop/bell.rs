//! The bell: one notification, one click, and the request that was waiting completes.

use std::thread;

use anyhow::{Result, anyhow, ensure};
use signbell_tests::{Chromium, DesktopOptions, Shown, wait_ok};

use crate::world::World;
use crate::{SOON, shot, turn};

#[test]
fn the_bell_rings_once_and_a_click_completes_the_request() -> Result<()> {
    let _turn = turn();
    let world = World::new("bell", DesktopOptions::default(), &["ada"])?;
    let chromium = Chromium::start(&world.sandbox)?;
    world.sign_in("ada", |url| {
        let page = chromium.sign_in(url, "ada")?;
        ensure!(page.text.contains("Signed in") && page.text.contains("close this tab"), "{page:?}");
        chromium.screenshot(&shot("browser-signed-in.png")?)
    })?;
    world.get("ada")?;
    let notifications = world.desktop.notifications();
    ensure!(notifications.calls().is_empty(), "{:#?}", notifications.calls());

    world.provider.revoke_refresh("ada", true)?;
    let mut waiting = vec![world.curl("ada")?.spawn()?];
    let ring = notifications.wait_for(Shown::is_open, SOON)?;
    ensure!(ring.summary.ends_with("needs you"), "{ring:#?}");
    let buttons: Vec<_> = ring.actions.iter().filter(|(key, _)| key != "default").cloned().collect();
    let expected = [("sign-in", "Sign in"), ("later", "Later")].map(|(key, label)| (key.to_owned(), label.to_owned()));
    ensure!(buttons == expected, "{ring:#?}");
    for text in [&ring.summary, &ring.body] {
        ensure!(!text.contains(&world.key) && !text.contains('?') && !text.contains("http"), "{text:?}");
    }
    for _ in 0..4 {
        waiting.push(world.curl("ada")?.spawn()?);
    }
    let account = world.wait_account("ada", "five waiting requests", |account| account["waiting"] == 5)?;
    ensure!(account["state"] == "needs_sign_in", "{account}");
    ensure!(notifications.calls().len() == 1, "{:#?}", notifications.calls());
    ensure!(waiting.iter_mut().all(|request| request.is_running()));
    wait_ok("the notification on the screen", SOON, || {
        ensure!(notifications.displayed()? == 1);
        Ok(())
    })?;
    world.desktop.screenshot(&shot("bell.png")?)?;
    world.browser.expect_none()?;

    notifications.invoke(ring.id, "sign-in")?;
    let page = chromium.sign_in(&world.browser.next_url(SOON)?, "ada")?;
    ensure!(page.text.contains("Signed in"), "{page:?}");
    for request in waiting {
        let response = request.wait()?;
        ensure!(response.status == 200 && response.json()?["login"] == "ada", "{response:?}");
    }
    let closed = notifications.wait_closed(ring.id, SOON)?;
    ensure!(closed.close_asked, "{closed:#?}");
    let account = world.wait_account("ada", "the account signed in", |account| account["state"] == "active")?;
    ensure!(account["waiting"] == 0, "{account}");
    ensure!(notifications.calls().len() == 1, "{:#?}", notifications.calls());
    world.browser.expect_none()
}

#[test]
fn later_answers_the_waiting_request() -> Result<()> {
    let _turn = turn();
    let world = World::signed_in("later", DesktopOptions::default().without_panel(), &["ada"])?;
    world.get("ada")?;
    world.provider.revoke_refresh("ada", true)?;
    let waiting = world.curl("ada")?.spawn()?;
    let notifications = world.desktop.notifications();
    let ring = notifications.wait_for(Shown::is_open, SOON)?;
    notifications.invoke_label(ring.id, "Later")?;
    let response = waiting.wait()?;
    ensure!(response.status == 401, "{response:?}");
    notifications.wait_closed(ring.id, SOON)?;
    ensure!(world.account("ada")?["state"] == "needs_sign_in");
    // Nobody is asked again at once.
    ensure!(notifications.calls().len() == 1, "{:#?}", notifications.calls());
    world.browser.expect_none()
}

/// One is clicked while the others go from the screen, with the numbers of all of them in use.
#[test]
fn a_click_among_many_bells_is_not_lost() -> Result<()> {
    let _turn = turn();
    let names = ["ada", "bob", "cyd", "dan", "eve", "fay"];
    let world = World::signed_in("many", DesktopOptions::default().without_panel(), &names)?;
    let notifications = world.desktop.notifications();
    let (mut waiting, mut rings) = (Vec::new(), Vec::new());
    for name in names {
        world.provider.revoke_refresh(name, true)?;
        waiting.push(world.curl(name)?.spawn()?);
        let ring = notifications.wait_for(|ring| ring.is_open() && !rings.contains(&ring.id), SOON)?;
        rings.push(ring.id);
    }
    ensure!(notifications.open().len() == names.len(), "{:#?}", notifications.open());
    world.desktop.screenshot(&shot("bells.png")?)?;
    let (wanted, ring) = (names[2], rings[2]);
    thread::scope(|scope| -> Result<()> {
        let others = scope.spawn(|| -> Result<()> {
            for name in names.iter().filter(|name| **name != wanted) {
                world.sandbox.run_ok(&["sign-out", name])?;
            }
            Ok(())
        });
        notifications.invoke(ring, "sign-in")?;
        others.join().map_err(|_| anyhow!("signing out panicked"))?
    })?;
    world.follow(&world.browser.next_url(SOON)?, wanted)?;
    world.wait_account(wanted, "the one clicked", |account| account["state"] == "active")?;
    wait_ok("no bell on the screen", SOON, || {
        let open = notifications.open();
        ensure!(open.is_empty(), "{open:#?}");
        Ok(())
    })?;
    for (name, request) in names.iter().zip(waiting) {
        let status = request.wait()?.status;
        ensure!((status == 200) == (*name == wanted), "{name}: {status}");
    }
    world.browser.expect_none()
}
