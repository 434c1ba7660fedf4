//! Adding a service in the window: from an address to a first call, and what is said where it fails.

use std::fs;
use std::net::TcpListener;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use signbell_tests::upstream::{Reply, invalid_token, ok, response};
use signbell_tests::{Curl, Upstream, Webview, wait_ok};

use crate::room::Room;
use crate::world::CLIENT;
use crate::{SOON, shot, turn};

const ENTER: &str = "\u{e007}";
const ESCAPE: &str = "\u{e00c}";

/// A provider that registers clients, and APIs that say who signs people in.
fn open_room(name: &str) -> Result<Room> {
    Room::with(name, &json!({"accessTtl": 3000, "register": true, "describe": "challenge"}))
}

/// The text of the sheet.
fn sheet(window: &Webview) -> Result<String> {
    let text = window.eval("return document.querySelector('#sheet-add')?.innerText ?? ''")?;
    Ok(text.as_str().unwrap_or_default().to_owned())
}

/// Waits until the sheet says all of this.
fn says(window: &Webview, words: &[&str]) -> Result<()> {
    wait_ok(&format!("the sheet saying {words:?}"), SOON, || {
        let text = sheet(window)?;
        for word in words {
            ensure!(text.contains(word), "{word:?} is not in {text:?}");
        }
        Ok(())
    })
}

/// Replaces what stands in a field.
fn retype(window: &Webview, field: &str, text: &str) -> Result<()> {
    let element = window.find(field)?;
    window.session().clear(&element)?;
    window.type_text(field, text)
}

/// How many services there are.
fn services(room: &Room) -> Result<usize> {
    let status = room.sandbox.run_json(&["status"])?;
    status[0]["services"].as_array().map(Vec::len).context("no services")
}

fn count(room: &Room, pointer: &str) -> Result<u64> {
    Ok(room.provider.counts()?.pointer(pointer).and_then(Value::as_u64).unwrap_or(0))
}

#[test]
fn from_an_address_to_a_service_that_works() -> Result<()> {
    let _turn = turn();
    let room = open_room("adding")?;
    let window = room.open()?;
    let url = format!("{}/me", room.provider.api()?);

    // Nothing but the address, and nothing is done before the person says so.
    window.type_text("#begin", &url)?;
    window.type_text("#begin", ENTER)?;
    says(&window, &["You sign in at", "Read notes", "notes:read", "Renew without you", "A new account"])?;
    says(&window, &["Signbell registers itself there when you go on.", "Named by 127.0.0.1 itself."])?;
    ensure!(services(&room)? == 0 && count(&room, "/registered")? == 0, "a look did something");
    window.screenshot(&shot("add-found.png")?)?;

    // The focus is where Enter goes on.
    let focused = window.eval("return document.activeElement?.id")?;
    ensure!(focused == "add-submit", "{focused}");
    window.type_text("#add-submit", ENTER)?;
    says(&window, &["Sign in at", "on the page that your browser shows"])?;
    let page = room.browser.next_url(SOON)?;
    window.screenshot(&shot("add-sign-in.png")?)?;
    ensure!(room.chromium.sign_in(&page, "ada")?.text.contains("Signed in"));
    says(&window, &["Signed in; the provider does not say as whom", "It works", "GET → 200"])?;

    // A key for a tool, and the address beside it.
    window.type_text("#works-tool", "My Script")?;
    window.type_text("#works-tool", ENTER)?;
    let key = window.text(".keybox .copyable-text")?;
    let address = window.text(".step-body .copyable-text")?;
    window.eval("document.querySelector('#sheet-add .form-fields').scrollTo(0, 0)")?;
    window.screenshot(&shot("add-works.png")?)?;
    let used = Curl::new(&address).header("authorization", &format!("Bearer {key}")).run()?;
    ensure!(used.status == 200 && used.json()?["login"] == "ada", "{used:?}");
    window.click("#added-done")?;
    window.wait_text(".row-words", "Signed in", SOON)?;
    let page = window.eval("return document.documentElement.outerHTML")?;
    ensure!(page.as_str().is_some_and(|page| !page.contains(&key)), "the key is still there");
    room.close(window)?;

    // A second one may join the account; in the dark.
    room.sandbox.set_env("GTK_THEME", "Adwaita:dark");
    let window = room.open()?;
    window.click("#open-add")?;
    window.find(".pick")?;
    window.screenshot(&shot("add-address-dark.png")?)?;
    // The same once more is a slip, and is told before anybody is asked.
    retype(&window, "#add-url", &url)?;
    window.type_text("#add-url", ENTER)?;
    let status = room.sandbox.run_json(&["status"])?;
    let service = status[0]["services"][0]["service"].as_str().context("no service")?.to_owned();
    says(&window, &[&format!("This address is here already, as {service}."), "give the account a name"])?;
    window.screenshot(&shot("add-again-dark.png")?)?;
    ensure!(services(&room)? == 1);
    retype(&window, "#add-url", "git")?;
    wait_ok("fewer providers", SOON, || {
        let picks = window.eval("return [...document.querySelectorAll('.pick')].map(pick => pick.textContent)")?;
        let picks = picks.as_array().context("no list")?.clone();
        let all = |wanted: &str| picks.iter().any(|pick| pick.as_str().is_some_and(|pick| pick.ends_with(wanted)));
        ensure!(all("GitHub") && !all("Slack"), "{picks:?}");
        Ok(())
    })?;
    window.click(".pick:has([value=gitbook])")?;
    says(&window, &["Its addresses look like https://….gitbook.io"])?;
    retype(&window, "#add-url", "git")?;
    window.click(".pick:has([value=github])")?;
    let picked = window.eval("return document.querySelector('#add-url').value")?;
    ensure!(picked == "https://api.github.com", "{picked}");
    retype(&window, "#add-url", &format!("{}/me", room.provider.api_named("issues")?))?;
    window.type_text("#add-url", ENTER)?;
    window.find("#found-account")?;
    window.eval(
        "const choice = document.querySelector('#found-account');
        choice.selectedIndex = 1;
        choice.dispatchEvent(new Event('change', {bubbles: true}))",
    )?;
    wait_ok("what was found for that account", SOON, || {
        let chosen =
            window.eval("const it = document.querySelector('#found-account'); return [it.value, it.disabled]")?;
        ensure!(chosen == json!(["local", false]), "{chosen}");
        Ok(())
    })?;
    says(&window, &["Signbell is registered there already."])?;
    window.screenshot(&shot("add-found-dark.png")?)?;
    window.click("#add-submit")?;
    room.sign_in()?;
    says(&window, &["It works"])?;
    window.screenshot(&shot("add-works-dark.png")?)?;
    ensure!(services(&room)? == 2 && count(&room, "/registered")? == 1);
    room.close(window)
}

#[test]
fn each_failure_says_at_which_step_and_what_came_back() -> Result<()> {
    let _turn = turn();
    // It signs people in, and registers nobody by itself.
    let room = Room::with("add-failures", &json!({"accessTtl": 3000, "describe": "challenge"}))?;
    let window = room.open()?;
    window.type_text("#begin", "not an address")?;
    window.click("#begin-add")?;
    window.click("#add-look")?;
    says(&window, &["That is no address", "The address"])?;

    let nobody = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
    let silent = Upstream::start(|request| {
        let known = request.target.starts_with("/.well-known/");
        Reply::Bytes(if known { response("404 Not Found", b"") } else { ok("{}") })
    })?;
    let broken = Upstream::start(|_| Reply::Bytes(response("503 Service Unavailable", b"")))?;
    for (url, words) in [
        (format!("http://{nobody}"), ["could not be asked", "Asking the service", "no connection"]),
        (silent.address().to_owned(), ["does not say where to sign in", "Asking the sign-in server", "no description"]),
        (broken.address().to_owned(), ["could not be asked", "Asking the service", "503"]),
    ] {
        retype(&window, "#add-url", &url)?;
        window.type_text("#add-url", ENTER)?;
        says(&window, &words)?;
    }
    window.screenshot(&shot("add-failed.png")?)?;
    ensure!(services(&room)? == 0);

    // Known to nobody there: what to register is said, and the client id asked for.
    retype(&window, "#add-url", &format!("{}/me", room.provider.api()?))?;
    window.click("#add-look")?;
    says(&window, &["registers no program by itself", "http://127.0.0.1/callback"])?;
    window.screenshot(&shot("add-by-hand.png")?)?;
    window.click("#add-submit")?;
    says(&window, &["Enter the client ID", "Registering Signbell"])?;

    // A wrong one shows at the provider's page only; the way back takes away what was added.
    window.type_text("#found-client-id", "nobody-s-client")?;
    window.click("#add-submit")?;
    let page = room.chromium.open(&room.browser.next_url(SOON)?)?;
    ensure!(page.text.contains("invalid_client"), "{page:?}");
    says(&window, &["Does the page show an error instead?"])?;
    window.click("#add-stop")?;
    says(&window, &["You cancelled."])?;
    ensure!(services(&room)? == 1);
    wait_ok("the end of the sign-in", SOON, || {
        let status = room.sandbox.run_json(&["status"])?;
        ensure!(status[0]["accounts"][0]["signing_in"] == false, "{status:?}");
        Ok(())
    })?;
    window.click("#add-undo")?;
    window.find("#add-look")?;
    ensure!(services(&room)? == 0, "what was added is still there");

    // The person declines; the token endpoint fails; then all is well.
    window.click("#add-look")?;
    retype(&window, "#found-client-id", CLIENT)?;
    window.click("#add-submit")?;
    room.chromium.deny(&room.browser.next_url(SOON)?, "ada")?;
    says(&window, &["You declined in the browser", "The sign-in page", "access_denied"])?;
    room.provider.fault(&json!({"mode": "500", "times": 1}))?;
    window.click("#add-submit")?;
    room.chromium.sign_in(&room.browser.next_url(SOON)?, "ada")?;
    says(&window, &["no tokens came", "Fetching the tokens", "500"])?;
    window.screenshot(&shot("add-token-failed.png")?)?;
    window.click("#add-submit")?;
    room.sign_in()?;
    says(&window, &["It works"])?;
    window.click("#added-done")?;
    room.close(window)
}

#[test]
fn a_wrong_secret_and_a_service_that_refuses() -> Result<()> {
    let _turn = turn();
    let room = Room::new("add-refused")?;
    let window = room.open()?;
    let refusing = Upstream::start(|_| Reply::Bytes(invalid_token()))?;
    window.type_text("#begin", refusing.address())?;
    window.click("#begin-add")?;
    window.wait_text("#sheet-add .failure", "Asking the sign-in server", SOON)?;
    window.type_text("#add-issuer", room.provider.issuer()?)?;
    window.type_text("#add-client-id", "signbell-secret")?;
    window.type_text("#add-client-secret", "not-the-secret")?;
    window.type_text("#add-issuer", ENTER)?;
    says(&window, &["By the client ID that you entered."])?;
    window.click("#add-submit")?;
    room.chromium.sign_in(&room.browser.next_url(SOON)?, "ada")?;
    says(&window, &["no tokens came", "Fetching the tokens", "401 invalid_client"])?;

    window.click("#add-undo")?;
    window.find("#add-look")?;
    retype(&window, "#add-client-secret", "s3cr3t-for-tests")?;
    window.click("#add-look")?;
    window.click("#add-submit")?;
    room.sign_in()?;
    says(&window, &["It refused", "answered 401 to a token that was just issued", "GET → 401"])?;
    window.screenshot(&shot("add-refused.png")?)?;
    drop(refusing);
    window.click("#add-ask")?;
    says(&window, &["It can’t be reached", "You are signed in all the same"])?;
    // Escape leaves the sheet, and what was done stays done.
    window.type_text("#add-ask", ESCAPE)?;
    window.wait_text(".row-words", "Signed in", SOON)?;
    let config = fs::read_to_string(room.sandbox.signbell_home().join("config.toml"))?;
    ensure!(config.contains("client_secret_in_vault = true") && !config.contains("s3cr3t"), "{config}");
    room.close(window)
}

#[test]
fn the_person_signs_in_on_another_device() -> Result<()> {
    let _turn = turn();
    let grants = ["authorization_code", "refresh_token", "urn:ietf:params:oauth:grant-type:device_code"];
    let client = json!({"client_id": CLIENT, "token_endpoint_auth_method": "none", "application_type": "native",
        "redirect_uris": ["http://127.0.0.1/callback"], "grant_types": grants});
    let options = json!({"accessTtl": 3000, "describe": "challenge", "device": true, "clients": [client]});
    let room = Room::with("add-device", &options)?;
    let window = room.open()?;
    window.type_text("#begin", &format!("{}/me", room.provider.api()?))?;
    window.click("#begin-add")?;
    window.type_text("#found-client-id", CLIENT)?;
    window.click("#add-submit")?;
    room.browser.next_url(SOON)?;
    window.click("#add-device")?;
    let code = window.text("#sheet-add .device-code code")?;
    window.screenshot(&shot("add-device.png")?)?;
    window.click("#sheet-add [id^=open-device-]")?;
    let page = room.browser.next_url(SOON)?;
    ensure!(room.chromium.open(&page)?.text.contains(&code), "another code than {code}");
    room.chromium.press("#continue")?;
    let done = room.chromium.go_on("ada")?;
    ensure!(done.text.contains("The other device is signed in."), "{done:?}");
    says(&window, &["It works", "GET → 200"])?;
    ensure!(window.session().try_find(".device")?.is_none(), "the code is still there");
    room.close(window)
}
