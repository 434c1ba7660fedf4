//! The desktop in the person's language.

use std::fs;

use anyhow::{Context as _, Result, ensure};
use serde_json::json;
use signbell_engine::wording::labels::all;
use signbell_engine::wording::language::Language;
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

/// Sentences of the English catalogue, and the parts of those that are filled in, that German says otherwise.
fn english() -> Vec<String> {
    let german = all(Language::De);
    let mut found: Vec<String> = Vec::new();
    for (key, text) in all(Language::En) {
        if german.get(key).is_some_and(|own| *own != text) {
            let outside = text.split('{').enumerate().map(|(i, part)| match i {
                0 => part,
                _ => part.split_once('}').map_or("", |(_, rest)| rest),
            });
            // Shorter ones stand in names and commands as well.
            found.extend(outside.map(str::trim).filter(|part| part.split(' ').count() >= 3).map(str::to_owned));
        }
    }
    found
}

/// What is said in the window: texts, and what a screen reader is told. What was written down as it happened, and
/// what another program is called, is as it is.
const SAID: &str = "const out = [];
for (const node of document.querySelectorAll('body *')) {
    if (node.closest('.line-text, .timeline, code, pre, option')) continue;
    for (const name of ['aria-label', 'placeholder', 'title']) out.push(node.getAttribute(name) ?? '');
    for (const child of node.childNodes) if (child.nodeType === 3) out.push(child.data);
}
return out.filter(Boolean).join('\\n')";

#[test]
fn no_view_says_anything_in_english() -> Result<()> {
    let _turn = turn();
    let sandbox = Sandbox::new("german-all")?;
    sandbox.set_env("LANG", "de_DE.UTF-8");
    let world = World::of(sandbox, DesktopOptions::default().without_panel(), &["ada"])?;
    world.sign_in("ada", |url| world.follow(url, "ada"))?;
    let english = english();
    ensure!(english.len() > 150, "{}", english.len());
    let window = Webview::open(&world.sandbox, &world.desktop, &binary("signbell-desktop")?, &["window"])?;
    window.wait_text("#tab-sessions", "Sitzungen", SOON)?;
    let speaks_german = |place: &str| -> Result<()> {
        let said = window.eval(SAID)?;
        let said = said.as_str().context("no text")?;
        ensure!(said.len() > 200, "{place}: {said}");
        let found: Vec<_> = english.iter().filter(|text| said.contains(text.as_str())).collect();
        ensure!(found.is_empty(), "{place} says {found:#?}");
        Ok(())
    };
    // A program asks, in the window as in the notification.
    world.sandbox.run_ok(&["tool", "set", crate::world::TOOL, "--confirm"])?;
    let waiting = world.curl("ada")?.spawn()?;
    window.wait_text(".confirms", "curl möchte ada nutzen", SOON)?;
    window.wait_text(".confirms", "Es zeigt den Schlüssel von curl. Es ist curl (Prozess", SOON)?;
    let shown = world.desktop.notifications().wait_for(|one| one.summary == "curl möchte ada nutzen", SOON)?;
    ensure!(shown.body.contains("gilt für diesen Pfad"), "{shown:?}");
    window.screenshot(&shot("german-question.png")?)?;
    speaks_german("the question")?;
    world.desktop.notifications().invoke_label(shown.id, "Diese Stunde")?;
    ensure!(waiting.wait()?.status == 200);

    // A session that ended, with a program that waits; and a file with a mistake.
    world.provider.revoke_refresh("ada", true)?;
    let waiting = world.curl("ada")?.spawn()?;
    window.wait_text(".row-waiting-by", "gestartet von", SOON)?;
    let config = world.sandbox.signbell_home().join("config.toml");
    let text = fs::read_to_string(&config)?;
    fs::write(&config, format!("{text}\n[bell]\nloud = true\n"))?;
    window.wait_text(".banners", "gelten die letzten brauchbaren Einstellungen", SOON)?;
    for (tab, title) in [
        ("sessions", "braucht dich"),
        ("services", "Dienste"),
        ("tools", "Werkzeuge"),
        ("activity", "Verlauf"),
        ("settings", "Einstellungen"),
    ] {
        window.click(&format!("#tab-{tab}"))?;
        window.wait_text("h1", title, SOON)?;
        window.eval("for (const head of document.querySelectorAll('main .row-toggle')) head.click()")?;
        speaks_german(tab)?;
    }
    fs::write(&config, &text)?;
    // What fails is said in German too, and in the program's own words one click further.
    window.wait_text("#main", "Erinnerungen", SOON)?;
    window.eval(
        "const field = document.querySelector('#set-bell-reminders');
        field.value = 'bald';
        field.dispatchEvent(new Event('change', {bubbles: true}))",
    )?;
    window.wait_text(".setting .failure", "Diesen Wert nimmt die Einstellung nicht", SOON)?;
    window.screenshot(&shot("german-settings-failure.png")?)?;
    speaks_german("a failure")?;
    for (place, sheet) in [("add", "add"), ("add-tool", "tool"), ("connect", "connect"), ("import", "import")] {
        window.eval(&format!("location.hash = '#{place}'"))?;
        window.find(&format!("#sheet-{sheet}"))?;
        speaks_german(sheet)?;
        window.eval("location.hash = '#sessions'")?;
    }
    drop(waiting);
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
