//! A look before adding, at which step something failed, and the first call.

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use signbell_tests::upstream::{Reply, invalid_token, ok, response};
use signbell_tests::{Upstream, wait_ok};

use crate::SOON;
use crate::world::{CLIENT, World};

/// `signbell add URL --dry-run`.
fn look(world: &World, url: &str, more: &[&str]) -> Result<Value> {
    let lines = world.sandbox.run_json(&[&["add", url, "--dry-run"], more].concat())?;
    lines.first().cloned().context("no line of `add --dry-run`")
}

/// The error of a command that fails.
fn failed(world: &World, args: &[&str], exit: i32) -> Result<Value> {
    let output = world.sandbox.run(&[args, &["--json"]].concat())?.expect_code(exit)?;
    let line = output.stdout.lines().last().context("no error")?;
    Ok(serde_json::from_str::<Value>(line)?["error"].clone())
}

#[test]
fn a_look_finds_everything_and_does_nothing() -> Result<()> {
    for (describe, by) in [("challenge", "challenge"), ("well-known", "well-known")] {
        let world = World::with("look", &json!({"register": true, "describe": describe}))?;
        let api = world.provider.api_named("notes")?;
        let found = look(&world, api, &[])?;
        ensure!(found["by"] == by && found["registration"] == "registers", "{found}");
        let issuer = found["issuer"].as_str().unwrap_or_default();
        ensure!(issuer.trim_end_matches('/') == world.provider.issuer()?, "{found}");
        let scopes: Vec<_> = found["scopes"].as_array().context("no scopes")?.iter().map(|s| &s["scope"]).collect();
        ensure!(scopes == ["notes:read", "notes:write", "offline_access"], "{found}");
        ensure!(found["scopes"][0]["words"] == "Read notes" && found["joins"] == false, "{found}");
        ensure!(world.count("/registered")? == 0 && !world.sandbox.signbell_home().join("config.toml").exists());
        // What was found is what is added then.
        let added = world.sandbox.run_json(&["add", api, "--sign-in"])?[0].clone();
        ensure!(added["service"] == found["service"] && added["account"] == found["account"], "{added} {found}");
        // A second look knows the server and the account.
        let account = found["account"].as_str().unwrap_or_default();
        let again = look(&world, world.provider.api_named("issues")?, &["--account", account])?;
        ensure!(again["registration"] == "known" && again["joins"] == true, "{again}");
        ensure!(again["accounts"][0]["account"] == account, "{again}");
        let plain = world.sandbox.run_ok(&["add", world.provider.api_named("issues")?, "--dry-run"])?;
        ensure!(plain.contains("Read notes · notes:read"), "{plain}");
        ensure!(world.sandbox.run_json(&["status"])?[0]["services"].as_array().map(Vec::len) == Some(1));
    }
    Ok(())
}

#[test]
fn a_look_says_what_the_person_has_to_bring() -> Result<()> {
    let world = World::with("look-by-hand", &json!({"describe": "challenge"}))?;
    let found = look(&world, world.provider.api()?, &[])?;
    ensure!(found["registration"] == "needs-client-id", "{found}");
    ensure!(found["redirect"] == "http://127.0.0.1/callback", "{found}");
    let found = look(&world, world.provider.api()?, &["--client-id", CLIENT])?;
    ensure!(found["registration"] == "given" && found["redirect"].is_null(), "{found}");
    let issuer = world.provider.issuer()?;
    let found = look(&world, "http://127.0.0.1:9", &["--issuer", issuer, "--client-id", CLIENT, "--preset", "slack"])?;
    ensure!(found["by"] == "given" && found["preset_title"] == "Slack", "{found}");
    Ok(())
}

#[test]
fn a_failure_says_at_which_step_and_what_came_back() -> Result<()> {
    let world = World::with("steps", &json!({"describe": "challenge"}))?;
    let (api, issuer) = (world.provider.api()?.to_owned(), world.provider.issuer()?.to_owned());
    let silent = Upstream::start(|request| {
        let known = request.target.starts_with("/.well-known/");
        Reply::Bytes(if known { response("404 Not Found", b"") } else { ok("{}") })
    })?;
    let down = Upstream::start(|_| Reply::Bytes(response("503 Service Unavailable", b"")))?;
    for (args, exit, step, came) in [
        (vec!["add", "http://example.test/"], 2, "address", ""),
        (vec!["add", "http://127.0.0.1:9"], 11, "service", "no connection"),
        (vec!["add", down.address()], 11, "service", "503"),
        (vec!["add", silent.address()], 1, "server", "no description"),
        (vec!["add", &api], 2, "registration", ""),
    ] {
        let error = failed(&world, &args, exit)?;
        ensure!(error["step"] == step, "{args:?}: {error}");
        ensure!(error["came"].as_str().unwrap_or_default().contains(came), "{args:?}: {error}");
    }
    // At the token endpoint, for people too.
    world.sandbox.run_ok(&["add", &api, "--issuer", &issuer, "--client-id", CLIENT, "--account", "ada"])?;
    world.provider.fault(&json!({"mode": "500", "times": 2}))?;
    let error = failed(&world, &["sign-in", "ada"], 12)?;
    ensure!(error["step"] == "token" && error["came"] == "500", "{error}");
    let output = world.sandbox.run(&["sign-in", "ada"])?.expect_code(12)?;
    ensure!(output.stderr.contains("At this step: Fetching the tokens. What came back: 500."), "{}", output.stderr);
    Ok(())
}

/// The outcome of a first call to this service.
fn first_call(world: &World, service: &str) -> Result<Value> {
    let reply = world.control(&json!({"do": "first-call", "service": service}))?;
    ensure!(reply["reply"] == "first-call", "{reply}");
    Ok(reply)
}

#[test]
fn a_first_call_shows_whether_it_works() -> Result<()> {
    let (world, _) = World::signed_in("first-call")?;
    let answering = Upstream::start(|request| {
        // An MCP server that opens a session, and wants to be told its end.
        let server = json!({"jsonrpc": "2.0", "id": 1, "result": {"serverInfo": {"name": "Notes MCP"}}});
        Reply::Bytes(match (request.method.as_str(), request.target.as_str()) {
            ("POST", "/mcp") => response(
                "200 OK\r\ncontent-type: application/json\r\nmcp-session-id: s1",
                server.to_string().as_bytes(),
            ),
            ("DELETE", "/mcp") => response("204 No Content", b""),
            ("GET", "/rpc") => response("405 Method Not Allowed", b""),
            ("GET", "/hidden") => {
                ok("{\"jsonrpc\":\"2.0\",\"error\":{\"code\":-32600,\"message\":\"no\"},\"id\":null}")
            }
            ("POST", "/hidden") => {
                response("200 OK\r\ncontent-type: text/event-stream", format!("data: {server}\n\n").as_bytes())
            }
            (_, "/dead") => invalid_token(),
            (_, "/down") => response("503 Service Unavailable", b""),
            _ => ok("{}"),
        })
    })?;
    for (name, outcome, status, words) in [
        ("mcp", "works", 200, "Notes MCP"),
        ("hidden", "works", 200, "Notes MCP"),
        ("plain", "works", 200, "took your sign-in"),
        ("rpc", "answers", 405, "did not refuse your sign-in"),
        ("down", "answers", 503, "its own trouble"),
        ("dead", "refused", 401, "a token that was just issued"),
    ] {
        let url = format!("{}/{name}", answering.address());
        world.sandbox.run_ok(&["add", &url, "--name", name, "--account", "ada"])?;
        let call = first_call(&world, name)?;
        ensure!(call["outcome"] == outcome && call["status"] == status, "{call}");
        ensure!(call["words"].as_str().is_some_and(|said| said.contains(words)), "{call}");
        ensure!((call["rule"].is_string()) == (outcome == "refused"), "{call}");
    }
    let seen = answering.seen();
    let ended = seen.iter().find(|request| request.method == "DELETE").context("the session was not ended")?;
    ensure!(ended.header("mcp-session-id") == Some("s1"));
    // Each went with the token, and none was repeated.
    ensure!(seen.iter().filter(|request| request.target == "/dead").filter(|r| !r.token().is_empty()).count() == 1);
    drop(answering);
    let call = first_call(&world, "plain")?;
    ensure!(call["outcome"] == "unreachable" && call["status"].is_null(), "{call}");
    Ok(())
}

#[test]
fn a_sign_in_can_be_cancelled() -> Result<()> {
    let world = World::with("cancel", &json!({"autoConsent": null}))?;
    // A browser that shows the page and in which nobody does anything.
    world.add("notes", &[])?;
    std::thread::scope(|scope| {
        let command = scope.spawn(|| failed(&world, &["sign-in", "ada"], 1));
        let signing_in = |wanted: bool| {
            wait_ok("the sign-in under way, or not", SOON, || {
                let account = world.control(&json!({"do": "status"}))?["accounts"][0].clone();
                ensure!(account["signing_in"] == wanted, "{account}");
                Ok(())
            })
        };
        signing_in(true)?;
        ensure!(world.control(&json!({"do": "cancel-sign-in", "account": "ada"}))?["reply"] == "done");
        signing_in(false)?;
        let error = command.join().map_err(|_| anyhow::anyhow!("signbell sign-in panicked"))??;
        ensure!(error["code"] == "signed_out_meanwhile" && error["step"].is_null(), "{error}");
        Ok(())
    })
}

#[test]
fn a_first_call_with_a_bound_token_has_its_proof() -> Result<()> {
    let options = json!({"register": true, "describe": "challenge", "dpop": "required", "dpopNonces": true});
    let world = World::with("first-call-bound", &options)?;
    let url = format!("{}/me", world.provider.api()?);
    let added = world.sandbox.run_json(&["add", &url, "--dpop", "--sign-in"])?[0].clone();
    let call = first_call(&world, added["service"].as_str().unwrap_or_default())?;
    ensure!(call["outcome"] == "works" && call["status"] == 200, "{call}");
    Ok(())
}
