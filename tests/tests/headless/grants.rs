//! One account, two resources: tokens that are kept apart (RFC 8707).

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use signbell_tests::Curl;

use crate::SOON;
use crate::world::{Access, World};

fn states(account: &Value) -> Result<Vec<(String, String)>> {
    let grants = account["grants"].as_array().with_context(|| account.to_string())?;
    let text = |grant: &Value, name: &str| grant[name].as_str().unwrap_or_default().to_owned();
    Ok(grants.iter().map(|grant| (text(grant, "resource"), text(grant, "state"))).collect())
}

#[test]
fn two_resources_of_one_account_are_two_grants() -> Result<()> {
    let world = World::new("resources")?;
    let provider = &world.provider;
    let (notes_base, issues_base) = (provider.api_named("notes")?, provider.api_named("issues")?);
    let notes = world.add("notes", &["--resource", notes_base])?;
    let issues = world.add("issues", &["--resource", issues_base, "--sign-in"])?;
    ensure!(issues.key.is_empty() && !notes.key.is_empty(), "the tool was there already");
    let issues = Access { key: notes.key.clone(), ..issues };

    let account = world.account()?;
    ensure!(account["state"] == "active" && account["services"] == serde_json::json!(["issues", "notes"]), "{account}");
    let mut grants = states(&account)?;
    grants.sort();
    let mut expected =
        vec![(issues_base.to_owned(), "active".to_owned()), (notes_base.to_owned(), "active".to_owned())];
    expected.sort();
    ensure!(grants == expected, "{grants:?}");
    // One sign-in each, each token for its own resource.
    ensure!(world.count("/authorization_code/ok")? == 2);
    for (access, base) in [(&notes, notes_base), (&issues, issues_base)] {
        let me = access.get("/me")?;
        ensure!(me["aud"] == base && me["login"] == "ada", "{me}");
    }

    // One access token dies: the other is neither refreshed nor touched.
    provider.control("POST", "/expire-access", &[("login", "ada"), ("resource", notes_base)], None)?;
    ensure!(issues.get("/me")?["aud"] == issues_base && world.count("/refresh_token/ok")? == 0);
    ensure!(notes.get("/me")?["aud"] == notes_base && world.count("/refresh_token/ok")? == 1);
    ensure!(provider.last()?["token"]["resource"] == notes_base, "{}", provider.last()?);

    // One session ends: the account shows the worst, and the other goes on.
    let query = [("login", "ada"), ("resource", issues_base), ("access", "1")];
    provider.control("POST", "/revoke-refresh", &query, None)?;
    let pending = issues.curl("/me").timeout(SOON * 2).spawn()?;
    let account = world.wait_account("the ended grant", |a| a["waiting"] == 1)?;
    ensure!(account["state"] == "needs_sign_in", "{account}");
    let grants = states(&account)?;
    let state_of = |base: &str| grants.iter().find(|(resource, _)| resource == base).map(|(_, state)| state.as_str());
    ensure!(state_of(issues_base) == Some("needs_sign_in") && state_of(notes_base) == Some("active"), "{grants:?}");
    ensure!(notes.get("/me")?["aud"] == notes_base);

    // Only the one that needs it asks for a page.
    let pages = world.count("/authorize")?;
    world.sandbox.run_ok(&["sign-in", "ada"])?;
    ensure!(world.count("/authorize")? == pages + 1);
    ensure!(provider.last()?["authorize"]["resource"] == issues_base, "{}", provider.last()?);
    ensure!(pending.wait()?.json()?["aud"] == issues_base);
    ensure!(world.account()?["state"] == "active");
    Ok(())
}

#[test]
fn a_second_account_is_another_identity_with_tokens_of_its_own() -> Result<()> {
    let (world, ada) = World::signed_in("two")?;
    world.provider.auto_consent(Some("bob"))?;
    let (api, issuer) = (world.provider.api_named("notes")?, world.provider.issuer()?);
    let add =
        ["add", api, "--name", "notes-bob", "--account", "bob", "--issuer", issuer, "--tool", "bobs", "--sign-in"];
    let lines = world.sandbox.run_json(&add)?;
    let bob = crate::world::access(lines.first().context("nothing printed")?)?;
    ensure!(ada.get("/me")?["login"] == "ada" && bob.get("/me")?["login"] == "bob");
    world.provider.revoke_refresh("ada", true)?;
    ensure!(bob.get("/me")?["login"] == "bob");
    // ada's tool has no way to bob's service.
    let response = Curl::new(format!("{}/me", bob.url)).header("x-signbell-key", &ada.key).run()?;
    ensure!(response.status == 403 && response.json()?["code"] == "service_not_granted", "{response:?}");
    Ok(())
}
