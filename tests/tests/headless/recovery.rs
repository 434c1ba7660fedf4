//! Dead tokens that the tool never hears of, and requests that wait for the person.

use std::sync::Barrier;
use std::thread;

use anyhow::{Context as _, Result, anyhow, ensure};
use serde_json::{Value, json};
use signbell_tests::upstream::{self, invalid_token, ok};
use signbell_tests::{Curl, Upstream, wait_until};

use crate::SOON;
use crate::wire::{Reply, exchange};
use crate::world::{Access, World, sha256};

#[test]
fn a_401_is_recovered_and_the_tool_sees_a_200() -> Result<()> {
    let (world, access) = World::signed_in("recovered")?;
    ensure!(access.get("/me")?["login"] == "ada");
    ensure!(world.count("/refresh_token/ok")? == 0, "refreshed without need");
    world.provider.expire_access("ada")?;
    ensure!(access.get("/me")?["login"] == "ada");
    ensure!(world.count("/refresh_token/ok")? == 1 && world.count("/refresh_token/failed")? == 0);
    ensure!(world.count("/api/401")? == 1 && world.count("/api/200")? == 2);
    let records = world.sandbox.run_json(&["activity"])?;
    let recovered = records.iter().find(|r| r["kind"] == "recovered").with_context(|| format!("{records:?}"))?;
    ensure!(recovered["account"] == "ada" && recovered["service"] == "notes", "{recovered}");
    ensure!(recovered["tool"] == "script" && recovered["took_ms"].is_u64(), "{recovered}");
    ensure!(recovered["text"].as_str().is_some_and(|text| text.contains("renewed")), "{recovered}");
    ensure!(records.iter().filter(|r| r["kind"] == "refreshed").count() == 1, "{records:?}");
    // The next request uses the new token at once.
    access.get("/me")?;
    ensure!(world.count("/api/401")? == 1 && world.count("/refresh_token/ok")? == 1);
    Ok(())
}

#[test]
fn a_token_that_ran_out_by_the_clock_is_renewed_before_it_is_sent() -> Result<()> {
    // Not used until then: nobody renews it ahead of its end.
    let (world, access) = World::signed_in_with("clock", &json!({"accessTtl": 2}))?;
    thread::sleep(std::time::Duration::from_millis(2500));
    ensure!(world.count("/refresh_token/ok")? == 0, "renewed although nobody uses it");
    access.get("/me")?;
    ensure!(world.count("/refresh_token/ok")? >= 1);
    ensure!(world.count("/api/401")? == 0, "a token known to be dead was sent");
    Ok(())
}

#[test]
fn a_token_in_use_is_renewed_ahead_of_its_end() -> Result<()> {
    let (world, access) = World::signed_in_with("ahead", &json!({"accessTtl": 3}))?;
    access.get("/me")?;
    wait_until("a renewal that no request asked for", SOON, || {
        world.count("/refresh_token/ok").ok().filter(|n| *n >= 1)
    })?;
    ensure!(world.count("/api/401")? == 0 && world.count("/api/200")? == 1);
    Ok(())
}

#[test]
fn a_revoked_session_holds_the_request_until_the_person_came() -> Result<()> {
    let (world, access) = World::signed_in("hold")?;
    access.get("/me")?;
    world.provider.revoke_refresh("ada", true)?;
    let mut pending = access.curl("/me").timeout(SOON * 2).spawn()?;
    let account = world.wait_account("a waiting request", |a| a["waiting"] == 1)?;
    ensure!(account["state"] == "needs_sign_in" && account["reason"] == "ended_by_provider", "{account}");
    ensure!(account["ring"]["title"].as_str().is_some_and(|t| t.contains("needs you")), "{account}");
    let body = account["ring"]["body"].as_str().unwrap_or_default();
    ensure!(body.contains("The provider ended this session.") && body.contains("script"), "{account}");
    ensure!(account["waiting_words"] == "1 request from script is waiting", "{account}");
    ensure!(pending.is_running(), "it was answered");
    world.sandbox.run_ok(&["sign-in", "ada"])?;
    let response = pending.wait()?;
    ensure!(response.status == 200 && response.json()?["login"] == "ada", "{response:?}");
    let account = world.account()?;
    ensure!(account["state"] == "active" && account["waiting"] == 0 && account["ring"].is_null(), "{account}");
    let kinds = world.activity()?;
    for kind in ["ended", "held", "signed_in", "recovered"] {
        ensure!(kinds.iter().any(|k| k == kind), "{kind}: {kinds:?}");
    }
    ensure!(!kinds.iter().any(|kind| kind == "hold_over"), "{kinds:?}");
    Ok(())
}

/// Longer than what is kept for a replay, and JSON, into which Signbell looks: none of it may get lost.
#[test]
fn a_long_body_waits_whole() -> Result<()> {
    let (world, access) = World::signed_in("long")?;
    let body = format!("{{\"text\":\"{}\"}}", "long ".repeat(600_000)).into_bytes();
    for transfer in ["content-length", "chunked"] {
        world.provider.revoke_refresh("ada", true)?;
        // Finds out that the session is over, waits, and leaves.
        let first = access.curl("/me").timeout(SOON * 2).spawn()?;
        world.wait_account("a waiting request", |a| a["waiting"] == 1)?;
        drop(first);
        world.wait_account("nobody who waits", |a| a["waiting"] == 0)?;

        let mut call = access.curl("/echo").method("POST").header("content-type", "application/json");
        if transfer == "chunked" {
            call = call.header("transfer-encoding", "chunked");
        }
        let pending = call.body(body.clone()).timeout(SOON * 2).spawn()?;
        world.wait_account("the long request", |a| a["waiting"] == 1)?;
        world.sandbox.run_ok(&["sign-in", "ada"])?;
        let echo = pending.wait()?.json()?;
        ensure!(echo["length"] == body.len() && echo["sha256"] == sha256(&body)?, "{transfer}: {echo}");
    }
    Ok(())
}

#[test]
fn later_answers_who_waits_at_once() -> Result<()> {
    let (world, access) = World::signed_in("later")?;
    world.provider.revoke_refresh("ada", true)?;
    let call = json!({"jsonrpc": "2.0", "id": "call-7", "method": "tools/list"});
    // The first one meets the upstream's refusal; whoever comes later waits unsent.
    let plain = access.curl("/me").timeout(SOON * 2).spawn()?;
    world.wait_account("a waiting request", |a| a["waiting"] == 1)?;
    let rpc = access.curl("/echo").json(&call).timeout(SOON * 2).spawn()?;
    world.wait_account("two waiting requests", |a| a["waiting"] == 2)?;
    ensure!(world.control(&json!({"do": "later", "account": "ada"}))?["reply"] == "done");

    // The upstream's own answer, as it came.
    let response = plain.wait()?;
    ensure!(response.status == 401 && response.json()? == json!({"error": "invalid_token"}), "{response:?}");
    let challenge = response.header("www-authenticate").unwrap_or_default();
    ensure!(challenge.starts_with("Bearer error=\"invalid_token\"") && challenge.contains("revoked"), "{response:?}");

    // JSON-RPC: a 401 would make the client sign in by itself.
    let response = rpc.wait()?;
    ensure!(response.status == 503 && response.header("content-type") == Some("application/json"), "{response:?}");
    let answer = response.json()?;
    ensure!(answer["jsonrpc"] == "2.0" && answer["id"] == "call-7", "{answer}");
    ensure!(answer["error"]["code"].is_i64() && answer["error"]["data"]["code"] == "sign_in_needed", "{answer}");
    let message = answer["error"]["message"].as_str().unwrap_or_default();
    ensure!(message.contains("signbell sign-in ada"), "{answer}");

    // Until the next reminder nobody waits: answered at once, and it is still so that ada is needed.
    let response = access.curl("/me").run()?;
    ensure!(response.status == 401, "{response:?}");
    ensure!(response.header("www-authenticate").is_some_and(|c| c.contains("error=\"invalid_token\"")), "{response:?}");
    let account = world.account()?;
    ensure!(account["state"] == "needs_sign_in" && account["waiting"] == 0 && account["ring"].is_null(), "{account}");
    ensure!(world.activity()?.iter().filter(|kind| *kind == "hold_over").count() == 2);
    world.sandbox.run_ok(&["sign-in", "ada"])?;
    ensure!(access.get("/me")?["login"] == "ada");
    Ok(())
}

#[test]
fn a_tool_gets_the_expired_answer_that_it_was_registered_with() -> Result<()> {
    let (world, access) = World::signed_in("expired")?;
    world.sandbox.run_ok(&["service", "set", "notes", "--hold", "0"])?;
    let mut tools = vec![("automatic", 401, access)];
    for (setting, status) in [("401", 401), ("503", 503)] {
        let name = format!("t{setting}");
        let args = ["tool", "add", &name, "--service", "notes", "--expired", setting];
        let tool = world.sandbox.run_json(&args)?[0].clone();
        let url = tool["urls"]["notes"].as_str().context("no url")?.to_owned();
        tools.push((setting, status, Access { key: tool["key"].as_str().unwrap_or_default().to_owned(), url }));
    }
    world.provider.revoke_refresh("ada", true)?;
    for (setting, status, access) in &tools {
        let response = access.curl("/me").run()?;
        ensure!(response.status == *status, "{setting}: {response:?}");
        if *status == 503 {
            ensure!(response.header("content-type") == Some("application/problem+json"), "{response:?}");
            ensure!(response.json()?["code"] == "sign_in_needed", "{response:?}");
        }
    }
    Ok(())
}

/// The request of every caller in a crowd.
fn crowd_request(access: &Access, address: &str) -> Result<Vec<u8>> {
    let path = access.url.strip_prefix(address).context("the tool's address is not the proxy's")?;
    let host = address.trim_start_matches("http://");
    let head = format!("GET {path}/me HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {}\r\n", access.key);
    Ok(format!("{head}Connection: close\r\n\r\n").into_bytes())
}

/// All of a crowd ask at the same moment.
fn crowd(size: usize, access: &Access, address: &str) -> Result<Vec<Reply>> {
    let request = crowd_request(access, address)?;
    let start = Barrier::new(size);
    thread::scope(|scope| {
        let callers: Vec<_> = (0..size)
            .map(|_| {
                scope.spawn(|| {
                    start.wait();
                    exchange(address, &request)
                })
            })
            .collect();
        callers.into_iter().map(|caller| caller.join().map_err(|_| anyhow!("a caller panicked"))?).collect()
    })
}

#[test]
fn r1_a_thousand_401s_at_once_are_one_refresh() -> Result<()> {
    const CALLERS: usize = 1000;
    let (world, access) = World::signed_in("crowd")?;
    world.provider.expire_access("ada")?;
    // While the provider takes its time, everyone has come.
    world.provider.fault(&json!({"mode": "slow", "ms": 3000}))?;
    let replies = crowd(CALLERS, &access, world.serve.address())?;
    for reply in &replies {
        ensure!(reply.status == 200, "{} {}", reply.status, reply.text());
        ensure!(reply.json()?["login"] == "ada");
    }
    ensure!(replies.len() == CALLERS);
    ensure!(world.count("/refresh_token/ok")? == 1 && world.count("/refresh_token/failed")? == 0);
    let refused = world.count("/api/401")?;
    ensure!(refused >= 2, "only {refused} of the callers met the dead token");
    ensure!(world.count("/api/200")? == CALLERS as u64);
    Ok(())
}

#[test]
fn no_more_than_32_requests_of_a_tool_are_held() -> Result<()> {
    let (world, access) = World::signed_in("held")?;
    world.provider.revoke_refresh("ada", true)?;
    let address = world.serve.address();
    thread::scope(|scope| {
        let crowd = scope.spawn(|| crowd(40, &access, address));
        let seen = world.wait_account("32 waiting requests", |a| a["waiting"] == 32);
        let signed_in = seen.and_then(|_| world.sandbox.run_ok(&["sign-in", "ada"]));
        if signed_in.is_err() {
            world.control(&json!({"do": "later", "account": "ada"}))?;
        }
        let replies = crowd.join().map_err(|_| anyhow!("the crowd panicked"))??;
        signed_in?;
        let with = |status: u16| replies.iter().filter(|reply| reply.status == status).count();
        ensure!(with(200) == 32 && with(401) == 8, "{} succeeded, {} did not", with(200), with(401));
        Ok(())
    })
}

#[test]
fn r15_a_caller_that_leaves_ends_no_refresh_and_is_not_sent_upstream() -> Result<()> {
    let (world, access) = World::signed_in("leaves")?;
    world.provider.expire_access("ada")?;
    world.provider.fault(&json!({"mode": "slow", "ms": 2000}))?;
    let pending = access.curl("/echo").body("once").spawn()?;
    wait_until("the refresh under way", SOON, || world.count("/faults").ok().filter(|n| *n == 1))?;
    drop(pending);
    wait_until("the end of the refresh", SOON, || world.count("/refresh_token/ok").ok().filter(|n| *n == 1))?;
    world.wait_account("the new token", |a| a["state"] == "active")?;
    ensure!(access.get("/me")?["login"] == "ada");
    ensure!(world.count("/refresh_token/ok")? == 1, "what the first refresh brought was thrown away");
    let echoed = world.count("/apiByPath/~1notes~1echo/200")?;
    ensure!(echoed == 0, "the request was sent although its caller had left");
    Ok(())
}

#[test]
fn r3_a_refresh_that_does_not_help_is_not_repeated() -> Result<()> {
    // Tokens for the other API: this one refuses them however new they are.
    let world = World::new("useless")?;
    let access = world.add("notes", &["--resource", world.provider.api_named("issues")?, "--sign-in"])?;
    let response = access.curl("/me").run()?;
    ensure!(response.status == 401 && response.text().contains("invalid_token"), "{response:?}");
    ensure!(world.count("/refresh_token/ok")? == 1 && world.count("/api/401")? == 2);
    for _ in 0..5 {
        let response = access.curl("/me").run()?;
        ensure!(response.status == 401, "{response:?}");
    }
    ensure!(world.count("/refresh_token/ok")? == 1, "it was refreshed again");
    ensure!(world.account()?["state"] == "active");
    Ok(())
}

#[test]
fn r3_the_cooldown_holds_while_another_endpoint_takes_the_token() -> Result<()> {
    let world = World::new("useless-here")?;
    let upstream = Upstream::start(|request| {
        upstream::Reply::Bytes(if request.target.starts_with("/never") { invalid_token() } else { ok("{}") })
    })?;
    let access = world.add_url(upstream.address(), "two", &["--sign-in"])?;
    ensure!(access.curl("/never").run()?.status == 401 && world.count("/refresh_token/ok")? == 1);
    for _ in 0..5 {
        // The token is good, as the other endpoint shows each time; the refusal is not about it.
        ensure!(access.curl("/fine").run()?.status == 200);
        ensure!(access.curl("/never").run()?.status == 401);
    }
    ensure!(world.count("/refresh_token/ok")? == 1, "it was refreshed again");
    // Whoever asks, and however they are answered.
    let call = json!({"jsonrpc": "2.0", "id": 1, "method": "x"});
    for _ in 0..3 {
        ensure!(access.curl("/fine").run()?.status == 200);
        let response = access.curl("/never").json(&call).run()?;
        ensure!(response.status == 503 && response.json()?["error"]["data"]["code"] == "token_refused", "{response:?}");
    }
    ensure!(world.count("/refresh_token/ok")? == 1, "JSON-RPC caused a refresh each");
    Ok(())
}

#[test]
fn row_33_a_lost_session_is_told_as_one_however_often() -> Result<()> {
    let world = World::new("lost-session")?;
    let upstream = Upstream::start(|_| upstream::Reply::Bytes(invalid_token()))?;
    let access = world.add_url(upstream.address(), "mcp", &["--sign-in"])?;
    let call = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/list"});
    for _ in 0..3 {
        let response = access.curl("/mcp").json(&call).header("mcp-session-id", "gone").run()?;
        ensure!(response.status == 404 && response.header("www-authenticate").is_none(), "{response:?}");
    }
    ensure!(world.count("/refresh_token/ok")? == 1);
    Ok(())
}

#[test]
fn no_client_is_invited_to_sign_in_by_itself() -> Result<()> {
    // Whatever is refused, and whyever nothing mends it: no challenge reaches a JSON-RPC client.
    let world = World::new("no-invitation")?;
    let upstream = Upstream::start(|request| {
        let challenge = match request.target.as_str() {
            "/token" => "401 Unauthorized\r\nwww-authenticate: Bearer error=\"invalid_token\"",
            "/scope" => "403 Forbidden\r\nwww-authenticate: Bearer error=\"insufficient_scope\", scope=\"more\"",
            _ => "401 Unauthorized\r\nwww-authenticate: Bearer error=\"insufficient_claims\", claims=\"eyJhIjoxfQ\"",
        };
        upstream::Reply::Bytes(upstream::response(challenge, b"no"))
    })?;
    let access = world.add_url(upstream.address(), "api", &["--sign-in"])?;
    world.sandbox.run_ok(&["service", "set", "api", "--hold", "0", "--replay-unsafe=no"])?;
    let call = json!({"jsonrpc": "2.0", "id": 1, "method": "x"});
    for path in ["/token", "/scope", "/claims", "/token", "/scope", "/claims"] {
        let response = access.curl(path).json(&call).run()?;
        ensure!(response.status == 503 && response.json()?["id"] == 1, "{path}: {response:?}");
        ensure!(response.header("www-authenticate").is_none(), "{path}: {response:?}");
    }
    Ok(())
}

#[test]
fn a_good_token_s_refusals_pass_through() -> Result<()> {
    let (world, access) = World::signed_in("passes")?;
    for status in [204, 304, 403, 404, 409, 429, 500, 503] {
        let response = access.curl(&format!("/status/{status}")).run()?;
        ensure!(response.status == status, "{status}: {response:?}");
        let expected: Value = if [204, 304].contains(&status) { Value::Null } else { json!({"status": status}) };
        let came = if response.body.is_empty() { Value::Null } else { response.json()? };
        ensure!(came == expected, "{status}: {response:?}");
    }
    ensure!(world.count("/refresh_token/ok")? == 0);
    let head = access.curl("/me").method("HEAD").run_any()?;
    ensure!(head.exit == 0 && head.status == 404, "HEAD is no method of this API: {head:?}");
    Ok(())
}

#[test]
fn the_person_signs_in_before_the_tool_asks_and_the_tool_never_waits() -> Result<()> {
    let (world, access) = World::signed_in("before")?;
    world.provider.revoke_refresh("ada", true)?;
    let message = crate::world::refused(&world.sandbox, &["refresh", "ada"], 10, "ended_by_provider")?;
    ensure!(message.contains("signbell sign-in ada"), "{message}");
    world.sandbox.run_ok(&["sign-in", "ada"])?;
    let response = Curl::new(format!("{}/me", access.url)).header("x-signbell-key", &access.key).run()?;
    ensure!(response.status == 200, "{response:?}");
    ensure!(!world.activity()?.iter().any(|kind| kind == "held"));
    Ok(())
}
