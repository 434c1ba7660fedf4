//! The forward proxy: what it opens and for whom, and that everything else goes by unseen.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context as _, Result, ensure};
use base64::Engine as _;
use serde_json::json;
use signbell_tests::process::run;
use signbell_tests::upstream::{Reply, invalid_token, ok};
use signbell_tests::{Sandbox, Serve, Upstream, wait_ok};

use crate::SOON;
use crate::front::Fronted;
use crate::wire::{Wire, exchange};
use crate::world::{World, bytes, refused, sha256};

/// An API that says which token and which other credentials it was shown.
fn telling() -> Result<Upstream> {
    Upstream::start(|request| {
        let shown = |name: &str| request.header(name).unwrap_or_default().to_owned();
        let told = json!({
            "target": request.target, "host": shown("host"), "authorization": shown("authorization"),
            "proxy": shown("proxy-authorization"), "key": shown("x-signbell-key"),
        });
        Reply::Bytes(ok(&told.to_string()))
    })
}

fn basic(key: &str) -> String {
    let pair = base64::engine::general_purpose::STANDARD.encode(format!("signbell:{key}"));
    format!("Proxy-Authorization: Basic {pair}\r\n")
}

#[test]
fn i13_off_until_the_person_says_so_and_nothing_without_a_key() -> Result<()> {
    let api = telling()?;
    let fronted = Fronted::of("forward-off", &[("api.example", &api)])?;
    let world = &fronted.world;
    let access = fronted.add("https://api.example", "api", "ada", "script")?;
    let connect = |key: &str| {
        format!("CONNECT api.example:443 HTTP/1.1\r\nHost: api.example:443\r\n{}Connection: close\r\n\r\n", key)
    };
    let address = world.serve.address();
    let absolute = "GET http://127.0.0.1:9/x HTTP/1.1\r\nHost: 127.0.0.1:9\r\nConnection: close\r\n\r\n".to_owned();
    let is_told = |request: &str| -> Result<()> {
        let reply = exchange(address, request)?;
        let told = reply.json()?;
        ensure!(reply.status == 403 && told["code"] == "forwarding_off", "{told}");
        ensure!(told["remedy"].as_str().is_some_and(|remedy| remedy.contains("signbell forward on")), "{told}");
        Ok(())
    };
    for request in [&connect(&basic(&access.key)), &connect(""), &absolute] {
        is_told(request)?;
    }
    refused(&world.sandbox, &["forward", "on"], 13, "not_confirmed")?;
    ensure!(world.sandbox.run_json(&["forward", "status"])?[0]["on"] == false);

    fronted.forward()?;
    ensure!(world.sandbox.run_json(&["status"])?[0]["proxy"]["forward"] == true);
    let bearer = format!("Authorization: Bearer {}\r\n", access.key);
    for (what, request, code) in [
        ("no key", connect(""), "no_key"),
        ("a key where the upstream's credential goes", connect(&bearer), "no_key"),
        ("an unknown key", connect(&basic("sbk_nobodys")), "unknown_key"),
        ("absolute form", absolute, "no_key"),
    ] {
        let reply = exchange(address, request)?;
        let challenge = reply.headers.iter().find(|(name, _)| name == "proxy-authenticate");
        ensure!(reply.status == 407 && reply.json()?["code"] == code, "{what}: {reply:?}");
        ensure!(challenge.is_some_and(|(_, value)| value == "Basic realm=\"signbell\""), "{what}: {reply:?}");
    }
    ensure!(api.seen().is_empty(), "{:?}", api.seen());
    // It is a change that the person made, and it ends every tunnel.
    let activity = world.sandbox.run_json(&["activity"])?;
    let turned =
        |words: &str| activity.iter().filter(|r| r["text"].as_str().is_some_and(|t| t.contains(words))).count();
    ensure!(turned("forward proxy was turned on") == 1, "{activity:?}");
    let mut wire = Wire::open(address)?;
    wire.send(format!("CONNECT {} HTTP/1.1\r\nHost: x\r\n{}\r\n", fronted.front, basic(&access.key)))?;
    wire.wait_for("HTTP/1.1 200 OK\r\n\r\n")?;
    ensure!(world.sandbox.run_json(&["forward", "off"])?[0]["on"] == false);
    ensure!(wire.reply()?.body.is_empty(), "the tunnel is still open");
    is_told(&connect(&basic(&access.key)))?;
    // Who wants to trust it is told so first.
    let said = world.sandbox.run_ok(&["forward", "trust"])?;
    ensure!(said.starts_with("The forward proxy is off") && said.contains("HTTPS_PROXY"), "{said}");
    Ok(())
}

#[test]
fn e4_e7_e9_the_tools_own_hosts_are_opened_and_all_others_go_by_blind() -> Result<()> {
    let (api, other, outside) = (telling()?, telling()?, telling()?);
    let names = [("api.example", &api), ("other.example", &other), ("outside.example", &outside)];
    let fronted = Fronted::of("forward-open", &names)?;
    let access = fronted.add("https://api.example/v1", "api", "ada", "script")?;
    let others = fronted.add("https://other.example", "other", "bob", "another")?;
    let authority = fronted.forward()?;
    let (key, trusting) = (access.key.as_str(), authority.as_path());

    // Opened: it shows our certificate, and the sign-in is put in whatever the tool sent.
    for own in ["Bearer placeholder", "token placeholder", ""] {
        let curl = fronted.curl(key, "https://api.example/v1/me?a=b", trusting);
        let response = curl.header("authorization", own).header("x-signbell-key", key).run()?;
        let told = response.json()?;
        ensure!(told["target"] == "/v1/me?a=b" && told["host"] == "api.example", "{told}");
        let token = told["authorization"].as_str().unwrap_or_default();
        ensure!(token.starts_with("Bearer ") && !token.contains("placeholder"), "{told}");
        ensure!(!told.to_string().contains(key) && told["proxy"] == "" && told["key"] == "", "{told}");
    }
    // At that host, but below no service's base: untouched, and without a token.
    let told = fronted.curl(key, "https://api.example/v2/me", trusting).header("authorization", "Bearer own").run()?;
    let told = told.json()?;
    ensure!(told["target"] == "/v2/me" && told["authorization"] == "Bearer own" && told["proxy"] == "", "{told}");
    // Not even a key of ours goes there.
    let curl = fronted.curl(key, "https://api.example/v1x", trusting).header("authorization", &format!("Bearer {key}"));
    let told = curl.run()?.json()?;
    ensure!(told["target"] == "/v1x" && told["authorization"] == "" && told["proxy"] == "", "{told}");

    // Another tool's host, and nobody's: its own certificate is what is seen, and no token arrives.
    for (url, double) in [("https://other.example/x", &other), ("https://outside.example/x", &outside)] {
        let unknown = fronted.curl(key, url, trusting).run_any()?;
        ensure!(unknown.exit == 60, "{url} was opened: {unknown:?}");
        let told = fronted.curl(key, url, &fronted.authority).run()?.json()?;
        ensure!(told["authorization"] == "" && told["proxy"] == "", "{told}");
        ensure!(double.seen().len() == 1, "{:?}", double.seen());
    }
    // That tool's own key opens it.
    let told = fronted.curl(&others.key, "https://other.example/x", trusting).run()?.json()?;
    ensure!(told["authorization"].as_str().is_some_and(|token| token.starts_with("Bearer ")), "{told}");
    let blind = fronted.curl(&others.key, "https://api.example/v1/me", &fronted.authority).run()?.json()?;
    ensure!(blind["authorization"] == "", "{blind}");

    // A name that leads nowhere, and one that is us.
    let nowhere = fronted.curl(key, "https://127.0.0.1:9/", trusting).run_any()?;
    ensure!(nowhere.exit != 0 && nowhere.message.contains("502"), "{nowhere:?}");
    let port = fronted.proxy().rsplit(':').next().context("no port")?;
    for us in
        [format!("127.0.0.1:{port}"), format!("localhost:{port}"), format!("[::1]:{port}"), format!("0.0.0.0:{port}")]
    {
        let asked = format!("CONNECT {us} HTTP/1.1\r\nHost: {us}\r\n{}Connection: close\r\n\r\n", basic(key));
        let reply = exchange(fronted.world.serve.address(), asked)?;
        ensure!(reply.status == 508 && reply.json()?["code"] == "loop", "{us}: {reply:?}");
    }
    Ok(())
}

#[test]
fn a_dead_token_inside_a_tunnel_is_recovered_as_at_the_port() -> Result<()> {
    let mut at = String::new();
    let fronted = Fronted::new("forward-dead", |provider| {
        at = provider.api_named("notes")?.trim_end_matches("/notes").to_owned();
        Ok(vec![("notes.example".to_owned(), at.clone())])
    })?;
    let world = &fronted.world;
    let access = fronted.add("https://notes.example/notes", "notes", "ada", "script")?;
    let authority = fronted.forward()?;
    let curl = |path: &str| fronted.curl(&access.key, &format!("https://notes.example/notes{path}"), &authority);
    ensure!(curl("/me").run()?.json()?["login"] == "ada");

    world.provider.expire_access("ada")?;
    let body = bytes(64 * 1024);
    let echo = curl("/echo").header("content-type", "application/octet-stream").body(body.as_slice()).run()?.json()?;
    ensure!(echo["length"] == body.len() && echo["sha256"] == sha256(&body)?, "{echo}");
    ensure!(world.count("/api/401")? == 1 && world.count("/refresh_token/ok")? == 1);
    ensure!(world.activity()?.iter().any(|kind| kind == "recovered"), "{:?}", world.activity()?);

    // Dead for good: it is held for the person, and goes on when they came.
    world.provider.revoke_refresh("ada", true)?;
    let pending = curl("/me").spawn()?;
    world.wait_account("the request to be held", |account| account["waiting"] == 1)?;
    world.sandbox.run_ok(&["sign-in", "ada"])?;
    let response = pending.wait()?;
    ensure!(response.status == 200 && response.json()?["login"] == "ada", "{}", response.text());

    // Events come through as they are sent.
    let pending = curl("/events?n=40&ms=200").spawn()?;
    let soon = pending.wait_body("{\"i\":1}", SOON)?;
    ensure!(!soon.contains("{\"i\":39}"), "the events came all at once");
    ensure!(pending.wait()?.text().contains("{\"i\":39}"));

    // Signed out: as at the port.
    world.sandbox.run_ok(&["sign-out", "ada"])?;
    let out = curl("/me").run()?;
    ensure!(out.status == 401 && out.json()?["code"] == "signed_out", "{}", out.text());
    Ok(())
}

#[test]
fn i8_i13_what_is_smuggled_inside_is_refused() -> Result<()> {
    let api = telling()?;
    let fronted = Fronted::of("forward-raw", &[("api.example", &api)])?;
    let access = fronted.add("https://api.example", "api", "ada", "script")?;
    let authority = fronted.forward()?;
    let send = |request: &str| -> Result<String> {
        let output = fronted.inside(&access.key, "api.example", &authority, request.as_bytes())?;
        Ok(output.stdout)
    };
    let get = |target: &str| format!("GET {target} HTTP/1.1\r\nHost: api.example\r\nConnection: close\r\n\r\n");
    let post = |fields: &str, body: &str| {
        format!("POST /x HTTP/1.1\r\nHost: api.example\r\nConnection: close\r\n{fields}\r\n{body}")
    };
    let good = send(&get("/me"))?;
    ensure!(good.starts_with("HTTP/1.1 200 "), "the template itself must work: {good}");
    let before = api.seen().len();
    let smuggled = "0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: api.example\r\n\r\n";
    for (what, request, status) in [
        ("CL and TE", post("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", smuggled), 400),
        ("two CLs", post("Content-Length: 5\r\nContent-Length: 6\r\n", "hello!"), 400),
        ("TE: xchunked", post("Transfer-Encoding: xchunked\r\n", smuggled), 400),
        ("bare LF", get("/me").replace("\r\n", "\n"), 400),
        ("two Hosts", get("/me").replace("Connection", "Host: api.example\r\nConnection"), 400),
        ("no Host", get("/me").replace("Host: api.example\r\n", ""), 400),
        ("another Host", get("/me").replace("Host: api.example", "Host: other.example"), 421),
        ("another port", get("/me").replace("Host: api.example", "Host: api.example:8443"), 421),
        ("absolute form", get("https://api.example/me"), 400),
        ("another's", get("https://other.example/me"), 400),
        ("CONNECT inside", get("api.example:443").replacen("GET", "CONNECT", 1), 400),
        ("TRACE", get("/me").replacen("GET", "TRACE", 1), 405),
        ("a page", get("/me").replace("Connection", "Origin: https://evil.test\r\nConnection"), 403),
        ("dots", get("/a/%2e%2e/b"), 400),
    ] {
        let answer = send(&request)?;
        ensure!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{what}: {answer}");
        ensure!(answer.matches("HTTP/1.1 ").count() == 1, "{what}: {answer}");
        ensure!(api.seen().len() == before, "{what}: {:?}", api.seen());
    }
    // With CONNECT itself.
    let address = fronted.world.serve.address();
    let key = basic(&access.key);
    for (what, request) in [
        ("a body", format!("CONNECT api.example:443 HTTP/1.1\r\nHost: x\r\n{key}Content-Length: 3\r\n\r\nabc")),
        ("no port", format!("CONNECT api.example HTTP/1.1\r\nHost: x\r\n{key}\r\n")),
        ("a user", format!("CONNECT a@api.example:443 HTTP/1.1\r\nHost: x\r\n{key}\r\n")),
        ("two Hosts", format!("CONNECT api.example:443 HTTP/1.1\r\nHost: x\r\nHost: y\r\n{key}\r\n")),
        ("https in absolute form", format!("GET https://api.example/ HTTP/1.1\r\nHost: api.example\r\n{key}\r\n")),
    ] {
        let mut wire = Wire::open(address)?;
        wire.send(request)?;
        wire.wait_for("\r\n\r\n")?;
        ensure!(wire.text().starts_with("HTTP/1.1 400 "), "{what}: {}", wire.text());
    }
    ensure!(api.seen().len() == before);
    Ok(())
}

#[test]
fn plain_services_of_this_machine_are_served_in_absolute_form_and_in_tunnels() -> Result<()> {
    let dead = Arc::<Mutex<Option<String>>>::default();
    let refused = Arc::clone(&dead);
    let api = Upstream::start(move |request| {
        let refused = refused.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if refused.as_deref() == Some(request.token()) {
            return Reply::Bytes(invalid_token());
        }
        if request.header("upgrade") != Some("websocket") {
            return Reply::Bytes(ok(&json!({"token": request.token(), "target": request.target}).to_string()));
        }
        Reply::Take(Box::new(|mut stream: TcpStream| {
            let head = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n";
            let _ = stream.write_all(head.as_bytes());
            let mut part = [0; 4096];
            while let Ok(n @ 1..) = stream.read(&mut part) {
                let _ = stream.write_all(&part.get(..n).unwrap_or_default().to_ascii_uppercase());
            }
        }))
    })?;
    let plain = telling()?;
    let world = World::new("forward-plain")?;
    let access = world.add_url(&format!("{}/v1", api.address()), "api", &["--sign-in"])?;
    world.sandbox.run_ok(&["forward", "on", "--yes"])?;
    let (address, key) = (world.serve.address(), basic(&access.key));
    let host = api.address().trim_start_matches("http://");
    let get = |url: &str| format!("GET {url} HTTP/1.1\r\nHost: {host}\r\n{key}Connection: close\r\n\r\n");

    let told = exchange(address, get(&format!("{}/v1/me", api.address())))?.json()?;
    ensure!(told["token"].as_str().is_some_and(|token| !token.is_empty()) && told["target"] == "/v1/me", "{told}");
    // Dead there too: recovered.
    let first = told["token"].as_str().unwrap_or_default().to_owned();
    *dead.lock().unwrap_or_else(PoisonError::into_inner) = Some(first.clone());
    let told = exchange(address, get(&format!("{}/v1/me", api.address())))?.json()?;
    ensure!(told["token"] != first, "{told}");
    // Below no base, and at another host: no token, and no key.
    let told = exchange(address, get(&format!("{}/v2", api.address())))?.json()?;
    ensure!(told["token"] == "", "{told}");
    let told = exchange(address, get(&format!("{}/x", plain.address())))?.json()?;
    ensure!(told["authorization"] == "" && told["proxy"] == "" && told["target"] == "/x", "{told}");
    ensure!(told["host"] == plain.address().trim_start_matches("http://"), "{told}");
    let us = exchange(address, get(&format!("{address}/api/me")))?;
    ensure!(us.status == 508 && us.json()?["code"] == "loop", "{us:?}");

    // A tunnel to it, plain inside, and switched to another protocol.
    let mut wire = Wire::open(address)?;
    wire.send(format!("CONNECT {host} HTTP/1.1\r\nHost: {host}\r\n{key}\r\n"))?;
    wire.wait_for("HTTP/1.1 200 OK\r\n\r\n")?;
    wire.send(format!("GET /v1/me HTTP/1.1\r\nHost: {host}\r\n\r\n"))?;
    wire.wait_for("\"target\":\"/v1/me\"")?;
    wire.send(format!(
        "GET /v1/socket HTTP/1.1\r\nHost: {host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    ))?;
    wire.wait_for("HTTP/1.1 101 ")?;
    for i in 0..20 {
        wire.send(format!("part {i};"))?;
        wire.wait_for(&format!("PART {i};"))?;
    }
    let socket = api.seen().pop().context("nothing seen")?;
    ensure!(socket.target == "/v1/socket" && !socket.token().is_empty() && socket.token() != access.key, "{socket:?}");

    // A key that was taken back opens nothing more, in a tunnel that is open already either.
    let mut wire = Wire::open(address)?;
    wire.send(format!("CONNECT {host} HTTP/1.1\r\nHost: {host}\r\n{key}\r\n"))?;
    wire.wait_for("HTTP/1.1 200 OK\r\n\r\n")?;
    world.sandbox.run_ok(&["tool", "remove", "script"])?;
    let before = api.seen().len();
    wire.send(format!("GET /v1/me HTTP/1.1\r\nHost: {host}\r\n\r\n"))?;
    wire.wait_for("\"code\":\"unknown_key\"")?;
    ensure!(api.seen().len() == before);
    Ok(())
}

#[test]
fn the_authority_vouches_for_the_services_hosts_alone() -> Result<()> {
    let api = telling()?;
    let names = [("api.example", &api), ("later.example", &api)];
    let fronted = Fronted::of("forward-authority", &names)?;
    let sandbox = &fronted.world.sandbox;
    let access = fronted.add("https://api.example", "api", "ada", "script")?;
    let authority = fronted.forward()?;
    ensure!(authority == sandbox.signbell_home().join("authority.pem"), "{}", authority.display());
    let shown = |file: &Path| -> Result<String> {
        let mut openssl = Command::new("openssl");
        openssl.args(["x509", "-noout", "-text", "-in"]).arg(file);
        Ok(run(openssl, b"", SOON)?.expect_code(0)?.stdout)
    };
    let text = shown(&authority)?;
    for part in [
        "X509v3 Name Constraints: critical",
        "DNS:api.example",
        "IP:0.0.0.0/0.0.0.0",
        "CA:TRUE, pathlen:0",
        "Certificate Sign",
        "NIST CURVE: P-256",
        "CN = Signbell on this machine (",
    ] {
        ensure!(text.contains(part), "no {part:?} in {text}");
    }
    ensure!(!text.contains("later.example"), "{text}");
    // The file holds no key.
    ensure!(!fs::read_to_string(&authority)?.contains("PRIVATE"));

    // A leaf lives for a day at most, and names that host alone.
    let mut openssl = Command::new("openssl");
    openssl.args(["s_client", "-connect", "api.example:443", "-servername", "api.example", "-showcerts"]);
    openssl.args([
        "-proxy",
        fronted.proxy(),
        "-proxy_user",
        "signbell",
        "-proxy_pass",
        &format!("pass:{}", access.key),
    ]);
    openssl.arg("-CAfile").arg(&authority);
    let said = run(openssl, b"", SOON)?.stdout;
    ensure!(said.contains("Verify return code: 0 (ok)"), "{said}");
    let (from, to) = (said.find("-----BEGIN").context("no leaf")?, said.find("-----END").context("no leaf")?);
    let leaf = sandbox.path("leaf.pem");
    fs::write(&leaf, format!("{}-----END CERTIFICATE-----\n", said.get(from..to).unwrap_or_default()))?;
    let text = shown(&leaf)?;
    ensure!(text.contains("DNS:api.example") && text.contains("TLS Web Server Authentication"), "{text}");
    let mut openssl = Command::new("openssl");
    openssl.args(["x509", "-noout", "-checkend", "86400", "-in"]).arg(&leaf);
    run(openssl, b"", SOON)?.expect_code(1).context("a leaf that lives for longer than a day")?;

    // A service at another host: the same authority, whose file names it now. An older copy goes on vouching
    // for what it names, and for nothing else, whoever asks.
    let old = sandbox.path("old.pem");
    fs::copy(&authority, &old)?;
    fronted.add("https://later.example", "later", "ada", "script")?;
    wait_ok("the authority's new hosts", SOON, || {
        ensure!(shown(&authority)?.contains("DNS:later.example"));
        Ok(())
    })?;
    let get = |url: &str, trusting: &Path| fronted.curl(&access.key, url, trusting).run_any();
    for (url, trusting, exit) in [
        ("https://api.example/", &authority, 0),
        ("https://later.example/", &authority, 0),
        ("https://api.example/", &old, 0),
        ("https://later.example/", &old, 60),
    ] {
        let response = get(url, trusting)?;
        ensure!(response.exit == exit, "{url} with {}: {response:?}", trusting.display());
    }
    Ok(())
}

#[test]
fn a_blind_tunnel_is_bytes_both_ways_and_each_way_ends_by_itself() -> Result<()> {
    // Says nothing before the other side has ended, which no proxy that closes both ways at once gets past.
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let at = listener.local_addr()?.to_string();
    let served = std::thread::spawn(move || -> Result<()> {
        let (mut stream, _) = listener.accept()?;
        let mut all = Vec::new();
        stream.read_to_end(&mut all)?;
        stream.write_all(&all.to_ascii_uppercase())?;
        Ok(())
    });
    let world = World::signed_in("forward-blind")?;
    let (world, access) = (&world.0, &world.1);
    world.sandbox.run_ok(&["forward", "on", "--yes"])?;
    let mut stream = TcpStream::connect(world.serve.address().trim_start_matches("http://"))?;
    stream.set_read_timeout(Some(SOON))?;
    // What comes right behind the request is the tunnel's already.
    write!(stream, "CONNECT {at} HTTP/1.1\r\nHost: {at}\r\n{}\r\nfirst ", basic(&access.key))?;
    let mut head = [0; 19];
    stream.read_exact(&mut head)?;
    ensure!(&head == b"HTTP/1.1 200 OK\r\n\r\n", "{:?}", String::from_utf8_lossy(&head));
    let body = "x".repeat(300_000);
    stream.write_all(body.as_bytes())?;
    stream.shutdown(Shutdown::Write)?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    ensure!(answer == format!("FIRST {}", body.to_ascii_uppercase()), "{} bytes", answer.len());
    served.join().map_err(|_| anyhow::anyhow!("the double panicked"))?
}

#[test]
fn g1_the_authority_s_key_is_in_the_vault_alone_and_outlives_a_restart() -> Result<()> {
    let sandbox = Sandbox::new("forward-vault")?;
    sandbox.set_env("SIGNBELL_VAULT", "sealed-file");
    sandbox.set_env("SIGNBELL_PASSPHRASE", "correct horse");
    let mut serve = Serve::start(&sandbox)?;
    let told = sandbox.run_json(&["forward", "on", "--yes"])?[0].clone();
    let file = PathBuf::from(told["certificate"].as_str().context("no certificate")?);
    let public = || -> Result<String> {
        let mut openssl = Command::new("openssl");
        openssl.args(["x509", "-noout", "-pubkey", "-subject", "-in"]).arg(&file);
        Ok(run(openssl, b"", SOON)?.expect_code(0)?.stdout)
    };
    let before = public()?;
    ensure!(serve.stop()?.success());
    fs::remove_file(&file)?;
    serve = Serve::start(&sandbox)?;
    // On as it was, and with the same authority.
    wait_ok("the authority's file", SOON, || {
        ensure!(public()? == before);
        Ok(())
    })?;
    ensure!(sandbox.run_json(&["forward", "status"])?[0]["on"] == true);
    for file in sandbox.files()? {
        let text = fs::read(&file).unwrap_or_default();
        ensure!(!String::from_utf8_lossy(&text).contains("PRIVATE KEY"), "{}", file.display());
    }
    // What a person is told to do is only told.
    let said = sandbox.run_ok(&["forward", "trust"])?;
    ensure!(said.contains(&*file.to_string_lossy()) && said.contains("signbell run"), "{said}");
    ensure!(serve.stop()?.success());
    Ok(())
}
