//! Our own settings on their way to another machine, and no secret with them.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use signbell_tests::process::run;
use signbell_tests::{Sandbox, Serve};

use crate::SOON;
use crate::double::{Bare, Double};
use crate::world::{Access, World, follow_links, refused};

/// Another machine, with a Signbell that knows nothing.
fn machine(name: &str) -> Result<(Serve, Sandbox)> {
    let sandbox = Sandbox::new(name)?;
    sandbox.set_env("SIGNBELL_VAULT", "memory");
    follow_links(&sandbox)?;
    Ok((Serve::start(&sandbox)?, sandbox))
}

fn export(sandbox: &Sandbox) -> Result<(PathBuf, String)> {
    let file = sandbox.home().join("carried.toml");
    let path = file.to_str().context("no text")?;
    sandbox.run_ok(&["export", path, "--force"])?;
    Ok((file.clone(), fs::read_to_string(file)?))
}

/// Puts an export where the other machine reads it.
fn carry(text: &str, to: &Sandbox) -> Result<String> {
    let file = to.home().join("carried.toml");
    fs::write(&file, text)?;
    Ok(file.to_str().context("no text")?.to_owned())
}

fn words(value: &Value) -> Vec<&str> {
    value.as_array().into_iter().flatten().filter_map(Value::as_str).collect()
}

#[test]
fn g1_settings_move_and_secrets_stay() -> Result<()> {
    let (a, access) = World::signed_in("export-a")?;
    a.sandbox.run_ok(&["account", "set", "ada", "--allow-token", "--name", "work"])?;
    a.sandbox.run_ok(&["service", "set", "notes", "--hold", "30s", "--replay-unsafe=no"])?;
    let mut command = a.sandbox.signbell()?;
    let (issues, issuer) = (a.provider.api_named("issues")?, a.provider.issuer()?);
    command.args(["add", issues, "--name", "issues", "--account", "secretive", "--issuer", issuer]);
    command.args(["--client-id", "signbell-secret", "--client-secret-stdin", "--tool", "script"]);
    run(command, b"s3cr3t-for-tests\n", SOON)?.expect_code(0)?;
    let config_file = a.sandbox.signbell_home().join("config.toml");
    let config = fs::read_to_string(&config_file)?;
    fs::write(
        &config_file,
        format!("# canary-comment\n[network]\nproxy = \"http://u:canary-password@p.test:1\"\n\n{config}"),
    )?;

    let (file, text) = export(&a.sandbox)?;
    ensure!(fs::metadata(&file)?.permissions().mode() & 0o777 == 0o600);
    for (what, canary) in [
        ("the tool's key", access.key.as_str()),
        ("its digest", "key_sha256"),
        ("the client's secret", "s3cr3t-for-tests"),
        ("a comment", "canary-comment"),
        ("the corporate proxy's password", "canary-password"),
        ("the leave to print tokens", "allow_token"),
    ] {
        ensure!(!text.contains(canary), "{what} is in\n{text}");
    }
    let tokens = a.provider.control("GET", "/tokens", &[("login", "ada")], None)?;
    let tokens: Vec<&str> = tokens.as_object().context("no tokens")?.values().flat_map(words).collect();
    ensure!(tokens.len() >= 2 && !tokens.iter().any(|token| text.contains(token)), "a token is in\n{text}");
    // A file that is there is not replaced unless that is said.
    refused(&a.sandbox, &["export", file.to_str().context("no text")?], 1, "exists")?;

    // There: shown first, then added, with a new key; then signed in, and it works as it did here.
    let (_serve, b) = machine("export-b")?;
    let path = carry(&text, &b)?;
    let look = b.run_json(&["import", &path, "--dry-run"])?[0].clone();
    ensure!(words(&look["accounts"]) == ["ada", "secretive"] && words(&look["tools_new"]) == ["script"], "{look}");
    refused(&b, &["import", &path], 2, "usage")?;
    ensure!(b.run_json(&["account", "list"])?.is_empty(), "only looked, and added");
    let output = b.run(&["import", &path, "--yes", "--json"])?.expect_code(0)?;
    let done = output.json()?[0].clone();
    ensure!(words(&done["services"]) == ["issues", "notes"], "{done}");
    ensure!(words(&done["secrets_missing"]) == ["secretive"], "{done}");
    ensure!(output.stderr.contains("signbell sign-in --all"), "{output:?}");
    ensure!(output.stderr.contains("signbell provider set secretive --client-secret-stdin"), "{output:?}");
    let tool = &done["tools"][0];
    let key = tool["key"].as_str().context("no new key")?;
    ensure!(tool["tool"] == "script" && key != access.key, "{tool}");
    let here = Access { key: key.to_owned(), url: tool["urls"]["notes"].as_str().context("no address")?.to_owned() };
    b.run_ok(&["sign-in", "ada"])?;
    ensure!(here.get("/me")?["login"] == "ada");
    let mut command = b.signbell()?;
    command.args(["provider", "set", "secretive", "--client-secret-stdin"]);
    run(command, b"s3cr3t-for-tests\n", SOON)?.expect_code(0)?;
    b.run_ok(&["sign-in", "secretive"])?;
    let issues = Access { url: here.url.replace("/notes", "/issues"), ..here.clone() };
    ensure!(issues.get("/me")?["login"] == "ada");
    let config = fs::read_to_string(b.signbell_home().join("config.toml"))?;
    ensure!(config.contains("hold_seconds = 30") && config.contains("replay_unsafe = false"), "{config}");
    ensure!(config.contains("label = \"work\"") && !config.contains("allow_token"), "{config}");
    // The old key opens nothing there.
    ensure!(Access { key: access.key, ..here }.curl("/me").run()?.status == 401);

    // Once more: nothing is new, nothing is changed.
    let before = fs::read(b.signbell_home().join("config.toml"))?;
    let again = b.run_json(&["import", &path, "--yes"])?[0].clone();
    ensure!(words(&again["services"]).is_empty() && words(&again["tools_kept"]) == ["script"], "{again}");
    ensure!(fs::read(b.signbell_home().join("config.toml"))? == before);
    Ok(())
}

#[test]
fn one_name_for_two_things_is_never_overwritten() -> Result<()> {
    let (a, _) = World::signed_in("export-conflict-a")?;
    let (_, text) = export(&a.sandbox)?;
    let b = Bare::new("export-conflict-b")?;
    let double = Double::plain()?;
    let mine = b.add(&double.api(), &["--name", "notes", "--sign-in"])?;
    let path = carry(&text, &b.sandbox)?;
    let file = b.sandbox.signbell_home().join("config.toml");
    let before = fs::read_to_string(&file)?;
    let message = refused(&b.sandbox, &["import", &path, "--yes"], 1, "conflict")?;
    ensure!(message.contains("account \"ada\"") && message.contains(double.address()), "{message}");
    ensure!(fs::read_to_string(&file)? == before, "changed in spite of conflicts");

    let kept = b.sandbox.run_json(&["import", &path, "--yes", "--on-conflict", "keep"])?[0].clone();
    ensure!(words(&kept["accounts"]).is_empty() && words(&kept["tools_new"]) == ["script"], "{kept}");
    let added = b.sandbox.run_json(&["import", &path, "--yes", "--on-conflict", "add"])?[0].clone();
    ensure!(words(&added["accounts"]) == ["ada-2"] && words(&added["services"]) == ["notes-2"], "{added}");
    ensure!(mine.get("/x")?["done"] == true, "what was here no longer works");
    b.sandbox.run_ok(&["sign-in", "ada-2"])?;
    let both = b.sandbox.run_json(&["service", "list"])?;
    ensure!(both.len() == 2 && both.iter().any(|service| service["url"] == double.api()), "{both:?}");
    Ok(())
}

#[test]
fn a_client_that_registered_itself_with_a_secret_is_registered_anew() -> Result<()> {
    let double = Double::start(|request, _| {
        let registered = br#"{"client_id":"mine","client_secret":"canary-of-the-first-machine"}"#;
        (request.target == "/register")
            .then(|| signbell_tests::upstream::response("201 Created\r\ncontent-type: application/json", registered))
    })?;
    let a = Bare::new("export-registered-a")?;
    a.signed_in(&double)?;
    let (_, text) = export(&a.sandbox)?;
    ensure!(!text.contains("canary") && text.contains("registered = true"), "{text}");
    let (_serve, b) = machine("export-registered-b")?;
    let path = carry(&text, &b)?;
    let before = double.asked("/register").len();
    let done = b.run_json(&["import", &path, "--yes"])?[0].clone();
    ensure!(double.asked("/register").len() == before + 1 && words(&done["secrets_missing"]).is_empty(), "{done}");
    b.run_ok(&["sign-in", "ada"])?;
    Ok(())
}

#[test]
fn a_file_that_is_none_of_ours_changes_nothing() -> Result<()> {
    let (_serve, b) = machine("export-bad")?;
    let head = "signbell_export = 1\n";
    let provider = "[providers.p]\nissuer = \"https://p.test\"\nclient_id = \"c\"\n";
    for (what, text, code) in [
        ("nothing", String::new(), "no_export"),
        ("a configuration", provider.to_owned(), "no_export"),
        ("no TOML", format!("{head}[providers"), "bad_export"),
        ("a newer form", "signbell_export = 2\n".to_owned(), "newer_export"),
        ("more than an export has", format!("{head}[network]\nproxy = \"http://evil.test\"\n"), "bad_export"),
        ("an unknown key", format!("{head}{provider}evil = 1\n"), "bad_export"),
        ("what is not there", format!("{head}[accounts.a]\nprovider = \"gone\"\n"), "bad_export"),
        (
            "an upstream that is not safe",
            format!(
                "{head}{provider}[accounts.a]\nprovider = \"p\"\n[services.s]\nurl = \"http://evil.test\"\naccount = \"a\"\n"
            ),
            "bad_export",
        ),
        ("a bad name", format!("{head}[tools.\"../x\"]\nservices = []\n"), "bad_export"),
    ] {
        let path = carry(&text, &b)?;
        refused(&b, &["import", &path, "--yes"], if code == "no_export" { 2 } else { 1 }, code).context(what)?;
    }
    // Leave and keys are given here, whatever a file says.
    let digest = "ab".repeat(32);
    let text = format!(
        "{head}{provider}[accounts.a]\nprovider = \"p\"\nallow_token = true\n[services.s]\nurl = \"https://s.test\"\naccount = \"a\"\n\
         [tools.t]\nkey_sha256 = \"{digest}\"\nservices = [\"s\"]\n"
    );
    let path = carry(&text, &b)?;
    b.run_json(&["import", &path, "--yes"])?;
    let config = fs::read_to_string(b.signbell_home().join("config.toml"))?;
    ensure!(!config.contains(&digest) && !config.contains("allow_token = true"), "{config}");
    refused(&b, &["import", "/nowhere/carried.toml"], 1, "no_file")?;
    let status = b.run_json(&["status"])?[0].clone();
    ensure!(status["accounts"][0]["account"] == json!("a"), "{status}");
    Ok(())
}
