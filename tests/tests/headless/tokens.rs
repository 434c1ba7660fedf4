//! What a token endpoint may answer, and what becomes of it: read leniently where that is harmless, refused
//! where it is not, and nothing that is there is lost by it.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use signbell_tests::upstream::{Request, ok, response};

use crate::double::{Bare, Double, Usual, form, path_of, value};
use crate::world::{Access, account, error_of, refused, wait_account};

/// What the token endpoint answers from now on; nothing for the usual.
#[derive(Clone, Default)]
struct Answer(Arc<Mutex<Option<Vec<u8>>>>);

impl Answer {
    fn set(&self, answer: impl Into<Option<Vec<u8>>>) {
        if let Ok(mut now) = self.0.lock() {
            *now = answer.into();
        }
    }

    fn get(&self) -> Option<Vec<u8>> {
        self.0.lock().ok().and_then(|now| now.clone())
    }
}

fn answering() -> Result<(Double, Answer)> {
    let answer = Answer::default();
    let now = answer.clone();
    let double = Double::start(move |request, _| if path_of(request) == "/token" { now.get() } else { None })?;
    Ok((double, answer))
}

fn tokens(more: &Value) -> Vec<u8> {
    Usual { own: String::new(), tokens: 99 }.token(more)
}

fn signed_in(name: &str) -> Result<(Bare, Double, Answer, Access)> {
    let (double, answer) = answering()?;
    let bare = Bare::new(name)?;
    let access = bare.signed_in(&double)?;
    Ok((bare, double, answer, access))
}

/// A renewal that comes to nothing: told as an outage, and the old tokens go on working.
fn ends_nothing(bare: &Bare, double: &Double, access: &Access, what: &str) -> Result<()> {
    let before = double.forms().len();
    refused(&bare.sandbox, &["refresh", "ada"], 11, "provider_unavailable").with_context(|| what.to_owned())?;
    ensure!(double.forms().len() == before + 1, "{what}: asked {} times", double.forms().len() - before);
    let standing = account(&bare.sandbox)?;
    ensure!(standing["state"] == "active" && standing["ring"].is_null(), "{what}: {standing}");
    access.get("/")?;
    let sent = double.asked("/api/");
    let token = sent.last().map(Request::token).unwrap_or_default().to_owned();
    ensure!(token == "access-0", "{what}: {token}");
    Ok(())
}

#[test]
fn d9_any_expires_in_of_a_sign_in() -> Result<()> {
    let (bare, double, answer, access) = signed_in("d9")?;
    for (given, known) in [
        (json!("3600"), true),
        (json!(3600.5), true),
        (json!(0), false),
        (json!(-5), false),
        (json!(1e30), false),
        (json!("soon"), false),
        (json!([1]), false),
        (Value::Null, false),
    ] {
        answer.set(tokens(&json!({"expires_in": given})));
        let lines = bare.sandbox.run_json(&["sign-in", "ada", "--force"]).with_context(|| given.to_string())?;
        let last = lines.last().context("no line")?;
        ensure!(last["state"] == "active" && last["expires_at"].is_u64() == known, "{given}: {last}");
        access.get("/").with_context(|| given.to_string())?;
    }
    ensure!(double.forms().len() == 9, "a token that was just received was renewed");
    Ok(())
}

#[test]
fn d10_a_success_without_a_token_keeps_the_old_ones() -> Result<()> {
    let (bare, double, answer, access) = signed_in("d10")?;
    for (what, body) in [
        ("ok: false", ok(r#"{"ok":false}"#)),
        ("html", response("200 OK\r\ncontent-type: text/html", b"<!doctype html><title>Sign in</title>")),
        ("nothing", response("200 OK", b"")),
        ("204", b"HTTP/1.1 204 No Content\r\n\r\n".to_vec()),
        ("a list", ok("[]")),
        ("a token of null", tokens(&json!({"access_token": []}))),
    ] {
        answer.set(body);
        ends_nothing(&bare, &double, &access, what)?;
    }
    answer.set(None);
    bare.sandbox.run_ok(&["refresh", "ada"])?;
    Ok(())
}

#[test]
fn d11_a_refresh_without_a_new_refresh_token_keeps_the_old_one() -> Result<()> {
    let (bare, double, answer, _access) = signed_in("d11")?;
    for given in [Value::Null, json!("")] {
        answer.set(tokens(&json!({"refresh_token": given})));
        bare.sandbox.run_ok(&["refresh", "ada"])?;
    }
    answer.set(None);
    bare.sandbox.run_ok(&["refresh", "ada"])?;
    let used: Vec<String> = double.forms().iter().skip(1).map(|form| value(form, "refresh_token").to_owned()).collect();
    ensure!(used == ["refresh-0", "refresh-0", "refresh-0"], "{used:?}");
    // The last one brought another.
    bare.sandbox.run_ok(&["refresh", "ada"])?;
    ensure!(value(&double.forms()[4], "refresh_token") == "refresh-3", "{:?}", double.forms());
    Ok(())
}

#[test]
fn d12_what_can_be_no_header_is_no_token() -> Result<()> {
    let (bare, double, answer, access) = signed_in("d12")?;
    for bad in [json!("a\r\nx-evil: 1"), json!("a b"), json!("a\u{0}"), json!("ä"), json!(7), json!(""), json!({})] {
        answer.set(tokens(&json!({"access_token": bad})));
        let output = bare.sandbox.run(&["sign-in", "ada", "--force", "--json"])?.expect_code(12)?;
        let error = error_of(&output)?;
        ensure!(error["code"] == "exchange_failed" && !error.to_string().contains("x-evil"), "{bad}: {error}");
        ends_nothing(&bare, &double, &access, &bad.to_string())?;
    }
    Ok(())
}

#[test]
fn d14_a_redirect_from_the_token_endpoint_is_not_followed() -> Result<()> {
    let (bare, double, answer, access) = signed_in("d14")?;
    let elsewhere = Double::plain()?;
    for status in
        ["301 Moved Permanently", "302 Found", "303 See Other", "307 Temporary Redirect", "308 Permanent Redirect"]
    {
        answer.set(response(&format!("{status}\r\nlocation: {}/token", elsewhere.address()), b""));
        ends_nothing(&bare, &double, &access, status)?;
    }
    ensure!(elsewhere.seen().is_empty(), "a refresh token went elsewhere: {:?}", elsewhere.seen());
    Ok(())
}

#[test]
fn d16_bearer_in_any_case_and_nothing_else() -> Result<()> {
    let (bare, double, answer, access) = signed_in("d16")?;
    for good in ["bearer", "BEARER", "bEaReR"] {
        answer.set(tokens(&json!({"token_type": good})));
        bare.sandbox.run_ok(&["sign-in", "ada", "--force"]).with_context(|| good.to_owned())?;
        access.get("/")?;
        // However it was written, it goes out in the one way that every server knows.
        let sent = double.asked("/api/");
        ensure!(sent.last().and_then(|r| r.header("authorization")) == Some("Bearer access-99"), "{good}");
    }
    for bad in [json!("mac"), json!("N_A"), json!(1)] {
        answer.set(tokens(&json!({"token_type": bad, "access_token": "other"})));
        let output = bare.sandbox.run(&["sign-in", "ada", "--force", "--json"])?.expect_code(12)?;
        ensure!(error_of(&output)?["code"] == "exchange_failed", "{bad}");
        access.get("/")?;
    }
    ensure!(double.asked("/api/").iter().all(|request| request.token() != "other"));
    Ok(())
}

#[test]
fn an_empty_400_ends_a_session_when_it_comes_twice() -> Result<()> {
    let (bare, double, answer, access) = signed_in("blank")?;
    let blank = || response("400 Bad Request", b"");
    // Once it may be a gateway: nothing is ended, and a good answer in between makes it forgotten.
    answer.set(blank());
    let message = refused(&bare.sandbox, &["refresh", "ada"], 11, "provider_unavailable")?;
    ensure!(message.contains("refused without saying why"), "{message}");
    ensure!(account(&bare.sandbox)?["state"] == "active");
    access.get("/")?;
    answer.set(None);
    bare.sandbox.run_ok(&["refresh", "ada"])?;
    // Something else in between says as little.
    answer.set(blank());
    refused(&bare.sandbox, &["refresh", "ada"], 11, "provider_unavailable")?;
    answer.set(response("500 Internal Server Error", b""));
    refused(&bare.sandbox, &["refresh", "ada"], 11, "provider_unavailable")?;
    answer.set(blank());
    refused(&bare.sandbox, &["refresh", "ada"], 11, "provider_unavailable")?;
    // Twice in a row: the person is needed, and told so.
    refused(&bare.sandbox, &["refresh", "ada"], 10, "ended_by_provider")?;
    let standing = wait_account(&bare.sandbox, "the bell", |a| a["state"] == "needs_sign_in")?;
    ensure!(standing["reason"] == "ended_by_provider", "{standing}");
    // A 400 with something in it that is no OAuth error ends nothing, however often it comes.
    answer.set(None);
    bare.sandbox.run_ok(&["sign-in", "ada"])?;
    answer.set(response("400 Bad Request\r\ncontent-type: text/html", b"<h1>Bad Request</h1>"));
    for _ in 0..3 {
        refused(&bare.sandbox, &["refresh", "ada"], 11, "provider_unavailable")?;
    }
    ensure!(account(&bare.sandbox)?["state"] == "active");
    ensure!(double.forms().iter().skip(1).all(|form| !value(form, "grant_type").is_empty()));
    Ok(())
}

#[test]
fn fewer_scopes_than_asked_are_shown_and_asked_for_once() -> Result<()> {
    let wanting = AtomicUsize::new(0);
    let double = Double::start(move |request, usual| match path_of(request) {
        "/token" => Some(usual.token(&json!({"scope": "read"}))),
        "/api/write" if request.token().is_empty() => None,
        "/api/write" => {
            wanting.fetch_add(1, Ordering::SeqCst);
            let challenge = "Bearer error=\"insufficient_scope\", scope=\"write\"";
            Some(response(&format!("403 Forbidden\r\nwww-authenticate: {challenge}"), b"more, please"))
        }
        _ => None,
    })?;
    let bare = Bare::new("fewer")?;
    let access = bare.add(&double.api(), &["--name", "api", "--scope", "read", "--scope", "write"])?;
    let lines = bare.sandbox.run_json(&["sign-in", "ada"])?;
    let last = lines.last().context("no line")?;
    ensure!(last["scopes"] == json!(["read"]) && last["not_granted"] == json!(["write"]), "{last}");
    ensure!(last["state"] == "active", "{last}");
    let text = bare.sandbox.run_ok(&["sign-in", "ada", "--force"])?;
    ensure!(text.contains("Asked for and not granted: write."), "{text}");
    ensure!(account(&bare.sandbox)?["scopes"] == json!(["read"]));
    // Nothing that works is held up by it, and nobody is asked again by themselves.
    access.get("/")?;
    bare.sandbox.run_ok(&["service", "set", "api", "--hold", "0"])?;
    let pages = double.pages().len();
    for _ in 0..3 {
        let response = access.curl("/write").run()?;
        ensure!(response.status == 403 && response.text() == "more, please", "{response:?}");
    }
    ensure!(account(&bare.sandbox)?["ask"]["scopes"] == json!(["write"]), "{}", account(&bare.sandbox)?);
    // The person tries; the server gives no more than before. That is remembered: no loop.
    bare.sandbox.run_ok(&["sign-in", "ada"])?;
    for _ in 0..3 {
        ensure!(access.curl("/write").run()?.status == 403);
    }
    ensure!(account(&bare.sandbox)?["ask"].is_null(), "{}", account(&bare.sandbox)?);
    ensure!(double.pages().len() == pages + 1, "a page was opened that nobody asked for");
    Ok(())
}

#[test]
fn the_resource_and_pkce_are_in_every_request_that_wants_them() -> Result<()> {
    // The service describes itself, so its tokens are for it (RFC 8707).
    let double = Double::start(|request, usual| {
        let api = format!("{}/api", usual.own);
        match path_of(request) {
            "/.well-known/oauth-protected-resource/api" => {
                Some(ok(&json!({"resource": api, "authorization_servers": [usual.own]}).to_string()))
            }
            _ => None,
        }
    })?;
    let bare = Bare::new("resource")?;
    let access = bare.signed_in(&double)?;
    bare.sandbox.run_ok(&["refresh", "ada"])?;
    let authorize = crate::double::query(&double.asked("/authorize")[0]);
    ensure!(value(&authorize, "resource") == double.api(), "{authorize:?}");
    ensure!(value(&authorize, "code_challenge_method") == "S256" && !value(&authorize, "state").is_empty());
    // Neither asks for a scope, so none is sent.
    ensure!(!authorize.iter().any(|(name, _)| name == "scope"), "{authorize:?}");
    for request in double.asked("/token") {
        ensure!(value(&form(&request), "resource") == double.api(), "{:?}", form(&request));
        ensure!(!request.target.contains('?'), "something in the query");
    }
    access.get("/x?y=1")?;
    let asked = double.asked("/api/x");
    ensure!(asked.iter().all(|request| request.target == "/api/x?y=1"), "{asked:?}");
    ensure!(asked[0].headers.iter().filter(|(name, _)| name == "authorization").count() == 1);
    // A person's own word for it is brought into the form of RFC 8707, or refused.
    let (api, own) = (double.api().replace("/api", "/other"), double.address());
    let usual = ["add", &api, "--issuer", own, "--client-id", "x", "--name", "other", "--account", "eve", "--sign-in"];
    bare.sandbox.run_json(&[&usual[..], &["--resource", "HTTPS://MCP.Example.com"]].concat())?;
    let authorize = double.asked("/authorize");
    let last = authorize.last().map(crate::double::query).unwrap_or_default();
    ensure!(value(&last, "resource") == "https://mcp.example.com", "{last:?}");
    refused(&bare.sandbox, &["add", &api, "--resource", "https://mcp.example.com#x"], 2, "bad_resource")?;
    refused(&bare.sandbox, &["add", &api, "--resource", "mcp.example.com"], 2, "bad_resource")?;
    Ok(())
}
