//! What a server says of itself, and how far it is believed (D1 to D8, D15 of the threats).

use std::fs;
use std::io::Write as _;
use std::net::ToSocketAddrs as _;
use std::os::unix::fs::PermissionsExt as _;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use signbell_tests::upstream::{Reply, ok, response};

use crate::double::{Bare, Double, path_of, query, value};
use crate::network::Outside;
use crate::world::refused;

/// A server whose metadata has these members, and its refusal.
fn refused_metadata(bare: &Bare, members: &Value, code: &str) -> Result<String> {
    let more = members.clone();
    let double = Double::start(move |request, usual| {
        (path_of(request) == "/.well-known/oauth-authorization-server").then(|| usual.metadata(&more))
    })?;
    let message = refused(&bare.sandbox, &["add", &double.api()], 1, code).with_context(|| members.to_string())?;
    ensure!(double.asked("/register").is_empty(), "{members}: registered all the same");
    let status = bare.sandbox.run_json(&["status"])?;
    ensure!(status[0]["services"] == json!([]), "{members}: added all the same");
    Ok(message)
}

#[test]
fn d1_no_endpoint_but_https_reaches_anything() -> Result<()> {
    let bare = Bare::new("d1")?;
    for endpoint in
        ["a:$(calc)", "file:///etc/passwd", "javascript:alert(1)", "http://example.test/x", "data:text/html,x"]
    {
        for name in [
            "authorization_endpoint",
            "token_endpoint",
            "registration_endpoint",
            "revocation_endpoint",
            "userinfo_endpoint",
        ] {
            refused_metadata(&bare, &json!({name: endpoint}), "bad_metadata")?;
        }
    }
    for endpoint in ["--version", "/authorize", "", "https://"] {
        refused_metadata(&bare, &json!({"authorization_endpoint": endpoint}), "bad_metadata")?;
    }
    Ok(())
}

#[test]
fn d1_the_page_is_one_argument_and_no_shell_reads_it() -> Result<()> {
    let bare = Bare::new("d1-argument")?;
    let seen = bare.sandbox.path("arguments");
    let script = bare.sandbox.path("browser.sh");
    let follow = "curl -q -sSL --noproxy '*' --max-time 40 -o /dev/null \"$1\"";
    fs::write(&script, format!("#!/bin/sh\nprintf '%s\\n' \"$#\" \"$1\" >'{}'\nexec {follow}\n", seen.display()))?;
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755))?;
    let mark = bare.sandbox.path("carried-out");
    let evil = format!("/authorize/$(touch {m})`touch {m}`;touch {m} --new-window -P evil", m = mark.display());
    let double = Double::start(move |request, usual| match path_of(request) {
        "/.well-known/oauth-authorization-server" => {
            Some(usual.metadata(&json!({"authorization_endpoint": format!("{}{evil}", usual.own)})))
        }
        path if path.starts_with("/authorize/") => Some(usual.redirect(request, &[("code", "c"), ("iss", &usual.own)])),
        _ => None,
    })?;
    bare.signed_in(&double)?;
    let arguments = fs::read_to_string(&seen)?;
    let (count, url) = arguments.trim_end().split_once('\n').context("no arguments")?;
    ensure!(count == "1" && url.starts_with(double.address()) && !url.contains([' ', '`']), "{arguments}");
    ensure!(!mark.exists(), "a shell read the address");
    Ok(())
}

#[test]
fn d2_an_issuer_that_differs_is_refused() -> Result<()> {
    let bare = Bare::new("d2")?;
    for issuer in ["", "x", "ftp://x.test", "javascript:x"] {
        refused_metadata(&bare, &json!({"issuer": issuer}), "bad_metadata")?;
    }
    // A server that the service's own metadata names.
    for (issuer, good) in [("{own}/t", true), ("{own}/t/", true), ("{own}", false), ("https://honest.example", false)] {
        let double = Double::start(move |request, usual| {
            let server = format!("{}/t", usual.own);
            match path_of(request) {
                "/.well-known/oauth-protected-resource/api" => Some(ok(&json!({
                    "resource": format!("{}/api", usual.own), "authorization_servers": [server],
                })
                .to_string())),
                "/.well-known/oauth-authorization-server/t" => {
                    Some(usual.metadata(&json!({"issuer": issuer.replace("{own}", &usual.own)})))
                }
                "/.well-known/oauth-authorization-server" => None,
                "/authorize" => {
                    let own = issuer.replace("{own}", &usual.own);
                    Some(usual.redirect(request, &[("code", "c"), ("iss", &own)]))
                }
                _ => None,
            }
        })?;
        if good {
            bare.sandbox.run_json(&["add", &double.api(), "--sign-in"]).with_context(|| issuer.to_owned())?;
        } else {
            refused(&bare.sandbox, &["add", &double.api()], 1, "bad_metadata").with_context(|| issuer.to_owned())?;
            ensure!(double.asked("/register").is_empty());
        }
    }
    Ok(())
}

#[test]
fn d3_what_a_public_service_named_leads_to_no_private_address() -> Result<()> {
    // A public service named these issuers; that they lead here is found when they are connected to.
    let double = Double::plain()?;
    let port = double.address().rsplit(':').next().unwrap_or_default().to_owned();
    let by_name = own_name()?.map(|name| format!("https://{name}:{port}"));
    for issuer in by_name.into_iter().chain([
        double.address().to_owned(),
        format!("http://localhost:{port}"),
        format!("https://[::ffff:127.0.0.1]:{port}"),
        format!("https://2130706433:{port}"),
        "https://169.254.169.254".to_owned(),
        "https://10.0.0.1".to_owned(),
    ]) {
        let bare = Bare::with(
            "d3",
            &format!(
                "[providers.p]\nissuer = \"{issuer}\"\nclient_id = \"x\"\nonly_public = true\n\
                 [accounts.ada]\nprovider = \"p\"\n[services.s]\nurl = \"{}\"\naccount = \"ada\"\n",
                double.api()
            ),
        )?;
        let message = refused(&bare.sandbox, &["sign-in", "ada"], 11, "provider_unreachable");
        let message = message.with_context(|| issuer.clone())?;
        ensure!(message.contains("leads to this machine or its network"), "{issuer}: {message}");
    }
    ensure!(double.seen().is_empty(), "{:?}", double.seen());
    Ok(())
}

/// What this machine calls itself, where that leads to itself: a name that only the resolver knows.
fn own_name() -> Result<Option<String>> {
    let output = signbell_tests::process::run(std::process::Command::new("hostname"), b"", crate::SOON)?;
    let name = output.expect_code(0)?.stdout.trim().to_owned();
    let addresses = (name.as_str(), 0).to_socket_addrs().map(Iterator::collect::<Vec<_>>).unwrap_or_default();
    let here = !addresses.is_empty() && addresses.iter().all(|address| address.ip().is_loopback());
    Ok(Some(name).filter(|_| here))
}

#[test]
fn d6_without_s256_only_by_the_person_s_word() -> Result<()> {
    let bare = Bare::new("d6")?;
    for methods in [Value::Null, json!([]), json!(["plain"])] {
        let message = refused_metadata(&bare, &json!({"code_challenge_methods_supported": methods}), "no_pkce")?;
        ensure!(message.contains("--allow-missing-pkce") && message.contains("allow_missing_pkce"), "{message}");
    }
    let silent = Double::start(|request, usual| {
        (path_of(request) == "/.well-known/oauth-authorization-server")
            .then(|| usual.metadata(&json!({"code_challenge_methods_supported": null})))
    })?;
    bare.add(&silent.api(), &["--allow-missing-pkce", "--sign-in"])?;
    // PKCE is done all the same.
    let authorize = query(&silent.asked("/authorize")[0]);
    ensure!(value(&authorize, "code_challenge_method") == "S256", "{authorize:?}");
    ensure!(!value(&silent.forms()[0], "code_verifier").is_empty());
    let config = fs::read_to_string(bare.sandbox.signbell_home().join("config.toml"))?;
    ensure!(config.contains("allow_missing_pkce = true"), "{config}");
    // It is that provider's setting and no other's.
    let other = Double::start(|request, usual| {
        (path_of(request) == "/.well-known/oauth-authorization-server")
            .then(|| usual.metadata(&json!({"code_challenge_methods_supported": null})))
    })?;
    refused(&bare.sandbox, &["add", &other.api()], 1, "no_pkce")?;
    Ok(())
}

#[test]
fn d8_metadata_without_end_is_given_up() -> Result<()> {
    let bare = Bare::new("d8")?;
    let bomb = {
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        (0..64).try_for_each(|_| gzip.write_all(&vec![b' '; 1024 * 1024]))?;
        gzip.finish()?
    };
    for what in ["endless", "bomb", "slow"] {
        let bomb = bomb.clone();
        let double = Double::replying(move |request, _| {
            if !request.target.starts_with("/.well-known/") {
                return None;
            }
            let bomb = bomb.clone();
            Some(match what {
                "bomb" => {
                    Reply::Bytes(response("200 OK\r\ncontent-type: application/json\r\ncontent-encoding: gzip", &bomb))
                }
                "endless" => Reply::Take(Box::new(|mut stream| {
                    let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 10737418240\r\n\r\n");
                    while stream.write_all(&[b' '; 65536]).is_ok() {}
                })),
                _ => Reply::Take(Box::new(|mut stream| {
                    // Half an answer, and no more until the other side leaves.
                    let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{");
                    let _ = std::io::Read::read(&mut stream, &mut [0]);
                })),
            })
        })?;
        let output = bare.sandbox.run(&["add", &double.api(), "--json"])?;
        ensure!(matches!(output.code, Some(1 | 11)), "{what}: {output:?}");
        let error = crate::world::error_of(&output)?;
        let message = error["message"].as_str().unwrap_or_default();
        let told = match what {
            "endless" => message.contains("more than 1 MiB"),
            "slow" => message.contains("no answer from"),
            _ => !message.is_empty(),
        };
        ensure!(told, "{what}: {error}");
        ensure!(double.asked("/register").is_empty(), "{what}");
    }
    Ok(())
}

#[test]
fn d15_an_untrusted_certificate_is_refused_and_nothing_turns_that_off() -> Result<()> {
    let mut bare = Bare::new("d15")?;
    let outside = Outside::start(&bare.sandbox)?;
    let https = outside.upstream.as_str();
    let message = refused(&bare.sandbox, &["add", https], 11, "service_unreachable")?;
    ensure!(message.contains("certificate"), "{message}");
    let by_hand = ["add", https, "--issuer", https, "--client-id", "x"];
    let message = refused(&bare.sandbox, &by_hand, 11, "provider_unreachable")?;
    ensure!(message.contains("certificate"), "{message}");
    // There is no setting for it.
    let config = bare.sandbox.signbell_home().join("config.toml");
    ensure!(bare.serve.stop()?.success());
    for setting in ["insecure = true", "verify = false", "danger_accept_invalid_certs = true"] {
        fs::write(&config, format!("[network]\n{setting}\n"))?;
        let error = bare.sandbox.run(&["serve", "--json"])?.expect_code(1)?;
        ensure!(crate::world::error_of(&error)?["code"] == "bad_config", "{setting}");
    }
    // The person's own authority counts beside the system's: then it is about something else.
    fs::write(&config, format!("[network]\nextra_ca = \"{}\"\n", outside.authority.display()))?;
    bare.serve = signbell_tests::Serve::start(&bare.sandbox)?;
    let output = bare.sandbox.run(&[&by_hand[..], &["--json"]].concat())?;
    ensure!(!format!("{output:?}").contains("certificate"), "{output:?}");
    Ok(())
}
