//! A service by its address and nothing else: who signs people in there is found, and Signbell becomes
//! known to it by itself.

use std::fs;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use signbell_tests::upstream::{Reply, ok, response};
use signbell_tests::{Curl, Upstream};

use crate::world::{Access, World, access, refused};

/// The provider registers clients by itself, and its APIs describe themselves.
fn open_world(name: &str, more: &Value) -> Result<World> {
    let mut options = json!({"register": true, "describe": "challenge"});
    for (key, value) in more.as_object().context("options are an object")? {
        options[key] = value.clone();
    }
    World::with(name, &options)
}

/// `signbell add URL --tool me --sign-in`, and nothing else.
fn add(world: &World, url: &str) -> Result<(Access, Value)> {
    let lines = world.sandbox.run_json(&["add", url, "--tool", "me", "--sign-in"])?;
    let added = lines.first().context("no line of `add`")?;
    Ok((access(added)?, added.clone()))
}

#[test]
fn one_command_and_one_page_from_nothing_to_a_first_200() -> Result<()> {
    let world = open_world("from-nothing", &json!({}))?;
    let api = world.provider.api_named("notes")?.to_owned();
    let (access, added) = add(&world, &api)?;
    ensure!(access.get("/me")?["login"] == "ada");
    ensure!(access.get("/me")?["aud"] == api, "the token is not for this resource");
    let last = world.provider.last()?;
    // RFC 7591, as a native application.
    let registered = &last["registered"];
    ensure!(registered["application_type"] == "native" && registered["client_name"] == "Signbell", "{registered}");
    ensure!(registered["token_endpoint_auth_method"] == "none", "{registered}");
    let redirect = registered["redirect_uris"][0].as_str().unwrap_or_default();
    ensure!(redirect.starts_with("http://127.0.0.1:") && redirect.ends_with("/callback"), "{registered}");
    let authorize = &last["authorize"];
    ensure!(authorize["redirect_uri"] == redirect, "another redirect than the registered one: {authorize}");
    // RFC 8707, the same value everywhere.
    ensure!(authorize["resource"] == api && last["token"]["resource"] == api, "{last}");
    // What the metadata offers, and a session that lasts; nothing more.
    let scope = authorize["scope"].as_str().unwrap_or_default();
    let mut scopes: Vec<&str> = scope.split(' ').collect();
    scopes.sort_unstable();
    ensure!(scopes == ["notes:read", "notes:write", "offline_access"], "{scope}");
    ensure!(world.count("/authorize")? == 1 && world.count("/registered")? == 1);

    // It lives on: the token is renewed with that registration, also after a restart.
    world.provider.expire_access("ada")?;
    ensure!(access.get("/me")?["login"] == "ada" && world.count("/refresh_token/ok")? == 1);
    // A second service of that server needs no registration; it is a grant of its own.
    let account = added["account"].as_str().context("no account")?.to_owned();
    let issues = world.provider.api_named("issues")?.to_owned();
    let lines = world.sandbox.run_json(&["add", &issues, "--account", &account, "--tool", "me", "--sign-in"])?;
    let second = Access { key: access.key.clone(), ..crate::world::access(&lines[0])? };
    ensure!(second.get("/me")?["aud"] == issues && world.count("/registered")? == 1);
    ensure!(access.get("/me")?["aud"] == api);
    Ok(())
}

#[test]
fn the_challenge_s_scope_counts_before_what_is_offered() -> Result<()> {
    let world = open_world("asked-scope", &json!({"apiScope": "notes:read"}))?;
    let (access, _) = add(&world, world.provider.api_named("notes")?)?;
    ensure!(access.get("/me")?["login"] == "ada");
    let authorize = world.provider.last()?["authorize"].clone();
    ensure!(authorize["scope"] == "notes:read offline_access", "{authorize}");
    Ok(())
}

#[test]
fn metadata_is_found_without_a_challenge_that_names_it() -> Result<()> {
    let world = open_world("well-known", &json!({"describe": "well-known"}))?;
    let (access, _) = add(&world, world.provider.api_named("notes")?)?;
    ensure!(access.get("/me")?["aud"] == world.provider.api_named("notes")?);
    Ok(())
}

#[test]
fn requests_are_pushed_where_that_is_offered_or_required() -> Result<()> {
    for par in [json!(true), json!("required")] {
        let world = open_world("pushed", &json!({"par": par}))?;
        let (access, _) = add(&world, world.provider.api_named("notes")?)?;
        ensure!(access.get("/me")?["login"] == "ada");
        let authorize = world.provider.last()?["authorize"].clone();
        ensure!(authorize["request_uri"].as_str().is_some_and(|uri| uri.starts_with("urn:")), "{authorize}");
        ensure!(authorize["code_challenge_method"] == "S256" && authorize["resource"].is_string(), "{authorize}");
    }
    // With a client secret too.
    let world = World::with("pushed-secret", &json!({"par": "required"}))?;
    let mut command = world.sandbox.signbell()?;
    command.args(["add", world.provider.api()?, "--account", "ada", "--issuer", world.provider.issuer()?]);
    command.args(["--client-id", "signbell-secret", "--client-secret-stdin", "--sign-in", "--json"]);
    signbell_tests::process::run(command, b"s3cr3t-for-tests\n", crate::SOON)?.expect_code(0)?;
    Ok(())
}

#[test]
fn what_the_person_gave_goes_before_what_the_server_offers() -> Result<()> {
    let world = open_world("given-client", &json!({}))?;
    let api = world.provider.api_named("notes")?;
    let args = ["add", api, "--client-id", crate::world::CLIENT, "--tool", "me", "--sign-in"];
    let lines = world.sandbox.run_json(&args)?;
    ensure!(access(&lines[0])?.get("/me")?["login"] == "ada" && world.count("/registered")? == 0);
    ensure!(world.provider.last()?["authorize"]["client_id"] == crate::world::CLIENT);
    Ok(())
}

#[test]
fn a_registration_that_the_server_forgot_is_made_anew_before_the_page_opens() -> Result<()> {
    for par in [json!(false), json!(true)] {
        let world = open_world("forgotten-at-the-page", &json!({"par": par}))?;
        let (access, added) = add(&world, world.provider.api_named("notes")?)?;
        let account = added["account"].as_str().context("no account")?.to_owned();
        // A second grant of the account, so that both are seen through.
        let issues = world.provider.api_named("issues")?;
        let lines = world.sandbox.run_json(&["add", issues, "--account", &account, "--tool", "me", "--sign-in"])?;
        let second = Access { key: access.key.clone(), ..crate::world::access(&lines[0])? };
        world.provider.control("POST", "/forget-clients", &[], None)?;
        world.sandbox.run_ok(&["sign-in", &account, "--force"])?;
        ensure!(world.count("/registered")? == 2, "{} registrations", world.count("/registered")?);
        let status = world.sandbox.run_json(&["status", &account])?[0]["accounts"][0].clone();
        ensure!(status["state"] == "active", "{status}");
        ensure!(access.get("/me")?["login"] == "ada" && second.get("/me")?["login"] == "ada");
    }
    Ok(())
}

#[test]
fn a_registration_that_the_server_forgot_is_made_anew() -> Result<()> {
    let world = open_world("forgotten-client", &json!({}))?;
    let (access, added) = add(&world, world.provider.api_named("notes")?)?;
    let account = added["account"].as_str().context("no account")?.to_owned();
    world.provider.control("POST", "/forget-clients", &[], None)?;
    world.provider.expire_access("ada")?;
    world.sandbox.run_ok(&["service", "set", added["service"].as_str().unwrap_or_default(), "--hold", "0"])?;
    ensure!(access.curl("/me").run()?.status == 401);
    let status = world.sandbox.run_json(&["status", &account])?[0]["accounts"][0].clone();
    ensure!(status["state"] == "needs_sign_in" && status["reason"] == "client_rejected", "{status}");
    world.sandbox.run_ok(&["sign-in", &account])?;
    ensure!(world.count("/registered")? == 2, "it was not registered anew");
    ensure!(access.get("/me")?["login"] == "ada");
    world.provider.expire_access("ada")?;
    ensure!(access.get("/me")?["login"] == "ada", "the new registration does not renew");
    Ok(())
}

#[test]
fn what_can_t_be_found_out_is_asked_for_by_name() -> Result<()> {
    // It signs people in, and registers nobody by itself.
    let world = World::with("no-registration", &json!({"describe": "challenge"}))?;
    let api = world.provider.api_named("notes")?.to_owned();
    let message = refused(&world.sandbox, &["add", &api], 2, "client_id_needed")?;
    ensure!(message.contains("http://127.0.0.1/callback") && message.contains("--client-id"), "{message}");
    // The rest is found out all the same.
    world.sandbox.run_ok(&["add", &api, "--client-id", crate::world::CLIENT, "--account", "ada", "--sign-in"])?;
    ensure!(world.account()?["state"] == "active");
    // It says nothing at all.
    let silent = Upstream::start(|request| {
        let known = request.target.starts_with("/.well-known/");
        Reply::Bytes(if known { response("404 Not Found", b"") } else { ok("{}") })
    })?;
    refused(&world.sandbox, &["add", silent.address()], 1, "no_metadata")?;
    let status = world.sandbox.run_json(&["status"])?;
    ensure!(status[0]["services"].as_array().is_some_and(|s| s.len() == 1), "{status:?}");
    Ok(())
}

/// A service that answers 401 with this challenge, and these documents at their paths.
fn describing(challenge: &str, documents: Vec<(String, Value)>) -> Result<Upstream> {
    let challenge = format!("401 Unauthorized\r\nwww-authenticate: {challenge}");
    Upstream::start(move |request| {
        let document = documents.iter().find(|(path, _)| *path == request.target);
        Reply::Bytes(match document {
            Some((_, document)) => ok(&document.to_string()),
            None if request.target.starts_with("/.well-known/") => response("404 Not Found", b"no"),
            None => response(&challenge, b"no"),
        })
    })
}

#[test]
fn d5_another_resource_s_metadata_adds_nothing() -> Result<()> {
    let world = open_world("other-resource", &json!({}))?;
    let elsewhere = json!({"resource": "https://bank.example", "authorization_servers": [world.provider.issuer()?]});
    let path = "/.well-known/oauth-protected-resource/mcp".to_owned();
    let service = describing("Bearer", vec![(path, elsewhere)])?;
    let message = refused(&world.sandbox, &["add", &format!("{}/mcp", service.address())], 12, "other_resource")?;
    ensure!(message.contains("bank.example"), "{message}");
    ensure!(world.count("/registered")? == 0 && world.sandbox.run_json(&["status"])?[0]["services"] == json!([]));
    Ok(())
}

#[test]
fn d1_unsafe_addresses_in_metadata_are_refused() -> Result<()> {
    let world = World::new("unsafe")?;
    for (challenge, code) in [
        ("Bearer resource_metadata=\"file:///etc/passwd\"", "bad_resource_metadata"),
        ("Bearer resource_metadata=\"http://example.test/x\"", "bad_resource_metadata"),
        ("Bearer resource_metadata=\"a:$(calc)\"", "bad_resource_metadata"),
    ] {
        let service = describing(challenge, vec![])?;
        refused(&world.sandbox, &["add", service.address()], 1, code).with_context(|| challenge.to_owned())?;
    }
    Ok(())
}

#[test]
fn d4_a_redirect_from_a_well_known_is_not_followed() -> Result<()> {
    let world = open_world("redirected", &json!({}))?;
    let target = world.provider.api_named("notes")?.replace("/notes", "/.well-known/oauth-protected-resource/notes");
    let service = Upstream::start(move |request| {
        Reply::Bytes(match request.target.starts_with("/.well-known/") {
            true => response(&format!("302 Found\r\nlocation: {target}"), b""),
            false => response("401 Unauthorized\r\nwww-authenticate: Bearer", b""),
        })
    })?;
    refused(&world.sandbox, &["add", service.address()], 1, "no_metadata")?;
    Ok(())
}

#[test]
fn d7_a_service_of_another_server_gets_nothing_of_the_account() -> Result<()> {
    let world = open_world("other-server", &json!({}))?;
    add(&world, world.provider.api_named("notes")?)?;
    let account =
        world.sandbox.run_json(&["status"])?[0]["accounts"][0]["account"].as_str().unwrap_or_default().to_owned();
    let other = open_world("the-other", &json!({}))?;
    let url = other.provider.api_named("notes")?;
    let message = refused(&world.sandbox, &["add", url, "--account", &account], 12, "other_server")?;
    ensure!(message.contains("Nothing of it goes there"), "{message}");
    // By hand: the issuer of the account is changed in the settings. Its tokens stay where they came from.
    Ok(())
}

#[test]
fn d7_an_issuer_that_was_changed_by_hand_gets_no_old_token() -> Result<()> {
    let mut world = World::new("moved")?;
    world.sandbox.set_env("SIGNBELL_VAULT", "sealed-file");
    world.sandbox.set_env("SIGNBELL_PASSPHRASE", "correct horse");
    world.restart()?;
    let access = world.add("notes", &["--sign-in"])?;
    ensure!(access.get("/me")?["login"] == "ada");
    let other = World::new("moved-to")?;
    let path = world.sandbox.signbell_home().join("config.toml");
    let config = fs::read_to_string(&path)?;
    let (from, to) = (world.provider.issuer()?, other.provider.issuer()?);
    fs::write(&path, config.replace(from.trim_end_matches('/'), to.trim_end_matches('/')))?;
    world.restart()?;
    let account = world.account()?;
    ensure!(account["state"] == "needs_sign_in", "{account}");
    let access = Access { url: world.serve.url("/notes"), ..access };
    world.sandbox.run_ok(&["service", "set", "notes", "--hold", "0"])?;
    let response = Curl::new(format!("{}/me", access.url)).header("x-signbell-key", &access.key).run()?;
    ensure!(response.status == 401, "{response:?}");
    for world in [&world, &other] {
        ensure!(world.count("/refresh_token/ok")? == 0 && world.count("/refresh_token/failed")? == 0);
    }
    Ok(())
}

#[test]
fn servers_that_register_in_their_own_way_are_understood() -> Result<()> {
    // Doubles for answers that the real one never gives: each with what becomes of it.
    let world = World::new("odd-registration")?;
    for (name, status, answer, code) in [
        ("200 instead of 201", "200 OK", json!({"client_id": "c"}), None),
        ("a secret that nobody asked for", "201 Created", json!({"client_id": "c", "client_secret": "s"}), None),
        (
            "another method",
            "201 Created",
            json!({"client_id": "c", "client_secret": "s", "token_endpoint_auth_method": "client_secret_post"}),
            None,
        ),
        (
            "a method that we don't speak",
            "201 Created",
            json!({"client_id": "c", "token_endpoint_auth_method": "tls_client_auth"}),
            Some("registration_refused"),
        ),
        ("no client id", "201 Created", json!({"client": "c"}), Some("registration_refused")),
        ("an empty client id", "201 Created", json!({"client_id": ""}), Some("registration_refused")),
        ("no", "400 Bad Request", json!({"error": "invalid_redirect_uri"}), Some("registration_refused")),
    ] {
        let answer = response(&format!("{status}\r\ncontent-type: application/json"), answer.to_string().as_bytes());
        let address = std::sync::Arc::new(std::sync::OnceLock::<String>::new());
        let known = std::sync::Arc::clone(&address);
        let server = Upstream::start(move |request| {
            let own = known.get().cloned().unwrap_or_default();
            Reply::Bytes(match request.target.as_str() {
                "/.well-known/oauth-authorization-server" => ok(&json!({
                    "issuer": own, "authorization_endpoint": format!("{own}/a"), "token_endpoint": format!("{own}/t"),
                    "registration_endpoint": format!("{own}/r"), "code_challenge_methods_supported": ["S256"],
                })
                .to_string()),
                "/r" => answer.clone(),
                path if path.starts_with("/.well-known/") => response("404 Not Found", b""),
                _ => response("401 Unauthorized\r\nwww-authenticate: Bearer", b""),
            })
        })?;
        let _ = address.set(server.address().to_owned());
        match code {
            None => drop(world.sandbox.run_json(&["add", server.address()]).with_context(|| name.to_owned())?),
            Some(code) => {
                let exit = if code == "registration_refused" { 12 } else { 1 };
                let message = refused(&world.sandbox, &["add", server.address()], exit, code)?;
                ensure!(message.contains("--client-id"), "{name}: {message}");
            }
        }
    }
    Ok(())
}
