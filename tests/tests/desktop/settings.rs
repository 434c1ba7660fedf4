//! Settings in the window, and what the desktop itself does with them.

use std::fs;

use anyhow::{Context as _, Result, ensure};
use serde_json::json;
use signbell_tests::{DesktopOptions, Sandbox, Shown, Webview, wait_ok};

use crate::room::Room;
use crate::world::World;
use crate::{SOON, shot, turn};

fn config(sandbox: &Sandbox) -> Result<String> {
    fs::read_to_string(sandbox.signbell_home().join("config.toml")).context("config.toml")
}

/// Changes a field as a person does who leaves it.
fn change(window: &Webview, css: &str, value: &str) -> Result<()> {
    window.find(css)?;
    window.eval(&format!(
        "const field = document.querySelector('{css}');
        field.focus();
        field.value = '{value}';
        field.dispatchEvent(new Event('change', {{bubbles: true}}))"
    ))?;
    Ok(())
}

fn ground(window: &Webview) -> Result<String> {
    let seen = window.eval("return getComputedStyle(document.documentElement).getPropertyValue('--ground').trim()")?;
    Ok(seen.as_str().unwrap_or_default().to_owned())
}

#[test]
fn settings_are_saved_at_once_and_say_so() -> Result<()> {
    let _turn = turn();
    let room = Room::new("settings-window")?;
    let window = room.open()?;
    window.find("#begin")?;
    window.click("a[href='#settings']")?;
    window.wait_text("#main", "Reminders", SOON)?;
    ensure!(ground(&window)? == "#f5f5f3", "{}", ground(&window)?);
    window.screenshot(&shot("settings-light.png")?)?;
    // Each field has its words, and nothing stands beside the window.
    let bare = window.eval(
        "return [...document.querySelectorAll('.setting input, .setting select')]
            .filter(field => !document.querySelector(`label[for='${field.id}']`)?.textContent).map(field => field.id)",
    )?;
    ensure!(bare == json!([]), "without words: {bare}");
    let wide = window.eval("return document.documentElement.scrollWidth - innerWidth")?;
    ensure!(wide.as_i64().is_some_and(|wide| wide <= 0), "{wide}");

    let language = window.eval("return document.querySelector('#set-desktop-language').selectedOptions[0]?.text")?;
    ensure!(language == "As the system", "{language}");

    // The theme counts at once.
    change(&window, "#set-desktop-theme", "dark")?;
    window.wait_text("#main", "Saved", SOON)?;
    wait_ok("the dark", SOON, || {
        ensure!(ground(&window)? == "#131417", "{}", ground(&window)?);
        Ok(())
    })?;
    ensure!(config(&room.sandbox)?.contains("theme = \"dark\""));
    window.screenshot(&shot("settings-dark.png")?)?;

    // A mistake is told where it was made, and what was typed stays.
    change(&window, "#set-bell-reminders", "soon")?;
    window.wait_text(".setting .failure", "Nothing was changed", SOON)?;
    let typed = window.eval("return document.querySelector('#set-bell-reminders').value")?;
    ensure!(typed == "soon", "{typed}");
    ensure!(!config(&room.sandbox)?.contains("reminders"));
    window.screenshot(&shot("settings-failure.png")?)?;
    change(&window, "#set-bell-reminders", "5, 2h")?;
    wait_ok("the reminders in the file", SOON, || {
        ensure!(config(&room.sandbox)?.contains("reminders = [5, 120]"));
        let typed = window.eval("return document.querySelector('#set-bell-reminders').value")?;
        ensure!(typed == "5, 120", "{typed}");
        Ok(())
    })?;
    window.click("#set-bell-notifications")?;
    wait_ok("the switch in the file", SOON, || {
        ensure!(config(&room.sandbox)?.contains("notifications = false"));
        Ok(())
    })?;

    // What an editor writes is seen here too, and a mistake in it stands above.
    let text = config(&room.sandbox)?;
    fs::write(room.sandbox.signbell_home().join("config.toml"), text.replace("\"dark\"", "\"light\""))?;
    wait_ok("the light again", SOON, || {
        ensure!(ground(&window)? == "#f5f5f3", "{}", ground(&window)?);
        let chosen = window.eval("return document.querySelector('#set-desktop-theme').value")?;
        ensure!(chosen == "light", "{chosen}");
        Ok(())
    })?;
    fs::write(room.sandbox.signbell_home().join("config.toml"), text.replace("theme", "themes"))?;
    window.wait_text(".banners", "config.toml, line", SOON)?;
    fs::write(room.sandbox.signbell_home().join("config.toml"), &text)?;
    // In a narrow window nothing is cut off.
    window.session().post("/window/rect", &json!({"width": 380, "height": 680}))?;
    wait_ok("a narrow window", SOON, || {
        let seen = window.eval("return [innerWidth, document.documentElement.scrollWidth]")?;
        ensure!(seen[0].as_i64() < Some(500) && seen[1].as_i64() <= seen[0].as_i64(), "{seen}");
        Ok(())
    })?;
    window.screenshot(&shot("settings-narrow.png")?)?;
    room.close(window)
}

#[test]
fn start_at_login_is_what_the_desktop_reads() -> Result<()> {
    let _turn = turn();
    let world = World::new("at-login", DesktopOptions::default().without_panel(), &["ada"])?;
    let entry = world.sandbox.home().join(".config/autostart/signbell.desktop");
    ensure!(!entry.exists());
    world.sandbox.run_ok(&["settings", "set", "desktop.start_at_login", "yes"])?;
    let text = wait_ok("the desktop entry", SOON, || {
        let text = fs::read_to_string(&entry)?;
        ensure!(text.contains("signbell-desktop"), "{text}");
        Ok(text)
    })?;
    let line = text.lines().find_map(|line| line.strip_prefix("Exec=")).context("no Exec")?;
    let program = line.split(' ').next().unwrap_or_default().trim_matches('"');
    ensure!(fs::metadata(program)?.is_file(), "{text}");
    world.sandbox.run_ok(&["settings", "set", "desktop.start_at_login", "no"])?;
    wait_ok("no desktop entry", SOON, || {
        ensure!(!entry.exists());
        Ok(())
    })
}

#[test]
fn a_program_is_asked_about_once_and_a_click_lets_it() -> Result<()> {
    let _turn = turn();
    let world = World::signed_in("confirm", DesktopOptions::default().without_panel(), &["ada"])?;
    let tool = crate::world::TOOL;
    world.sandbox.run_ok(&["tool", "set", tool, "--confirm"])?;
    let waiting = world.curl("ada")?.spawn()?;
    let notifications = world.desktop.notifications();
    let asked = notifications.wait_for(Shown::is_open, SOON)?;
    ensure!(asked.summary == "curl wants to use ada", "{asked:#?}");
    let buttons: Vec<_> = asked.actions.iter().filter(|(key, _)| key != "default").map(|(_, label)| &**label).collect();
    ensure!(buttons == ["Always", "This hour", "No"], "{asked:#?}");
    ensure!(!asked.body.contains(&world.key) && asked.body.contains("/curl"), "{asked:#?}");
    wait_ok("the notification on the screen", SOON, || {
        ensure!(notifications.displayed()? == 1);
        Ok(())
    })?;
    world.desktop.screenshot(&shot("confirm.png")?)?;
    notifications.invoke_label(asked.id, "This hour")?;
    ensure!(waiting.wait()?.status == 200);
    notifications.wait_closed(asked.id, SOON)?;
    world.get("ada")?;
    ensure!(notifications.calls().len() == 1, "{:#?}", notifications.calls());

    // A program that runs whatever it is given can't be allowed for good, and nothing offers it.
    world.sandbox.run_ok(&["settings", "set", "desktop.language", "de"])?;
    let mut python = world.sandbox.command("python3");
    let code = "import sys, urllib.request as u\n\
                r = u.Request(sys.argv[1], headers={'Authorization': 'Bearer ' + sys.argv[2]})\n\
                u.build_opener(u.ProxyHandler({})).open(r, timeout=90)\n";
    let address = format!("{}/ada/me", crate::world::proxy(&world.sandbox)?);
    python.args(["-c", code, &address, &world.key]);
    let (mut python, _) = world.sandbox.spawn(python, "python")?;
    let asked = notifications.wait_for(|shown| shown.is_open() && shown.summary.contains("möchte ada nutzen"), SOON)?;
    let buttons: Vec<_> = asked.actions.iter().filter(|(key, _)| key != "default").map(|(_, label)| &**label).collect();
    ensure!(buttons == ["Diese Stunde", "Nein"], "{asked:#?}");
    ensure!(asked.body.contains("lässt es sich nicht dauerhaft erlauben"), "{asked:#?}");
    notifications.invoke_label(asked.id, "Diese Stunde")?;
    ensure!(python.wait(SOON)?.success());
    world.sandbox.run_ok(&["settings", "set", "desktop.language", "en"])?;
    let before = notifications.calls().len();

    // Turned off, nothing is shown; a session that ends rings nowhere but in the tray.
    world.sandbox.run_ok(&["settings", "set", "bell.notifications", "no"])?;
    world.provider.revoke_refresh("ada", true)?;
    let waiting = world.curl("ada")?.spawn()?;
    world.wait_account("ada", "a ring", |account| account["ring"].is_object() && account["waiting"] == 1)?;
    world.sandbox.run_ok(&["settings", "set", "bell.notifications", "yes"])?;
    let ring = notifications.wait_for(Shown::is_open, SOON)?;
    ensure!(
        ring.summary.ends_with("needs you") && notifications.calls().len() == before + 1,
        "{:#?}",
        notifications.calls()
    );
    notifications.invoke_label(ring.id, "Later")?;
    ensure!(waiting.wait()?.status == 401);
    Ok(())
}
