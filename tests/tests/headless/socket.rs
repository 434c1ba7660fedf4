//! The Unix socket for tools that can use one: there the `Host` picks the service.

use std::fs;
use std::io::{Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use signbell_tests::process::run;
use signbell_tests::upstream::{Reply, ok};
use signbell_tests::{Curl, Response, Upstream};

use crate::SOON;
use crate::front::Fronted;
use crate::world::{World, follow_links};

/// Where the socket is, as the status tells it.
fn socket(world: &World) -> Result<PathBuf> {
    let status = world.sandbox.run_json(&["status"])?;
    Ok(status[0]["proxy"]["socket"].as_str().context("no socket in the status")?.into())
}

fn curl(socket: &Path, key: &str, url: &str) -> Curl {
    let curl = Curl::new(url).arg("--unix-socket").arg(socket.to_string_lossy());
    if key.is_empty() { curl } else { curl.header("authorization", &format!("token {key}")) }
}

fn ours(what: &str, response: &Response, status: u16, code: &str) -> Result<()> {
    let problem = response.json().with_context(|| what.to_owned())?;
    ensure!(response.status == status && problem["code"] == code, "{what}: {} {problem}", response.status);
    Ok(())
}

/// Sends these bytes and reads to the end.
fn raw(socket: &Path, bytes: &str) -> Result<String> {
    let mut stream = UnixStream::connect(socket)?;
    stream.set_read_timeout(Some(SOON))?;
    // A server that has seen enough may close before everything is written.
    let _ = stream.write_all(bytes.as_bytes());
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

#[test]
fn the_host_picks_the_service() -> Result<()> {
    let (mut world, access) = World::signed_in("socket")?;
    let issues = world.add("issues", &[])?;
    ensure!(issues.key.is_empty(), "a tool that is there keeps its key");
    world.sandbox.run_ok(&["add", "http://127.0.0.1:9/elsewhere", "--name", "closed", "--account", "ada"])?;
    let socket = socket(&world)?;
    let mode = |path: &Path| fs::metadata(path).map(|metadata| metadata.permissions().mode() & 0o777);
    ensure!(mode(&socket)? == 0o600, "{:o}", mode(&socket)?);
    ensure!(mode(socket.parent().context("no folder")?)? == 0o700);

    let notes = world.provider.api_named("notes")?.to_owned();
    let upstream = notes.trim_end_matches("/notes").to_owned();
    let key = access.key.as_str();
    for (what, url) in [
        ("the upstream's own host", format!("{notes}/me")),
        ("the other service there", format!("{upstream}/issues/me")),
        ("its name", "http://notes/me".to_owned()),
        ("its name as the port knows it", "http://notes.localhost/me".to_owned()),
        ("ours, and the path names it", "http://localhost/notes/me".to_owned()),
        ("ours with our port", format!("{}/notes/me", world.serve.address())),
    ] {
        let response = curl(&socket, key, &url).run().with_context(|| what.to_owned())?;
        ensure!(response.status == 200 && response.json()?["login"] == "ada", "{what}: {}", response.text());
        // The tool's key went no further.
        ensure!(!response.text().contains(key), "{what}");
    }
    // Where it leads stays what it was to who asked for the upstream itself.
    let redirect = curl(&socket, key, &format!("{notes}/redirect?to=/notes/me")).run()?;
    ensure!(redirect.header("location") == Some(&*format!("{notes}/me")), "{redirect:?}");
    // Dead inside: recovered as at the port.
    world.provider.expire_access("ada")?;
    ensure!(curl(&socket, key, &format!("{notes}/me")).run()?.status == 200);
    ensure!(world.count("/refresh_token/ok")? == 1);

    let before = world.provider.counts()?["api"].clone();
    ours("no key", &curl(&socket, "", &format!("{notes}/me")).run()?, 401, "no_key")?;
    ours("unknown key", &curl(&socket, "sbk_nobodys", &format!("{notes}/me")).run()?, 401, "unknown_key")?;
    ours("no such host", &curl(&socket, key, "http://elsewhere.test/me").run()?, 404, "unknown_service")?;
    ours("no such base", &curl(&socket, key, &format!("{upstream}/other/me")).run()?, 404, "unknown_service")?;
    ours("another port", &curl(&socket, key, "http://127.0.0.1:10/notes/me").run()?, 404, "unknown_service")?;
    ours("not granted", &curl(&socket, key, "http://closed/me").run()?, 403, "service_not_granted")?;
    ours("its host", &curl(&socket, key, "http://127.0.0.1:9/elsewhere").run()?, 403, "service_not_granted")?;
    let page = curl(&socket, key, &format!("{notes}/me")).header("origin", "https://evil.test");
    ours("a page", &page.run()?, 403, "web_page")?;
    for path in ["/%2e%2e/issues/me", "/..%2fissues/me", "//evil.test"] {
        let escaping = curl(&socket, key, &format!("{notes}{path}")).arg("--path-as-is").run()?;
        ours(path, &escaping, 400, "bad_target")?;
    }
    ensure!(world.provider.counts()?["api"] == before, "something reached the upstream");

    // The socket goes with the engine.
    ensure!(world.serve.stop()?.success() && !socket.exists());
    Ok(())
}

#[test]
fn two_services_at_one_address_are_told_apart_by_the_key() -> Result<()> {
    let upstream = Upstream::start(|request| Reply::Bytes(ok(&format!("{{\"token\":\"{}\"}}", request.token()))))?;
    let world = World::new("socket-two")?;
    let one = world.add_url(upstream.address(), "work", &["--sign-in"])?;
    let two = world.sandbox.run_json(&[
        "add",
        upstream.address(),
        "--name",
        "home",
        "--account",
        "bob",
        "--issuer",
        world.provider.issuer()?,
        "--client-id",
        crate::world::CLIENT,
        "--tool",
        "other",
        "--sign-in",
    ])?[0]
        .clone();
    let two = two["key"].as_str().context("no key")?;
    let socket = socket(&world)?;
    let token = |key: &str| -> Result<String> {
        let answer = curl(&socket, key, upstream.address()).run()?;
        ensure!(answer.status == 200, "{}", answer.text());
        Ok(answer.json()?["token"].as_str().unwrap_or_default().to_owned())
    };
    let tokens = [token(&one.key)?, token(two)?];
    ensure!(tokens[0] != tokens[1] && tokens.iter().all(|token| !token.is_empty()), "{tokens:?}");
    // A tool that may use both has to say which.
    world.sandbox.run_ok(&["tool", "add", "other", "--service", "work"])?;
    let before = upstream.seen().len();
    let answer = curl(&socket, two, upstream.address()).run()?;
    ours("both", &answer, 409, "several_services")?;
    ensure!(answer.text().contains("home, work"), "{}", answer.text());
    ensure!(upstream.seen().len() == before);
    ensure!(curl(&socket, two, "http://work/").run()?.status == 200, "by its name");
    Ok(())
}

#[test]
fn i8_i13_the_strict_reader_is_there_too() -> Result<()> {
    let (world, access) = World::signed_in("socket-raw")?;
    let socket = socket(&world)?;
    let key = format!("Authorization: token {}\r\nConnection: close\r\n", access.key);
    let get = |target: &str| format!("GET {target} HTTP/1.1\r\nHost: notes\r\n{key}\r\n");
    ensure!(raw(&socket, &get("/me"))?.starts_with("HTTP/1.1 200 "), "the template itself must work");
    let before = world.provider.counts()?["api"].clone();
    let smuggled = "0\r\n\r\nGET /me HTTP/1.1\r\nHost: notes\r\n\r\n";
    let post = |fields: &str, body: &str| format!("POST /echo HTTP/1.1\r\nHost: notes\r\n{key}{fields}\r\n{body}");
    for (what, request) in [
        ("CL and TE", post("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", smuggled)),
        ("two CLs", post("Content-Length: 5\r\nContent-Length: 6\r\n", "hello!")),
        ("bare LF", get("/me").replace("\r\n", "\n")),
        ("two Hosts", get("/me").replace("Connection", "Host: notes\r\nConnection")),
        ("absolute form", get(&format!("{}/me", world.provider.api_named("notes")?))),
        ("CONNECT", get("127.0.0.1:9").replacen("GET", "CONNECT", 1)),
    ] {
        let answer = raw(&socket, &request)?;
        ensure!(answer.starts_with("HTTP/1.1 400 ") && answer.matches("HTTP/1.1 ").count() == 1, "{what}: {answer}");
    }
    ensure!(world.provider.counts()?["api"] == before);
    Ok(())
}

#[test]
fn i6_another_user_s_process_is_refused_at_the_socket() -> Result<()> {
    let (world, access) = World::signed_in("socket-user")?;
    let socket = socket(&world)?;
    let before = world.provider.counts()?["api"].clone();
    let other = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"];
    let call = |as_user: &[&str]| -> Result<String> {
        let mut words = as_user.iter().copied().chain(["curl"]);
        let mut command = Command::new(words.next().context("no program")?);
        command.args(words).args(["-q", "--silent", "--max-time", "30", "--write-out", "\n%{http_code}"]);
        command.arg("--unix-socket").arg(&socket);
        command.args(["--header", &format!("Authorization: Bearer {}", access.key), "http://notes/me"]);
        Ok(run(command, b"", SOON)?.stdout)
    };
    if !rustix::process::geteuid().is_root() {
        // Only root can be somebody else.
        return Ok(());
    }
    ensure!(call(&other)?.ends_with("\n000"), "the folder and the file keep others out");
    // Were they open to all, the kernel's word would still count.
    let mut folder = socket.parent();
    fs::set_permissions(&socket, fs::Permissions::from_mode(0o777))?;
    while let Some(open) = folder.filter(|folder| folder.starts_with(world.sandbox.root())) {
        fs::set_permissions(open, fs::Permissions::from_mode(0o755))?;
        folder = open.parent();
    }
    let said = call(&other)?;
    ensure!(said.ends_with("\n403") && said.contains("\"foreign_user\""), "{said}");
    ensure!(world.provider.counts()?["api"] == before);
    let own = call(&[])?;
    ensure!(own.ends_with("\n200"), "the same request as ourselves: {own}");
    Ok(())
}

#[test]
fn gh_calls_its_api_through_the_socket() -> Result<()> {
    let api = Upstream::start(|_| Reply::Bytes(ok("{\"login\":\"ada\"}")))?;
    let fronted = Fronted::of("socket-gh", &[("api.github.com", &api)])?;
    let sandbox = &fronted.world.sandbox;
    follow_links(sandbox)?;
    let access = fronted.add("https://api.github.com", "github", "ada", "gh")?;
    let socket = socket(&fronted.world)?;
    let gh = |args: &[&str]| {
        let mut gh = sandbox.command("gh");
        gh.args(args).env("GH_TOKEN", &access.key);
        run(gh, b"", SOON)
    };
    gh(&["config", "set", "http_unix_socket", &socket.to_string_lossy()])?.expect_code(0)?;
    let output = gh(&["api", "user", "--jq", ".login"])?.expect_code(0)?;
    ensure!(output.stdout.trim() == "ada", "{output:?}");
    let seen = api.seen();
    ensure!(
        seen.len() == 1 && seen[0].target == "/user" && seen[0].header("host") == Some("api.github.com"),
        "{seen:?}"
    );
    ensure!(seen[0].header("authorization").is_some_and(|value| value.starts_with("Bearer ")), "{seen:?}");
    ensure!(!format!("{seen:?}").contains(&access.key), "the tool's key went upstream");
    Ok(())
}
