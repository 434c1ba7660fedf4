//! Rules as a person meets them: chosen, overridden, mistaken, tried out.

use std::fs;

use anyhow::{Context as _, Result, ensure};
use signbell_tests::upstream::{Reply, invalid_token, ok, response};
use signbell_tests::{Saved, Serve, Upstream};

use crate::world::{Access, World, refused};

const OWN: &str = r#"
[[services.api.rules]]
name = "teapot"
why = "The service is a teapot when the token is dead."
verdict = "expired"
nothing-done = true
when = { status = [418], json = [{ at = "/reason", is = ["short and stout"] }] }
"#;

#[test]
fn a_service_s_own_rules_come_from_the_settings() -> Result<()> {
    const BODY: &str = r#"{"reason":"short and stout"}"#;
    const HEAD: &str = "418 I'm a teapot\r\ncontent-type: application/json";
    // It refuses every second token that it sees.
    let tokens = std::sync::Mutex::new(Vec::<String>::new());
    let upstream = Upstream::start(move |request| {
        let mut tokens = tokens.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let place = tokens.iter().position(|token| token == request.token()).unwrap_or_else(|| {
            tokens.push(request.token().to_owned());
            tokens.len() - 1
        });
        Reply::Bytes(if place % 2 == 0 { response(HEAD, BODY.as_bytes()) } else { ok("{}") })
    })?;
    let mut world = World::new("own-rules")?;
    let access = world.add_url(upstream.address(), "api", &["--sign-in"])?;
    ensure!(access.curl("/x").run()?.status == 418, "no rule of ours knows it");
    let path = world.sandbox.signbell_home().join("config.toml");
    let good = fs::read_to_string(&path)? + OWN;
    fs::write(&path, &good)?;
    world.restart()?;
    let access = Access { url: world.serve.url("/api"), ..access };
    world.sandbox.run_ok(&["sign-in", "ada"])?;
    // The second token is fine, and the third is refused: now it is known what that means.
    ensure!(access.curl("/x").run()?.status == 200);
    world.sandbox.run_ok(&["refresh", "ada"])?;
    let before = world.count("/refresh_token/ok")?;
    ensure!(access.curl("/x").run()?.status == 200 && world.count("/refresh_token/ok")? == before + 1);

    let file = world.sandbox.path("saved.txt");
    fs::write(&file, format!("HTTP/1.1 {HEAD}\r\n\r\n{BODY}"))?;
    let judged = world.sandbox.run_json(&["service", "test", "api", &file.to_string_lossy()])?[0].clone();
    ensure!(judged["rule"] == "teapot" && judged["verdict"] == "expired" && judged["status"] == 418, "{judged}");

    // A mistake is named with file and line, at load: the engine does not start with half its rules.
    ensure!(world.serve.stop()?.code() == Some(0));
    for (right, wrong, part, line) in [
        ("verdict = \"expired\"", "verdict = \"dead\"", "unknown variant `dead`", true),
        ("nothing-done = true\n", "", "rule teapot: `nothing-done` must say", true),
        ("at = \"/reason\"", "at = \"reason\"", "is no JSON pointer", true),
        ("[services.api]\n", "[services.api]\npreset = \"nope\"\n", "names the preset nope", false),
    ] {
        fs::write(&path, good.replace(right, wrong))?;
        let output = world.sandbox.run(&["serve"])?;
        ensure!(output.code != Some(0) && output.stderr.contains(part), "{wrong}: {}", output.stderr);
        ensure!(output.stderr.contains("config.toml"), "{}", output.stderr);
        ensure!(!line || output.stderr.contains("line "), "{}", output.stderr);
    }
    fs::write(&path, &good)?;
    Serve::start(&world.sandbox)?;
    Ok(())
}

#[test]
fn a_preset_is_chosen_by_host_shown_and_changed() -> Result<()> {
    let world = World::signed_in("presets")?.0;
    let add = |url: &str, name: &str, more: &[&str]| {
        world.sandbox.run_json(&[&["add", url, "--name", name, "--account", "ada"], more].concat())
    };
    ensure!(add("https://slack.com/api", "slack", &[])?[0]["preset"] == "slack");
    ensure!(add("https://api.github.com", "github", &["--preset", "none"])?[0].get("preset").is_none());
    ensure!(add("https://example.test", "graph", &["--preset", "graphql"])?[0]["preset"] == "graphql");
    let unknown = ["add", "https://x.test", "--account", "ada", "--preset", "nope"];
    let message = refused(&world.sandbox, &unknown, 1, "unknown_preset")?;
    ensure!(message.contains("signbell service presets"), "{message}");
    let config = || fs::read_to_string(world.sandbox.signbell_home().join("config.toml"));
    ensure!(config()?.contains("preset = \"slack\""), "{}", config()?);
    world.sandbox.run_ok(&["service", "set", "slack", "--preset", "graphql"])?;
    ensure!(!config()?.contains("preset = \"slack\""));
    world.sandbox.run_ok(&["service", "set", "slack", "--preset", "none"])?;
    refused(&world.sandbox, &["service", "set", "slack", "--preset", "nope"], 1, "unknown_preset")?;
    let said = world.sandbox.run_ok(&["add", "https://other.slack.com", "--name", "again", "--account", "ada"])?;
    ensure!(said.contains("answers as slack does"), "{said}");
    let presets = world.sandbox.run_json(&["service", "presets"])?;
    let slack = presets.iter().find(|preset| preset["preset"] == "slack").context("no slack")?;
    ensure!(slack["rules"].as_array().is_some_and(|rules| rules.len() == 2), "{slack}");
    Ok(())
}

#[test]
fn a_response_is_tried_out_without_consequences() -> Result<()> {
    let upstream = Upstream::start(|request| {
        Reply::Bytes(if request.target.starts_with("/api/dead") { invalid_token() } else { ok("{\"ok\":true}") })
    })?;
    let world = World::new("service-test")?;
    let base = format!("{}/api", upstream.address());
    world.add_url(&base, "chat", &["--preset", "slack", "--sign-in"])?;
    let folder = Saved::folder();
    for (file, rule, action) in [
        ("row_08_slack.http", "slack-token-expired", "refresh, replay"),
        ("row_09_slack_revoked.http", "slack-token-gone", "ask to sign in"),
        ("row_36_waf.http", "", "pass: no rule matches"),
    ] {
        let path = folder.join(file);
        let judged = world.sandbox.run_json(&["service", "test", "chat", &path.to_string_lossy()])?[0].clone();
        ensure!(judged["rule"].as_str().unwrap_or_default() == rule && judged["action"] == action, "{judged}");
        ensure!(rule.is_empty() || judged["source"].as_str().is_some_and(|s| s.starts_with("https://")), "{judged}");
    }
    // An address of the service is asked, once, and nothing is renewed.
    let judged = world.sandbox.run_json(&["service", "test", "chat", &format!("{base}/dead")])?[0].clone();
    ensure!(judged["rule"] == "bearer-challenge" && judged["status"] == 401, "{judged}");
    let text = world.sandbox.run_ok(&["service", "test", "chat", &format!("{base}/fine")])?;
    ensure!(text.contains("200: pass"), "{text}");
    ensure!(upstream.seen().len() == 2 && world.count("/refresh_token/ok")? == 0);
    // The token goes nowhere else.
    let elsewhere = format!("{}/other", upstream.address());
    for url in [elsewhere.as_str(), "https://example.test/api/x", &format!("{base}x")] {
        refused(&world.sandbox, &["service", "test", "chat", url], 2, "not_of_service")?;
    }
    ensure!(upstream.seen().len() == 2);
    let file = world.sandbox.path("nonsense.txt");
    fs::write(&file, "hello\n")?;
    let nonsense = ["service", "test", "chat", &file.to_string_lossy()];
    let message = refused(&world.sandbox, &nonsense, 1, "bad_saved_response")?;
    ensure!(message.contains("line 1"), "{message}");
    Ok(())
}
