//! Chromium, WebKitGTK, the provider and curl.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use anyhow::{Result, ensure};
use serde_json::json;
use signbell_tests::*;

use crate::{SOON, keep};

fn serve_page(pages: fn(&str) -> &'static str) -> Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = format!("http://{}", listener.local_addr()?);
    std::thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            let mut reader = BufReader::new(&stream);
            let mut first = String::new();
            let _ = reader.read_line(&mut first);
            let mut line = String::new();
            while reader.read_line(&mut line).is_ok_and(|n| n > 2) {
                line.clear();
            }
            let page = pages(first.split(' ').nth(1).unwrap_or_default());
            let _ = write!(
                stream,
                "HTTP/1.1 200 OK\r\ncontent-type: text/html\r\nx-test: a\r\nconnection: close\r\n\
                 content-length: {}\r\n\r\n{page}",
                page.len()
            );
        }
    });
    Ok(address)
}

#[test]
fn chromium_signs_in() -> Result<()> {
    let address = serve_page(|path| match path.split('?').next() {
        Some("/") => "<form action=/next><input id=login name=login><button id=continue>Go</button></form>",
        Some("/next") => "<a id=allow href=/done>Allow</a> <a id=deny href=/denied>Deny</a>",
        Some("/done") => "<title>Done</title>You are signed in.",
        _ => "Other",
    })?;
    let sandbox = Sandbox::new("chromium")?;
    let chromium = Chromium::start(&sandbox)?;
    let page = chromium.sign_in(&address, "ada")?;
    ensure!(page.text == "You are signed in.", "{page:?}");
    ensure!(page.url == format!("{address}/done"), "{page:?}");
    chromium.open(&address)?;
    let field = chromium.session().find("#login", SOON)?;
    chromium.session().type_text(&field, "grace")?;
    let typed = chromium.session().eval("return document.querySelector('#login').value")?;
    ensure!(typed == "grace", "{typed}");
    let page = chromium.deny(&address, "ada")?;
    ensure!(page.url.ends_with("/denied"), "{page:?}");
    chromium.session().eval("console.error('seen')")?;
    let console = chromium.console()?;
    ensure!(console.iter().any(|line| line.contains("seen")), "{console:?}");
    chromium.forget_cookies()?;
    let file = sandbox.path("chromium.png");
    chromium.screenshot(&file)?;
    keep(&file)
}

#[test]
fn provider_signs_in() -> Result<()> {
    let sandbox = Sandbox::new("provider")?;
    let mut provider = Provider::start(&sandbox, &json!({}))?;
    let callback = serve_page(|_| "Back in the program")?;
    let url = format!(
        "{}/auth?client_id=signbell-test&response_type=code&scope=openid&state=s\
         &redirect_uri={callback}/callback&code_challenge_method=S256&code_challenge={}",
        provider.issuer()?,
        "a".repeat(43)
    );
    let chromium = Chromium::start(&sandbox)?;
    let page = chromium.sign_in(&url, "ada")?;
    ensure!(page.text == "Back in the program" && page.url.contains("code="), "{page:?}");
    chromium.forget_cookies()?;
    let page = chromium.deny(&url, "ada")?;
    ensure!(page.url.contains("error=access_denied"), "{page:?}");
    ensure!(provider.counts()?["authorize"] == 2, "{}", provider.counts()?);
    ensure!(provider.last()?["authorize"].is_object(), "{}", provider.last()?);
    provider.fault(&json!({"mode": "500", "times": 2}))?;
    provider.fault(&json!(null))?;
    ensure!(provider.fault(&json!({"mode": "none such"})).is_err());
    provider.revoke_refresh("ada", true)?;
    provider.expire_access("ada+1@example.test")?;
    provider.auto_consent(Some("bob"))?;
    let page = chromium.open(&url)?;
    ensure!(page.text == "Back in the program", "{page:?}");
    let address = provider.api_named("notes")?.to_owned();
    ensure!(Curl::new(&address).run()?.status >= 400 && provider.api()? == address);
    provider.stop()?;
    ensure!(Curl::new(&address).run_any()?.exit == 7);
    Ok(())
}

#[test]
fn urls_are_caught() -> Result<()> {
    let sandbox = Sandbox::new("urls")?;
    let catcher = UrlCatcher::install(&sandbox)?;
    catcher.expect_none()?;
    let mut command = sandbox.command("sh");
    command.args(["-c", "\"$BROWSER\" 'http://127.0.0.1:1/?a=b c&d' http://two.example"]);
    process::run(command, b"", SOON)?.expect_code(0)?;
    ensure!(catcher.expect_none().is_err());
    ensure!(catcher.next_url(SOON)? == "http://127.0.0.1:1/?a=b c&d");
    ensure!(catcher.next_url(SOON)? == "http://two.example");
    ensure!(catcher.next_url(Duration::from_millis(100)).is_err());
    catcher.expect_none()
}

#[test]
fn webview_of_webkitgtk() -> Result<()> {
    // The browser that comes with the library stands in for the app's window.
    let library = Command::new("pkg-config").args(["--variable=libdir", "webkit2gtk-4.1"]).output()?;
    let library = PathBuf::from(String::from_utf8(library.stdout)?.trim());
    let browser = library.join("webkit2gtk-4.1/MiniBrowser");
    if !browser.is_file() {
        return Ok(());
    }
    let address = serve_page(|_| {
        "<title>T</title><p id=text>Hello</p><input id=field>\
         <button id=button onclick='text.textContent = field.value; boom()'>Go</button>"
    })?;
    let sandbox = Sandbox::new("webview")?;
    let desktop = DesktopOptions::default().without_keyring().without_dunst();
    let desktop = desktop.start(&sandbox)?;
    let webview = Webview::open(&sandbox, &desktop, &browser, &["--automation"])?;
    webview.session().goto(&address)?;
    ensure!(webview.text("#text")? == "Hello");
    webview.watch_errors()?;
    webview.type_text("#field", "typed")?;
    webview.click("#button")?;
    webview.wait_text("#text", "typed", SOON)?;
    ensure!(webview.eval("return 1 + 1")? == 2);
    let errors = webview.console_errors()?;
    ensure!(errors.iter().any(|error| error.contains("boom")), "{errors:?}");
    for (name, picture) in [("webview.png", true), ("webview-screen.png", false)] {
        let file = sandbox.path(name);
        if picture {
            webview.screenshot(&file)?;
        } else {
            desktop.screenshot(&file)?;
        }
        let size = std::fs::metadata(&file)?.len();
        ensure!(size > 5000, "{name} is empty ({size} bytes)");
        keep(&file)?;
    }
    webview.close();
    Ok(())
}

#[test]
fn curl_reports_what_came() -> Result<()> {
    let address = serve_page(|_| "{\"a\":1}")?;
    let response = Curl::new(&address).header("x-a", "b").body("hi").run()?;
    ensure!(response.status == 200 && response.header("X-Test") == Some("a"), "{response:?}");
    ensure!(response.json()?["a"] == 1 && response.exit == 0);
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let silent = format!("http://{}", listener.local_addr()?);
    let mut pending = Curl::new(&silent).spawn()?;
    let (stream, _) = listener.accept()?;
    ensure!(pending.is_running());
    drop(stream);
    let response = pending.wait_any()?;
    ensure!(response.status == 0 && response.exit != 0, "{response:?}");
    drop(listener);
    let refused = Curl::new(&silent).run();
    ensure!(refused.is_err(), "{refused:?}");
    Ok(())
}
