//! How the window stands narrow, enlarged, still, and with names that run the other way.

use std::fs;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use signbell_tests::{Webview, wait_ok};

use crate::stage::{Stage, a_day, account, record, service, three, tool, view};
use crate::{SOON, shot, turn};

/// Accounts with names that run from right to left, and one that is long.
fn names() -> Value {
    let accounts = [
        account(
            "mona",
            &json!({"title": "منى@مثال.إختبار · Linear, שלום", "identity": "منى@مثال.إختبار", "label": "שלום",
            "short_title": "Linear (שלום)", "last_used": crate::stage::now() - 60, "last_used_by": "claude-code"}),
        ),
        account(
            "noa",
            &json!({"title": "נועה · Notion", "identity": "נועה", "short_title": "Notion (נועה)",
            "provider": "Notion", "state": "needs_sign_in", "state_words": "Needs you", "waiting": 1,
            "reason_words": "The provider ended this session.", "waiting_words": "1 request from claude-code is waiting"}),
        ),
        account(
            "long",
            &json!({"title": "a-very-long-mailbox-name-that-goes-on-and-on@subdomain.of.a.long.example.com · Linear",
            "identity": "a-very-long-mailbox-name-that-goes-on-and-on@subdomain.of.a.long.example.com"}),
        ),
    ];
    let services: Vec<_> = ["mona", "noa", "long"].map(|name| service(name, &json!({}))).into();
    let tools = [tool("claude-code", &["mona", "noa", "long"])];
    view(&accounts, &services, &tools)
}

/// Nothing stands out of the page to the side, and no button is cut.
pub const FITS: &str = "const wide = innerWidth;
return [...document.querySelectorAll('body *')].filter(node => {
    const at = node.getBoundingClientRect();
    return at.width > 1 && !node.closest('.unseen, svg') && (at.right > wide + 1 || at.left < -1);
}).map(node => `${node.tagName} ${node.className} ${node.textContent.slice(0, 40)}`).slice(0, 5)";

fn look_through(window: &Webview, name: &str) -> Result<()> {
    for tab in ["sessions", "services", "tools", "activity", "settings"] {
        window.eval(&format!("location.hash = '#{tab}'"))?;
        window.find(&format!("#tab-{tab}[aria-current]"))?;
        window.eval(
            "for (const head of document.querySelectorAll(\"main .row-toggle[aria-expanded='false']\")) head.click();
            scrollTo(0, 0)",
        )?;
        window.screenshot(&shot(&format!("{name}-{tab}.png"))?)?;
        if tab == "sessions" {
            window.eval("document.querySelector('.timeline').scrollIntoView({block: 'center'})")?;
            window.screenshot(&shot(&format!("{name}-timeline.png"))?)?;
        }
        let out = window.eval(FITS)?;
        ensure!(out == json!([]), "{name}, {tab}: {out}");
    }
    window.eval("location.hash = '#add'")?;
    window.find("#sheet-add")?;
    window.screenshot(&shot(&format!("{name}-add.png"))?)?;
    let out = window.eval(FITS)?;
    ensure!(out == json!([]), "{name}, add: {out}");
    window.eval("location.hash = '#sessions'")?;
    Ok(())
}

#[test]
fn it_fits_narrow_enlarged_and_the_other_way_round() -> Result<()> {
    let _turn = turn();
    let mut day = a_day("mona");
    day.push(record(30, "refreshed", "mona", "منى was renewed"));
    let stage = Stage::new("narrow", names(), day)?;
    let window = stage.open()?;
    window.find("#row-mona")?;
    // A name is isolated: what stands after it stays on its own side.
    let bidi = window.eval(
        "const names = [...document.querySelectorAll('#row-mona bdi')];
        const [who, rest] = [document.querySelector('#row-mona .row-name'), document.querySelector('#row-mona .row-rest')];
        return [names.length >= 2, names.every(name => name.dir === 'auto' && getComputedStyle(name).unicodeBidi.includes('isolate')),
            getComputedStyle(who).direction, who.getBoundingClientRect().right <= rest.getBoundingClientRect().left + 1]",
    )?;
    ensure!(bidi == json!([true, true, "rtl", true]), "{bidi}");
    window.screenshot(&shot("rtl.png")?)?;

    // 200 %: by the keys that a browser has for it.
    let wide = window.eval("return innerWidth")?.as_u64().context("no width")?;
    let plus = json!({"actions": [{"type": "key", "id": "keys", "actions": [
        {"type": "keyDown", "value": "\u{e009}"}, {"type": "keyDown", "value": "+"},
        {"type": "keyUp", "value": "+"}, {"type": "keyUp", "value": "\u{e009}"}]}]});
    for _ in 0..5 {
        window.session().post("/actions", &plus)?;
    }
    wait_ok("200 %", SOON, || {
        let now = window.eval("return innerWidth")?.as_u64().context("no width")?;
        ensure!(now.abs_diff(wide / 2) < 4, "{now} of {wide}");
        Ok(())
    })?;
    look_through(&window, "zoom")?;
    window.close();
    // It is kept, and taken back.
    let window = stage.open()?;
    window.find("#row-mona")?;
    wait_ok("200 % again", SOON, || {
        let now = window.eval("return innerWidth")?.as_u64().context("no width")?;
        ensure!(now.abs_diff(wide / 2) < 4, "{now} of {wide}");
        Ok(())
    })?;
    let zero = json!({"actions": [{"type": "key", "id": "keys", "actions": [
        {"type": "keyDown", "value": "\u{e009}"}, {"type": "keyDown", "value": "0"},
        {"type": "keyUp", "value": "0"}, {"type": "keyUp", "value": "\u{e009}"}]}]});
    window.session().post("/actions", &zero)?;
    wait_ok("100 %", SOON, || {
        let now = window.eval("return innerWidth")?;
        ensure!(now == wide, "{now}");
        Ok(())
    })?;

    // The narrowest that the window gets.
    window.session().post("/window/rect", &json!({"width": 360, "height": 680}))?;
    wait_ok("a narrow window", SOON, || {
        let now = window.eval("return innerWidth")?.as_u64().context("no width")?;
        ensure!(now <= 360, "{now}");
        Ok(())
    })?;
    look_through(&window, "narrow")?;
    let errors = window.console_errors()?;
    ensure!(errors.is_empty(), "{errors:?}");
    window.close();
    Ok(())
}

#[test]
fn nothing_moves_where_the_system_says_so() -> Result<()> {
    let _turn = turn();
    let stage = Stage::new("still", three(), vec![])?;
    // What GTK's setting is read from, and WebKit's `prefers-reduced-motion` after it.
    let folder = stage.sandbox.root().join("home/.config/gtk-3.0");
    fs::create_dir_all(&folder)?;
    fs::write(folder.join("settings.ini"), "[Settings]\ngtk-enable-animations=0\n")?;
    let window = stage.open()?;
    window.find("#row-ada")?;
    let still = window.eval(
        "return [matchMedia('(prefers-reduced-motion: reduce)').matches,
            [...document.querySelectorAll('body *')].every(node => parseFloat(getComputedStyle(node).transitionDuration) === 0)]",
    )?;
    ensure!(still == json!([true, true]), "{still}");
    window.close();
    Ok(())
}
