//! Signing out: what the provider did about it is told apart, and the tokens are gone here in any case.

use anyhow::{Context as _, Result, ensure};
use serde_json::json;
use signbell_tests::upstream::response;

use crate::double::{Bare, Double, form, path_of, value};
use crate::world::World;

/// Signs out, and gives the code and the words for what became of the session at the provider.
fn sign_out(sandbox: &signbell_tests::Sandbox) -> Result<(String, String)> {
    let lines = sandbox.run_json(&["sign-out", "ada"])?;
    let last = lines.last().context("nothing printed")?;
    ensure!(last["account"] == "ada" && last["done"] == true, "{last}");
    let text = |name: &str| last[name].as_str().unwrap_or_default().to_owned();
    let (code, words) = (text("provider"), text("provider_words"));
    // The same words are in the activity.
    let records = sandbox.run_json(&["activity"])?;
    let told = records.iter().rfind(|record| record["kind"] == "signed_out").context("no record")?;
    ensure!(told["text"].as_str().is_some_and(|text| text.contains(&words)), "{told}");
    let account = crate::world::account(sandbox)?;
    ensure!(account["state"] == "signed_out", "{account}");
    Ok((code, words))
}

#[test]
fn a_real_provider_revokes_what_it_knows_and_says_what_it_does_not() -> Result<()> {
    let (mut world, access) = World::signed_in("sign-out")?;
    let (code, words) = sign_out(&world.sandbox)?;
    ensure!(code == "revoked" && words.contains("has revoked"), "{code}: {words}");
    ensure!(world.count("/revocation")? == 1, "{}", world.provider.counts()?);
    world.provider.expire_access("ada")?;
    ensure!(access.curl("/me").run()?.status == 401);
    // It has forgotten the session meanwhile, as its owner can make it do on its website.
    world.sandbox.run_ok(&["sign-in", "ada"])?;
    world.provider.revoke_refresh("ada", true)?;
    let (code, words) = sign_out(&world.sandbox)?;
    ensure!(code == "gone" && words.contains("no longer knew"), "{code}: {words}");
    // So it had told us itself.
    world.sandbox.run_ok(&["sign-in", "ada"])?;
    world.provider.revoke_refresh("ada", true)?;
    world.sandbox.run(&["refresh", "ada"])?.expect_code(10)?;
    ensure!(sign_out(&world.sandbox)?.0 == "gone");
    // Nobody was signed in.
    ensure!(sign_out(&world.sandbox)?.0 == "nothing");
    // It can't be reached: wiped here all the same, and the person knows that it is still listed there.
    world.sandbox.run_ok(&["sign-in", "ada"])?;
    world.provider.stop()?;
    let (code, words) = sign_out(&world.sandbox)?;
    ensure!(code == "unreachable" && words.contains("could not be reached") && words.contains("website"), "{words}");
    Ok(())
}

#[test]
fn a_refusal_an_absence_and_an_outage_of_revocation_are_told_apart() -> Result<()> {
    let error = |status: &str, code: &str| {
        response(&format!("{status}\r\ncontent-type: application/json"), json!({"error": code}).to_string().as_bytes())
    };
    for (what, revocation, code) in [
        ("not offered", None, "not_offered"),
        ("200", Some(response("200 OK", b"")), "revoked"),
        ("204", Some(b"HTTP/1.1 204 No Content\r\n\r\n".to_vec()), "revoked"),
        ("unknown to it", Some(error("400 Bad Request", "invalid_token")), "gone"),
        ("no client any more", Some(error("401 Unauthorized", "invalid_client")), "gone"),
        ("no", Some(error("400 Bad Request", "unsupported_token_type")), "refused"),
        ("a page", Some(response("404 Not Found\r\ncontent-type: text/html", b"<h1>no</h1>")), "refused"),
        ("busy", Some(response("429 Too Many Requests", b"")), "unreachable"),
        ("down", Some(response("503 Service Unavailable", b"")), "unreachable"),
    ] {
        let (offered, answer) = (revocation.is_some(), revocation.unwrap_or_default());
        let double = Double::start(move |request, usual| match path_of(request) {
            "/.well-known/oauth-authorization-server" if offered => {
                Some(usual.metadata(&json!({"revocation_endpoint": format!("{}/revoke", usual.own)})))
            }
            "/revoke" => Some(answer.clone()),
            _ => None,
        })?;
        let bare = Bare::new("revocation")?;
        bare.signed_in(&double)?;
        let text = bare.sandbox.run_ok(&["status"])?;
        ensure!(text.contains("Signed in"), "{text}");
        let (told, words) = sign_out(&bare.sandbox).with_context(|| what.to_owned())?;
        ensure!(told == code, "{what}: {told}, {words}");
        let asked = double.asked("/revoke");
        ensure!(asked.len() == usize::from(offered), "{what}: {asked:?}");
        if let Some(request) = asked.first() {
            let form = form(request);
            ensure!(
                value(&form, "token") == "refresh-0" && value(&form, "token_type_hint") == "refresh_token",
                "{form:?}"
            );
            ensure!(value(&form, "client_id") == "double", "{form:?}");
        }
    }
    Ok(())
}
