//! The window on a scripted engine: a double that speaks the control socket's protocol, for what no
//! provider here can bring about. Nothing behind the socket is real.

use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::Arc;
use std::thread;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use signbell_engine::view::DevicePage;
use signbell_tests::sandbox::binary;
use signbell_tests::{DesktopOptions, Sandbox, Webview, wait_ok};

use crate::{SOON, shot, turn};

/// Answers each request with what `answer` says; a `watch-in` stays open after its first reply.
fn engine(sandbox: &Sandbox, answer: impl Fn(&Value) -> Value + Send + Sync + 'static) -> Result<()> {
    let listener = UnixListener::bind(sandbox.signbell_home().join("control.sock"))?;
    let answer = Arc::new(answer);
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let answer = Arc::clone(&answer);
            thread::spawn(move || drop(converse(&stream, &*answer)));
        }
    });
    Ok(())
}

fn converse(stream: &UnixStream, answer: &dyn Fn(&Value) -> Value) -> Result<()> {
    let mut lines = BufReader::new(stream).lines();
    let request: Value = serde_json::from_str(&lines.next().context("no request")??)?;
    let mut writer = stream;
    writeln!(writer, "{}", answer(&request))?;
    if request["do"] == "watch-in" {
        lines.next();
    }
    Ok(())
}

fn account(more: &Value) -> Value {
    let mut account = json!({
        "account": "tv", "title": "Linear", "short_title": "Linear", "provider": "Linear",
        "state": "needs_sign_in", "state_words": "Needs you", "reason": "not_yet",
        "reason_words": "Nobody signed in yet.", "scopes": [], "refreshable": false, "services": ["linear"],
        "waiting": 0, "signing_in": false, "allow_token": false, "ephemeral": false, "grants": [],
    });
    for (key, value) in more.as_object().into_iter().flatten() {
        account[key] = value.clone();
    }
    account
}

fn view(accounts: &[Value]) -> Value {
    json!({"reply": "view", "accounts": accounts, "services": [], "tools": [], "banners": [],
        "proxy": {"address": "http://127.0.0.1:8401", "running": true, "paused": false, "vault": "memory"}})
}

#[test]
fn a_device_sign_in_shows_its_code_and_its_picture() -> Result<()> {
    let _turn = turn();
    let sandbox = Sandbox::new("device-page")?;
    let desktop = DesktopOptions::default().without_dunst().without_panel().start(&sandbox)?;
    let page = "https://login.example.com/device";
    // The picture as the engine draws it.
    let whole = format!("{page}?user_code=WDJB-MJHT");
    let drawn = DevicePage::new("WDJB-MJHT".into(), page.into(), Some(whole));
    let device = account(&json!({"signing_in": true, "device": drawn}));
    engine(&sandbox, move |request| match request["do"].as_str() {
        Some("watch-in" | "status") => view(std::slice::from_ref(&device)),
        _ => json!({"reply": "done"}),
    })?;
    for theme in ["Adwaita", "Adwaita:dark"] {
        sandbox.set_env("GTK_THEME", theme);
        let window = Webview::open(&sandbox, &desktop, &binary("signbell-desktop")?, &["window"])?;
        window.wait_text(".device-code", "WDJB-MJHT", SOON)?;
        ensure!(window.text(".device-address")? == page);
        wait_ok("the picture", SOON, || {
            let wide = window.eval("return document.querySelector('.device-qr img').naturalWidth")?;
            ensure!(wide.as_u64() > Some(100), "{wide}");
            Ok(())
        })?;
        window.find("#open-device-tv")?;
        window.screenshot(&shot(&format!("device-{}.png", theme.len()))?)?;
        let errors = window.console_errors()?;
        ensure!(errors.is_empty(), "{errors:?}");
        window.close();
    }
    Ok(())
}

#[test]
fn u1_what_was_found_is_plain_text_however_it_is_called() -> Result<()> {
    let _turn = turn();
    let sandbox = Sandbox::new("hostile-names")?;
    let desktop = DesktopOptions::default().without_dunst().without_panel().start(&sandbox)?;
    let hostile = format!("\u{202e}knab.moc <img src=x onerror=document.title='hit'> {}", "long ".repeat(60));
    let name = hostile.clone();
    engine(&sandbox, move |request| match request["do"].as_str() {
        Some("watch-in" | "status") => view(&[]),
        Some("look") => json!({"reply": "found", "service": "bank", "url": "https://bank.test/",
            "issuer": "https://login.bank.test/", "server": name, "by": "challenge", "by_words": name,
            "scopes": [{"scope": name, "words": name}, {"scope": name}], "registration": "registers",
            "registration_words": name, "preset": "x", "preset_title": name, "account": "bank", "joins": false,
            "account_words": name, "accounts": [{"account": "bank-2", "title": name}]}),
        _ => json!({"reply": "failed", "kind": "refused", "code": "x", "message": name, "step": "registration",
            "came": name}),
    })?;
    let window = Webview::open(&sandbox, &desktop, &binary("signbell-desktop")?, &["window"])?;
    window.type_text("#begin", "https://bank.test/")?;
    window.click("#begin-add")?;
    window.wait_text(".found-name", "<img", SOON)?;
    window.click("#add-submit")?;
    window.wait_text("#sheet-add .failure", "Registering Signbell", SOON)?;
    let seen = window.eval(
        "const text = document.documentElement.textContent;
        const sheet = document.querySelector('#sheet-add .form-fields');
        return {turned: text.includes('\\u202e'), images: document.images.length, title: document.title,
            wide: sheet.scrollWidth > sheet.clientWidth + 1}",
    )?;
    ensure!(seen == json!({"turned": false, "images": 0, "title": "Signbell", "wide": false}), "{seen}");
    window.screenshot(&shot("add-hostile.png")?)?;
    window.close();
    Ok(())
}
