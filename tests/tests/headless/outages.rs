//! Providers that are slow, down or confused: nobody is signed out by that.

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use signbell_tests::wait_ok;

use crate::SOON;
use crate::world::{Access, World};

/// One request while renewing fails: 503 with `Retry-After`, and the account stays signed in.
fn told_as_an_outage(world: &World, access: &Access, fault: &Value) -> Result<u64> {
    world.provider.fault(fault)?;
    world.provider.expire_access("ada")?;
    let response = access.curl("/me").timeout(SOON * 2).run()?;
    ensure!(response.status == 503, "{fault}: {} {}", response.status, response.text());
    ensure!(response.header("content-type") == Some("application/problem+json"), "{response:?}");
    let problem = response.json()?;
    ensure!(problem["code"] == "provider_unavailable", "{problem}");
    ensure!(problem["detail"].as_str().is_some_and(|d| d.contains("You are still signed in")), "{problem}");
    let wait = response.header("retry-after").context("no Retry-After")?.parse()?;
    let account = world.account()?;
    ensure!(account["state"] == "active" && account["reason"] == "renewing_fails", "{fault}: {account}");
    ensure!(account["state_words"].as_str().is_some_and(|w| w.contains("renewing fails")), "{fault}: {account}");
    ensure!(account["ring"].is_null() && account["waiting"] == 0, "the bell rang for an outage: {account}");
    Ok(wait)
}

/// Once the provider is itself again, so is everything else.
fn recovers(world: &World, access: &Access) -> Result<()> {
    world.provider.fault(&Value::Null)?;
    wait_ok("a request that succeeds again", SOON, || access.get("/me"))?;
    let account = world.account()?;
    ensure!(account["state"] == "active" && account["reason"].is_null(), "{account}");
    ensure!(account["state_words"] == "Signed in", "{account}");
    ensure!(world.count("/authorize")? == 1, "the person was asked");
    let kinds = world.activity()?;
    ensure!(
        kinds.iter().any(|kind| kind == "refresh_failed") && !kinds.iter().any(|kind| kind == "ended"),
        "{kinds:?}"
    );
    Ok(())
}

#[test]
fn d13_a_500_ends_nothing() -> Result<()> {
    let (world, access) = World::signed_in("500")?;
    told_as_an_outage(&world, &access, &json!({"mode": "500", "times": 100}))?;
    // Who asks again meanwhile causes no storm.
    let faults = world.count("/faults")?;
    for _ in 0..10 {
        ensure!(access.curl("/me").run()?.status == 503);
    }
    ensure!(world.count("/faults")? <= faults + 5, "{} token requests", world.count("/faults")?);
    recovers(&world, &access)
}

#[test]
fn d13_a_429_is_waited_for_as_long_as_it_says() -> Result<()> {
    let (world, access) = World::signed_in("429")?;
    let wait = told_as_an_outage(&world, &access, &json!({"mode": "429", "ms": 4000, "times": 100}))?;
    ensure!((1..=4).contains(&wait), "Retry-After: {wait}");
    let account = world.account()?;
    ensure!(account["state_words"].as_str().is_some_and(|w| w.contains("provider is busy")), "{account}");
    recovers(&world, &access)
}

#[test]
fn r18_d8_d13_a_provider_that_hangs_holds_up_nobody_else() -> Result<()> {
    let (world, access) = World::signed_in("hang")?;
    // Another account at the same provider, which needs no renewal.
    world.provider.auto_consent(Some("bob"))?;
    let (api, issuer) = (world.provider.api_named("issues")?, world.provider.issuer()?);
    let add = ["add", api, "--name", "bobs", "--account", "bob", "--issuer", issuer, "--tool", "bob-tool", "--sign-in"];
    let bob = crate::world::access(&world.sandbox.run_json(&add)?[0])?;
    world.provider.fault(&json!({"mode": "hang", "times": 100}))?;
    world.provider.expire_access("ada")?;
    let mut pending = access.curl("/me").timeout(SOON * 2).spawn()?;
    signbell_tests::wait_until("the token request that hangs", SOON, || {
        world.count("/faults").ok().filter(|faults| *faults > 0)
    })?;
    ensure!(bob.get("/me")?["login"] == "bob");
    ensure!(world.account()?["state"] == "refreshing", "{}", world.account()?);
    ensure!(pending.is_running(), "it was answered before bob was");
    let response = pending.wait()?;
    ensure!(response.status == 503 && response.header("retry-after").is_some(), "{response:?}");
    ensure!(world.account()?["state"] == "active", "{}", world.account()?);
    world.provider.fault(&Value::Null)?;
    wait_ok("a request that succeeds again", SOON, || access.get("/me"))?;
    Ok(())
}

#[test]
fn r16_a_lost_answer_is_asked_for_once_more() -> Result<()> {
    // A provider that does not rotate: the second try is as good as the first.
    let (world, access) = World::signed_in_with("lost", &json!({"rotate": false}))?;
    world.provider.expire_access("ada")?;
    world.provider.fault(&json!({"mode": "drop"}))?;
    ensure!(access.get("/me")?["login"] == "ada");
    ensure!(world.count("/faults")? == 1 && world.count("/refresh_token/ok")? == 2, "{}", world.provider.counts()?);
    ensure!(world.account()?["state"] == "active");
    Ok(())
}

#[test]
fn r16_a_lost_answer_to_a_rotation_is_for_the_person_in_the_end() -> Result<()> {
    let (world, access) = World::signed_in("rotation")?;
    world.provider.expire_access("ada")?;
    world.provider.fault(&json!({"mode": "drop"}))?;
    let pending = access.curl("/me").timeout(SOON * 2).spawn()?;
    let account = world.wait_account("a waiting request", |a| a["waiting"] == 1)?;
    ensure!(account["state"] == "needs_sign_in" && account["reason"] == "answer_lost", "{account}");
    let words = account["reason_words"].as_str().unwrap_or_default();
    ensure!(words.contains("answer to a renewal was lost"), "{account}");
    ensure!(world.count("/refresh_token/ok")? == 1 && world.count("/refresh_token/failed")? == 1);
    world.sandbox.run_ok(&["sign-in", "ada"])?;
    ensure!(pending.wait()?.json()?["login"] == "ada");
    Ok(())
}
