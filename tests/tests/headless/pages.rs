//! Each feature of an authorization server once with a person at its pages, in a real browser; the other
//! tests of these features sign in without pages.

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use signbell_tests::{Chromium, UrlCatcher};

use crate::sign_in::with_page;
use crate::world::{World, access};

/// Adds the notes by their address alone, signs in as a person does, and calls them; then once more with
/// the token dead. Gives what the provider saw.
fn through_its_pages(name: &str, options: &Value) -> Result<Value> {
    let mut all = json!({"register": true, "describe": "challenge", "autoConsent": null});
    for (key, value) in options.as_object().context("options are an object")? {
        all[key] = value.clone();
    }
    let world = World::with(name, &all)?;
    let catcher = UrlCatcher::install(&world.sandbox)?;
    let chromium = Chromium::start(&world.sandbox)?;
    let add = ["add", world.provider.api()?, "--account", "ada", "--tool", "me", "--sign-in", "--json"];
    let (output, page) = with_page(&world.sandbox, &catcher, &add, |url| chromium.sign_in(url, "ada"))?;
    let lines = output.expect_code(0)?.json()?;
    ensure!(page.text.contains("Signed in. You can close this tab."), "{page:?}");
    let access = access(lines.first().context("nothing printed")?)?;
    ensure!(access.get("/me")?["login"] == "ada");
    let seen = world.provider.last()?;
    world.provider.expire_access("ada")?;
    ensure!(access.get("/me")?["login"] == "ada" && world.count("/refresh_token/ok")? == 1, "{name}");
    Ok(seen)
}

#[test]
fn registration_resource_and_rotation() -> Result<()> {
    let seen = through_its_pages("pages-plain", &json!({"rotate": true}))?;
    ensure!(seen["registered"]["application_type"] == "native" && seen["token"]["resource"].is_string(), "{seen}");
    Ok(())
}

#[test]
fn a_pushed_request() -> Result<()> {
    let seen = through_its_pages("pages-par", &json!({"par": "required"}))?;
    ensure!(seen["authorize"]["request_uri"].is_string(), "{seen}");
    Ok(())
}

#[test]
fn a_bound_token_with_nonces() -> Result<()> {
    let seen = through_its_pages("pages-dpop", &json!({"dpop": "required", "dpopNonces": true}))?;
    ensure!(seen["authorize"]["dpop_jkt"].is_string() && seen["token"]["proof"] == true, "{seen}");
    Ok(())
}

#[test]
fn a_client_with_a_key() -> Result<()> {
    let seen = through_its_pages("pages-key", &json!({"authMethods": ["private_key_jwt"], "clients": []}))?;
    ensure!(seen["token"]["assertion"].is_string(), "{seen}");
    Ok(())
}
