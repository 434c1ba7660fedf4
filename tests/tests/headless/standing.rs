//! `signbell status` at each step of an account's life.

use std::thread;

use anyhow::{Result, anyhow, ensure};
use serde_json::{Value, json};
use signbell_tests::Curl;

use crate::SOON;
use crate::world::{World, refused};

fn is(world: &World, state: &str, words: &str) -> Result<Value> {
    let account = world.account()?;
    ensure!(account["state"] == state && account["state_words"] == words, "{state}: {account}");
    // What a person reads is the same.
    let text = world.sandbox.run_ok(&["status"])?;
    ensure!(text.contains(words), "{text}");
    Ok(account)
}

#[test]
fn status_says_the_truth_at_each_step() -> Result<()> {
    let mut world = World::new("status")?;
    let access = world.add("notes", &[])?;
    let account = is(&world, "needs_sign_in", "Needs you")?;
    ensure!(account["reason"] == "not_yet" && account["identity"].is_null(), "{account}");
    ensure!(account["expires_at"].is_null() && account["refreshable"] == false, "{account}");

    world.sandbox.run_ok(&["sign-in", "ada"])?;
    let account = is(&world, "active", "Signed in")?;
    ensure!(account["identity"] == "ada@example.test" && account["refreshable"] == true, "{account}");
    ensure!(account["reason"].is_null() && account["last_used"].is_null(), "{account}");
    #[expect(clippy::disallowed_methods, reason = "what `status` says is compared with the clock")]
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?.as_secs();
    let expires = account["expires_at"].as_u64().unwrap_or_default();
    ensure!((now + 500..=now + 600).contains(&expires), "{expires} at {now}");
    access.get("/me")?;
    let account = world.account()?;
    let used = account["last_used"].as_u64().unwrap_or_default();
    ensure!((now..=now + 300).contains(&used) && account["last_used_by"] == "script", "{account}");

    // While a renewal is under way.
    world.provider.fault(&json!({"mode": "slow", "ms": 5000}))?;
    thread::scope(|scope| {
        let refresh = scope.spawn(|| world.sandbox.run(&["refresh", "ada", "--json"]));
        let seen = world.wait_account("a renewal under way", |a| a["state"] == "refreshing");
        let seen = seen.and_then(|account| {
            ensure!(account["state_words"] == "Renewing…", "{account}");
            // The old token still serves.
            access.get("/me")
        });
        let output = refresh.join().map_err(|_| anyhow!("the command's thread panicked"))??.expect_code(0)?;
        seen?;
        let line = output.json()?;
        ensure!(line.len() == 1 && line[0]["state"] == "active", "{line:?}");
        Ok::<_, anyhow::Error>(())
    })?;
    is(&world, "active", "Signed in")?;

    // Renewing fails: signed in still, and never told better than it is.
    world.provider.fault(&json!({"mode": "500", "times": 100}))?;
    let message = refused(&world.sandbox, &["refresh", "ada"], 11, "provider_unavailable")?;
    ensure!(message.contains("provider answered 500"), "{message}");
    let account = world.account()?;
    let words = account["state_words"].as_str().unwrap_or_default();
    ensure!(account["state"] == "active" && words.contains("renewing fails: provider answered 500"), "{account}");
    ensure!(words.starts_with("Signed in until "), "{account}");
    access.get("/me")?;
    world.provider.fault(&Value::Null)?;
    world.sandbox.run_ok(&["refresh", "ada"])?;
    is(&world, "active", "Signed in")?;

    // Over by the provider's word.
    world.provider.revoke_refresh("ada", true)?;
    refused(&world.sandbox, &["refresh", "ada"], 10, "ended_by_provider")?;
    let account = is(&world, "needs_sign_in", "Needs you")?;
    ensure!(account["reason"] == "ended_by_provider" && account["identity"] == "ada@example.test", "{account}");
    let text = world.sandbox.run_ok(&["status"])?;
    ensure!(text.contains("signbell sign-in ada"), "{text}");
    world.restart()?;
    let account = is(&world, "needs_sign_in", "Needs you")?;
    ensure!(account["reason"] == "ended_by_provider", "a restart forgot why: {account}");

    // Out by the person's.
    world.sandbox.run_ok(&["sign-in", "ada"])?;
    is(&world, "active", "Signed in")?;
    let revocations = world.count("/revocation")?;
    world.sandbox.run_ok(&["sign-out", "ada"])?;
    let account = is(&world, "signed_out", "Signed out")?;
    ensure!(account["expires_at"].is_null() && account["ring"].is_null(), "{account}");
    ensure!(world.count("/revocation")? > revocations, "nothing was revoked");
    for _ in 0..2 {
        let response =
            Curl::new(format!("{}/me", crate::world::access(&json!({"url": world.serve.url("/notes")}))?.url))
                .header("x-signbell-key", &access.key)
                .timeout(SOON)
                .run()?;
        ensure!(response.status == 401 && response.json()?["code"] == "signed_out", "{response:?}");
        world.restart()?;
        is(&world, "signed_out", "Signed out")?;
    }
    world.sandbox.run_ok(&["sign-in", "ada"])?;
    is(&world, "active", "Signed in")?;
    Ok(())
}

#[test]
fn t9_a_sign_out_during_a_refresh_is_final() -> Result<()> {
    let (world, access) = World::signed_in("t9")?;
    world.provider.fault(&json!({"mode": "slow", "ms": 2500}))?;
    thread::scope(|scope| {
        let refresh = scope.spawn(|| world.sandbox.run(&["refresh", "ada", "--json"]));
        let seen = world.wait_account("a renewal under way", |a| a["state"] == "refreshing");
        let out = seen.and_then(|_| world.sandbox.run_ok(&["sign-out", "ada"]));
        let output = refresh.join().map_err(|_| anyhow!("the command's thread panicked"))??;
        out?;
        ensure!(output.code == Some(10), "{output:?}");
        Ok::<_, anyhow::Error>(())
    })?;
    // Late, and a failure too where the revocation was faster.
    signbell_tests::wait_until("the renewal's late answer", SOON, || {
        let answers = world.count("/refresh_token/ok").ok()? + world.count("/refresh_token/failed").ok()?;
        (answers == 1).then_some(())
    })?;
    // A moment for the answer to be taken, were it taken.
    thread::sleep(std::time::Duration::from_millis(700));
    is(&world, "signed_out", "Signed out")?;
    ensure!(access.curl("/me").run()?.status == 401);
    Ok(())
}
