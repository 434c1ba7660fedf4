//! Services and servers that describe themselves as older revisions of the MCP authorization specification
//! have it, or hardly at all; and the order in which each place is asked.

use std::fs;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use signbell_tests::upstream::{ok, response};

use crate::double::{Bare, Double, path_of, query, value};
use crate::world::{World, refused};

/// The well-known places that a double was asked for, in order and each once.
fn places(double: &Double) -> Vec<String> {
    let mut places: Vec<String> = Vec::new();
    for request in double.seen().iter().filter(|request| request.target.starts_with("/.well-known/")) {
        if !places.contains(&request.target) {
            places.push(request.target.clone());
        }
    }
    places
}

#[test]
fn the_places_are_asked_in_the_order_of_the_specification() -> Result<()> {
    let bare = Bare::new("order")?;
    // RFC 9728: at the path, then at the root. Then the server that was named there, whose path comes
    // behind the well-known name twice and before it once.
    let double = Double::start(|request, usual| match path_of(request) {
        "/.well-known/oauth-protected-resource" => {
            Some(ok(&json!({"resource": usual.own, "authorization_servers": [format!("{}/tenant1", usual.own)]})
                .to_string()))
        }
        path if path.starts_with("/.well-known/") => Some(response("404 Not Found", b"")),
        _ => None,
    })?;
    refused(&bare.sandbox, &["add", &format!("{}/public", double.api())], 1, "no_metadata")?;
    let resource = "/.well-known/oauth-protected-resource";
    let expected = [
        &format!("{resource}/api/public"),
        resource,
        "/.well-known/oauth-authorization-server/tenant1",
        "/.well-known/openid-configuration/tenant1",
        "/tenant1/.well-known/openid-configuration",
    ];
    let asked: Vec<String> = double.seen().iter().map(|request| request.target.clone()).collect();
    let asked: Vec<&str> =
        asked.iter().map(String::as_str).filter(|target| target.contains("/.well-known/")).take(5).collect();
    ensure!(asked == expected, "{asked:?}");
    // What the 401 names comes before both, and then neither is asked.
    let named = Double::start(|request, usual| {
        let challenge = format!("Bearer resource_metadata=\"{}/described\"", usual.own);
        match path_of(request) {
            "/described" => {
                Some(ok(&json!({"resource": format!("{}/api", usual.own), "authorization_servers": [usual.own]})
                    .to_string()))
            }
            "/api" if request.token().is_empty() => {
                Some(response(&format!("401 Unauthorized\r\nwww-authenticate: {challenge}"), b""))
            }
            _ => None,
        }
    })?;
    bare.sandbox.run_json(&["add", &named.api()])?;
    ensure!(places(&named) == ["/.well-known/oauth-authorization-server"], "{:?}", places(&named));
    // Each was told which revision asks.
    let revision =
        |double: &Double| double.seen().iter().filter(|r| r.header("mcp-protocol-version").is_some()).count();
    ensure!(revision(&double) >= 5 && revision(&named) >= 2);
    Ok(())
}

#[test]
fn the_next_place_is_asked_where_one_holds_something_else() -> Result<()> {
    // A server that answers any path of its own with some JSON, and has OpenID Discovery.
    let double = Double::start(|request, usual| match path_of(request) {
        "/.well-known/oauth-authorization-server" => Some(ok("{\"hello\":\"world\"}")),
        "/.well-known/openid-configuration" => Some(usual.metadata(&json!({}))),
        path if path.starts_with("/.well-known/") => Some(ok("<!doctype html>")),
        _ => None,
    })?;
    let bare = Bare::new("next-place")?;
    let access = bare.signed_in(&double)?;
    access.get("/")?;
    Ok(())
}

#[test]
fn an_outage_is_not_an_absence() -> Result<()> {
    let double = Double::start(|request, _| {
        request.target.starts_with("/.well-known/").then(|| response("503 Service Unavailable", b""))
    })?;
    let bare = Bare::new("no-absence")?;
    let output = bare.sandbox.run(&["add", &double.api(), "--json"])?;
    ensure!(output.code == Some(11) && !format!("{output:?}").contains("no_metadata"), "{output:?}");
    ensure!(double.asked("/register").is_empty(), "an outage led to the default endpoints");
    Ok(())
}

#[test]
fn metadata_at_the_service_s_root_is_enough() -> Result<()> {
    // MCP 2025-03-26: the service is its own authorization server.
    let double = Double::plain()?;
    let bare = Bare::new("root")?;
    bare.signed_in(&double)?.get("/")?;
    let authorize = query(&double.asked("/authorize")[0]);
    // There is no RFC 9728 metadata, so nobody knows of a resource.
    ensure!(value(&authorize, "resource").is_empty(), "{authorize:?}");
    Ok(())
}

#[test]
fn metadata_at_the_service_s_root_may_name_another_server() -> Result<()> {
    let server = Double::plain()?;
    let issuer = server.address().to_owned();
    let service = Double::start(move |request, usual| {
        (path_of(request) == "/.well-known/oauth-authorization-server").then(|| {
            // The endpoints of this document are never used: only the server's own count.
            usual.metadata(&json!({"issuer": issuer}))
        })
    })?;
    let bare = Bare::new("root-names")?;
    bare.signed_in(&service)?.get("/")?;
    ensure!(server.asked("/authorize").len() == 1 && server.forms().len() == 1);
    // The service said itself whose tokens it wants: they are for it alone.
    let resource = value(&query(&server.asked("/authorize")[0]), "resource").to_owned();
    ensure!(resource == service.api(), "{resource} for {}", service.api());
    for path in ["/authorize", "/token", "/register"] {
        ensure!(service.asked(path).is_empty(), "{path} of an unproven document was used");
    }
    Ok(())
}

#[test]
fn a_service_without_any_metadata_has_the_default_endpoints() -> Result<()> {
    let double = Double::start(|request, usual| match path_of(request) {
        path if path.starts_with("/.well-known/") => Some(response("404 Not Found", b"")),
        // Nothing announces `iss`, and it comes all the same: then it counts.
        "/authorize" => Some(usual.redirect(request, &[("code", "c")])),
        _ => None,
    })?;
    let mut bare = Bare::new("defaults")?;
    bare.sandbox.set_env("SIGNBELL_VAULT", "sealed-file");
    bare.sandbox.set_env("SIGNBELL_PASSPHRASE", "correct horse");
    ensure!(bare.serve.stop()?.success());
    bare.serve = signbell_tests::Serve::start(&bare.sandbox)?;
    let access = bare.signed_in(&double)?;
    access.get("/")?;
    for path in ["/register", "/token"] {
        ensure!(double.asked(path).len() == 1, "{path}: {:?}", double.asked(path));
    }
    // Once to see whether it is there, and then by the browser.
    let [probe, authorize] = &double.asked("/authorize")[..] else { anyhow::bail!("{:?}", double.asked("/authorize")) };
    ensure!(query(probe).is_empty(), "{probe:?}");
    let authorize = query(authorize);
    ensure!(value(&authorize, "code_challenge_method") == "S256", "{authorize:?}");
    // It is remembered: after a restart it renews there, and looks for metadata first.
    ensure!(bare.serve.stop()?.success());
    bare.serve = signbell_tests::Serve::start(&bare.sandbox)?;
    let before = double.seen().len();
    bare.sandbox.run_ok(&["refresh", "ada"])?;
    let asked: Vec<String> = double.seen().iter().skip(before).map(|r| path_of(r).to_owned()).collect();
    let expected = ["/.well-known/oauth-authorization-server", "/.well-known/openid-configuration", "/token"];
    ensure!(asked == expected, "{asked:?}");
    Ok(())
}

#[test]
fn the_default_endpoints_are_for_services_that_want_a_token() -> Result<()> {
    let bare = Bare::new("no-defaults")?;
    // It answers everybody: nobody said that there is anything to sign in to.
    let open = Double::start(|request, _| match path_of(request) {
        path if path.starts_with("/.well-known/") => Some(response("404 Not Found", b"")),
        path if path.starts_with("/api") => Some(ok("{}")),
        _ => None,
    })?;
    refused(&bare.sandbox, &["add", &open.api()], 1, "no_metadata")?;
    // It wants one, and there is nothing at the default endpoints.
    let bearer = Double::start(|request, _| match path_of(request) {
        path if path.starts_with("/api") => None,
        _ => Some(response("404 Not Found", b"")),
    })?;
    refused(&bare.sandbox, &["add", &bearer.api()], 1, "no_metadata")?;
    // A page at any address is no sign of a server.
    let pages = Double::start(|request, _| match path_of(request) {
        path if path.starts_with("/api") => None,
        _ => Some(response("200 OK\r\ncontent-type: text/html", b"<!doctype html>")),
    })?;
    refused(&bare.sandbox, &["add", &pages.api()], 1, "no_metadata")?;
    for double in [&open, &pages] {
        ensure!(double.asked("/register").is_empty());
    }
    Ok(())
}

#[test]
fn our_client_id_metadata_document_is_taken_where_that_is_offered() -> Result<()> {
    // The provider fetches the document that the repository publishes, and checks it as the draft says.
    let address = "https://signbell.example/client-metadata.json";
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/client-metadata.json");
    let mut document: Value = serde_json::from_slice(&fs::read(file)?)?;
    for member in ["client_id", "client_name", "redirect_uris"] {
        ensure!(document.get(member).is_some(), "the document must have {member}");
    }
    ensure!(document["client_id"].as_str().is_some_and(|id| id.starts_with("https://") && id.ends_with(".json")));
    document["client_id"] = json!(address);
    let options = json!({"register": true, "describe": "challenge", "clientDocument": document});
    let mut world = World::with("client-document", &options)?;
    ensure!(world.serve.stop()?.success());
    fs::write(
        world.sandbox.signbell_home().join("config.toml"),
        format!("[network]\nclient_metadata_url = \"{address}\"\n"),
    )?;
    world.serve = signbell_tests::Serve::start(&world.sandbox)?;
    let api = world.provider.api_named("notes")?;
    let lines = world.sandbox.run_json(&["add", api, "--account", "ada", "--tool", "me", "--sign-in"])?;
    let access = crate::world::access(lines.first().context("no line")?)?;
    ensure!(access.get("/me")?["login"] == "ada");
    let last = world.provider.last()?;
    ensure!(last["authorize"]["client_id"] == address && last["token"]["client_id"] == address, "{last}");
    ensure!(world.count("/registered")? == 0, "registered although a document is taken");
    world.provider.expire_access("ada")?;
    ensure!(access.get("/me")?["login"] == "ada" && world.count("/refresh_token/ok")? == 1);
    Ok(())
}

#[test]
fn scopes_are_those_of_the_challenge_else_of_the_metadata_else_none() -> Result<()> {
    let bare = Bare::new("scopes")?;
    for (challenge, offered, server, expected) in [
        // The challenge's, though the metadata offers others; never silently more.
        ("Bearer scope=\"a b\"", json!(["c"]), json!(["a", "b", "c", "openid"]), "a b"),
        ("Bearer", json!(["c", "d"]), json!(["x", "email"]), "c d"),
        ("Bearer", json!([]), json!(["x", "openid", "profile"]), ""),
        // A session that lasts, where the server offers it.
        ("Bearer scope=\"a\"", json!([]), json!(["offline_access"]), "a offline_access"),
    ] {
        let double = Double::start(move |request, usual| match path_of(request) {
            "/.well-known/oauth-protected-resource/api" => Some(ok(&json!({
                "resource": format!("{}/api", usual.own), "authorization_servers": [usual.own],
                "scopes_supported": offered,
            })
            .to_string())),
            "/.well-known/oauth-authorization-server" => Some(usual.metadata(&json!({"scopes_supported": server}))),
            "/api" if request.token().is_empty() => {
                Some(response(&format!("401 Unauthorized\r\nwww-authenticate: {challenge}"), b""))
            }
            _ => None,
        })?;
        bare.sandbox.run_json(&["add", &double.api(), "--sign-in"])?;
        let authorize = query(&double.asked("/authorize")[0]);
        ensure!(value(&authorize, "scope") == expected, "{challenge}: {authorize:?}");
        // OpenID Connect Core section 11: without consent the scope is ignored.
        let consent = value(&authorize, "prompt") == "consent";
        ensure!(consent == expected.contains("offline_access"), "{authorize:?}");
    }
    Ok(())
}
