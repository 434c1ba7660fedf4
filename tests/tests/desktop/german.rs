//! The desktop in the person's language.

use anyhow::{Result, ensure};
use serde_json::json;
use signbell_tests::sandbox::binary;
use signbell_tests::{DesktopOptions, Sandbox, Webview};

use crate::fits::FITS;
use crate::stage::{Stage, three, with};
use crate::world::World;
use crate::{SOON, shot, turn};

#[test]
fn the_desktop_speaks_german_where_the_person_does() -> Result<()> {
    let _turn = turn();
    let parts = DesktopOptions::default().without_panel();
    let sandbox = Sandbox::new("german")?;
    sandbox.set_env("LANG", "de_DE.UTF-8");
    let world = World::of(sandbox, parts, &["ada"])?;
    world.sign_in("ada", |url| world.follow(url, "ada"))?;
    // The bell, with its buttons.
    world.provider.revoke_refresh("ada", true)?;
    let waiting = world.curl("ada")?.spawn()?;
    let shown = world.desktop.notifications().wait_for(|one| one.summary.contains("braucht dich"), SOON)?;
    ensure!(shown.body.contains("1 Anfrage von curl wartet"), "{shown:?}");
    let buttons: Vec<&str> = shown.actions.iter().map(|(_, label)| label.as_str()).collect();
    ensure!(buttons.contains(&"Anmelden") && buttons.contains(&"Später"), "{buttons:?}");

    let window = Webview::open(&world.sandbox, &world.desktop, &binary("signbell-desktop")?, &["window"])?;
    window.wait_text(".row-words", "Braucht dich", SOON)?;
    window.wait_text("h1", "braucht dich", SOON)?;
    window.wait_text(".row-waiting", "1 Anfrage von curl wartet", SOON)?;
    window.wait_text("#act-ada", "anmelden", SOON)?;
    ensure!(window.eval("return document.documentElement.lang")? == "de");
    window.screenshot(&shot("german.png")?)?;
    // Scripts and the log read English.
    let status = world.account("ada")?;
    ensure!(status["state_words"].as_str().is_none_or(|words| words == "Needs you"), "{status}");
    ensure!(status["reason"] == "ended_by_provider" || status["reason"].is_string(), "{status}");
    world.desktop.notifications().invoke_label(shown.id, "Später")?;
    ensure!(waiting.wait()?.status != 200);

    for (tab, words) in
        [("services", "Dienste"), ("tools", "Werkzeuge"), ("activity", "Verlauf"), ("settings", "Einstellungen")]
    {
        window.wait_text(&format!("#tab-{tab}"), words, SOON)?;
        window.click(&format!("#tab-{tab}"))?;
        window.eval("for (const head of document.querySelectorAll('main .row-toggle')) head.click()")?;
        window.screenshot(&shot(&format!("german-{tab}.png"))?)?;
        let out = window.eval(FITS)?;
        ensure!(out == json!([]), "{tab}: {out}");
    }
    window.close();
    Ok(())
}

#[test]
fn the_language_changes_while_the_window_is_open() -> Result<()> {
    let _turn = turn();
    let stage = Stage::new("language", three(), vec![])?;
    let window = stage.open()?;
    window.wait_text("#tab-sessions", "Sessions", SOON)?;
    let asked = stage.asked("watch-in");
    ensure!(asked.iter().all(|asked| asked["language"] == "en") && !asked.is_empty(), "{asked:?}");
    stage.show(with(three(), &json!({"language": "de"})))?;
    window.wait_text("#tab-sessions", "Sitzungen", SOON)?;
    window.wait_text("h1", "Überall angemeldet", SOON)?;
    stage.show(three())?;
    window.wait_text("#tab-sessions", "Sessions", SOON)?;
    window.close();
    Ok(())
}
