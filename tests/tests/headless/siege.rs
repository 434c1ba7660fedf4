//! The port under attack from this machine: many slow clients, floods of a protocol that is not spoken.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::Mutex;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use signbell_tests::upstream::{Reply, Upstream, ok};
use signbell_tests::{Sandbox, Serve, wait_ok};

use crate::SOON;
use crate::world::{Access, World, refused};

/// So many connections.
const MANY: usize = 1000;

#[test]
fn i11_a_thousand_slow_clients_are_cut_off_and_hold_up_nobody() -> Result<()> {
    // For us and for the engine, which inherits it: some systems begin with 1,024.
    let limit = getrlimit(Resource::Nofile);
    let enough = limit.maximum.map_or(8192, |most| most.min(8192));
    if limit.current.is_some_and(|now| now < enough) {
        setrlimit(Resource::Nofile, Rlimit { current: Some(enough), ..limit }).context("raising the limit")?;
    }
    let (world, access) = World::signed_in("slow")?;
    let address = world.serve.address().trim_start_matches("http://").to_owned();
    let mut slow = Vec::with_capacity(MANY);
    for n in 0..MANY {
        let mut stream = TcpStream::connect(&address).with_context(|| format!("connection {n}"))?;
        // Half a request line, half a head, half a body: each kind of waiting.
        let part = match n % 3 {
            0 => "GET /notes/me HT".to_owned(),
            1 => format!("GET /notes/me HTTP/1.1\r\nhost: {address}\r\nx-half: "),
            _ => String::new(),
        };
        stream.write_all(part.as_bytes())?;
        slow.push(stream);
    }
    for _ in 0..20 {
        ensure!(access.get("/me")?["login"] == "ada");
    }
    for (n, stream) in slow.iter_mut().enumerate() {
        stream.set_read_timeout(Some(SOON))?;
        let mut said = Vec::new();
        stream.read_to_end(&mut said).with_context(|| format!("connection {n} is still open"))?;
        let said = String::from_utf8_lossy(&said);
        ensure!(said.is_empty() || said.starts_with("HTTP/1.1 408 "), "{n}: {said}");
    }
    ensure!(access.get("/me")?["login"] == "ada");
    wait_ok("their descriptors", SOON, || {
        let open = std::fs::read_dir(format!("/proc/{}/fd", world.serve.id()))?.count();
        ensure!(open < 100, "{open} open");
        Ok(())
    })
}

#[test]
fn i11_a_connection_may_rest_between_two_requests() -> Result<()> {
    let (world, access) = World::signed_in("rest")?;
    let address = world.serve.address().trim_start_matches("http://").to_owned();
    let head = format!("GET /notes/me HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {}\r\n\r\n", access.key);
    let mut stream = TcpStream::connect(&address)?;
    stream.set_read_timeout(Some(SOON))?;
    // Longer than a head may take.
    for rest in [0, 12] {
        std::thread::sleep(Duration::from_secs(rest));
        stream.write_all(head.as_bytes())?;
        let mut said = String::new();
        while !said.contains("\"login\":\"ada\"") {
            let mut piece = [0; 4096];
            let length = stream.read(&mut piece)?;
            ensure!(length > 0, "closed after {rest} s: {said}");
            said.push_str(&String::from_utf8_lossy(&piece[..length]));
        }
    }
    Ok(())
}

#[test]
fn i14_a_flood_of_http_2_finds_nobody_who_speaks_it() -> Result<()> {
    let (world, access) = World::signed_in("flood")?;
    let address = world.serve.address().trim_start_matches("http://").to_owned();
    let memory = || -> Result<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", world.serve.id()))?;
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).context("no VmRSS")?;
        line.split_whitespace().nth(1).context("no number")?.parse().context("no number")
    };
    // HEADERS and at once RST_STREAM (CVE-2023-44487), behind the preface.
    let mut flood = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0".to_vec();
    for stream in (1_u32..4000).step_by(2) {
        flood.extend([0, 0, 1, 1, 5]);
        flood.extend(stream.to_be_bytes());
        flood.push(0x82);
        flood.extend([0, 0, 4, 3, 0]);
        flood.extend(stream.to_be_bytes());
        flood.extend([0, 0, 0, 8]);
    }
    let send = || -> Result<()> {
        let mut stream = TcpStream::connect(&address)?;
        stream.set_read_timeout(Some(SOON))?;
        // It may be closed before all of it is written.
        let _ = stream.write_all(&flood);
        let mut said = Vec::new();
        let _ = stream.read_to_end(&mut said);
        ensure!(said.is_empty() || said.starts_with(b"HTTP/1.1 "), "{said:?}");
        Ok(())
    };
    for _ in 0..20 {
        send()?;
    }
    let before = memory()?;
    for _ in 0..300 {
        send()?;
    }
    let after = memory()?;
    ensure!(after < before + 4096, "{before} KiB became {after}");
    ensure!(access.get("/me")?["login"] == "ada");
    Ok(())
}

#[test]
fn e6_a_token_goes_over_no_open_wire() -> Result<()> {
    let (mut world, access) = World::signed_in("wire")?;
    refused(&world.sandbox, &["add", "http://api.example.test/x", "--account", "ada"], 2, "bad_address")?;
    // Nor by hand: the file is refused as a whole, and nothing of it counts.
    let file = world.sandbox.signbell_home().join("config.toml");
    let good = std::fs::read_to_string(&file)?;
    let api = world.provider.api_named("notes")?;
    let bad = good.replace(api, "http://api.example.test/x");
    ensure!(bad != good, "{good}");
    ensure!(world.serve.stop()?.success());
    std::fs::write(&file, bad)?;
    let said = refused(&world.sandbox, &["serve"], 1, "bad_config")?;
    ensure!(said.contains("http://api.example.test/x"), "{said}");
    std::fs::write(&file, good)?;
    world.serve = signbell_tests::Serve::start(&world.sandbox)?;
    world.sandbox.run_ok(&["sign-in", "ada"])?;
    let access = Access { url: world.serve.url("/notes"), ..access };
    ensure!(access.get("/me")?["login"] == "ada");
    Ok(())
}

#[test]
fn e9_no_connection_carries_two_accounts() -> Result<()> {
    // Which tokens came over which connection, counted by an upstream that keeps each open.
    let connections: &'static Mutex<Vec<Vec<String>>> = Box::leak(Box::default());
    let first = move |token: String| {
        Reply::Take(Box::new(move |mut stream| {
            let mut tokens = vec![token];
            let answer = ok("{}");
            let mut buffer = vec![0; 8192];
            let mut sent = stream.write_all(&answer).is_ok();
            while sent {
                let Ok(length @ 1..) = stream.read(&mut buffer) else { break };
                let text = String::from_utf8_lossy(&buffer[..length]).to_ascii_lowercase();
                let token = text.split_once("authorization: bearer ").and_then(|(_, rest)| rest.split('\r').next());
                tokens.extend(token.map(str::to_owned));
                sent = stream.write_all(&answer).is_ok();
            }
            connections.lock().expect("nobody panics").push(tokens);
        }))
    };
    let upstream = Upstream::start(move |request| first(request.token().to_ascii_lowercase()))?;
    let (world, ada) = World::signed_in("pools")?;
    world.add_url(upstream.address(), "raw", &[])?;
    world.provider.auto_consent(Some("bob"))?;
    let issuer = world.provider.issuer()?;
    let add =
        ["add", upstream.address(), "--name", "raw-bob", "--account", "bob", "--issuer", issuer, "--tool", "bobs"];
    let bob = crate::world::access(&world.sandbox.run_json(&[&add[..], &["--sign-in"]].concat())?[0])?;
    let ada = Access { url: world.serve.url("/raw"), ..ada };
    for _ in 0..20 {
        ada.get("/")?;
        bob.get("/")?;
    }
    world.sandbox.run_ok(&["sign-out", "ada"])?;
    world.sandbox.run_ok(&["sign-out", "bob"])?;
    let all = wait_ok("the end of the connections", SOON, || {
        let all = connections.lock().expect("nobody panics").clone();
        ensure!(all.iter().map(Vec::len).sum::<usize>() == 40, "{} so far", all.iter().map(Vec::len).sum::<usize>());
        Ok(all)
    })?;
    let mut tokens: Vec<&str> = all.iter().flatten().map(String::as_str).collect();
    tokens.sort_unstable();
    tokens.dedup();
    ensure!(tokens.len() == 2, "{} accounts", tokens.len());
    ensure!(all.iter().any(|tokens| tokens.len() > 1), "no connection was used twice: the test shows nothing");
    ensure!(all.iter().all(|tokens| tokens.iter().all(|token| *token == tokens[0])), "a connection carried both");
    Ok(())
}

#[test]
fn p5_it_has_room_for_a_thousand_requests() -> Result<()> {
    let sandbox = Sandbox::new("room")?;
    sandbox.set_env("SIGNBELL_VAULT", "memory");
    // As a login shell has it on most systems.
    let mut command = sandbox.command("sh");
    command.args(["-c", "ulimit -S -n 1024; exec \"$0\" serve --json"]).arg(sandbox.signbell()?.get_program());
    let serve = Serve::start_command(&sandbox, command)?;
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", serve.id()))?;
    let open = limits.lines().find(|line| line.starts_with("Max open files")).context("no such limit")?;
    let soft: u64 = open.split_whitespace().nth(3).context("no number")?.parse()?;
    ensure!(soft > 2048, "{open}");
    Ok(())
}

#[test]
fn p5_out_of_descriptors_it_lives_and_serves_again() -> Result<()> {
    let (mut world, access) = World::signed_in("descriptors")?;
    let address = world.serve.address().trim_start_matches("http://").to_owned();
    let pid = world.serve.id().to_string();
    let open = std::fs::read_dir(format!("/proc/{pid}/fd"))?.count();
    let mut limit = std::process::Command::new("prlimit");
    limit.args(["--pid", &pid, &format!("--nofile={}", open + 8)]);
    signbell_tests::process::run(limit, b"", SOON)?.expect_code(0)?;
    let mut held = Vec::new();
    for _ in 0..60 {
        let mut stream = TcpStream::connect(&address)?;
        stream.write_all(b"GET /notes/me HTTP/1.1\r\n")?;
        held.push(stream);
    }
    wait_ok("a full table", SOON, || {
        let used = std::fs::read_dir(format!("/proc/{pid}/fd"))?.count();
        ensure!(used >= open + 8, "{used} used");
        Ok(())
    })?;
    // Nobody else gets through just now, and that is all: nothing is lost, nobody is signed out.
    ensure!(world.serve.is_running());
    drop(held);
    wait_ok("a request that succeeds", SOON, || access.get("/me"))?;
    let account = world.account()?;
    ensure!(account["state"] == "active" && world.count("/authorize")? == 1, "{account}");
    Ok(())
}
