//! The desktop, its keyring, notifications and tray.

use std::collections::HashMap;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use signbell_tests::*;
use zbus::blocking::Proxy;
use zbus::zvariant::Value;

use crate::{SOON, keep};

/// Sends a notification as a program does and gives its id.
fn notify(desktop: &Desktop, summary: &str, replaces: u32) -> Result<u32> {
    let name = "org.freedesktop.Notifications";
    let proxy = Proxy::new(desktop.bus(), name, "/org/freedesktop/Notifications", name)?;
    let actions = ["signin", "Sign in", "later", "Later"];
    let hints = HashMap::from([("urgency", Value::U8(2))]);
    let body = "Signed out at <b>notes.example</b> &amp; waiting";
    let call = ("Signbell", replaces, "", summary, body, &actions[..], hints, -1);
    Ok(proxy.call("Notify", &call)?)
}

fn secret_tool(sandbox: &Sandbox, args: &[&str], input: &str) -> Result<process::Output> {
    let mut command = sandbox.command("secret-tool");
    command.args(args);
    process::run(command, input.as_bytes(), SOON)
}

#[test]
fn desktop_with_keyring_notifications_and_panel() -> Result<()> {
    let sandbox = Sandbox::new("desktop")?;
    let desktop = Desktop::start(&sandbox)?;
    ensure!(desktop.has_tray_host()?);
    ensure!(desktop.envs().len() == 2, "{:?}", desktop.envs());

    // Keyring
    let store = ["store", "--label=Test", "service", "harness"];
    secret_tool(&sandbox, &store, "canary")?.expect_code(0)?;
    let lookup = ["lookup", "service", "harness"];
    let found = secret_tool(&sandbox, &lookup, "")?.expect_code(0)?;
    ensure!(found.stdout == "canary", "{found:?}");
    desktop.lock_keyring()?;
    ensure!(desktop.keyring_locked()?);
    let locked = secret_tool(&sandbox, &lookup, "")?;
    ensure!(locked.stdout.is_empty(), "{locked:?}");
    desktop.unlock_keyring()?;
    let found = secret_tool(&sandbox, &lookup, "")?.expect_code(0)?;
    ensure!(found.stdout == "canary", "{found:?}");
    let clear = sandbox.files_containing("canary", |_| false)?;
    ensure!(clear.is_empty(), "the secret lies in {clear:?}");

    // Notifications
    let notifications = desktop.notifications();
    let first = notify(&desktop, "First", 0)?;
    let second = notify(&desktop, "Second", 0)?;
    let shown = notifications.wait_for(|n| n.summary == "First", SOON)?;
    ensure!(shown.id == first && shown.is_open(), "{shown:?}");
    ensure!(shown.key_of("Later") == Some("later"), "{shown:?}");
    ensure!(shown.urgency == Some(2) && shown.body.contains("<b>"), "{shown:?}");
    let file = sandbox.path("desktop.png");
    wait_ok("both on the screen", SOON, || {
        ensure!(notifications.displayed()? == 2, "{}", notifications.displayed()?);
        Ok(())
    })?;
    desktop.screenshot(&file)?;
    ensure!(std::fs::metadata(&file)?.len() > 3000, "the picture is empty");
    keep(&file)?;
    notifications.invoke_label(first, "Later")?;
    ensure!(notifications.get(first)?.invoked == ["later"]);
    ensure!(notifications.get(second)?.invoked.is_empty());
    ensure!(notifications.get(first)?.is_open());
    let name = "org.freedesktop.Notifications";
    let proxy = Proxy::new(desktop.bus(), name, "/org/freedesktop/Notifications", name)?;
    proxy.call::<_, _, ()>("CloseNotification", &(first,))?;
    let closed = notifications.wait_closed(first, SOON)?;
    ensure!(closed.close_asked && closed.close_reason == Some(3), "{closed:?}");
    let replacing = notify(&desktop, "Second again", second)?;
    ensure!(replacing == second, "{replacing} {second}");
    notifications.wait_for(|n| n.summary == "Second again", SOON)?;
    ensure!(notifications.shown().len() == 2 && notifications.calls().len() == 3);
    notifications.invoke(second, "signin")?;
    let after = notifications.get(second)?;
    ensure!(after.invoked == ["signin"], "{after:?}");
    let third = notify(&desktop, "Third", 0)?;
    notifications.wait_for(|n| n.id == third, SOON)?;
    notifications.dismiss_all()?;
    ensure!(notifications.get(third)?.close_reason == Some(2));
    ensure!(notifications.history()?.contains(&"Third".to_owned()));
    Ok(())
}

#[test]
fn tray_icon_and_its_menu() -> Result<()> {
    let sandbox = Sandbox::new("tray")?;
    let desktop = DesktopOptions::default().without_keyring().start(&sandbox)?;
    ensure!(!desktop.has_name("org.freedesktop.secrets")?);
    ensure!(desktop.lock_keyring().is_err());
    // Built like every linking step of the project, with the system's C compiler.
    let config = Command::new("pkg-config").args(["--cflags", "--libs", "ayatana-appindicator3-0.1"]).output()?;
    ensure!(config.status.success(), "{config:?}");
    let flags = String::from_utf8(config.stdout)?;
    let program = sandbox.path("tray-fixture");
    let mut compile = Command::new("cc");
    compile.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/harness/tray.c"));
    compile.args(["-Wno-deprecated-declarations", "-o"]).arg(&program);
    compile.args(flags.split_whitespace());
    process::run(compile, b"", Duration::from_secs(60))?.expect_code(0)?;

    let mut command = sandbox.command(&program);
    command.args(["harness-tray", "A window"]);
    let (_fixture, log) = sandbox.spawn(command, "fixture")?;
    let tray = Tray::find(&desktop, "harness-tray")?;
    ensure!(tray.title()? == "Tray fixture", "{}", tray.title()?);
    ensure!(tray.icon_name()? == "dialog-information");
    ensure!(tray.status()? == "Active");
    let menu = tray.wait_menu("five entries", SOON, |menu| menu.children.len() == 5)?;
    let labels = ["Open", "Greyed", "Ticked", "---", "More"];
    ensure!(menu.labels() == labels, "{menu:#?}");
    let item = |label| menu.find(label).context("no such entry");
    ensure!(item("Ticked")?.checked == Some(true) && item("Open")?.checked.is_none());
    ensure!(!item("Greyed")?.enabled && item("More")?.children.len() == 1);
    ensure!(tray.click("Greyed").is_err());
    tray.click("Open")?;
    tray.click("Deep")?;
    wait_ok("the entries chosen", SOON, || {
        let text = std::fs::read_to_string(&log)?;
        ensure!(text.contains("Open\n") && text.contains("Deep\n"), "{text}");
        Ok(())
    })?;
    desktop.xdotool(&["search", "--sync", "--name", "A window"])?;
    let file = sandbox.path("tray.png");
    desktop.screenshot(&file)?;
    keep(&file)
}

#[test]
fn two_desktops_side_by_side() -> Result<()> {
    let sandboxes = [Sandbox::new("left")?, Sandbox::new("right")?];
    let [left, right] = &sandboxes;
    let (one, two) = std::thread::scope(|scope| {
        let one = scope.spawn(|| Desktop::start(left));
        let two = Desktop::start(right);
        (one.join(), two)
    });
    let one = one.map_err(|_| anyhow::anyhow!("the first start panicked"))??;
    let two = two?;
    ensure!(one.envs() != two.envs(), "{:?}", one.envs());
    notify(&one, "For the first only", 0)?;
    one.notifications().wait_for(Shown::is_open, SOON)?;
    ensure!(two.notifications().shown().is_empty());
    let roots = sandboxes.each_ref().map(|sandbox| sandbox.root().to_owned());
    drop((one, two, sandboxes));
    ensure!(roots.iter().all(|root| !root.exists()), "left over: {roots:?}");
    Ok(())
}

#[test]
fn parts_can_be_left_out_and_come_back() -> Result<()> {
    let sandbox = Sandbox::new("parts")?;
    let options = DesktopOptions::default().without_dunst().without_panel();
    let mut desktop = options.start(&sandbox)?;
    ensure!(notify(&desktop, "Nobody there", 0).is_err());
    wait_until("the refused call", SOON, || {
        let calls = desktop.notifications().calls();
        calls.first().map(|call| call.id == 0)
    })?;
    ensure!(desktop.notifications().shown().is_empty());
    ensure!(!desktop.has_name("org.kde.StatusNotifierWatcher")?);
    desktop.start_dunst()?;
    notify(&desktop, "Now", 0)?;
    desktop.start_panel()?;
    ensure!(desktop.has_tray_host()?);
    desktop.stop_panel()?;
    desktop.stop_dunst()?;
    let store = ["store", "--label=Test", "service", "harness"];
    secret_tool(&sandbox, &store, "kept")?.expect_code(0)?;
    desktop.stop_keyring()?;
    desktop.start_keyring()?;
    let found = secret_tool(&sandbox, &["lookup", "service", "harness"], "")?;
    ensure!(found.stdout == "kept", "{found:?}");
    Ok(())
}
