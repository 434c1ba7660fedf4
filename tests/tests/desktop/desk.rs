//! The views of the window: services, what was spared, the timeline, search, and the keyboard.

use std::fs;

use anyhow::{Context as _, Result, anyhow, ensure};
use serde_json::{Value, json};
use signbell_tests::upstream::{Reply, invalid_token, ok};
use signbell_tests::{Curl, Upstream, Webview, wait_ok};

use crate::room::Room;
use crate::stage::{Stage, a_day, account, three, view};
use crate::world::{CLIENT, TOOL};
use crate::{SOON, shot, turn};

/// Waits until the script gives this value.
pub fn until(window: &Webview, what: &str, script: &str, wanted: &Value) -> Result<()> {
    wait_ok(what, SOON, || {
        let seen = window.eval(script)?;
        ensure!(seen == *wanted, "{seen}");
        Ok(())
    })
}

/// Presses a key where the focus is.
fn press(window: &Webview, keys: &str) -> Result<()> {
    let actions: Vec<_> = keys
        .chars()
        .flat_map(|key| [json!({"type": "keyDown", "value": key}), json!({"type": "keyUp", "value": key})])
        .collect();
    let all = json!({"actions": [{"type": "key", "id": "keys", "actions": actions}]});
    window.session().post("/actions", &all).map(drop)
}

const UP: &str = "\u{e013}";
const DOWN: &str = "\u{e015}";
const ENTER: &str = "\u{e007}";
const ESCAPE: &str = "\u{e00c}";
const HOME: &str = "\u{e011}";
const END: &str = "\u{e010}";
const FOCUSED: &str = "return document.activeElement?.id ?? ''";

/// Goes to a control and presses this key there; it is in sight then, and not below the bar.
fn by_key(window: &Webview, css: &str, key: &str) -> Result<()> {
    window.find(css)?;
    window.eval(&format!("document.querySelector('{css}').focus()"))?;
    until(
        window,
        &format!("{css} in sight"),
        &format!(
            "const at = document.querySelector('{css}').getBoundingClientRect();
            return at.top >= document.querySelector('.bar').getBoundingClientRect().bottom && at.bottom <= innerHeight"
        ),
        &json!(true),
    )?;
    press(window, key)
}

/// Picks an option as a person would.
fn pick(window: &Webview, select: &str, value: &str) -> Result<()> {
    window.find(select)?;
    let script = format!(
        "const field = document.querySelector('{select}'); field.focus(); field.value = '{value}';
        field.dispatchEvent(new Event('change', {{bubbles: true}})); return field.value"
    );
    let picked = window.eval(&script)?;
    ensure!(picked == value, "{select} has no {value:?}: {picked}");
    Ok(())
}

#[test]
fn what_is_changed_of_a_service_is_in_force_and_in_the_file() -> Result<()> {
    let _turn = turn();
    let room = Room::new("services")?;
    let (api, issuer) = (room.provider.api()?, room.provider.issuer()?);
    let words = ["add", api, "--name", "notes", "--account", "ada", "--issuer", issuer, "--client-id", CLIENT];
    let lines = room.sandbox.run_json(&[&words[..], &["--tool", TOOL]].concat())?;
    let key = lines.first().and_then(|line| line["key"].as_str()).context("no key")?.to_owned();
    let file = room.sandbox.signbell_home().join("config.toml");
    let config_says = |wanted: &str, says: bool| {
        wait_ok(&format!("{wanted:?} in config.toml: {says}"), SOON, || {
            let config = fs::read_to_string(&file)?;
            ensure!(config.contains(wanted) == says, "{config}");
            Ok(())
        })
    };

    let window = room.open()?;
    window.click("#tab-services")?;
    window.wait_text("h1", "Services", SOON)?;
    window.wait_text("#service-notes", "notes", SOON)?;
    window.wait_text(".service-at", &room.serve.url("/notes"), SOON)?;
    window.click("#copy-at-notes")?;
    window.wait_text("#copy-at-notes", "Copied", SOON)?;
    window.click("#service-notes")?;
    let origin = url::Url::parse(api)?.origin().ascii_serialization();
    window.wait_text("#inside-service-notes", &format!("They go to {origin} and nowhere else"), SOON)?;
    window.wait_text("#inside-service-notes", "Authorization: Bearer", SOON)?;

    pick(&window, "#hold-notes", "30")?;
    config_says("hold_seconds = 30", true)?;
    until(
        &window,
        "that it is the service's own",
        "return document.querySelector('#hold-notes option').textContent",
        &json!("As usual"),
    )?;
    pick(&window, "#hold-notes", "")?;
    config_says("hold_seconds", false)?;
    until(
        &window,
        "what is usual",
        "return document.querySelector('#hold-notes option').textContent",
        &json!("As usual: 2 min, MCP 50 sec"),
    )?;
    pick(&window, "#hold-notes", "0")?;
    config_says("hold_seconds = 0", true)?;
    pick(&window, "#replay-notes", "false")?;
    config_says("replay_unsafe = false", true)?;
    pick(&window, "#expired-notes", "503")?;
    config_says("expired = \"503\"", true)?;
    until(
        &window,
        "the list of presets",
        "return document.querySelectorAll('#preset-notes option').length > 20",
        &json!(true),
    )?;
    pick(&window, "#preset-notes", "slack")?;
    config_says("preset = \"slack\"", true)?;
    window.screenshot(&shot("services-open.png")?)?;

    // The switch of a tool: its key is good, the service is not given to it.
    let status = |wanted: u16| {
        wait_ok(&format!("the answer {wanted}"), SOON, || {
            let answer = room.curl(&key)?.run()?;
            ensure!(answer.status == wanted, "{} {}", answer.status, answer.text());
            Ok(())
        })
    };
    // Nobody has signed in: what `expired` says.
    status(503)?;
    by_key(&window, &format!("#allow-notes-{TOOL}"), " ")?;
    status(403)?;
    config_says("services = []", true)?;
    by_key(&window, &format!("#allow-notes-{TOOL}"), " ")?;
    status(503)?;
    config_says("services = [\"notes\"]", true)?;

    // What a saved answer would mean.
    window.click("#fold-test-notes")?;
    window.type_text(
        "#text-test-notes",
        "HTTP/1.1 401 Unauthorized\nwww-authenticate: Bearer error=\"invalid_token\"\n\n{}",
    )?;
    window.click("#send-test-notes")?;
    window.wait_text(".judged", "refresh, replay", SOON)?;

    // Escape folds the row; the way to its account opens that.
    by_key(&window, "#to-ada", ENTER)?;
    until(
        &window,
        "the account's row",
        "return [location.hash, document.activeElement?.id]",
        &json!(["#sessions", "row-ada"]),
    )?;
    window.find("#inside-ada")?;
    window.click("#tab-services")?;
    window.click("#for-remove-notes")?;
    window.click("#ask-remove-notes")?;
    window.find(".nothing")?;
    config_says("[services.notes]", false)?;
    room.close(window)
}

#[test]
fn what_was_spared_is_counted_truly_and_kept() -> Result<()> {
    let _turn = turn();
    let mut room = Room::new("counted")?;
    // A double that refuses each token at its second sight.
    let seen = std::sync::Mutex::new(std::collections::HashMap::<String, u32>::new());
    let upstream = Upstream::start(move |request| {
        let mut seen = seen.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let times = seen.entry(request.token().to_owned()).or_default();
        *times += 1;
        Reply::Bytes(if *times == 2 { invalid_token() } else { ok("{}") })
    })?;
    let (url, issuer) = (upstream.address(), room.provider.issuer()?.to_owned());
    let words = ["add", url, "--name", "notes", "--account", "ada", "--issuer", &issuer, "--client-id", CLIENT];
    let lines = room.sandbox.run_json(&[&words[..], &["--tool", TOOL]].concat())?;
    let key = lines.first().and_then(|line| line["key"].as_str()).context("no key")?.to_owned();
    std::thread::scope(|scope| {
        let command = scope.spawn(|| room.sandbox.run_json(&["sign-in", "ada"]));
        room.sign_in()?;
        command.join().map_err(|_| anyhow!("signbell sign-in panicked"))?
    })?;
    let get = |room: &Room| {
        let answer = Curl::new(room.serve.url("/notes/x")).header("authorization", &format!("Bearer {key}")).run()?;
        ensure!(answer.status == 200, "{answer:?}");
        Ok(())
    };
    let window = room.open()?;
    window.click("#tab-activity")?;
    window.wait_text("#recoveries", "Sign-ins, renewals and rescued requests", SOON)?;
    get(&room)?;
    get(&room)?;
    window.wait_text("#recoveries", "1 sign-in you never saw, 1 request rescued since", SOON)?;
    // The person asked for this one, so it was not spared.
    room.sandbox.run_ok(&["refresh", "ada"])?;
    until(
        &window,
        "both renewals in the list",
        "return document.querySelectorAll(\".line[data-kind='refreshed']\").length",
        &json!(2),
    )?;
    let told = window.text("#recoveries")?;
    ensure!(told.starts_with("1 sign-in you never saw, 1 request rescued"), "{told}");
    // In the open row, as a picture with its words.
    window.click("#tab-sessions")?;
    window.click("#row-ada")?;
    let spoken = window.eval("return document.querySelector('.timeline-picture')?.getAttribute('aria-label')")?;
    let spoken = spoken.as_str().context("no picture")?;
    for words in ["Signed in 1 time", "Renewed 2 times", "Rescued 1 request", "Now: Signed in"] {
        ensure!(spoken.contains(words), "{words:?} is not in {spoken:?}");
    }
    window.screenshot(&shot("timeline-real.png")?)?;
    room.close(window)?;

    // It is still so after a new start.
    room.serve.stop()?;
    room.serve = signbell_tests::Serve::start(&room.sandbox)?;
    let window = room.open()?;
    window.click("#tab-activity")?;
    window.wait_text("#recoveries", "1 sign-in you never saw, 1 request rescued since", SOON)?;
    room.close(window)
}

#[test]
fn focus_and_selection_survive_a_redraw_that_reorders_the_rows() -> Result<()> {
    let _turn = turn();
    let stage = Stage::new("focus", three(), vec![])?;
    let window = stage.open()?;
    window.click("#row-bob")?;
    window.type_text("#label-bob", "half a word")?;
    window.eval(
        "const field = document.querySelector('#label-bob'); field.setSelectionRange(2, 6, 'backward');
        window.kept = field; window.lost = 0; field.addEventListener('blur', () => window.lost++)",
    )?;
    let holds = |what: &str| {
        until(
            &window,
            what,
            "const field = document.activeElement;
            return [field === window.kept, field.id, field.value, field.selectionStart, field.selectionEnd,
                field.selectionDirection]",
            &json!([true, "label-bob", "half a word", 2, 6, "backward"]),
        )
    };
    holds("what was selected")?;

    // The rows change places in their list: the one with the focus is not even touched.
    let mut turned = three();
    turned["accounts"].as_array_mut().context("no accounts")?.reverse();
    turned["accounts"][0]["state_words"] = json!("Signed in now");
    stage.show(turned)?;
    until(&window, "the new order", ORDER, &json!(["row-cy", "row-bob", "row-ada"]))?;
    holds("what was selected after that")?;

    // A new one before it, one gone after it.
    let more = [account("aa", &json!({})), account("cy", &json!({})), account("bob", &json!({}))];
    stage.show(view(&more, &[], &[]))?;
    until(&window, "the next order", ORDER, &json!(["row-aa", "row-cy", "row-bob"]))?;
    holds("what was selected after a new row")?;

    ensure!(window.eval("return window.lost")? == 0, "it lost the focus in between");

    // It goes to the other list, the one of those that need the person: the same field, the same letters.
    let needs = json!({"state": "needs_sign_in", "state_words": "Needs you"});
    let moved = [account("bob", &needs), account("aa", &json!({})), account("cy", &json!({}))];
    stage.show(view(&moved, &[], &[]))?;
    window.find(".needing #row-bob")?;
    holds("what was selected in the other list")?;
    // And back.
    stage.show(view(&more, &[], &[]))?;
    until(&window, "the last order", ORDER, &json!(["row-aa", "row-cy", "row-bob"]))?;
    holds("what was selected back in the first list")?;
    let errors = window.console_errors()?;
    ensure!(errors.is_empty(), "{errors:?}");
    window.close();
    Ok(())
}

const ORDER: &str = "return [...document.querySelectorAll('.row-toggle')].map(head => head.id)";

#[test]
fn everything_is_found_and_reached_by_keyboard() -> Result<()> {
    let _turn = turn();
    let stage = Stage::new("keys", three(), a_day("ada"))?;
    let window = stage.open()?;
    window.find("#row-cy")?;

    // Every control is reached with Tab, in the order in which it stands.
    let order = window.eval(
        "const all = [...document.querySelectorAll('a[href], button, input, select, textarea, [tabindex]')]
            .filter(node => node.tabIndex >= 0 && node.getClientRects().length > 0);
        return [all.length > 8, all.every(node => node.tabIndex === 0)]",
    )?;
    ensure!(order == json!([true, true]), "{order}");

    // Up and down the rows.
    window.eval("document.querySelector('#row-ada').focus()")?;
    for (key, id) in
        [(DOWN, "row-bob"), (DOWN, "row-cy"), (DOWN, "row-cy"), (UP, "row-bob"), (HOME, "row-ada"), (END, "row-cy")]
    {
        press(&window, key)?;
        until(&window, "the focus on a row", FOCUSED, &json!(id))?;
    }
    // Enter opens, Escape folds from anywhere inside.
    press(&window, ENTER)?;
    window.find("#inside-cy")?;
    window.eval("document.querySelector('#inside-cy .switch').focus()")?;
    press(&window, ESCAPE)?;
    until(&window, "the focus on its head", FOCUSED, &json!("row-cy"))?;
    ensure!(window.session().try_find("#inside-cy")?.is_none(), "it is still open");

    // Search: a slash, a few letters, down, Enter.
    press(&window, "/")?;
    until(&window, "the field", FOCUSED, &json!("search-text"))?;
    press(&window, "claude")?;
    window.wait_text(".found-one", "claude-code", SOON)?;
    press(&window, ENTER)?;
    until(
        &window,
        "the tool",
        "return [location.hash, document.activeElement?.id]",
        &json!(["#tools", "tool-claude-code"]),
    )?;
    ensure!(window.session().try_find("#search")?.is_none(), "the field is still there");
    // Ctrl-K, and the second of what was found.
    let chord = json!({"actions": [{"type": "key", "id": "keys", "actions": [
        {"type": "keyDown", "value": "\u{e009}"}, {"type": "keyDown", "value": "k"},
        {"type": "keyUp", "value": "k"}, {"type": "keyUp", "value": "\u{e009}"}]}]});
    window.session().post("/actions", &chord)?;
    until(&window, "the field again", FOCUSED, &json!("search-text"))?;
    press(&window, "BOB")?;
    let at = "return document.querySelector('.found-one[aria-selected=true] .found-kind')?.textContent
        + ' ' + document.querySelector('#search-text').getAttribute('aria-activedescendant')";
    until(&window, "the first of them", at, &json!("Session found-0"))?;
    window.screenshot(&shot("search.png")?)?;
    press(&window, DOWN)?;
    until(&window, "the second of them", at, &json!("Service found-1"))?;
    press(&window, ENTER)?;
    until(
        &window,
        "the service",
        "return [location.hash, document.activeElement?.id]",
        &json!(["#services", "service-bob"]),
    )?;
    window.find("#inside-service-bob")?;
    // Escape gives the focus back. The field that is typed into takes a slash as one.
    press(&window, "/")?;
    until(&window, "the field once more", FOCUSED, &json!("search-text"))?;
    press(&window, "/")?;
    until(&window, "a slash in it", "return document.querySelector('#search-text').value", &json!("/"))?;
    press(&window, ESCAPE)?;
    until(&window, "the focus where it was", FOCUSED, &json!("service-bob"))?;

    // Activity: what is typed is looked for in every part of a line, beside the other filters.
    window.click("#tab-activity")?;
    window.type_text("#seek", "BEARER-challenge")?;
    until(&window, "the one line", "return document.querySelectorAll('.line').length", &json!(1))?;
    window.screenshot(&shot("activity-search.png")?)?;
    window.type_text("#seek", " nothing")?;
    window.find(".nothing.small")?;
    window.click(".nothing.small .button")?;
    until(&window, "all lines", "return document.querySelectorAll('.line').length > 10", &json!(true))?;
    let errors = window.console_errors()?;
    ensure!(errors.is_empty(), "{errors:?}");
    window.close();
    Ok(())
}

#[test]
fn a_session_is_a_picture_that_needs_no_colour() -> Result<()> {
    let _turn = turn();
    for (theme, gtk) in [("light", "Adwaita"), ("dark", "Adwaita:dark")] {
        let needs = json!({"title": "grace@example.com · Notion, work", "short_title": "Notion (work)",
            "identity": "grace@example.com", "provider": "Notion", "state": "needs_sign_in",
            "state_words": "Needs you", "reason_words": "The provider ended this session.", "waiting": 2,
            "waiting_words": "2 requests from claude-code are waiting"});
        let used = json!({"last_used": crate::stage::now() - 130, "last_used_by": "claude-code"});
        let mut all = three();
        all["accounts"][0] = account("ada", &used);
        all["accounts"][1] = account("bob", &needs);
        let stage = Stage::new("timeline", all, a_day("ada"))?;
        stage.sandbox.set_env("GTK_THEME", gtk);
        let window = stage.open()?;
        window.find("#row-cy")?;
        window.screenshot(&shot(&format!("desk-{theme}.png"))?)?;
        window.click("#row-ada")?;
        window.find(".timeline-picture")?;
        window.eval("document.querySelector('.timeline').scrollIntoView({block: 'center'})")?;
        window.screenshot(&shot(&format!("timeline-{theme}.png"))?)?;
        let seen = window.eval(
            "const picture = document.querySelector('.timeline-picture');
            const shapes = {};
            for (const mark of picture.querySelectorAll('.timeline-mark'))
                shapes[mark.dataset.kind] = [...mark.querySelectorAll('.glyph path')].map(path => path.getAttribute('d')).join();
            const inside = [...picture.querySelectorAll('.timeline-mark')].every(mark => {
                const [own, all] = [mark.querySelector('.glyph').getBoundingClientRect(), picture.getBoundingClientRect()];
                return own.left >= all.left - 2 && own.right <= all.right + 12 && own.width > 10 && own.width < 18;
            });
           
            return {role: picture.getAttribute('role'), label: picture.getAttribute('aria-label'), inside,
                over: picture.querySelectorAll('.timeline-over').length,
                lives: picture.querySelectorAll('.timeline-lives').length,
                kinds: Object.keys(shapes).length, shapes: new Set(Object.values(shapes)).size}",
        )?;
        ensure!(seen["role"] == "img" && seen["inside"] == true, "{seen}");
        // Signed in, over from the tenth hour to the sixth, and signed in again.
        ensure!(seen["lives"] == 2 && seen["over"] == 1, "{seen}");
        // A sign-in and a renewal that fail are told apart by their place, above and below the line.
        ensure!(seen["kinds"] == 6 && seen["shapes"] == 5, "{seen}");
        let label = seen["label"].as_str().context("no words")?;
        for words in ["Signed in 2 times", "Renewed 4 times", "Rescued 2 requests", "Ended 1 time", "1 renewal failed"]
        {
            ensure!(label.contains(words), "{words:?} is not in {label:?}");
        }
        window.close();
    }
    Ok(())
}
