//! The window, driven through WebKit's driver.

use std::collections::BTreeMap;
use std::fs;
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, ensure};
use serde_json::json;
use signbell_tests::upstream::{Reply, invalid_token, ok, response};
use signbell_tests::{Curl, Serve, Upstream, Webview, wait_ok};

use crate::room::Room;
use crate::world::{CLIENT, TOOL, account};
use crate::{SOON, shot, turn};

#[test]
fn the_window_from_empty_to_signed_in_and_out() -> Result<()> {
    let _turn = turn();
    let room = Room::new("window")?;
    let window = room.open()?;
    window.find("#begin")?;
    let ran = window.eval("try { return eval('1 + 1') } catch (error) { return error.name }")?;
    ensure!(ran == "EvalError", "eval: {ran}");
    window.screenshot(&shot("window-empty.png")?)?;

    // Adding
    window.type_text("#begin", room.provider.api()?)?;
    window.click("#begin-add")?;
    // It is asked at once, says nothing, and so the rest is asked for.
    window.wait_text("#sheet-add .failure", "Asking the sign-in server", SOON)?;
    wait_ok("the address in the form", SOON, || {
        let typed = window.eval("return document.querySelector('#add-url')?.value ?? ''")?;
        ensure!(typed == room.provider.api()?, "{typed}");
        Ok(())
    })?;
    for (field, text) in [
        ("#add-issuer", room.provider.issuer()?),
        ("#add-client-id", CLIENT),
        ("#add-preset", "Slack"),
        ("#add-account", "ada"),
        ("#add-tool", TOOL),
    ] {
        window.type_text(field, text)?;
        in_sight(&window, field)?;
    }
    let known = window.eval("return document.querySelectorAll('#add-presets option').length")?;
    ensure!(known.as_u64() > Some(20), "{known} presets");
    window.screenshot(&shot("window-add.png")?)?;
    // In a lower window it scrolls, and what has the focus is seen whole.
    window.session().post("/window/rect", &json!({"width": 880, "height": 440}))?;
    wait_ok("a lower window", SOON, || {
        let height = window.eval("return innerHeight")?;
        ensure!(height.as_u64() < Some(500), "{height}");
        Ok(())
    })?;
    for field in ["#add-url", "#add-tool", "#add-issuer", "#add-preset"] {
        window.eval(&format!("document.querySelector('{field}').focus()"))?;
        in_sight(&window, field)?;
    }
    window.session().post("/window/rect", &json!({"width": 880, "height": 680}))?;
    window.click("#add-look")?;
    window.wait_text(".found", "Slack", SOON)?;
    window.click("#add-submit")?;
    room.sign_in()?;
    window.wait_text(".result-state", "Signed in as ada@", SOON)?;
    // Nothing is at the very base of this API.
    window.wait_text(".outcome", "404", SOON)?;
    let config = fs::read_to_string(room.sandbox.signbell_home().join("config.toml"))?;
    ensure!(config.contains("preset = \"slack\""), "{config}");
    let key = window.text(".keybox .copyable-text")?;
    window.click(&format!("#copy-key-{TOOL}"))?;
    window.wait_text(&format!("#copy-key-{TOOL}"), "Copied", SOON)?;
    let last = window.eval(LAST_LINE)?;
    ensure!(last.as_u64() > Some(7), "the last line of the key has {last} characters");
    window.screenshot(&shot("window-added.png")?)?;
    window.click("#added-done")?;
    window.wait_text("#row-ada", "ada@", SOON)?;
    window.wait_text(".row-words", "Signed in", SOON)?;
    let response = room.curl(&key)?.run()?;
    ensure!(response.status == 200 && response.json()?["login"] == "ada", "{response:?}");
    window.wait_text(".row-used", TOOL, SOON)?;
    window.screenshot(&shot("window-light.png")?)?;

    // It needs the person
    room.provider.revoke_refresh("ada", true)?;
    let waiting = room.curl(&key)?.spawn()?;
    window.wait_text(".row-waiting", &format!("1 request from {TOOL} is waiting"), SOON)?;
    window.wait_text(".row-words", "Needs you", SOON)?;
    window.screenshot(&shot("window-needs-you.png")?)?;
    window.click("#act-ada")?;
    room.sign_in()?;
    ensure!(waiting.wait()?.status == 200);
    window.wait_text(".row-words", "Signed in", SOON)?;

    tools(&room, &window)?;
    room.close(window)?;

    // In the dark
    room.sandbox.set_env("GTK_THEME", "Adwaita:dark");
    let window = room.open()?;
    window.wait_text(".row-words", "Signed in", SOON)?;
    let dark = window.eval("return matchMedia('(prefers-color-scheme: dark)').matches")?;
    ensure!(dark == true, "{dark}");
    window.screenshot(&shot("window-dark.png")?)?;
    window.click("a[href='#activity']")?;
    window.wait_text("#main", "Rescued", SOON)?;
    window.screenshot(&shot("window-activity-dark.png")?)?;

    // The end
    window.click("a[href='#sessions']")?;
    window.click("#row-ada")?;
    window.find("#for-out-ada")?;
    window.screenshot(&shot("window-row-dark.png")?)?;
    window.click("#for-out-ada")?;
    window.click("#ask-out-ada")?;
    window.wait_text(".row-words", "Signed out", SOON)?;
    ensure!(account(&room.sandbox, "ada")?["state"] == "signed_out");
    ensure!(room.curl(&key)?.run()?.status == 401);
    room.close(window)
}

/// How many characters of a key stand on its last line at least, however wide its box is.
const LAST_LINE: &str = r"
const box = document.querySelector('.keybox .copyable-text');
const least = [];
for (let width = 140; width < 400; width += 4) {
    box.style.flex = `0 0 ${width}px`;
    const walker = document.createTreeWalker(box, NodeFilter.SHOW_TEXT);
    const tops = [];
    while (walker.nextNode()) {
        for (let i = 0; i < walker.currentNode.length; i++) {
            const range = document.createRange();
            range.setStart(walker.currentNode, i);
            range.setEnd(walker.currentNode, i + 1);
            tops.push(range.getBoundingClientRect().top);
        }
    }
    least.push(tops.filter(top => top === Math.max(...tops)).length);
}
box.style.flex = '';
return Math.min(...least)";

/// The field of a form is seen whole, with its label and its hint, above what ends the form.
fn in_sight(window: &Webview, field: &str) -> Result<()> {
    let script = format!(
        "const field = document.querySelector('{field}').closest('.field').getBoundingClientRect();
        const seen = document.querySelector('.form-fields').getBoundingClientRect();
        const end = document.querySelector('.form > .actions').getBoundingClientRect();
        return {{inside: field.top >= seen.top - 1 && field.bottom <= seen.bottom + 1,
            above: field.bottom <= end.top + 1 && end.bottom <= innerHeight,
            rects: [field, seen, end].map(rect => [rect.top, rect.bottom]), innerHeight}}"
    );
    wait_ok(&format!("{field} in sight"), SOON, || {
        let seen = window.eval(&script)?;
        ensure!(seen["inside"] == true && seen["above"] == true, "{seen}");
        Ok(())
    })
}

/// A tool is added: its key is shown once.
fn tools(room: &Room, window: &Webview) -> Result<()> {
    window.click("a[href='#tools']")?;
    window.click("#open-add-tool")?;
    window.type_text("#tool-name", "script")?;
    window.click(".tick input[name=services]")?;
    window.click("#tool-submit")?;
    let key = window.text("#keybox-script .copyable-text")?;
    window.click("#copy-key-script")?;
    window.wait_text("#copy-key-script", "Copied", SOON)?;
    window.screenshot(&shot("window-tools.png")?)?;
    ensure!(room.curl(&key)?.run()?.status == 200);
    window.click("#away-script")?;
    wait_ok("a page without the key", SOON, || {
        let text = window.eval("return document.documentElement.outerHTML")?;
        let text = text.as_str().context("no page")?;
        ensure!(text.contains("tool-script") && !text.contains(&key), "the key is still there");
        Ok(())
    })?;
    window.click("a[href='#sessions']")
}

#[test]
fn the_demo_account_comes_and_goes() -> Result<()> {
    let _turn = turn();
    let room = Room::new("demo")?;
    let window = room.open()?;
    window.click("#demo-start")?;
    window.find(".row")?;
    window.click("[id^=act-]")?;
    let browser = room.chromium.session();
    browser.goto(&room.browser.next_url(SOON)?)?;
    let allow = browser.find("button", Duration::from_secs(20))?;
    room.chromium.screenshot(&shot("demo-page.png")?)?;
    browser.click(&allow)?;
    window.wait_text(".row-words", "Signed in", SOON)?;
    window.screenshot(&shot("window-demo.png")?)?;
    window.click("#demo-end")?;
    window.find("#begin")?;
    let status = room.sandbox.run_json(&["status"])?;
    for part in ["accounts", "services", "tools"] {
        ensure!(status[0][part] == json!([]), "{status:?}");
    }
    room.close(window)
}

/// A server that refuses the first token that it sees at each path, in the way that the path names.
fn refusing() -> Result<Upstream> {
    let old = Mutex::new(BTreeMap::<String, String>::new());
    Upstream::start(move |request| {
        let mut old = old.lock().unwrap_or_else(PoisonError::into_inner);
        let first = old.entry(request.target.clone()).or_insert_with(|| request.token().to_owned());
        Reply::Bytes(match request.target.as_str() {
            _ if first != request.token() => ok("{\"done\":true}"),
            "/dead" => invalid_token(),
            "/listed" => wants("notes:read"),
            "/unlisted" => wants("notes:write"),
            _ => ok("{}"),
        })
    })
}

/// RFC 6750 section 3.1.
fn wants(scope: &str) -> Vec<u8> {
    let challenge = format!("www-authenticate: Bearer error=\"insufficient_scope\", scope=\"{scope}\"");
    response(&format!("403 Forbidden\r\n{challenge}"), b"no")
}

/// An account that is signed in with little, at a service whose own list names one scope more.
fn asked(room: &mut Room, upstream: &Upstream) -> Result<String> {
    let (url, issuer) = (upstream.address(), room.provider.issuer()?.to_owned());
    let words = ["add", url, "--name", "notes", "--account", "ada", "--issuer", &issuer, "--client-id", CLIENT];
    let more = ["--tool", TOOL, "--scope", "openid", "--scope", "email", "--scope", "offline_access"];
    let lines = room.sandbox.run_json(&[&words[..], &more].concat())?;
    let key = lines.first().and_then(|line| line["key"].as_str()).context("no key")?.to_owned();
    room.serve.stop()?;
    let file = room.sandbox.signbell_home().join("config.toml");
    let config = fs::read_to_string(&file)?;
    ensure!(config.contains("[services.notes]\n"), "{config}");
    fs::write(&file, config.replace("[services.notes]\n", "[services.notes]\nscopes = [\"notes:read\"]\n"))?;
    room.serve = Serve::start(&room.sandbox)?;
    thread::scope(|scope| {
        let command = scope.spawn(|| room.sandbox.run_json(&["sign-in", "ada"]));
        room.sign_in()?;
        command.join().map_err(|_| anyhow!("signbell sign-in panicked"))??;
        Ok(key)
    })
}

/// A request at this path of the service.
fn at(room: &Room, key: &str, path: &str) -> Curl {
    Curl::new(room.serve.url(&format!("/notes{path}"))).header("authorization", &format!("Bearer {key}"))
}

/// Whether the button that allows more can be pressed.
fn allow_is(window: &Webview, on: bool) -> Result<()> {
    wait_ok(&format!("the button is {}", if on { "on" } else { "off" }), SOON, || {
        let off = window.eval("return document.querySelector('#allow-ada').getAttribute('aria-disabled')")?;
        ensure!(off.is_null() == on, "{off}");
        Ok(())
    })
}

#[test]
fn a_service_asks_for_more_and_the_person_allows_it() -> Result<()> {
    let _turn = turn();
    let mut room = Room::new("ask")?;
    let upstream = refusing()?;
    let key = asked(&mut room, &upstream)?;
    let window = room.open()?;
    window.wait_text(".row-words", "Signed in", SOON)?;
    ensure!(window.session().try_find(".ask")?.is_none(), "nothing is asked for yet");

    // Only the server names it: it has to be typed.
    let unlisted = at(&room, &key, "/unlisted").spawn()?;
    window.wait_text(".ask", "notes:write", SOON)?;
    window.wait_text("h1", "needs you", SOON)?;
    window.find(".needing #row-ada")?;
    window.click("#type-ada")?;
    allow_is(&window, false)?;
    window.click("#allow-ada")?;
    window.type_text("#type-ada", "notes:writ")?;
    allow_is(&window, false)?;
    // Submitting with Enter is no way around it.
    window.type_text("#type-ada", "\u{e007}")?;
    window.type_text("#type-ada", "es")?;
    window.wait_text("#type-ada-hint", "notes:writes", SOON)?;
    allow_is(&window, false)?;
    window.type_text("#type-ada", "\u{e003}")?;
    window.type_text("#type-ada", "\u{e003}")?;
    window.click("#type-ada")?;
    room.browser.expect_none()?;

    // The service's own list names another: a click is enough for that. What is being typed stays.
    let listed = at(&room, &key, "/listed").spawn()?;
    window.wait_text(".ask-scopes", "notes:read", SOON)?;
    let focused = window.eval("return [document.activeElement.id, document.activeElement.value]")?;
    ensure!(focused == json!(["type-ada", "notes:writ"]), "{focused}");
    allow_is(&window, true)?;
    window.wait_text(".row-waiting", &format!("2 requests from {TOOL} are waiting"), SOON)?;
    window.screenshot(&shot("window-ask.png")?)?;
    room.close(window)?;

    room.sandbox.set_env("GTK_THEME", "Adwaita:dark");
    let window = room.open()?;
    window.wait_text(".ask-scopes", "notes:read", SOON)?;
    window.screenshot(&shot("window-ask-dark.png")?)?;
    room.close(window)?;
    room.sandbox.remove_env("GTK_THEME");

    let window = room.open()?;
    window.type_text("#type-ada", "notes:write")?;
    window.wait_text(".ask-scope.sure + .ask-scope.sure, .ask-scopes + .ask-scopes .sure", "notes:write", SOON)?;
    allow_is(&window, true)?;
    window.click("#allow-ada")?;
    room.sign_in()?;
    for waiting in [unlisted, listed] {
        let response = waiting.wait()?;
        ensure!(response.status == 200 && response.json()?["done"] == true, "{response:?}");
    }
    wait_ok("nothing is asked for any more", SOON, || {
        ensure!(window.session().try_find(".ask")?.is_none(), "the ask is still there");
        Ok(())
    })?;
    window.wait_text("h1", "Everything is signed in", SOON)?;
    let account = account(&room.sandbox, "ada")?;
    ensure!(account["ask"].is_null(), "{account}");
    for scope in ["notes:read", "notes:write"] {
        ensure!(account["scopes"].as_array().is_some_and(|scopes| scopes.contains(&scope.into())), "{account}");
    }
    room.close(window)
}

#[test]
fn what_is_not_typed_is_not_asked_for() -> Result<()> {
    let _turn = turn();
    let mut room = Room::new("untyped")?;
    let upstream = refusing()?;
    let key = asked(&mut room, &upstream)?;
    room.sandbox.run_ok(&["service", "set", "notes", "--hold", "0"])?;
    for path in ["/listed", "/unlisted"] {
        let response = at(&room, &key, path).run()?;
        ensure!(response.status == 403, "{response:?}");
    }
    let window = room.open()?;
    window.wait_text(".ask", "notes:write", SOON)?;
    window.type_text("#type-ada", "Notes:write notes:writ")?;
    window.wait_text("#type-ada-hint", "Notes:write", SOON)?;
    window.click("#allow-ada")?;
    room.sign_in()?;
    // What was typed wrong is still asked for: nobody has said no to it. "Don't allow" does.
    wait_ok("the listed scope to be given", SOON, || {
        let text = window.text(".ask")?;
        ensure!(text.contains("notes:write") && !text.contains("notes:read"), "{text}");
        Ok(())
    })?;
    window.click("#decline-ada")?;
    window.wait_text("h1", "Everything is signed in", SOON)?;
    ensure!(window.session().try_find(".ask")?.is_none(), "the ask is still there");
    let asked = room.provider.last()?["authorize"].clone();
    ensure!(asked.to_string().contains("notes:read") && !asked.to_string().contains("notes:write"), "{asked}");
    let account = account(&room.sandbox, "ada")?;
    let has = |scope: &str| account["scopes"].as_array().is_some_and(|scopes| scopes.contains(&scope.into()));
    ensure!(has("notes:read") && !has("notes:write"), "{account}");
    room.close(window)
}

#[test]
fn the_activity_says_what_was_decided_and_why() -> Result<()> {
    let _turn = turn();
    let mut room = Room::new("explained")?;
    let upstream = refusing()?;
    let key = asked(&mut room, &upstream)?;
    ensure!(at(&room, &key, "/dead").run()?.status == 200);
    let waiting = at(&room, &key, "/listed").spawn()?;
    let window = room.open()?;
    window.wait_text(".ask", "notes:read", SOON)?;
    window.click("#later-ada")?;
    ensure!(waiting.wait()?.status == 403);
    window.find(".ask")?;
    window.click("a[href='#activity']")?;
    let line = ".line[data-kind=recovered]";
    let brief = format!("{line} .brief");
    window.wait_text(&brief, "401", SOON)?;
    let records = room.sandbox.run_json(&["activity"])?;
    let record = records.iter().find(|record| record["kind"] == "recovered").context("no recovery")?;
    let told = |name: &str| record["refusal"][name].as_str().map(str::to_owned).context("no refusal");
    ensure!(window.text(&brief)?.contains(&told("rule")?), "{record}");
    let expanded = || window.eval(&format!("return document.querySelector('{brief}').getAttribute('aria-expanded')"));
    ensure!(expanded()? == "false" && window.session().try_find(".explained")?.is_none());
    // By keyboard; the focus stays where it is while the page is drawn anew each second.
    window.type_text(&brief, "\u{e007}")?;
    let explained = || window.eval(&format!("return document.querySelector('{line} .explained')?.textContent ?? ''"));
    wait_ok("the explanation", SOON, || {
        let text = explained()?;
        for words in ["401", &told("rule")?, &told("why")?, &told("decision")?, "ms"] {
            ensure!(text.as_str().is_some_and(|text| text.contains(words)), "{words:?} is not in {text}");
        }
        Ok(())
    })?;
    ensure!(expanded()? == "true");
    thread::sleep(Duration::from_millis(1200));
    let kept = window.eval(&format!("return document.activeElement === document.querySelector('{brief}')"))?;
    ensure!(kept == true, "the focus is gone");
    window.eval("document.activeElement.blur(); document.querySelector('.day').scrollIntoView({block: 'end'})")?;
    window.screenshot(&shot("activity-explained.png")?)?;
    window.type_text(&brief, " ")?;
    wait_ok("it folds", SOON, || {
        ensure!(window.session().try_find(".explained")?.is_none() && expanded()? == "false");
        Ok(())
    })?;
    room.close(window)
}
