//! The window, driven through WebKit's driver.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::json;
use signbell_tests::sandbox::binary;
use signbell_tests::{Chromium, Curl, Desktop, DesktopOptions, Provider, Sandbox, Serve, UrlCatcher, Webview, wait_ok};

use crate::world::{CLIENT, TOOL, account};
use crate::{SOON, proc, shot, turn};

/// A desktop with an engine, for a window that is opened by the test.
struct Room {
    serve: Serve,
    provider: Provider,
    chromium: Chromium,
    browser: UrlCatcher,
    desktop: Desktop,
    sandbox: Sandbox,
}

impl Room {
    fn new(name: &str) -> Result<Self> {
        let sandbox = Sandbox::new(name)?;
        let desktop = DesktopOptions::default().without_dunst().without_panel().start(&sandbox)?;
        let browser = UrlCatcher::install(&sandbox)?;
        let provider = Provider::start(&sandbox, &json!({"accessTtl": 3000}))?;
        let serve = Serve::start(&sandbox)?;
        let chromium = Chromium::start(&sandbox)?;
        Ok(Self { serve, provider, chromium, browser, desktop, sandbox })
    }

    fn open(&self) -> Result<Webview> {
        Webview::open(&self.sandbox, &self.desktop, &binary("signbell-desktop")?, &["window"])
    }

    /// Closes it, and waits for the end of its process and of WebKit's helpers.
    fn close(&self, window: Webview) -> Result<()> {
        let errors = window.console_errors()?;
        ensure!(errors.is_empty(), "{errors:?}");
        let own = proc::windows(std::process::id());
        let [pid] = own[..] else { anyhow::bail!("one window process, not {own:?}") };
        let helpers = proc::descendants(pid);
        ensure!(!helpers.is_empty(), "WebKit has helper processes");
        window.close();
        proc::wait_gone("the end of the window and of WebKit", &[own, helpers].concat())
    }

    fn sign_in(&self) -> Result<()> {
        let page = self.chromium.sign_in(&self.browser.next_url(SOON)?, "ada")?;
        ensure!(page.text.contains("Signed in"), "{page:?}");
        Ok(())
    }

    fn curl(&self, key: &str) -> Result<Curl> {
        let status = self.sandbox.run_json(&["status"])?;
        let service = status[0]["accounts"][0]["services"][0].as_str().context("no service")?;
        let address = self.serve.url(&format!("/{service}/me"));
        Ok(Curl::new(address).header("authorization", &format!("Bearer {key}")))
    }
}

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
    wait_ok("the address in the form", SOON, || {
        let typed = window.eval("return document.querySelector('#add-url')?.value ?? ''")?;
        ensure!(typed == room.provider.api()?, "{typed}");
        Ok(())
    })?;
    window.click("#fold-add-more")?;
    for (field, text) in [
        ("#add-issuer", room.provider.issuer()?),
        ("#add-client-id", CLIENT),
        ("#add-account", "ada"),
        ("#add-tool", TOOL),
    ] {
        window.type_text(field, text)?;
    }
    window.screenshot(&shot("window-add.png")?)?;
    window.click("#add-submit")?;
    room.sign_in()?;
    window.wait_text(".result-state", "Signed in as ada@", SOON)?;
    let key = window.text(".keybox .copyable-text")?;
    window.click(&format!("#copy-key-{TOOL}"))?;
    window.wait_text(&format!("#copy-key-{TOOL}"), "Copied", SOON)?;
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
