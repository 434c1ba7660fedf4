//! Tokens that are bound to a key (RFC 9449): the tool has never heard of them.

use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{Context as _, Result, ensure};
use serde_json::json;
use signbell_tests::upstream::{Reply, response};
use signbell_tests::{Curl, Upstream};

use crate::world::{Access, World, access, refused, sha256};

/// A service that takes nothing but bound tokens, found and signed in to by its address.
fn dpop_world(name: &str, nonces: bool) -> Result<(World, Access)> {
    let options = json!({"register": true, "describe": "challenge", "dpop": "required", "dpopNonces": nonces});
    let world = World::with(name, &options)?;
    let url = world.provider.api_named("notes")?.to_owned();
    let lines = world.sandbox.run_json(&["add", &url, "--account", "ada", "--tool", "script", "--sign-in"])?;
    let access = access(lines.first().context("no line of `add`")?)?;
    Ok((world, access))
}

#[test]
fn a_plain_tool_uses_a_service_that_takes_bound_tokens_alone() -> Result<()> {
    let (world, access) = dpop_world("dpop", false)?;
    ensure!(access.get("/me?x=1")?["login"] == "ada");
    let last = world.provider.last()?;
    ensure!(last["token"]["proof"] == true, "the token request has no proof: {last}");
    ensure!(last["authorize"]["dpop_jkt"].as_str().is_some_and(|jkt| jkt.len() == 43), "{last}");
    // A body goes along, and each request has a proof of its own: the service refuses one that it has seen.
    for body in ["one", "two"] {
        let answer = access.curl("/echo").method("POST").body(body).run()?;
        ensure!(answer.status == 200 && answer.json()?["sha256"] == sha256(body.as_bytes())?, "{answer:?}");
    }
    // The tool's own attempt at a proof goes nowhere.
    let own = access.curl("/me").header("dpop", "eyJ.own.proof").run()?;
    ensure!(own.status == 200 && !own.json()?["via"].to_string().contains("eyJ"), "{own:?}");
    // The refresh is bound as well, and what it brings is.
    world.provider.expire_access("ada")?;
    ensure!(access.get("/me")?["login"] == "ada" && world.count("/refresh_token/ok")? == 1);
    ensure!(world.provider.last()?["token"]["proof"] == true);
    Ok(())
}

#[test]
fn nonces_of_both_servers_are_given_and_cost_no_refresh() -> Result<()> {
    let (world, access) = dpop_world("dpop-nonces", true)?;
    ensure!(access.get("/me")?["login"] == "ada");
    world.provider.control("POST", "/rotate-nonce", &[], None)?;
    let answer = access.curl("/echo").method("POST").body("kept").run()?;
    ensure!(answer.status == 200 && answer.json()?["length"] == 4, "{answer:?}");
    ensure!(world.count("/refresh_token/ok")? == 0, "a nonce is no reason to refresh");
    // With a nonce that is wanted anew the token's end is still recovered from.
    world.provider.control("POST", "/rotate-nonce", &[], None)?;
    world.provider.expire_access("ada")?;
    ensure!(access.get("/me")?["login"] == "ada" && world.count("/refresh_token/ok")? == 1);
    // Nothing of this is an event for the person to read about but the one recovery.
    let recovered = world.activity()?.iter().filter(|kind| *kind == "recovered").count();
    ensure!(recovered == 1, "{recovered} recoveries");
    Ok(())
}

#[test]
fn a_request_that_waited_for_the_person_gets_the_new_key_s_nonce() -> Result<()> {
    let (world, access) = dpop_world("dpop-held", true)?;
    ensure!(access.get("/me")?["login"] == "ada");
    world.provider.revoke_refresh("ada", true)?;
    world.provider.control("POST", "/rotate-nonce", &[], None)?;
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| access.curl("/me").run());
        world.wait_account("a waiting request", |account| account["waiting"] == 1)?;
        world.sandbox.run_ok(&["sign-in", "ada"])?;
        let answer = waiting.join().map_err(|_| anyhow::anyhow!("the tool's thread panicked"))??;
        ensure!(answer.status == 200, "{answer:?}");
        Ok(())
    })
}

#[test]
fn a_service_that_never_has_enough_of_nonces_is_asked_twice() -> Result<()> {
    // No real server does this, so the API is a double: it wants another nonce each time.
    let asked = AtomicUsize::new(0);
    let upstream = Upstream::start(move |_| {
        let nonce = asked.fetch_add(1, Ordering::Relaxed);
        let head =
            format!("401 Unauthorized\r\nwww-authenticate: DPoP error=\"use_dpop_nonce\"\r\ndpop-nonce: n{nonce}");
        Reply::Bytes(response(&head, b"again"))
    })?;
    let world = World::with("dpop-circle", &json!({"dpop": "offered"}))?;
    let access = world.add_url(upstream.address(), "circle", &["--dpop", "--sign-in"])?;
    let before = upstream.seen().len();
    let answer = access.curl("/x").run()?;
    ensure!(answer.status == 401 && answer.text() == "again", "{answer:?}");
    ensure!(upstream.seen().len() - before == 2, "{:?}", upstream.seen());
    ensure!(world.count("/refresh_token/ok")? == 0);
    Ok(())
}

#[test]
fn a_bound_token_is_not_printed() -> Result<()> {
    let (world, _) = dpop_world("dpop-print", false)?;
    world.sandbox.run_ok(&["account", "set", "ada", "--allow-token"])?;
    let message = refused(&world.sandbox, &["token", "ada"], 13, "token_is_bound")?;
    ensure!(message.contains("bound to a key"), "{message}");
    Ok(())
}

#[test]
fn a_server_that_gives_plain_tokens_all_the_same_is_used_as_such() -> Result<()> {
    let world = World::with("dpop-ignored", &json!({}))?;
    let access = world.add("notes", &["--dpop", "--sign-in"])?;
    ensure!(access.get("/me")?["login"] == "ada");
    world.provider.expire_access("ada")?;
    ensure!(access.get("/me")?["login"] == "ada");
    ensure!(Curl::new(&access.url).run()?.status == 401, "no key, no answer");
    Ok(())
}
