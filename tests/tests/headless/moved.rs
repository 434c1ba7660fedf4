//! A known service that names another authorization server than before: nothing of the old one goes to the
//! new one, and the person is asked (D7 of the threats).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context as _, Result, ensure};
use base64::Engine as _;
use serde_json::json;
use signbell_tests::process::run;
use signbell_tests::upstream::{Reply, Request, ok, response};
use signbell_tests::{Serve, Upstream, wait_ok};

use crate::SOON;
use crate::double::{Bare, Double};
use crate::world::{access, refused};

/// A service that belongs to the first of two servers until it is told to belong to the second. It takes
/// the tokens of whom it names, and says so in its 401.
struct Service {
    upstream: Upstream,
    moved: Arc<AtomicBool>,
}

impl Service {
    fn start(first: &Double, second: &Double) -> Result<Self> {
        let moved = Arc::new(AtomicBool::new(false));
        let (now, servers) = (Arc::clone(&moved), [first.address().to_owned(), second.address().to_owned()]);
        let own = Arc::new(std::sync::OnceLock::<String>::new());
        let known = Arc::clone(&own);
        let upstream = Upstream::start(move |request| {
            let own = known.get().cloned().unwrap_or_default();
            let at = usize::from(now.load(Ordering::SeqCst));
            let path = "/.well-known/oauth-protected-resource/mcp";
            if request.target == path {
                let document = json!({"resource": format!("{own}/mcp"), "authorization_servers": [servers[at]]});
                return Reply::Bytes(ok(&document.to_string()));
            }
            if request.target.starts_with("/.well-known/") {
                return Reply::Bytes(response("404 Not Found", b""));
            }
            let good = request.token().starts_with(if at == 0 { "first-" } else { "second-" });
            Reply::Bytes(if good {
                ok("{\"done\":true}")
            } else {
                let challenge = format!("Bearer error=\"invalid_token\", resource_metadata=\"{own}{path}\"");
                response(&format!("401 Unauthorized\r\nwww-authenticate: {challenge}"), b"no")
            })
        })?;
        let _ = own.set(upstream.address().to_owned());
        Ok(Self { upstream, moved })
    }

    fn url(&self) -> String {
        format!("{}/mcp", self.upstream.address())
    }
}

/// A server whose tokens begin with this.
fn server(name: &'static str) -> Result<Double> {
    Double::start(move |request, usual| {
        (request.target == "/token").then(|| {
            let n = usual.tokens;
            usual.token(&json!({"access_token": format!("{name}-{n}"), "refresh_token": format!("{name}-refresh-{n}")}))
        })
    })
}

fn mentions(requests: &[Request], text: &str) -> bool {
    requests.iter().any(|request| {
        request.target.contains(text)
            || String::from_utf8_lossy(&request.body).contains(text)
            || request.headers.iter().any(|(_, value)| value.contains(text))
    })
}

#[test]
fn d7_a_service_that_names_another_server_gets_nothing_until_the_person_says_so() -> Result<()> {
    let (first, second) = (server("first")?, server("second")?);
    let service = Service::start(&first, &second)?;
    let bare = Bare::new("d7-moved")?;
    let lines = bare.sandbox.run_json(&["add", &service.url(), "--name", "mcp", "--tool", "me", "--sign-in"])?;
    let added = lines.first().context("no line")?;
    let (access, account) = (access(added)?, added["account"].as_str().context("no account")?.to_owned());
    access.get("/")?;

    service.moved.store(true, Ordering::SeqCst);
    bare.sandbox.run_ok(&["service", "set", "mcp", "--hold", "0"])?;
    // Its own server renews, and the service takes that no more: the tool is told, and so is the person.
    let response = access.curl("/").run()?;
    ensure!(response.status == 401, "{response:?}");
    let told = wait_ok("the person is told", SOON, || {
        let records = bare.sandbox.run_json(&["activity"])?;
        let told = records.iter().find(|record| record["kind"] == "hint").cloned();
        told.with_context(|| format!("{records:?}"))
    })?;
    let text = told["text"].as_str().unwrap_or_default();
    let command = format!("signbell service move mcp {}", second.address());
    ensure!(text.contains(&command) && text.contains(first.address()), "{text}");
    // Whoever signs in is told before any page opens.
    let pages = first.asked("/authorize").len();
    let message = refused(&bare.sandbox, &["sign-in", &account, "--force"], 12, "server_moved")?;
    ensure!(message.contains(&command) && message.contains("Nothing of your sign-in goes there"), "{message}");
    ensure!(first.asked("/authorize").len() == pages);
    ensure!(second.seen().is_empty(), "the new server was asked: {:?}", second.seen());

    // Only the server that the service names can be taken.
    let wrong = ["service", "move", "mcp", "https://evil.example"];
    refused(&bare.sandbox, &wrong, 12, "server_not_named")?;
    ensure!(second.seen().is_empty());
    let lines = bare.sandbox.run_json(&["service", "move", "mcp", second.address()])?;
    let moved = lines.first().context("no line")?;
    let other = moved["account"].as_str().context("no account")?.to_owned();
    ensure!(other != account && moved["state"] == "needs_sign_in", "{moved}");
    bare.sandbox.run_ok(&["sign-in", &other])?;
    // The tool's key and address are what they were.
    access.get("/")?;
    let seen = second.seen();
    for secret in ["first-", "refresh-0\"", "code-first"] {
        ensure!(!mentions(&seen, secret), "{secret} went to the new server: {seen:?}");
    }
    ensure!(seen.iter().any(|request| request.target == "/register"), "the old registration was used");
    // Nor did anything of the new one go to the old.
    ensure!(!mentions(&first.seen(), "second-"));
    let status = bare.sandbox.run_json(&["status", &account])?[0]["accounts"][0].clone();
    ensure!(status["services"] == json!([]), "{status}");
    Ok(())
}

#[test]
fn d7_a_client_secret_goes_to_no_other_issuer() -> Result<()> {
    let (first, second) = (server("first")?, server("second")?);
    let mut bare = Bare::new("d7-secret")?;
    bare.sandbox.set_env("SIGNBELL_VAULT", "sealed-file");
    bare.sandbox.set_env("SIGNBELL_PASSPHRASE", "correct horse");
    ensure!(bare.serve.stop()?.success());
    bare.serve = Serve::start(&bare.sandbox)?;
    let mut command = bare.sandbox.signbell()?;
    command.args(["add", &first.api(), "--account", "ada", "--issuer", first.address(), "--client-id", "x"]);
    command.args(["--client-secret-stdin", "--sign-in", "--json"]);
    run(command, b"s3cr3t-of-the-first\n", SOON)?.expect_code(0)?;
    let basic =
        |double: &Double| double.asked("/token").last().and_then(|r| r.header("authorization")).map(str::to_owned);
    ensure!(basic(&first).is_some_and(|value| value.starts_with("Basic ")), "no client authentication");
    // By hand: the issuer is another, and the rest is as it was.
    ensure!(bare.serve.stop()?.success());
    let config = bare.sandbox.signbell_home().join("config.toml");
    let text = std::fs::read_to_string(&config)?;
    std::fs::write(&config, text.replacen(first.address(), second.address(), 1))?;
    bare.serve = Serve::start(&bare.sandbox)?;
    bare.sandbox.run(&["sign-in", "ada"])?;
    ensure!(second.asked("/token").len() == 1, "{:?}", second.seen());
    let secret = base64::engine::general_purpose::STANDARD.encode("x:s3cr3t-of-the-first");
    ensure!(!mentions(&second.seen(), "s3cr3t") && !mentions(&second.seen(), &secret), "{:?}", second.seen());
    Ok(())
}

#[test]
fn d7_a_service_that_names_its_server_among_others_has_not_moved() -> Result<()> {
    let (first, second) = (server("first")?, server("second")?);
    let servers = [second.address().to_owned(), first.address().to_owned()];
    let own = Arc::new(std::sync::OnceLock::<String>::new());
    let (known, more) = (Arc::clone(&own), Arc::new(AtomicBool::new(false)));
    let now = Arc::clone(&more);
    let service = Upstream::start(move |request| {
        let own = known.get().cloned().unwrap_or_default();
        let named = if now.load(Ordering::SeqCst) { &servers[..] } else { &servers[1..] };
        Reply::Bytes(match request.target.as_str() {
            "/.well-known/oauth-protected-resource" => {
                ok(&json!({"resource": own, "authorization_servers": named}).to_string())
            }
            path if path.starts_with("/.well-known/") => response("404 Not Found", b""),
            _ if request.token().is_empty() => response("401 Unauthorized\r\nwww-authenticate: Bearer", b""),
            _ => ok("{}"),
        })
    })?;
    let _ = own.set(service.address().to_owned());
    let bare = Bare::new("d7-among")?;
    let access = bare.add(service.address(), &["--name", "s", "--sign-in"])?;
    more.store(true, Ordering::SeqCst);
    bare.sandbox.run_ok(&["sign-in", "ada", "--force"])?;
    access.get("/")?;
    // Another service of it is taken to be of the server that is known already.
    bare.sandbox.run_json(&["add", &format!("{}/other", service.address()), "--name", "t", "--account", "ada"])?;
    ensure!(second.seen().is_empty(), "{:?}", second.seen());
    Ok(())
}
