//! What no rule matches arrives as it came: status, headers less what is hop-by-hop, body, framing and
//! trailers; and what is looked into is neither changed nor held back.

use std::io::Write as _;
use std::net::TcpStream;
use std::sync::mpsc;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use signbell_tests::Upstream;
use signbell_tests::upstream::{Reply, ok, response};

use crate::SOON;
use crate::wire::{self, Wire};
use crate::world::{Access, World, bytes};

/// Random numbers that are the same in every run.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 11).unwrap_or(0) % sides
    }

    fn one_of<'a, T: ?Sized>(&mut self, all: &[&'a T]) -> &'a T {
        all[self.roll(all.len())]
    }
}

/// A response of an upstream: what it sends, and what has to arrive.
#[derive(Debug, Clone)]
struct Sample {
    status: u16,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
    trailers: Vec<(String, String)>,
    chunks: Option<usize>,
}

/// Names that mean nothing to a proxy, and values of every kind that a header may have.
fn sample(dice: &mut Dice) -> Sample {
    const STATUSES: [&u16; 22] = [
        &200, &201, &202, &203, &204, &206, &207, &300, &301, &302, &304, &307, &400, &403, &404, &409, &418, &422,
        &429, &500, &502, &599,
    ];
    const NAMES: [&str; 9] = [
        "etag",
        "x-request-id",
        "set-cookie",
        "vary",
        "x-github-media-type",
        "retry-after",
        "warning",
        "content-language",
        "x-a.b!c'd|e~f",
    ];
    const VALUES: [&str; 8] = [
        "",
        "plain",
        "\"quoted, with a comma\"",
        "W/\"x\"",
        "a=b; Path=/; HttpOnly",
        "tab\there",
        "l\u{e4}t\u{ed}n",
        "Bearer error=\"invalid_token\"",
    ];
    const TYPES: [&str; 5] =
        ["application/json", "text/html; charset=utf-8", "application/octet-stream", "text/plain", "x/y"];
    const BODIES: [&[u8]; 5] = [
        b"{\"ok\":true,\"error\":\"token_expired\"}",
        b"{\"errors\":[{\"message\":\"401 invalid_token unauthorized\"}]}",
        b"<html><form>Sign in</form></html>",
        b"\x00\xff\r\n\r\nHTTP/1.1 401 Unauthorized\r\n\r\n",
        b"",
    ];
    let status = *dice.one_of(&STATUSES);
    let empty = matches!(status, 204 | 304);
    let mut headers = vec![("content-type".to_owned(), dice.one_of(&TYPES).to_owned())];
    for _ in 0..dice.roll(6) {
        headers.push((dice.one_of(&NAMES).to_owned(), dice.one_of(&VALUES).to_owned()));
    }
    let body = match dice.roll(7) {
        _ if empty => vec![],
        0 => bytes(dice.roll(300_000)),
        _ => dice.one_of(&BODIES).to_vec(),
    };
    let chunks = (!empty && dice.roll(2) == 0).then(|| 1 + dice.roll(5000));
    let mut trailers = vec![];
    if chunks.is_some() && dice.roll(2) == 0 {
        headers.push(("trailer".to_owned(), "x-checksum".to_owned()));
        trailers.push(("x-checksum".to_owned(), "seen".to_owned()));
    }
    Sample { status, headers, body, trailers, chunks }
}

impl Sample {
    /// On the wire, in Latin-1 as headers are.
    fn wire(&self) -> Vec<u8> {
        let latin = |text: &str| text.chars().map(|c| u8::try_from(u32::from(c)).unwrap_or(b'?')).collect::<Vec<u8>>();
        let mut wire =
            format!("HTTP/1.1 {} Whatever\r\nconnection: keep-alive, x-hop\r\nx-hop: 1\r\n", self.status).into_bytes();
        for (name, value) in &self.headers {
            wire.extend(latin(&format!("{name}: {value}\r\n")));
        }
        match self.chunks {
            None if matches!(self.status, 204 | 304) => wire.extend(b"\r\n"),
            None => {
                wire.extend(format!("content-length: {}\r\n\r\n", self.body.len()).into_bytes());
                wire.extend(&self.body);
            }
            Some(size) => {
                wire.extend(b"transfer-encoding: chunked\r\n\r\n");
                for chunk in self.body.chunks(size) {
                    wire.extend(format!("{:x}\r\n", chunk.len()).into_bytes());
                    wire.extend(chunk);
                    wire.extend(b"\r\n");
                }
                wire.extend(b"0\r\n");
                for (name, value) in &self.trailers {
                    wire.extend(format!("{name}: {value}\r\n").into_bytes());
                }
                wire.extend(b"\r\n");
            }
        }
        wire
    }

    fn arrived(&self, reply: &wire::Reply) -> Result<()> {
        ensure!(reply.status == self.status, "{}", reply.status);
        ensure!(reply.body == self.body, "{} bytes, not {}", reply.body.len(), self.body.len());
        ensure!(reply.trailers == self.trailers, "{:?}", reply.trailers);
        let mut expected = self.headers.clone();
        match self.chunks {
            Some(_) => expected.push(("transfer-encoding".into(), "chunked".into())),
            None if matches!(self.status, 204 | 304) => {}
            None => expected.push(("content-length".into(), self.body.len().to_string())),
        }
        // RFC 9110 section 6.6.1: who forwards a response without a date adds one.
        let mut got: Vec<_> = reply.headers.clone();
        got.retain(|(name, _)| !["date", "connection"].contains(&name.as_str()));
        // The order of different fields means nothing; that of the same does (RFC 9110 section 5.3).
        for fields in [&mut expected, &mut got] {
            fields.sort_by(|a, b| a.0.cmp(&b.0));
        }
        ensure!(got == expected, "{got:?}, not {expected:?}");
        Ok(())
    }
}

fn get(world: &World, access: &Access, path: &str) -> Result<Wire> {
    let address = world.serve.address();
    let base = access.url.strip_prefix(address).context("not at the proxy")?;
    let mut wire = Wire::open(address)?;
    wire.send(format!(
        "GET {base}{path} HTTP/1.1\r\nHost: {}\r\nX-Signbell-Key: {}\r\nTE: trailers\r\nConnection: close\r\n\r\n",
        address.trim_start_matches("http://"),
        access.key
    ))?;
    Ok(wire)
}

#[test]
fn whatever_no_rule_matches_arrives_as_it_came() -> Result<()> {
    const SAMPLES: usize = 300;
    let world = World::new("passes-all")?;
    let current = Arc::new(Mutex::new(Vec::new()));
    let playing = Arc::clone(&current);
    let upstream =
        Upstream::start(move |_| Reply::Bytes(playing.lock().unwrap_or_else(PoisonError::into_inner).clone()))?;
    // One service is looked into (its rules name 200 and read JSON), the other is not.
    let plain = world.add_url(upstream.address(), "plain", &["--sign-in"])?;
    let with_rules = world.add_url(upstream.address(), "ruled", &["--preset", "slack"])?;
    let with_rules = Access { key: plain.key.clone(), ..with_rules };
    let mut dice = Dice(0x5eed);
    for number in 0..SAMPLES {
        let sample = sample(&mut dice);
        *current.lock().unwrap_or_else(PoisonError::into_inner) = sample.wire();
        for access in [&plain, &with_rules] {
            let reply = get(&world, access, "/x")?.reply()?;
            sample.arrived(&reply).with_context(|| format!("sample {number} at {}: {sample:?}", access.url))?;
        }
    }
    ensure!(upstream.seen().len() == SAMPLES * 2 && world.count("/refresh_token/ok")? == 0);
    Ok(())
}

#[test]
fn bodies_are_read_decoded_and_passed_on_as_they_came() -> Result<()> {
    let packed = |text: &str| -> Result<Vec<u8>> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        encoder.write_all(text.as_bytes())?;
        Ok(encoder.finish()?)
    };
    let head = "200 OK\r\ncontent-type: application/json\r\ncontent-encoding: gzip";
    let (dead, fine) = (packed(r#"{"ok":false,"error":"token_expired"}"#)?, packed(r#"{"ok":true,"n":1}"#)?);
    let answer = fine.clone();
    let first = std::sync::OnceLock::<String>::new();
    let upstream = Upstream::start(move |request| {
        let refuses = first.get_or_init(|| request.token().to_owned()) == request.token();
        Reply::Bytes(response(head, if refuses { &dead } else { &answer }))
    })?;
    let world = World::new("gzip")?;
    let access = world.add_url(upstream.address(), "chat", &["--preset", "slack", "--sign-in"])?;
    let response = access.curl("/api/x").header("accept-encoding", "gzip").run()?;
    ensure!(response.body == fine && response.header("content-encoding") == Some("gzip"), "{response:?}");
    ensure!(upstream.seen().len() == 2 && world.count("/refresh_token/ok")? == 1);
    Ok(())
}

#[test]
fn a_body_that_is_longer_than_what_is_read_passes_whole() -> Result<()> {
    // It would match, and is too long to be sure of.
    let body = format!(r#"{{"ok":false,"error":"token_expired","more":"{}"}}"#, "x".repeat(1024 * 1024));
    let played = body.clone();
    let upstream = Upstream::start(move |_| Reply::Bytes(ok(&played)))?;
    let world = World::new("long-body")?;
    let access = world.add_url(upstream.address(), "chat", &["--preset", "slack", "--sign-in"])?;
    let response = access.curl("/x").run()?;
    ensure!(response.body == body.as_bytes() && world.count("/refresh_token/ok")? == 0, "{}", response.body.len());
    Ok(())
}

/// An upstream that sends each part when the test says so.
fn in_parts(head: &'static str) -> Result<(Upstream, mpsc::Sender<Vec<u8>>)> {
    let (parts, to_send) = mpsc::channel::<Vec<u8>>();
    let to_send = Arc::new(Mutex::new(to_send));
    let upstream = Upstream::start(move |_| {
        let to_send = Arc::clone(&to_send);
        Reply::Take(Box::new(move |mut stream: TcpStream| {
            let _ = write!(stream, "HTTP/1.1 {head}\r\ntransfer-encoding: chunked\r\n\r\n");
            let to_send = to_send.lock().unwrap_or_else(PoisonError::into_inner);
            while let Ok(part) = to_send.recv_timeout(SOON) {
                let _ = write!(stream, "{:x}\r\n", part.len());
                let _ = stream.write_all(&[&part, &b"\r\n"[..]].concat());
            }
        }))
    })?;
    Ok((upstream, parts))
}

#[test]
fn without_body_rules_nothing_is_held_back() -> Result<()> {
    let world = World::new("not-looked-into")?;
    let (upstream, parts) = in_parts("200 OK\r\ncontent-type: application/json")?;
    let access = world.add_url(upstream.address(), "plain", &["--sign-in"])?;
    let mut wire = get(&world, &access, "/x")?;
    // Each part of what could be any JSON arrives before the next is sent.
    for part in [r#"{"ok":false,"#, r#""error":"#, r#""token_expired"}"#] {
        parts.send(part.into())?;
        wire.wait_for(part)?;
    }
    ensure!(world.count("/refresh_token/ok")? == 0);
    Ok(())
}

#[test]
fn a_stream_is_held_back_by_its_first_event_and_no_longer() -> Result<()> {
    let world = World::new("first-event")?;
    let (upstream, parts) = in_parts("200 OK\r\ncontent-type: text/event-stream")?;
    let access = world.add_url(upstream.address(), "mcp", &["--preset", "worldmonitor", "--sign-in"])?;
    let mut wire = get(&world, &access, "/x")?;
    let first = "event: message\ndata: {\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}\n\n";
    let (half, rest) = first.split_at(30);
    parts.send(half.into())?;
    std::thread::sleep(Duration::from_millis(200));
    ensure!(!wire.arrived()?.contains("event: message"), "half an event was passed on before it was known");
    parts.send(rest.into())?;
    wire.wait_for("\"result\":{}")?;
    for n in 2..6 {
        parts.send(format!("data: {n}\n\n").into_bytes())?;
        wire.wait_for(&format!("data: {n}"))?;
    }
    ensure!(world.count("/refresh_token/ok")? == 0);
    Ok(())
}

#[test]
fn a_stream_of_values_is_not_waited_for() -> Result<()> {
    let world = World::new("ndjson")?;
    let (upstream, parts) = in_parts("200 OK\r\ncontent-type: application/x-ndjson")?;
    let access = world.add_url(upstream.address(), "log", &["--preset", "graphql", "--sign-in"])?;
    let mut wire = get(&world, &access, "/x")?;
    for n in 0..3 {
        parts.send(format!("{{\"n\":{n}}}\n").into_bytes())?;
        wire.wait_for(&format!("{{\"n\":{n}}}"))?;
    }
    Ok(())
}

#[test]
fn a_body_cut_into_single_bytes_costs_no_more() -> Result<()> {
    // It is joined while it is looked at: a frame for each byte would be a hundred times its size.
    let body = format!("{{\"ok\":true,\"x\":\"{}\"}}", "y".repeat(200_000));
    let mut wire = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n".to_vec();
    for byte in body.as_bytes() {
        wire.extend([b"1\r\n", &[*byte][..], b"\r\n"].concat());
    }
    wire.extend(b"0\r\n\r\n");
    let upstream = Upstream::start(move |_| Reply::Bytes(wire.clone()))?;
    let world = World::new("single-bytes")?;
    let access = world.add_url(upstream.address(), "chat", &["--preset", "graphql", "--sign-in"])?;
    let response = access.curl("/x").run()?;
    ensure!(response.body == body.as_bytes(), "{} bytes", response.body.len());
    Ok(())
}

#[test]
fn a_server_s_sign_of_life_is_not_held_back_for_long() -> Result<()> {
    let world = World::new("sign-of-life")?;
    let (upstream, parts) = in_parts("200 OK\r\ncontent-type: text/event-stream")?;
    let access = world.add_url(upstream.address(), "mcp", &["--preset", "worldmonitor", "--sign-in"])?;
    let mut wire = get(&world, &access, "/x")?;
    // MCP servers begin with an event without data, so that a client can come back for the rest.
    parts.send("id: 0\ndata: \n\n".into())?;
    wire.wait_for("id: 0")?;
    parts.send("data: 1\n\n".into())?;
    wire.wait_for("data: 1")
}

#[test]
fn r13_head_204_and_304_keep_their_framing() -> Result<()> {
    let upstream = Upstream::start(|request| {
        Reply::Bytes(match (request.method.as_str(), request.target.as_str()) {
            ("HEAD", _) => {
                b"HTTP/1.1 200 OK\r\ncontent-length: 12345\r\ncontent-type: application/json\r\n\r\n".to_vec()
            }
            (_, "/204") => b"HTTP/1.1 204 No Content\r\netag: \"x\"\r\n\r\n".to_vec(),
            (_, "/304") => b"HTTP/1.1 304 Not Modified\r\netag: \"x\"\r\ncontent-length: 77\r\n\r\n".to_vec(),
            _ => ok("{}"),
        })
    })?;
    let world = World::new("framing")?;
    for (preset, name) in [("none", "plain"), ("slack", "ruled")] {
        let access = world.add_url(upstream.address(), name, &["--preset", preset, "--sign-in"])?;
        let access = Access { key: if access.key.is_empty() { key_of(&world)? } else { access.key.clone() }, ..access };
        let base = access.url.strip_prefix(world.serve.address()).context("not at the proxy")?.to_owned();
        let host = world.serve.address().trim_start_matches("http://").to_owned();
        // All on one connection: wrong framing would leave the next answer unreadable.
        let mut wire = Wire::open(world.serve.address())?;
        for (method, path, head) in [
            ("HEAD", "/x", "content-length: 12345\r\n"),
            ("GET", "/204", "HTTP/1.1 204"),
            ("GET", "/304", "HTTP/1.1 304"),
            ("GET", "/x", "HTTP/1.1 200"),
        ] {
            wire.send(format!(
                "{method} {base}{path} HTTP/1.1\r\nHost: {host}\r\nX-Signbell-Key: {}\r\n\r\n",
                access.key
            ))?;
            wire.wait_for(head)?;
            wire.wait_for("\r\n\r\n")?;
        }
        wire.wait_for("{}")?;
        ensure!(wire.text().matches("HTTP/1.1 ").count() == 4, "{:?}", wire.text());
    }
    Ok(())
}

/// The tool has a key already; another one for this test.
fn key_of(world: &World) -> Result<String> {
    let line = world.sandbox.run_json(&["tool", "rotate", "script"])?;
    Ok(line[0]["key"].as_str().context("no key")?.to_owned())
}
