//! Who may use the proxy, and what it answers by itself. Whatever is refused never reaches the
//! upstream.

use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use serde_json::json;
use signbell_tests::process::{run, which};
use signbell_tests::{Curl, Response};

use crate::SOON;
use crate::wire::exchange;
use crate::world::{Access, World};

/// Checks the form of an answer of Signbell's own.
fn ours(what: &str, response: &Response, status: u16, code: &str) -> Result<()> {
    ensure!(response.status == status, "{what}: {} expected, {} came: {}", status, response.status, response.text());
    ensure!(response.header("content-type") == Some("application/problem+json"), "{what}: {response:?}");
    ensure!(response.header("cache-control") == Some("no-store"), "{what}: {response:?}");
    let problem = response.json()?;
    ensure!(problem["code"] == code && problem["status"] == status, "{what}: {problem}");
    for part in ["type", "title", "detail"] {
        ensure!(problem[part].as_str().is_some_and(|text| !text.is_empty()), "{what}: {problem}");
    }
    let cors = response.headers.iter().find(|(name, _)| name.to_ascii_lowercase().starts_with("access-control-"));
    ensure!(cors.is_none(), "{what}: {cors:?}");
    Ok(())
}

fn challenges(response: &Response) -> Vec<&str> {
    let fields = response.headers.iter().filter(|(name, _)| name.eq_ignore_ascii_case("www-authenticate"));
    fields.map(|(_, value)| value.as_str()).collect()
}

#[test]
fn i1_i2_i3_i4_i5_e11_what_is_refused_never_reaches_the_upstream() -> Result<()> {
    let (world, access) = World::signed_in("refused")?;
    world.add("issues", &[])?;
    let other = world.sandbox.run_json(&["tool", "add", "other", "--service", "issues"])?[0].clone();
    let other = other["key"].as_str().context("no key")?;
    access.get("/me")?;
    let before = world.provider.counts()?["api"].clone();
    let url = format!("{}/me", access.url);
    let port = world.serve.address().rsplit(':').next().unwrap_or_default();

    let response = Curl::new(&url).run()?;
    ours("no key", &response, 401, "no_key")?;
    ensure!(challenges(&response) == ["Bearer realm=\"signbell\"", "Basic realm=\"signbell\""], "{response:?}");

    let unknown = || Curl::new(&url).header("authorization", "Bearer sbk_nobodys").run();
    for _ in 0..5 {
        let response = unknown()?;
        ours("unknown key", &response, 401, "unknown_key")?;
        let challenges = challenges(&response);
        ensure!(challenges.iter().any(|c| c.starts_with("Bearer ") && c.contains("error=\"invalid_token\"")));
    }
    let response = unknown()?;
    ours("the same again", &response, 429, "too_many_unknown_keys")?;
    let wait: u64 = response.header("retry-after").context("no Retry-After")?.parse()?;
    ensure!((1..=60).contains(&wait), "{wait}");
    // Somebody's wrong key is nobody else's trouble.
    access.curl("/status/204").method("OPTIONS").run()?;

    ours(
        "another tool's service",
        &Curl::new(&url).header("x-signbell-key", other).run()?,
        403,
        "service_not_granted",
    )?;
    for (what, curl, status, code) in [
        ("foreign host", access.curl("/me").header("host", "evil.test"), 403, "foreign_host"),
        ("rebound host", access.curl("/me").header("host", &format!("evil.test:{port}")), 403, "foreign_host"),
        ("other port", access.curl("/me").header("host", "127.0.0.1:1"), 403, "foreign_host"),
        ("origin", access.curl("/me").header("origin", "https://evil.test"), 403, "web_page"),
        ("origin null", access.curl("/me").header("origin", "null"), 403, "web_page"),
        ("own origin", access.curl("/me").header("origin", world.serve.address()), 403, "web_page"),
        ("cross-site", access.curl("/me").header("sec-fetch-site", "cross-site"), 403, "web_page"),
        ("same-origin", access.curl("/me").header("sec-fetch-site", "same-origin"), 403, "web_page"),
        (
            "preflight",
            Curl::new(&url)
                .method("OPTIONS")
                .header("origin", "https://evil.test")
                .header("access-control-request-method", "POST"),
            403,
            "web_page",
        ),
        (
            "a form",
            access.curl("/echo").header("origin", "https://evil.test").header("content-type", "text/plain").body("x"),
            403,
            "web_page",
        ),
        ("trace", access.curl("/me").method("TRACE"), 405, "trace"),
    ] {
        let response = curl.run()?;
        ours(what, &response, status, code)?;
        // Nor does whoever asks keep a connection (I11).
        ensure!(code == "trace" || response.header("connection") == Some("close"), "{what}: {response:?}");
    }
    let root = Access { url: world.serve.address().to_owned(), ..access.clone() };
    ours("unknown service", &root.curl("/nothing/me").run()?, 404, "unknown_service")?;
    for path in [
        "/.well-known/oauth-protected-resource",
        "/.well-known/oauth-protected-resource/notes",
        "/.well-known/oauth-authorization-server",
        "/.well-known/openid-configuration",
        "/notes/.well-known/oauth-authorization-server",
        "/register",
        "/authorize",
        "/token",
    ] {
        for response in [root.curl(path).run()?, Curl::new(world.serve.url(path)).run()?] {
            ours(path, &response, 404, "no_authorization_server")?;
            let problem = response.json()?;
            ensure!(problem["error"].is_string(), "{path}: {problem}");
            let description = problem["error_description"].as_str().unwrap_or_default();
            ensure!(description.contains("Signbell") && description.contains("sign-in"), "{path}: {problem}");
        }
    }
    // All of that with JSON-RPC: the same under the request's own id.
    let call = json!({"jsonrpc": "2.0", "id": 42, "method": "initialize"});
    let response = Curl::new(format!("{}/echo", access.url)).json(&call).run()?;
    let answer = response.json()?;
    ensure!(response.status == 401 && answer["id"] == 42 && answer["error"]["data"]["code"] == "no_key", "{answer}");

    // OPTIONS above did reach it, as it should: nothing else.
    let mut expected = before.clone();
    expected["404"] = 1.into();
    ensure!(world.provider.counts()?["api"] == expected, "{before} became {}", world.provider.counts()?["api"]);
    ensure!(access.get("/me")?["login"] == "ada");
    Ok(())
}

#[test]
fn the_key_comes_in_whatever_way_a_tool_has() -> Result<()> {
    let (world, access) = World::signed_in("keys")?;
    let key = access.key.as_str();
    let url = format!("{}/me", access.url);
    for (what, curl) in [
        ("bearer", Curl::new(&url).header("authorization", &format!("Bearer {key}"))),
        ("bare, as cargo", Curl::new(&url).header("authorization", key)),
        ("token, as GitHub's tools", Curl::new(&url).header("authorization", &format!("token {key}"))),
        ("password, as git", Curl::new(&url).arg("--user").arg(format!("x:{key}"))),
        ("user name, as Stripe's", Curl::new(&url).arg("--user").arg(format!("{key}:"))),
        ("own header", Curl::new(&url).header("x-signbell-key", key)),
        ("proxy", Curl::new(&url).header("proxy-authorization", &format!("Bearer {key}"))),
    ] {
        let response = curl.run()?;
        ensure!(response.status == 200 && response.json()?["login"] == "ada", "{what}: {response:?}");
    }
    // Not in a query, and not in a path unless the tool was registered so.
    let response = Curl::new(format!("{url}?key={key}")).run()?;
    ours("query", &response, 401, "no_key")?;
    let response = Curl::new(world.serve.url(&format!("/k/{key}/notes/me"))).run()?;
    ours("path", &response, 401, "unknown_key")?;
    let tool = world.sandbox.run_json(&["tool", "add", "base-url", "--service", "notes", "--key-in-path"])?[0].clone();
    let address = tool["urls"]["notes"].as_str().context("no address")?;
    let path_key = tool["key"].as_str().context("no key")?;
    ensure!(address == world.serve.url(&format!("/k/{path_key}/notes")), "{address}");
    let response = Curl::new(format!("{address}/me")).run()?;
    ensure!(response.status == 200 && response.json()?["login"] == "ada", "{response:?}");
    let response = Curl::new(format!("{address}/redirect?to=/notes/me")).run()?;
    ensure!(response.header("location") == Some(&*format!("{address}/me")), "{response:?}");

    // A new key ends the old one; a removed tool has none.
    let rotated = world.sandbox.run_json(&["tool", "rotate", "script"])?[0].clone();
    let new = rotated["key"].as_str().context("no key")?;
    ours("rotated away", &access.curl("/me").run()?, 401, "unknown_key")?;
    ensure!(Curl::new(&url).header("x-signbell-key", new).run()?.status == 200);
    world.sandbox.run_ok(&["tool", "remove", "script"])?;
    ours("removed", &Curl::new(&url).header("x-signbell-key", new).run()?, 401, "unknown_key")?;
    Ok(())
}

#[test]
fn e7_paused_down_and_pointing_at_us() -> Result<()> {
    let (mut world, access) = World::signed_in("down")?;
    let before = world.provider.counts()?["api"].clone();
    ensure!(world.control(&json!({"do": "pause", "paused": true}))?["reply"] == "done");
    let response = access.curl("/me").run()?;
    ours("paused", &response, 503, "paused")?;
    ensure!(response.header("retry-after").is_some(), "{response:?}");
    ensure!(world.sandbox.run_json(&["status"])?[0]["proxy"]["paused"] == true);
    ensure!(world.provider.counts()?["api"] == before);
    ensure!(world.control(&json!({"do": "pause", "paused": false}))?["reply"] == "done");
    ensure!(access.get("/me")?["login"] == "ada");

    // E7: ourselves as upstream.
    let own = world.serve.url("/notes");
    world.sandbox.run_ok(&["add", &own, "--name", "circle", "--account", "ada", "--tool", "script"])?;
    let circle = Access { url: world.serve.url("/circle"), ..access.clone() };
    ours("circle", &circle.curl("/me").run()?, 508, "loop")?;

    world.provider.stop()?;
    ours("down", &access.curl("/me").run()?, 502, "upstream_unreachable")?;
    let call = json!({"jsonrpc": "2.0", "id": [1], "method": "x"});
    let answer = access.curl("/echo").json(&call).run()?;
    ensure!(answer.status == 502 && answer.json()?["id"] == json!([1]), "{answer:?}");
    let account = world.account()?;
    ensure!(account["state"] == "active", "an outage was told as a sign-out: {account}");
    Ok(())
}

#[test]
fn i8_i13_the_request_never_chooses_the_upstream() -> Result<()> {
    let (world, access) = World::signed_in("raw")?;
    let address = world.serve.address();
    let host = address.trim_start_matches("http://");
    let elsewhere = world.provider.api_named("issues")?;
    let elsewhere_host = elsewhere.trim_start_matches("http://").split('/').next().unwrap_or_default();
    let key = format!("Authorization: Bearer {}\r\nConnection: close\r\n", access.key);
    let get = |target: &str| format!("GET {target} HTTP/1.1\r\nHost: {host}\r\n{key}\r\n");
    let post =
        |fields: &str, body: &str| format!("POST /notes/echo HTTP/1.1\r\nHost: {host}\r\n{key}{fields}\r\n{body}");
    ensure!(exchange(address, get("/notes/me"))?.status == 200, "the template itself must work");
    let before = world.provider.counts()?["api"].clone();
    let smuggled = "GET /notes/me HTTP/1.1\r\nHost: x\r\n\r\n";
    for (what, request) in [
        ("CL and TE", post("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", &format!("0\r\n\r\n{smuggled}"))),
        ("two CLs", post("Content-Length: 5\r\nContent-Length: 6\r\n", "hello!")),
        ("+5", post("Content-Length: +5\r\n", "hello")),
        ("TE: xchunked", post("Transfer-Encoding: xchunked\r\n", "0\r\n\r\n")),
        ("bare LF", get("/notes/me").replace("\r\n", "\n")),
        ("NUL", get("/notes/me").replace("Connection", "X\0Y: 1\r\nConnection")),
        ("a folded line", get("/notes/me").replace("Connection", "X-A: 1\r\n b\r\nConnection")),
        ("HTTP/1.0 with TE", post("Transfer-Encoding: chunked\r\n", "0\r\n\r\n").replace("HTTP/1.1", "HTTP/1.0")),
        ("two Hosts", get("/notes/me").replace("Connection", &format!("Host: {host}\r\nConnection"))),
        ("no Host", get("/notes/me").replace(&format!("Host: {host}\r\n"), "")),
        ("absolute form", get(&format!("{elsewhere}/me"))),
        ("absolute form to us", get(&format!("{address}/notes/me"))),
        ("CONNECT", format!("CONNECT {elsewhere_host} HTTP/1.1\r\nHost: {elsewhere_host}\r\n{key}\r\n")),
        ("CONNECT with our host", format!("CONNECT {elsewhere_host} HTTP/1.1\r\nHost: {host}\r\n{key}\r\n")),
        ("//evil", get(&format!("//{elsewhere_host}/issues/me"))),
        ("/notes//evil", get(&format!("/notes//{elsewhere_host}/issues/me"))),
        ("%2e%2e", get("/notes/%2e%2e/issues/me")),
        ("%2E.", get("/notes/%2E./issues/me")),
        ("..", get("/notes/../issues/me")),
        ("%2f", get("/notes/..%2fissues/me")),
        ("%5c", get("/notes/..%5cissues/me")),
        ("backslash", get("/notes/..\\issues\\me")),
        ("user info", get("/notes@evil.test/me")),
    ] {
        let reply = exchange(address, &request).with_context(|| what.to_owned())?;
        let refused = match what {
            "CONNECT" => [400, 403].contains(&reply.status),
            // No such service.
            "user info" => [400, 404].contains(&reply.status),
            _ => reply.status == 400,
        };
        ensure!(refused, "{what}: {} {}", reply.status, reply.text());
        ensure!(reply.responses == 1, "{what}: {} responses", reply.responses);
        let after = world.provider.counts()?["api"].clone();
        ensure!(after == before, "{what}: {before} became {after}");
    }
    // A body that breaks off later than its head can't be known before: still the tool's mistake, and
    // the upstream never sees a second request in it.
    for chunks in ["10000000000000000\r\nx", "5\r\nhelloX\r\n0\r\n\r\n", &format!("z\r\n{smuggled}")] {
        let reply = exchange(address, post("Transfer-Encoding: chunked\r\n", chunks))?;
        ensure!(reply.status == 400 && reply.responses == 1, "{chunks:?}: {} {}", reply.status, reply.text());
        ensure!(world.provider.counts()?["api"]["200"] == before["200"], "{chunks:?}: something was carried out");
    }
    ensure!(exchange(address, get("/notes/me"))?.status == 200, "it serves on");
    Ok(())
}

#[test]
fn i12_a_head_without_end_is_refused() -> Result<()> {
    let (world, access) = World::signed_in("long")?;
    let before = world.provider.counts()?["api"].clone();
    let address = world.serve.address();
    let host = address.trim_start_matches("http://");
    let key = format!("Authorization: Bearer {}\r\nConnection: close\r\n", access.key);
    let long = "a".repeat(1024 * 1024);
    let reply = exchange(address, format!("GET /notes/{long} HTTP/1.1\r\nHost: {host}\r\n{key}\r\n"))?;
    ensure!([414, 431].contains(&reply.status), "{}", reply.status);
    let reply = exchange(address, format!("GET /notes/me HTTP/1.1\r\nHost: {host}\r\n{key}X-Long: {long}\r\n\r\n"))?;
    ensure!(reply.status == 431, "{}", reply.status);
    ensure!(world.provider.counts()?["api"] == before);
    Ok(())
}

#[test]
fn i6_another_user_s_process_is_refused() -> Result<()> {
    let (world, access) = World::signed_in("user")?;
    let before = world.provider.counts()?["api"].clone();
    let call = |program: &[&str]| -> Result<String> {
        let (first, rest) = program.split_first().context("no program")?;
        let mut command = Command::new(which(first)?);
        command.args(rest).args([
            "-q",
            "--silent",
            "--noproxy",
            "*",
            "--max-time",
            "30",
            "--write-out",
            "\n%{http_code}",
        ]);
        command.args(["--header", &format!("Authorization: Bearer {}", access.key)]).arg(format!("{}/me", access.url));
        let output = run(command, b"", SOON)?.expect_code(0)?;
        Ok(output.stdout)
    };
    let other = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "curl"];
    let sudo = [&["sudo", "--non-interactive"][..], &other].concat();
    let said = if rustix::process::geteuid().is_root() { call(&other) } else { call(&sudo) };
    // Only root can be somebody else.
    let Ok(said) = said else {
        ensure!(!rustix::process::geteuid().is_root(), "{said:?}");
        return Ok(());
    };
    ensure!(said.ends_with("\n403") && said.contains("\"foreign_user\""), "{said}");
    ensure!(world.provider.counts()?["api"] == before);
    let own = call(&["curl"])?;
    ensure!(own.ends_with("\n200"), "the same request as ourselves: {own}");
    Ok(())
}

#[test]
fn i7_our_lan_address_is_not_served() -> Result<()> {
    let (world, _) = World::signed_in("lan")?;
    let port: u16 = world.serve.address().rsplit(':').next().context("no port")?.parse()?;
    // The routing table's own choice of an address; nothing is sent by this.
    let socket = std::net::UdpSocket::bind("0.0.0.0:0")?;
    if socket.connect("192.0.2.1:9").is_ok() {
        let lan = socket.local_addr()?.ip();
        ensure!(lan.is_loopback() || std::net::TcpStream::connect((lan, port)).is_err(), "served at {lan}");
    }
    // Also where there is no other address: no socket may listen on all of them.
    let tables = ["/proc/net/tcp", "/proc/net/tcp6"].map(|table| std::fs::read_to_string(table).unwrap_or_default());
    let suffix = format!(":{port:04X}");
    let listening: Vec<&str> = tables
        .iter()
        .flat_map(|table| table.lines().skip(1))
        .filter_map(|line| {
            let mut fields = line.split_ascii_whitespace().skip(1);
            let (local, _, state) = (fields.next()?, fields.next()?, fields.next()?);
            (state == "0A" && local.ends_with(&suffix)).then_some(local)
        })
        .collect();
    ensure!(!listening.is_empty(), "nobody listens at {port}");
    for local in listening {
        let v4 = local.starts_with("0100007F:");
        let v6 = local.starts_with("00000000000000000000000001000000:");
        ensure!(v4 || v6, "listening at {local}");
    }
    Ok(())
}
