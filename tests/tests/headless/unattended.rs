//! Tokens that no person signs in for: a client in its own name, a service account, an employer's word; and
//! clients that show a signature instead of a secret.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use signbell_tests::process::run;
use signbell_tests::{Provider, Sandbox};

use crate::SOON;
use crate::world::{Access, CLIENT, World, access, provider, refused};

/// A private key as openssl makes it, and its public half as a server wants it.
fn key(sandbox: &Sandbox, kind: &[&str]) -> Result<(PathBuf, Value)> {
    let file = sandbox.path(format!("{}.pem", kind.join("-").replace(':', "-")));
    let mut command = Command::new("openssl");
    command.arg("genpkey").args(kind).arg("-out").arg(&file);
    run(command, b"", SOON)?.expect_code(0)?;
    let script = "const c = require('crypto'); const k = c.createPublicKey(require('fs').readFileSync(process.argv[1])); \
                  console.log(JSON.stringify(k.export({ format: 'jwk' })))";
    let mut command = Command::new(std::env::var("SIGNBELL_NODE").unwrap_or_else(|_| "node".into()));
    command.args(["-e", script]).arg(&file);
    let mut jwk = run(command, b"", SOON)?.expect_code(0)?.json()?.remove(0);
    jwk["kid"] = json!("our-key");
    jwk["use"] = json!("sig");
    Ok((file, jwk))
}

const EC: [&str; 4] = ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"];
const RSA: [&str; 4] = ["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"];

/// A client that acts for nobody.
fn robot(more: &Value) -> Value {
    let mut client = json!({
        "client_id": "robot", "grant_types": ["client_credentials"], "response_types": [], "redirect_uris": [],
    });
    for (name, value) in more.as_object().into_iter().flatten() {
        client[name] = value.clone();
    }
    client
}

/// `signbell add` of the notes with these arguments, the secret on its input.
fn add(world: &World, client: &str, more: &[&str], input: &str) -> Result<Access> {
    let mut command = world.sandbox.signbell()?;
    command.args(["add", world.provider.api()?, "--name", "notes", "--account", "robot", "--json"]);
    command.args(["--issuer", world.provider.issuer()?, "--client-id", client, "--tool", "script"]).args(more);
    let lines = run(command, input.as_bytes(), SOON)?.expect_code(0)?.json()?;
    access(lines.first().context("no line of `add`")?)
}

fn state(world: &World, account: &str) -> Result<Value> {
    Ok(world.sandbox.run_json(&["status", account])?[0]["accounts"][0].clone())
}

#[test]
fn a_client_asks_in_its_own_name() -> Result<()> {
    let client = robot(&json!({"client_secret": "s3cr3t", "token_endpoint_auth_method": "client_secret_basic"}));
    let world = World::with("robot", &json!({"clientCredentials": true, "clients": [client]}))?;
    let grant = ["--client-secret-stdin", "--grant", "client-credentials", "--scope", "notes:read", "--sign-in"];
    let more = [&grant[..], &["--resource", world.provider.api()?]].concat();
    let access = add(&world, "robot", &more, "s3cr3t\n")?;
    ensure!(access.get("/me")?["login"] == "robot");
    let last = world.provider.last()?;
    ensure!(last["token"]["grant_type"] == "client_credentials" && last["authorize"].is_null(), "{last}");
    // No refresh token, and yet it lives on: renewed by the server's 401, and on request.
    world.provider.control("POST", "/expire-clients-tokens", &[], None)?;
    ensure!(access.get("/me")?["login"] == "robot");
    let seen = state(&world, "robot")?;
    ensure!(seen["state"] == "active" && seen["refreshable"] == true && seen["identity"].is_null(), "{seen}");
    world.sandbox.run_ok(&["refresh", "robot"])?;
    ensure!(world.count("/client_credentials/ok")? == 3);
    // A provider that is down ends nothing.
    world.provider.fault(&json!({"mode": "500", "times": 5}))?;
    world.provider.control("POST", "/expire-clients-tokens", &[], None)?;
    ensure!(access.curl("/me").run()?.status == 503);
    ensure!(state(&world, "robot")?["state"] == "active");
    Ok(())
}

#[test]
fn a_wrong_secret_is_told_and_a_right_one_works() -> Result<()> {
    let client = robot(&json!({"client_secret": "s3cr3t", "token_endpoint_auth_method": "client_secret_post"}));
    let methods = json!(["client_secret_post", "none"]);
    let options = json!({"clientCredentials": true, "clients": [client], "authMethods": methods});
    let world = World::with("robot-secret", &options)?;
    let more = ["--client-secret-stdin", "--grant", "client-credentials"];
    add(&world, "robot", &more, "wrong\n")?;
    let message = refused(&world.sandbox, &["sign-in", "robot"], 12, "exchange_failed")?;
    ensure!(message.contains("invalid_client") && message.contains("signbell provider set robot"), "{message}");
    // The right one takes its place, and nothing has to be added anew.
    let mut command = world.sandbox.signbell()?;
    command.args(["provider", "set", "robot", "--client-secret-stdin"]);
    run(command, b"s3cr3t\n", SOON)?.expect_code(0)?;
    world.sandbox.run_ok(&["sign-in", "robot"])?;
    ensure!(state(&world, "robot")?["state"] == "active");
    ensure!(world.provider.last()?["token"]["authorization"].is_null(), "the secret goes in the form");
    Ok(())
}

#[test]
fn a_signature_takes_the_place_of_a_secret() -> Result<()> {
    for (name, kind) in [("ec-key", EC), ("rsa-key", RSA)] {
        let sandbox = Sandbox::new(&format!("{name}-maker"))?;
        let (file, jwk) = key(&sandbox, &kind)?;
        let method = "private_key_jwt";
        let algorithm = if name == "ec-key" { "ES256" } else { "RS256" };
        let robot = robot(&json!({
            "token_endpoint_auth_method": method, "token_endpoint_auth_signing_alg": algorithm, "jwks": {"keys": [jwk]},
        }));
        let person = json!({
            "client_id": "signed", "application_type": "native", "redirect_uris": ["http://127.0.0.1/callback"],
            "grant_types": ["authorization_code", "refresh_token"], "token_endpoint_auth_method": method,
            "token_endpoint_auth_signing_alg": algorithm, "jwks": {"keys": [jwk]},
        });
        let options = json!({"clientCredentials": true, "par": true, "clients": [robot, person]});
        let world = World::with(name, &options)?;
        let file = file.to_str().context("a path that is no text")?;
        let keys = ["--client-key-file", file, "--client-key-id", "our-key"];
        let access = add(&world, "robot", &[&keys[..], &["--grant", "client-credentials", "--sign-in"]].concat(), "")?;
        ensure!(access.get("/me")?["login"] == "robot");
        // The same for a person: at the pushed request, with the code, with the refresh token.
        let issuer = world.provider.issuer()?;
        let args =
            ["add", world.provider.api_named("issues")?, "--name", "issues", "--account", "ada", "--issuer", issuer];
        let more = ["--client-id", "signed", "--tool", "person", "--sign-in"];
        let lines = world.sandbox.run_json(&[&args[..], &more, &keys].concat())?;
        let access = crate::world::access(&lines[0])?;
        ensure!(access.get("/me")?["login"] == "ada");
        world.provider.expire_access("ada")?;
        ensure!(access.get("/me")?["login"] == "ada" && world.count("/refresh_token/ok")? == 1);
        let last = world.provider.last()?;
        ensure!(last["token"]["assertion"].as_str().is_some_and(|kind| kind.ends_with("jwt-bearer")), "{last}");
        // The key lies in the vault and nowhere else.
        let pem = fs::read_to_string(file)?;
        let secret = pem.lines().nth(1).context("no key")?.to_owned();
        let found = world.sandbox.files_containing(&secret, |_| false)?;
        ensure!(found.is_empty(), "the key lies in {found:?}");
    }
    Ok(())
}

#[test]
fn a_server_that_takes_signatures_alone_registers_a_key_of_ours() -> Result<()> {
    let options = json!({"register": true, "describe": "challenge", "authMethods": ["private_key_jwt"], "clients": []});
    let world = World::with("key-registered", &options)?;
    let url = world.provider.api_named("notes")?.to_owned();
    let lines = world.sandbox.run_json(&["add", &url, "--account", "ada", "--tool", "script", "--sign-in"])?;
    let access = access(&lines[0])?;
    ensure!(access.get("/me")?["login"] == "ada");
    let registered = world.provider.last()?["registered"].clone();
    ensure!(registered["token_endpoint_auth_method"] == "private_key_jwt", "{registered}");
    let jwk = &registered["jwks"]["keys"][0];
    ensure!(jwk["kty"] == "EC" && jwk.get("d").is_none(), "{jwk}");
    world.provider.expire_access("ada")?;
    ensure!(access.get("/me")?["login"] == "ada" && world.count("/refresh_token/ok")? == 1);
    Ok(())
}

#[test]
fn bad_keys_are_refused_before_anything_is_kept() -> Result<()> {
    let world = World::new("bad-keys")?;
    let file = world.sandbox.path("key.pem");
    let issuer = world.provider.issuer()?;
    let path = file.to_str().context("a path that is no text")?;
    let args = ["add", world.provider.api()?, "--issuer", issuer, "--client-id", "x", "--client-key-file", path];
    for (text, part) in [
        ("nothing", "no private key"),
        ("-----BEGIN EC PRIVATE KEY-----\nAAAA\n-----END EC PRIVATE KEY-----\n", "openssl pkcs8"),
        ("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "neither RSA"),
    ] {
        fs::write(&file, text)?;
        let message = refused(&world.sandbox, &args, 2, "bad_client_key")?;
        ensure!(message.contains(part), "{text}: {message}");
    }
    ensure!(world.sandbox.run_json(&["status"])?[0]["accounts"] == json!([]));
    Ok(())
}

#[test]
fn a_service_account_signs_for_whom_it_speaks() -> Result<()> {
    let sandbox = Sandbox::new("service-account-maker")?;
    let (file, jwk) = key(&sandbox, &RSA)?;
    let grant = "urn:ietf:params:oauth:grant-type:jwt-bearer";
    let client = robot(&json!({
        "grant_types": [grant], "token_endpoint_auth_method": "private_key_jwt", "jwks": {"keys": [jwk]},
        "token_endpoint_auth_signing_alg": "RS256",
    }));
    let world = World::with("service-account", &json!({"clients": [client]}))?;
    let file = file.to_str().context("a path that is no text")?;
    let keys = ["--client-key-file", file, "--client-key-id", "our-key"];
    let more = ["--grant", "jwt-bearer", "--subject", "ada", "--scope", "notes:read", "--sign-in"];
    let access = add(&world, "robot", &[&keys[..], &more].concat(), "")?;
    ensure!(access.get("/me")?["login"] == "ada");
    let assertion = world.provider.last()?["assertion"].clone();
    ensure!(
        assertion["iss"] == "robot" && assertion["sub"] == "ada" && assertion["scope"] == "notes:read",
        "{assertion}"
    );
    world.provider.expire_access("ada")?;
    ensure!(access.get("/me")?["login"] == "ada" && world.count(&format!("/{}/ok", grant.replace('/', "~1")))? == 2);
    Ok(())
}

#[test]
fn an_employer_vouches_and_nobody_is_asked_twice() -> Result<()> {
    // Ada signs in at her employer. The service's own server has never seen her; it trusts the employer's.
    let exchange = "urn:ietf:params:oauth:grant-type:token-exchange";
    let world = World::with(
        "employer",
        &json!({"clients": [{
            "client_id": CLIENT, "token_endpoint_auth_method": "none", "application_type": "native",
            "redirect_uris": ["http://127.0.0.1/callback"], "grant_types": ["authorization_code", "refresh_token", exchange],
        }]}),
    )?;
    let sandbox = &world.sandbox;
    // Whoever did not ask who it is has nothing to vouch with: then the person is asked once more.
    world.add("notes", &["--sign-in", "--scope", "notes:read", "--scope", "offline_access"])?;
    let trust = json!({"trust": [world.provider.issuer()?], "autoConsent": null, "clients": [{
        "client_id": "vouched", "client_secret": "s3cr3t", "token_endpoint_auth_method": "client_secret_basic",
        "grant_types": ["urn:ietf:params:oauth:grant-type:jwt-bearer"], "response_types": [], "redirect_uris": [],
    }]});
    let server: Provider = provider(sandbox, &trust)?;
    world.provider.control("POST", "/accept-resource", &[("resource", server.api()?)], None)?;
    let mut command = sandbox.signbell()?;
    command.args(["add", server.api()?, "--name", "wiki", "--account", "wiki", "--issuer", server.issuer()?]);
    command.args(["--client-id", "vouched", "--client-secret-stdin", "--via", "ada", "--tool", "reader"]);
    command.args(["--scope", "notes:read", "--resource", server.api()?, "--sign-in", "--json"]);
    let lines = run(command, b"s3cr3t\n", SOON)?.expect_code(0)?.json()?;
    let access = access(lines.first().context("no line of `add`")?)?;
    let me = access.get("/me")?;
    ensure!(me["login"] == "ada" && me["aud"] == server.api()?, "{me}");
    ensure!(server.last()?["authorize"].is_null(), "a page was opened there");
    let assertion = server.last()?["assertion"].clone();
    ensure!(assertion["iss"] == world.provider.issuer()? && assertion["aud"] == server.issuer()?, "{assertion}");
    ensure!(world.count("/authorize")? == 2, "{} pages at the employer", world.count("/authorize")?);
    // Whoever vouches can't be forgotten first, and is none the worse for the attempt.
    let message = refused(sandbox, &["sign-out", "ada", "--forget"], 1, "vouches")?;
    ensure!(message.contains("ada vouches"), "{message}");
    ensure!(state(&world, "ada")?["state"] == "active");
    // It is renewed by the same word.
    server.expire_access("ada")?;
    ensure!(access.get("/me")?["login"] == "ada");
    // Without the employer's sign-in there is no word: the person is needed, there.
    world.provider.auto_consent(None)?;
    sandbox.run_ok(&["sign-out", "ada"])?;
    sandbox.run_ok(&["service", "set", "wiki", "--hold", "0"])?;
    server.expire_access("ada")?;
    ensure!(access.curl("/me").run()?.status == 401);
    let seen = state(&world, "wiki")?;
    ensure!(seen["state"] == "needs_sign_in" && seen["reason"] == "interaction_required", "{seen}");
    world.provider.auto_consent(Some("ada"))?;
    sandbox.run_ok(&["sign-in", "wiki"])?;
    ensure!(access.get("/me")?["login"] == "ada");
    Ok(())
}
