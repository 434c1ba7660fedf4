//! When a request is sent once more, and when it must not be.

use std::io::Write as _;
use std::net::{Shutdown, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::json;
use signbell_tests::upstream::{Reply, invalid_token, ok, response};
use signbell_tests::{DesktopOptions, Sandbox, Serve, Upstream, wait_ok};

use crate::SOON;
use crate::wire::Wire;
use crate::world::{self, World, follow_links, provider};

#[test]
fn r2_a_401_for_an_older_token_is_replayed_with_the_newer_without_a_refresh() -> Result<()> {
    // The first request's refusal comes late: meanwhile a second one has brought a new token.
    let first = Arc::new(Mutex::new(None::<String>));
    let held = Arc::clone(&first);
    let upstream = Upstream::start(move |request| {
        let mut first = held.lock().unwrap_or_else(PoisonError::into_inner);
        let dead = first.get_or_insert_with(|| request.token().to_owned()).clone();
        drop(first);
        if dead != request.token() {
            return Reply::Bytes(ok("{}"));
        }
        if request.target == "/late" {
            std::thread::sleep(Duration::from_millis(1500));
        }
        Reply::Bytes(invalid_token())
    })?;
    let world = World::new("older")?;
    let access = world.add_url(upstream.address(), "api", &["--sign-in"])?;
    let late = access.curl("/late").spawn()?;
    wait_ok("the first request", SOON, || {
        ensure!(upstream.seen().len() == 1);
        Ok(())
    })?;
    ensure!(access.curl("/now").run()?.status == 200);
    ensure!(world.count("/refresh_token/ok")? == 1);
    ensure!(late.wait()?.status == 200 && world.count("/refresh_token/ok")? == 1, "it was refreshed again");
    let targets: Vec<String> = upstream.seen().into_iter().map(|request| request.target).collect();
    ensure!(targets == ["/late", "/now", "/now", "/late"], "{targets:?}");
    Ok(())
}

#[test]
fn r5_a_basic_challenge_and_a_firewall_s_page_go_through_to_the_byte() -> Result<()> {
    let page = b"<html>\r\n<title>403 Forbidden</title>\x00\xff</html>";
    let upstream = Upstream::start(move |request| {
        Reply::Bytes(match request.target.as_str() {
            "/basic" => response(
                "401 Unauthorized\r\nwww-authenticate: Basic realm=\"x\"\r\nwww-authenticate: Digest nonce=\"Bearer\"",
                b"no",
            ),
            _ => response("403 Forbidden\r\nserver: AkamaiGHost\r\ncontent-type: text/html", page),
        })
    })?;
    let world = World::new("not-ours")?;
    let access = world.add_url(upstream.address(), "api", &["--sign-in"])?;
    let basic = access.curl("/basic").run()?;
    let challenges: Vec<_> = basic.headers.iter().filter(|(n, _)| n.eq_ignore_ascii_case("www-authenticate")).collect();
    ensure!(basic.status == 401 && basic.body == b"no" && challenges.len() == 2, "{basic:?}");
    let firewall = access.curl("/x").run()?;
    ensure!(firewall.status == 403 && firewall.body == page && firewall.header("server") == Some("AkamaiGHost"));
    ensure!(upstream.seen().len() == 2 && world.count("/refresh_token/ok")? == 0);
    Ok(())
}

#[test]
fn r9_a_refusal_of_ours_comes_before_the_body_is_asked_for() -> Result<()> {
    let (world, access) = World::signed_in("expect-refused")?;
    let address = world.serve.address();
    let path = access.url.strip_prefix(address).context("not at the proxy")?;
    let host = address.trim_start_matches("http://");
    let mut wire = Wire::open(address)?;
    wire.send(format!(
        "POST {path}/echo HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer sbk_wrong\r\nContent-Length: 5\r\n\
         Expect: 100-continue\r\n\r\n"
    ))?;
    wire.wait_for("HTTP/1.1 401 ")?;
    ensure!(!wire.text().contains("100 Continue"), "the body was asked for: {}", wire.text());
    ensure!(world.count("/api/200")? == 0 && world.count("/api/401")? == 0, "it reached the upstream");
    Ok(())
}

#[test]
fn r10_a_post_that_broke_off_or_failed_is_never_sent_again() -> Result<()> {
    let upstream = Upstream::start(|request| match request.target.as_str() {
        "/reset" => Reply::Take(Box::new(|stream| drop(stream.shutdown(Shutdown::Both)))),
        "/cut" => Reply::Last(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf".to_vec()),
        "/502" => Reply::Bytes(response("502 Bad Gateway", b"bad")),
        "/503" => Reply::Bytes(response("503 Service Unavailable\r\nretry-after: 1", b"busy")),
        _ => Reply::Take(Box::new(|stream: TcpStream| {
            std::thread::sleep(Duration::from_secs(6));
            drop(stream);
        })),
    })?;
    let world = World::new("never-again")?;
    let access = world.add_url(upstream.address(), "api", &["--sign-in"])?;
    for (path, status) in [("/reset", 502), ("/502", 502), ("/503", 503)] {
        let response = access.curl(path).body("once").run()?;
        ensure!(response.status == status, "{path}: {response:?}");
    }
    // A cut is passed on as a cut, and a caller that gives up is not made up for.
    ensure!(access.curl("/cut").body("once").run_any()?.exit != 0);
    ensure!(access.curl("/silent").body("once").timeout(Duration::from_secs(2)).run_any()?.exit == 28);
    std::thread::sleep(Duration::from_millis(500));
    let seen = upstream.seen();
    for path in ["/reset", "/cut", "/502", "/503", "/silent"] {
        let count = seen.iter().filter(|request| request.target == path).count();
        ensure!(count == 1, "{path} arrived {count} times");
    }
    ensure!(world.count("/refresh_token/ok")? == 0);
    Ok(())
}

/// Google's words for a token that lacks a permission, which at times it does not.
fn under_scoped() -> Vec<u8> {
    let body = br#"{"error":{"code":403,"message":"Request had insufficient authentication scopes.","status":"PERMISSION_DENIED"}}"#;
    response("403 Forbidden\r\ncontent-type: application/json; charset=UTF-8\r\nx-kept: yes", body)
}

#[test]
fn case_4_gogcli_many_at_once_cost_one_refresh() -> Result<()> {
    let first = std::sync::OnceLock::<String>::new();
    let upstream = Upstream::start(move |request| {
        let refuses = first.get_or_init(|| request.token().to_owned()) == request.token();
        Reply::Bytes(if refuses { under_scoped() } else { ok("{}") })
    })?;
    let world = World::new("gogcli-many")?;
    let access = world.add_url(upstream.address(), "g", &["--preset", "google", "--sign-in"])?;
    world.provider.fault(&json!({"mode": "slow", "ms": 1500}))?;
    let pending = (0..20).map(|_| access.curl("/drive/v3/files").spawn()).collect::<Result<Vec<_>>>()?;
    for pending in pending {
        ensure!(pending.wait()?.status == 200);
    }
    ensure!(world.count("/refresh_token/ok")? == 1, "{} refreshes", world.count("/refresh_token/ok")?);
    Ok(())
}

#[test]
fn case_4_gogcli_where_the_refresh_fails_the_original_403_stands() -> Result<()> {
    let upstream = Upstream::start(|_| Reply::Bytes(under_scoped()))?;
    let world = World::new("gogcli-fails")?;
    let access = world.add_url(upstream.address(), "g", &["--preset", "google", "--sign-in"])?;
    let stands = |response: &signbell_tests::Response| {
        response.status == 403
            && response.text().contains("insufficient authentication")
            && response.header("x-kept").is_some()
    };
    // For now: the provider is down.
    world.provider.fault(&json!({"mode": "500", "times": 5}))?;
    let response = access.curl("/drive/v3/files").run()?;
    ensure!(stands(&response), "{response:?}");
    ensure!(world.account()?["state"] == "active");
    world.provider.fault(&serde_json::Value::Null)?;
    // For good: nobody comes.
    world.provider.revoke_refresh("ada", false)?;
    world.sandbox.run_ok(&["service", "set", "g", "--hold", "0"])?;
    wait_ok("the end of the backoff", SOON, || {
        let response = access.curl("/drive/v3/files").run()?;
        ensure!(stands(&response) && world.account()?["state"] == "needs_sign_in", "{response:?}");
        Ok(())
    })?;
    ensure!(upstream.seen().iter().all(|request| !request.token().is_empty()));
    Ok(())
}

#[test]
fn r12_an_endless_401_is_read_so_far_and_closed() -> Result<()> {
    let sent = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&sent);
    let first = std::sync::OnceLock::<String>::new();
    let upstream = Upstream::start(move |request| {
        if first.get_or_init(|| request.token().to_owned()) != request.token() {
            return Reply::Bytes(ok("{}"));
        }
        let counted = Arc::clone(&counted);
        Reply::Take(Box::new(move |mut stream: TcpStream| {
            let head = "HTTP/1.1 401 Unauthorized\r\nwww-authenticate: Bearer\r\ntransfer-encoding: chunked\r\n\r\n";
            let mut going = stream.write_all(head.as_bytes()).is_ok();
            // A gigabyte, if anybody reads that long.
            for _ in 0..65_536 {
                if !going {
                    return;
                }
                let chunk = [b"4000\r\n", &[b'x'; 16_384][..], b"\r\n"].concat();
                going = stream.write_all(&chunk).is_ok();
                counted.fetch_add(16_384, Ordering::Relaxed);
                // Slower than any reader, so that what is sent is what was read, and not what buffers take.
                std::thread::sleep(Duration::from_millis(30));
            }
        }))
    })?;
    let world = World::new("endless")?;
    let access = world.add_url(upstream.address(), "api", &["--sign-in"])?;
    ensure!(access.curl("/x").run()?.status == 200);
    wait_ok("the end of the endless answer", SOON, || {
        let before = sent.load(Ordering::Relaxed);
        std::thread::sleep(Duration::from_millis(300));
        ensure!(sent.load(Ordering::Relaxed) == before, "it is still read");
        Ok(())
    })?;
    // 64 KiB, and what was on its way when that was reached.
    let sent = sent.load(Ordering::Relaxed);
    ensure!((65_536..=524_288).contains(&sent), "{sent} bytes were taken");
    Ok(())
}

#[test]
fn r17_what_another_process_renewed_is_adopted_and_not_fought_over() -> Result<()> {
    // Two homes of one user on one keyring: each has its own engine, and they share the grant's item.
    let sandbox = Sandbox::new("two-engines")?;
    let desktop = DesktopOptions::default().without_panel().without_dunst().start(&sandbox)?;
    follow_links(&sandbox)?;
    let provider = provider(&sandbox, &json!({}))?;
    let _first = Serve::start(&sandbox)?;
    let access = world::add(&sandbox, &provider, "notes", &["--sign-in"])?;
    ensure!(access.get("/me")?["login"] == "ada");

    let other = Sandbox::new("two-engines-b")?;
    for (name, value) in desktop.envs() {
        if name == "DBUS_SESSION_BUS_ADDRESS" {
            other.set_env(&name, value);
        }
    }
    let _second = Serve::start(&other)?;
    let second = world::add(&other, &provider, "notes", &[])?;
    ensure!(second.get("/me")?["login"] == "ada", "the second engine does not find the grant");

    // The provider detects reuse: a second use of the old refresh token would end the whole grant.
    for round in 1..=3u64 {
        provider.expire_access("ada")?;
        ensure!(second.get("/me")?["login"] == "ada");
        ensure!(access.get("/me")?["login"] == "ada");
        let counts = provider.counts()?;
        ensure!(counts["refresh_token"] == json!({"ok": round, "failed": 0}), "round {round}: {counts}");
    }
    Ok(())
}
