//! Other protocols on a connection that began as HTTP/1.1 (RFC 9110 section 7.8): WebSocket.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use anyhow::{Context as _, Result, ensure};
use signbell_tests::Upstream;
use signbell_tests::upstream::{Reply, invalid_token};

use crate::SOON;
use crate::wire::Wire;
use crate::world::{Access, World};

/// From RFC 6455 section 1.3.
const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

/// Switches for each token but the refused one, then sends back every byte it gets, in upper case.
fn shouting(refused: Arc<Mutex<Option<String>>>, pings_first: bool) -> Result<Upstream> {
    Upstream::start(move |request| {
        let refused = refused.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone();
        if refused.as_deref() == Some(request.token()) {
            return Reply::Bytes(invalid_token());
        }
        let asked = request.header("upgrade") == Some("websocket") && request.header("sec-websocket-key") == Some(KEY);
        if !asked {
            return Reply::Bytes(signbell_tests::upstream::ok("{}"));
        }
        Reply::Take(Box::new(move |mut stream: TcpStream| {
            let head = format!(
                "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                 Sec-WebSocket-Accept: {ACCEPT}\r\nSec-WebSocket-Protocol: chat\r\n\r\n"
            );
            // The first frame may come in the same packet as the head.
            let first: &[u8] = if pings_first { b"\x89\x00first" } else { b"" };
            let _ = stream.write_all(&[head.as_bytes(), first].concat());
            let mut part = [0; 4096];
            while let Ok(n @ 1..) = stream.read(&mut part) {
                let shouted = part.get(..n).unwrap_or_default().to_ascii_uppercase();
                let _ = stream.write_all(&shouted);
            }
        }))
    })
}

fn handshake(world: &World, access: &Access) -> Result<Wire> {
    let address = world.serve.address();
    let path = access.url.strip_prefix(address).context("not at the proxy")?;
    let mut wire = Wire::open(address)?;
    wire.send(format!(
        "GET {path}/socket HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {}\r\nConnection: keep-alive, Upgrade\r\n\
         Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {KEY}\r\n\
         Sec-WebSocket-Protocol: chat\r\n\r\n",
        address.trim_start_matches("http://"),
        access.key
    ))?;
    Ok(wire)
}

fn talk(mut wire: Wire) -> Result<()> {
    wire.wait_for("\r\n\r\n")?;
    let head = wire.text();
    ensure!(head.starts_with("HTTP/1.1 101 "), "{head:?}");
    let lower = head.to_ascii_lowercase();
    for field in ["upgrade: websocket\r\n", "connection: upgrade\r\n", "sec-websocket-protocol: chat\r\n"] {
        ensure!(lower.contains(field), "{head:?}");
    }
    ensure!(head.contains(ACCEPT), "{head:?}");
    // Raw bytes, both ways, for as long as both like: each part only after the answer to the one before.
    for i in 0..50 {
        wire.send(format!("part {i};\r\n\r\nHTTP/1.1 {i}\n"))?;
        wire.wait_for(&format!("PART {i};\r\n\r\nHTTP/1.1 {i}\n"))?;
    }
    let long = "x".repeat(300_000);
    wire.send(format!("{long}end"))?;
    wire.wait_for(&format!("{}END", long.to_ascii_uppercase()))
}

#[test]
fn a_websocket_passes_with_the_token() -> Result<()> {
    let world = World::new("websocket")?;
    let upstream = shouting(Arc::default(), true)?;
    let access = world.add_url(upstream.address(), "socket", &["--sign-in"])?;
    let mut wire = handshake(&world, &access)?;
    wire.wait_for("first")?;
    talk(wire)?;
    let seen = upstream.seen();
    let request = seen.first().context("nothing arrived")?;
    ensure!(seen.len() == 1 && request.target == "/socket", "{seen:?}");
    ensure!(!request.token().is_empty() && request.token() != access.key, "the tool's key went upstream");
    ensure!(request.header("connection").is_some_and(|c| c.eq_ignore_ascii_case("upgrade")), "{request:?}");
    // The next request on another connection is an ordinary one.
    ensure!(access.curl("/plain").run()?.status == 200);
    Ok(())
}

#[test]
fn r14_a_websocket_s_401_is_recovered_at_the_handshake() -> Result<()> {
    let world = World::new("websocket-401")?;
    let refused = Arc::<Mutex<Option<String>>>::default();
    let upstream = shouting(Arc::clone(&refused), false)?;
    let access = world.add_url(upstream.address(), "socket", &["--sign-in"])?;
    talk(handshake(&world, &access)?)?;
    let token = upstream.seen().first().context("nothing arrived")?.token().to_owned();
    *refused.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = Some(token.clone());
    talk(handshake(&world, &access)?)?;
    let tokens: Vec<String> = upstream.seen().iter().map(|request| request.token().to_owned()).collect();
    ensure!(tokens.len() == 3 && tokens[0] == token && tokens[1] == token && tokens[2] != token, "{}", tokens.len());
    ensure!(world.count("/refresh_token/ok")? == 1);
    Ok(())
}

#[test]
fn i10_bytes_before_the_101_are_held_until_it_came() -> Result<()> {
    let world = World::new("websocket-early")?;
    let early = Arc::new(AtomicBool::new(false));
    let noted = Arc::clone(&early);
    let upstream = Upstream::start(move |_| {
        let noted = Arc::clone(&noted);
        Reply::Take(Box::new(move |mut stream: TcpStream| {
            let _ = stream.set_read_timeout(Some(std::time::Duration::from_millis(700)));
            let mut part = [0; 64];
            noted.store(matches!(stream.read(&mut part), Ok(1..)), Ordering::Relaxed);
            let _ = stream.set_read_timeout(Some(SOON));
            let _ = stream.write_all(b"HTTP/1.1 101 X\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n");
            if let Ok(n @ 1..) = stream.read(&mut part) {
                let _ = stream.write_all(&[b"got ", part.get(..n).unwrap_or_default()].concat());
            }
        }))
    })?;
    let access = world.add_url(upstream.address(), "socket", &["--sign-in"])?;
    let mut wire = handshake(&world, &access)?;
    wire.send("GET /other HTTP/1.1\r\n\r\n")?;
    wire.wait_for("got GET /other HTTP/1.1\r\n\r\n")?;
    ensure!(!early.load(Ordering::Relaxed), "the upstream got bytes before it switched");
    ensure!(upstream.seen().len() == 1, "a second request arrived");
    Ok(())
}
