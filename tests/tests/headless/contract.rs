//! The command line's contract: exit codes and JSON fields, with the real engine behind it.

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use signbell_tests::Sandbox;

use crate::world::{World, refused};

fn has(value: &Value, fields: &[&str]) -> Result<()> {
    for field in fields {
        ensure!(value.get(field).is_some(), "no {field} in {value}");
    }
    Ok(())
}

#[test]
fn every_documented_field_of_status_is_there() -> Result<()> {
    let (world, access) = World::signed_in("fields")?;
    access.get("/me")?;
    let status = world.sandbox.run_json(&["status"])?;
    ensure!(status.len() == 1, "one object: {status:?}");
    let status = &status[0];
    has(status, &["proxy", "accounts", "tools"])?;
    ensure!(status["proxy"]["address"] == world.serve.address() && status["proxy"]["running"] == true, "{status}");
    let account = &status["accounts"][0];
    has(
        account,
        &[
            "account",
            "provider",
            "identity",
            "state",
            "reason",
            "scopes",
            "expires_at",
            "refreshable",
            "last_used",
            "services",
            "waiting",
            "grants",
        ],
    )?;
    ensure!(account["account"] == "ada" && account["services"] == json!(["notes"]) && account["waiting"] == 0);
    ensure!(account["scopes"].as_array().is_some_and(|s| s.contains(&"openid".into())), "{account}");
    let grant = &account["grants"][0];
    has(grant, &["resource", "state", "scopes", "expires_at"])?;
    ensure!(grant["state"] == "active" && grant["expires_at"].is_u64(), "{grant}");
    let tool = &status["tools"][0];
    ensure!(tool["tool"] == "script" && tool["services"] == json!(["notes"]) && tool["last_seen"].is_u64(), "{tool}");
    ensure!(tool.get("key").is_none() && tool.get("key_sha256").is_none(), "{tool}");
    Ok(())
}

#[test]
fn results_are_as_documented() -> Result<()> {
    let world = World::new("results")?;
    let (api, issuer) = (world.provider.api()?, world.provider.issuer()?);
    let add = ["add", api, "--name", "notes", "--account", "ada", "--issuer", issuer, "--client-id", "signbell-test"];
    let added = world.sandbox.run_json(&add)?;
    ensure!(added.len() == 1 && added[0].get("tool").is_none() && added[0].get("key").is_none(), "{added:?}");
    ensure!(added[0]["service"] == "notes" && added[0]["account"] == "ada", "{added:?}");
    ensure!(added[0]["url"] == world.serve.url("/notes") && added[0]["state"] == "needs_sign_in", "{added:?}");
    let tool = world.sandbox.run_json(&["tool", "add", "t", "--service", "notes"])?[0].clone();
    ensure!(tool["tool"] == "t" && tool["urls"] == json!({"notes": world.serve.url("/notes")}), "{tool}");
    ensure!(tool["key"].as_str().is_some_and(|key| key.starts_with("sbk_") && key.len() >= 40), "{tool}");
    // The key is shown this once.
    let again = world.sandbox.run_json(&["tool", "add", "t", "--service", "notes"])?[0].clone();
    ensure!(again.get("key").is_none_or(Value::is_null), "{again}");

    let signed_in = world.sandbox.run_json(&["sign-in", "ada"])?;
    let last = signed_in.last().context("no line")?;
    has(last, &["account", "identity", "state", "scopes", "expires_at"])?;
    let refreshed = world.sandbox.run_json(&["refresh", "ada"])?;
    has(&refreshed[0], &["account", "identity", "state", "scopes", "expires_at"])?;
    ensure!(world.count("/refresh_token/ok")? == 1);

    refused(&world.sandbox, &["token", "ada"], 13, "token_not_allowed")?;
    world.sandbox.run_ok(&["account", "set", "ada", "--allow-token"])?;
    let token = world.sandbox.run_json(&["token", "ada", "--min-valid", "5m"])?[0].clone();
    ensure!(token["account"] == "ada" && token["expires_at"].is_u64(), "{token}");
    let value = token["access_token"].as_str().context("no token")?;
    let direct = signbell_tests::Curl::new(format!("{api}/me")).header("authorization", &format!("Bearer {value}"));
    ensure!(direct.run()?.json()?["login"] == "ada");
    // Asking for more than the provider ever gives renews once, not for ever.
    world.sandbox.run_ok(&["account", "set", "ada", "--allow-token=no"])?;
    refused(&world.sandbox, &["token", "ada"], 13, "token_not_allowed")?;
    ensure!(world.activity()?.iter().any(|kind| kind == "used"), "printing a token leaves no trace");
    Ok(())
}

#[test]
fn every_failure_has_its_exit_code() -> Result<()> {
    let world = World::new("codes")?;
    world.add("notes", &[])?;
    let sandbox = &world.sandbox;
    let issuer = world.provider.issuer()?;
    refused(sandbox, &["nonsense"], 2, "usage")?;
    refused(sandbox, &["add", "ftp://example.test"], 2, "usage")?;
    refused(sandbox, &["add", "http://example.test"], 2, "bad_address")?;
    refused(sandbox, &["add", "http://127.0.0.1:1/x"], 11, "service_unreachable")?;
    refused(sandbox, &["add", world.provider.api()?, "--name", "notes", "--account", "ada"], 2, "name_taken")?;
    for args in [&["sign-in", "nobody"][..], &["refresh", "nobody"], &["sign-out", "nobody"], &["status", "nobody"]] {
        let message = refused(sandbox, args, 1, "unknown_account")?;
        ensure!(message.contains("nobody") && message.contains("account list"), "{message}");
    }
    refused(sandbox, &["tool", "rotate", "nobody"], 1, "unknown_tool")?;
    refused(sandbox, &["tool", "add", "t", "--service", "nothing"], 1, "unknown_service")?;
    refused(sandbox, &["service", "remove", "nothing"], 1, "unknown_service")?;
    refused(sandbox, &["refresh", "ada"], 10, "not_yet")?;
    sandbox.run_ok(&["account", "set", "ada", "--allow-token"])?;
    refused(sandbox, &["token", "ada"], 10, "not_yet")?;
    // D2, to the letter: `/` at the end is another issuer.
    let slash = format!("{issuer}/nothing");
    let args = ["add", "https://x.test", "--name", "x", "--account", "x", "--issuer", &slash, "--client-id", "c"];
    refused(sandbox, &args, 1, "no_metadata")?;
    ensure!(sandbox.run_json(&["account", "list"])?.len() == 1, "a failed `add` left something behind");
    // A client that the provider does not know ends at its error page, so nobody comes back: that is
    // the browser's to tell. One that it refuses at the token endpoint is ours.
    let mut command = sandbox.signbell()?;
    command.args(["add", world.provider.api_named("issues")?, "--name", "wrong", "--account", "wrong"]);
    command.args([
        "--issuer",
        issuer,
        "--client-id",
        "signbell-secret",
        "--client-secret-stdin",
        "--sign-in",
        "--json",
    ]);
    let output = signbell_tests::process::run(command, b"not-the-secret\n", crate::SOON)?.expect_code(12)?;
    let error = crate::world::error_of(&output)?;
    ensure!(error["code"] == "exchange_failed", "{error}");
    ensure!(!output.stdout.contains("not-the-secret") && !output.stderr.contains("not-the-secret"));
    Ok(())
}

#[test]
fn an_unreachable_provider_is_11() -> Result<()> {
    let mut world = World::new("unreachable")?;
    let access = world.add("notes", &[])?;
    let issuer = world.provider.issuer()?.to_owned();
    world.provider.stop()?;
    let args = ["add", "https://x.test", "--name", "x", "--account", "x", "--issuer", &issuer, "--client-id", "c"];
    refused(&world.sandbox, &args, 11, "provider_unreachable")?;
    ensure!(access.url.ends_with("/notes"));
    Ok(())
}

#[test]
fn without_a_running_app_it_is_3_and_the_remedy_is_named() -> Result<()> {
    let sandbox = Sandbox::new("norun")?;
    for args in [&["status"][..], &["sign-in", "ada"], &["activity"], &["tool", "list"], &["token", "ada"]] {
        let message = refused(&sandbox, args, 3, "not_running")?;
        ensure!(message.contains("signbell serve"), "{message}");
        let output = sandbox.run(args)?.expect_code(3)?;
        ensure!(output.stdout.is_empty() && !output.stderr.is_empty(), "{output:?}");
    }
    Ok(())
}

#[test]
fn accounts_and_services_are_forgotten_with_what_belongs_to_them() -> Result<()> {
    let (world, access) = World::signed_in("forget")?;
    world.add("issues", &[])?;
    world.sandbox.run_ok(&["service", "remove", "issues"])?;
    let status = world.sandbox.run_json(&["status"])?[0].clone();
    ensure!(status["services"].as_array().is_some_and(|s| s.len() == 1), "{status}");
    ensure!(status["tools"][0]["services"] == json!(["notes"]), "{status}");
    ensure!(access.get("/me")?["login"] == "ada");
    let before = world.provider.control("GET", "/tokens", &[("login", "ada")], None)?;
    ensure!(before["RefreshToken"].as_array().is_some_and(|t| !t.is_empty()), "{before}");
    world.sandbox.run_ok(&["sign-out", "ada", "--forget"])?;
    let status = world.sandbox.run_json(&["status"])?[0].clone();
    ensure!(status["accounts"] == json!([]) && status["services"] == json!([]), "{status}");
    let after = world.provider.control("GET", "/tokens", &[("login", "ada")], None)?;
    ensure!(after["RefreshToken"] == json!([]), "the provider still honours a refresh token: {after}");
    let response = access.curl("/me").run()?;
    ensure!([401, 403, 404].contains(&response.status), "{response:?}");
    refused(&world.sandbox, &["status", "ada"], 1, "unknown_account")?;
    Ok(())
}
