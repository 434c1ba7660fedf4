//! What goes through, to the byte and in time: bodies, streams, headers, addresses.

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use signbell_tests::upstream::{Reply, Upstream, ok};
use signbell_tests::{Curl, Response, wait_until};

use crate::SOON;
use crate::wire::{Wire, exchange};
use crate::world::{Access, World, bytes, sha256};

const MIB: usize = 1024 * 1024;

fn post(access: &Access, body: &[u8]) -> Result<Response> {
    access.curl("/echo").header("content-type", "application/octet-stream").body(body).run()
}

#[test]
fn r6_a_post_of_exactly_the_cap_is_replayed_to_the_byte() -> Result<()> {
    let (world, access) = World::signed_in("cap")?;
    let body = bytes(MIB);
    world.provider.expire_access("ada")?;
    let response = post(&access, &body)?;
    ensure!(response.status == 200, "{} {}", response.status, response.text());
    let echo = response.json()?;
    ensure!(echo["method"] == "POST" && echo["length"] == MIB && echo["sha256"] == sha256(&body)?, "{echo}");
    ensure!(world.count("/api/401")? == 1 && world.count("/refresh_token/ok")? == 1);
    Ok(())
}

#[test]
fn r7_one_byte_more_is_not_replayed_and_the_answer_arrives_as_it_was() -> Result<()> {
    let (world, access) = World::signed_in("over")?;
    world.provider.expire_access("ada")?;
    let response = post(&access, &bytes(MIB + 1))?;
    ensure!(response.status == 401 && response.json()? == json!({"error": "invalid_token"}), "{response:?}");
    let challenge = response.header("www-authenticate").unwrap_or_default();
    let expected =
        "Bearer error=\"invalid_token\", error_description=\"the access token is unknown, expired or revoked\"";
    ensure!(challenge == expected, "{challenge}");
    ensure!(response.header("content-type") == Some("application/json"), "{response:?}");
    wait_until("the refresh", SOON, || world.count("/refresh_token/ok").ok().filter(|n| *n == 1))?;
    // The tool's own second try finds the new token.
    let body = bytes(MIB + 1);
    let echo = post(&access, &body)?.json()?;
    ensure!(echo["length"] == MIB + 1 && echo["sha256"] == sha256(&body)?, "{echo}");
    ensure!(world.count("/refresh_token/ok")? == 1 && world.count("/api/401")? == 1);
    Ok(())
}

#[test]
fn a_service_may_forbid_replaying_what_changes_something() -> Result<()> {
    let (world, access) = World::signed_in("unsafe")?;
    world.sandbox.run_ok(&["service", "set", "notes", "--replay-unsafe=no"])?;
    world.provider.expire_access("ada")?;
    let response = post(&access, b"once")?;
    ensure!(response.status == 401 && response.json()?["error"] == "invalid_token", "{response:?}");
    wait_until("the refresh", SOON, || world.count("/refresh_token/ok").ok().filter(|n| *n == 1))?;
    ensure!(post(&access, b"once")?.status == 200, "the tool's own second try");
    world.provider.expire_access("ada")?;
    ensure!(access.get("/me")?["login"] == "ada", "a GET is replayed all the same");
    Ok(())
}

#[test]
fn r6_a_chunked_post_with_trailers_is_replayed_to_the_byte() -> Result<()> {
    let (world, access) = World::signed_in("trailers")?;
    let body = bytes(64 * 1024);
    for (dead, refreshes) in [(false, 0), (true, 1)] {
        if dead {
            world.provider.expire_access("ada")?;
        }
        let mut wire = Wire::open(world.serve.address())?;
        wire.send(head(&world, &access, "POST", "/echo", "Transfer-Encoding: chunked\r\nTrailer: X-Check\r\n")?)?;
        for part in body.chunks(7001) {
            wire.chunk(part)?;
        }
        wire.send("0\r\nX-Check: seen\r\n\r\n")?;
        let reply = wire.reply()?;
        ensure!(reply.status == 200, "{reply:?}");
        let echo = reply.json()?;
        ensure!(echo["length"] == body.len() && echo["sha256"] == sha256(&body)?, "{echo}");
        ensure!(echo["trailers"] == json!({"x-check": "seen"}), "dead token: {dead}: {echo}");
        ensure!(world.count("/refresh_token/ok")? == refreshes);
    }
    Ok(())
}

#[test]
fn r8_a_401_during_the_upload_is_replayed_whole() -> Result<()> {
    let (world, access) = World::signed_in("early")?;
    world.provider.expire_access("ada")?;
    let mut wire = Wire::open(world.serve.address())?;
    wire.send(head(&world, &access, "POST", "/echo?early=1", "Content-Length: 40000\r\n")?)?;
    let body = bytes(40_000);
    let (first, second) = body.split_at(10_000);
    wire.send(first)?;
    // The upstream refuses before it has the rest.
    wait_until("the early 401", SOON, || world.count("/api/401").ok().filter(|n| *n == 1))?;
    wire.send(second)?;
    let reply = wire.reply()?;
    ensure!(reply.status == 200, "{reply:?}");
    let echo = reply.json()?;
    ensure!(echo["length"] == 40_000 && echo["sha256"] == sha256(&body)?, "{echo}");
    Ok(())
}

#[test]
fn r9_expect_100_continue_is_served() -> Result<()> {
    let (world, access) = World::signed_in("expect")?;
    world.provider.expire_access("ada")?;
    let mut wire = Wire::open(world.serve.address())?;
    wire.send(head(&world, &access, "POST", "/echo", "Content-Length: 5\r\nExpect: 100-continue\r\n")?)?;
    wire.wait_for("HTTP/1.1 100 Continue")?;
    wire.send("hello")?;
    let reply = wire.reply()?;
    ensure!(reply.status == 200 && reply.json()?["sha256"] == sha256(b"hello")?, "{reply:?}");
    Ok(())
}

#[test]
fn r11_events_pass_as_they_come_and_a_refresh_does_not_touch_them() -> Result<()> {
    let (world, access) = World::signed_in("events")?;
    let pending = access.curl("/events?n=40&ms=200").spawn()?;
    let soon = pending.wait_body("{\"i\":1}", SOON)?;
    ensure!(!soon.contains("{\"i\":39}"), "the events came all at once");
    world.provider.expire_access("ada")?;
    access.get("/me")?;
    ensure!(world.count("/refresh_token/ok")? == 1);
    let now = String::from_utf8_lossy(&pending.body_so_far()).into_owned();
    ensure!(!now.contains("{\"i\":39}"), "the refresh was not in the middle");
    let response = pending.wait()?;
    ensure!(response.status == 200 && response.header("content-type") == Some("text/event-stream"), "{response:?}");
    let expected: String = (0..40).map(|i| format!("id: {i}\ndata: {{\"i\":{i}}}\n\n")).collect();
    ensure!(response.text() == expected, "{}", response.text());
    Ok(())
}

#[test]
fn an_upload_is_passed_on_while_it_is_sent_and_so_is_its_answer() -> Result<()> {
    let (world, access) = World::signed_in("progress")?;
    let mut wire = Wire::open(world.serve.address())?;
    wire.send(head(&world, &access, "POST", "/progress", "Transfer-Encoding: chunked\r\n")?)?;
    // Each part is sent only when the answer to the one before has come.
    let mut all = Vec::new();
    for size in [5usize, 17, 1200] {
        let part = bytes(size);
        wire.chunk(&part)?;
        wire.wait_for(&format!("got {size}\n"))?;
        all.extend(part);
    }
    wire.send("0\r\n\r\n")?;
    let reply = wire.reply()?;
    ensure!(reply.status == 200 && reply.text().ends_with(&format!("end {}\n", sha256(&all)?)), "{}", reply.text());
    Ok(())
}

#[test]
fn a_connection_that_the_upstream_closed_costs_no_request() -> Result<()> {
    // It does not say so before.
    let upstream = Upstream::start(|_| Reply::Last(ok("{}")))?;
    let (world, access) = World::signed_in("closed")?;
    world.add_url(upstream.address(), "raw", &[])?;
    let raw = Access { url: world.serve.url("/raw"), ..access };
    for body in [b"one", b"two", b"six"] {
        ensure!(post(&raw, body)?.status == 200);
    }
    let bodies: Vec<_> = upstream.seen().into_iter().map(|request| request.body).collect();
    ensure!(bodies == [b"one", b"two", b"six"], "{bodies:?}");
    Ok(())
}

#[test]
fn a_large_answer_arrives_whole() -> Result<()> {
    let (_world, access) = World::signed_in("large")?;
    let length = 20 * MIB;
    let response = access.curl(&format!("/bytes/{length}")).run()?;
    ensure!(response.status == 200 && response.body.len() == length, "{} bytes", response.body.len());
    ensure!(response.header("content-length") == Some(length.to_string().as_str()));
    ensure!(response.body.iter().zip((0..251u8).cycle()).all(|(byte, i)| *byte == i), "the bytes differ");
    Ok(())
}

/// A request's head with the key, for a connection of its own.
fn head(world: &World, access: &Access, method: &str, path: &str, fields: &str) -> Result<String> {
    let address = world.serve.address();
    let path = access.url.strip_prefix(address).context("not at the proxy")?.to_owned() + path;
    let host = address.trim_start_matches("http://");
    let key = &access.key;
    let fields = format!("{fields}Connection: close\r\n");
    Ok(format!("{method} {path} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {key}\r\n{fields}\r\n"))
}

#[test]
fn e2_e3_e4_e5_the_upstream_sees_one_credential_and_no_trace_of_us() -> Result<()> {
    let (world, access) = World::signed_in("headers")?;
    let address = world.serve.address();
    let path = access.url.strip_prefix(address).context("not at the proxy")?;
    let host = address.trim_start_matches("http://");
    let key = &access.key;
    let request = format!(
        "GET {path}/me HTTP/1.1\r\nHost: {host}\r\nX-Signbell-Key: {key}\r\nAuthorization: Bearer {key}\r\n\
         Authorization: Basic eDp5\r\nProxy-Authorization: Basic eDp5\r\nConnection: close, authorization, x-hop\r\n\
         X-Hop: 1\r\nKeep-Alive: timeout=5\r\nX-Forwarded-For: 1.2.3.4\r\nX-Forwarded-User: root\r\n\
         X_Forwarded_User: root\r\nX-Real-IP: 1.2.3.4\r\nForwarded: for=1.2.3.4\r\nX-Kept: yes\r\n\r\n"
    );
    let reply = exchange(address, request)?;
    ensure!(reply.status == 200, "{reply:?}");
    let me = reply.json()?;
    ensure!(me["login"] == "ada" && me["xff"].is_null(), "{me}");
    let via: Vec<&str> = me["via"].as_array().context("no via")?.iter().filter_map(Value::as_str).collect();
    ensure!(via.iter().filter(|name| **name == "authorization").count() == 1, "{via:?}");
    ensure!(via.iter().filter(|name| **name == "host").count() == 1 && via.contains(&"x-kept"), "{via:?}");
    for name in via {
        let gone = ["x-signbell-key", "proxy-authorization", "x-hop", "keep-alive", "x-real-ip", "forwarded"];
        let forwarded = name.replace('_', "-").starts_with("x-forwarded");
        ensure!(!gone.contains(&name) && !forwarded, "{name} went upstream");
    }
    Ok(())
}

#[test]
fn e1_redirects_lead_back_to_the_tool_s_address_or_plainly_elsewhere() -> Result<()> {
    let (world, access) = World::signed_in("location")?;
    let api = world.provider.api_named("notes")?;
    let issues = world.provider.api_named("issues")?;
    let own = world.serve.address();
    let tool = access.url.as_str();
    for (to, expected) in [
        (format!("{api}/me?a=b#c"), Some(format!("{tool}/me?a=b#c"))),
        ("/notes/me".to_owned(), Some(format!("{tool}/me"))),
        ("me".to_owned(), Some(format!("{tool}/me"))),
        ("/issues/me".to_owned(), Some(format!("{issues}/me"))),
        ("../issues/me".to_owned(), Some(format!("{issues}/me"))),
        ("/notesx/me".to_owned(), Some(format!("{}x/me", api))),
        ("https://example.test/x?y=z".to_owned(), Some("https://example.test/x?y=z".to_owned())),
        ("//example.test/x".to_owned(), Some("http://example.test/x".to_owned())),
        (format!("{own}/notes/me"), None),
        (format!("{}/issues", own.replace("127.0.0.1", "localhost")), None),
    ] {
        let query: String = to.bytes().map(|byte| format!("%{byte:02x}")).collect();
        let response = access.curl(&format!("/redirect?to={query}")).run()?;
        match expected {
            Some(expected) => {
                ensure!(response.status == 302, "{to}: {response:?}");
                ensure!(response.header("location") == Some(&*expected), "{to}: {:?}", response.header("location"));
            }
            None => {
                ensure!(response.status == 502 && response.json()?["code"] == "bad_location", "{to}: {response:?}");
                ensure!(response.header("location").is_none(), "{to}: {response:?}");
            }
        }
    }
    // A tool that follows one ends at the service, with its own key and Signbell's token.
    let response = access.curl("/redirect?to=/notes/me").arg("--location").run()?;
    ensure!(response.status == 200 && response.json()?["login"] == "ada", "{response:?}");
    // Nothing was followed here.
    ensure!(world.count("/apiByPath/~1issues/200")? == 0 && world.count("/apiByPath/~1notes~1me/200")? == 1);
    Ok(())
}

#[test]
fn the_service_is_reached_by_its_host_name_too() -> Result<()> {
    let (world, access) = World::signed_in("host")?;
    let port = world.serve.address().rsplit(':').next().context("no port")?.to_owned();
    for (host, path) in [
        (format!("notes.localhost:{port}"), "/me"),
        (format!("localhost:{port}"), "/notes/me"),
        (format!("LOCALHOST:{port}"), "/notes/me"),
    ] {
        let curl = Curl::new(format!("{}{path}", world.serve.address()));
        let response = curl.header("host", &host).header("x-signbell-key", &access.key).run()?;
        ensure!(response.status == 200 && response.json()?["login"] == "ada", "{host}: {response:?}");
    }
    let curl = Curl::new(world.serve.url("/redirect?to=/notes/me")).header("x-signbell-key", &access.key);
    let response = curl.header("host", &format!("notes.localhost:{port}")).run()?;
    let expected = format!("http://notes.localhost:{port}/me");
    ensure!(response.header("location") == Some(&*expected), "{response:?}");
    Ok(())
}
