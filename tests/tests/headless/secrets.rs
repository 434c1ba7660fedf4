//! Canaries: the whole story is played with everything traced, and then looked for where no secret
//! may be.

use std::collections::BTreeSet;
use std::fs;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use signbell_tests::process::run;
use signbell_tests::{Curl, Sandbox, Serve};

use crate::SOON;
use crate::world::{Access, World, follow_links, provider, sha256};

const CLIENT_SECRET: &str = "s3cr3t-for-tests";
const PASSPHRASE: &str = "canary-passphrase-0123456789";

/// All that must not be found, by name.
#[derive(Default)]
struct Canaries(BTreeSet<(String, String)>);

impl Canaries {
    fn add(&mut self, name: &str, value: &str) -> Result<()> {
        ensure!(value.len() >= 16, "{name}: {value:?} would be found by chance");
        self.0.insert((name.to_owned(), value.to_owned()));
        Ok(())
    }

    /// Every token that the provider knows of now.
    fn add_tokens(&mut self, world: &World) -> Result<()> {
        for login in ["ada", "bob"] {
            let tokens = world.provider.control("GET", "/tokens", &[("login", login)], None)?;
            for (model, values) in tokens.as_object().context("no tokens")? {
                for value in values.as_array().into_iter().flatten().filter_map(Value::as_str) {
                    self.add(model, value)?;
                }
            }
        }
        Ok(())
    }

    fn count(&self, name: &str) -> usize {
        self.0.iter().filter(|(n, _)| n == name).count()
    }

    fn absent_from(&self, place: &str, text: &str) -> Result<()> {
        for (name, value) in &self.0 {
            let at = text.find(value.as_str());
            let around = at.map(|at| text.get(at.saturating_sub(300)..at).unwrap_or_default().to_owned());
            ensure!(at.is_none(), "{name} in {place}, after: {around:?}");
        }
        Ok(())
    }
}

#[test]
fn g1_g3_no_secret_is_found_where_none_may_be() -> Result<()> {
    let sandbox = Sandbox::new("canaries")?;
    sandbox.set_env("SIGNBELL_VAULT", "sealed-file");
    sandbox.set_env("SIGNBELL_PASSPHRASE", PASSPHRASE);
    sandbox.set_env("SIGNBELL_LOG", "trace");
    follow_links(&sandbox)?;
    let mut world =
        World { serve: Serve::start(&sandbox)?, provider: provider(&sandbox, &json!({}))?, sandbox: sandbox.clone() };
    let mut canaries = Canaries::default();
    canaries.add("client secret", CLIENT_SECRET)?;
    canaries.add("passphrase", PASSPHRASE)?;

    // Sign in with a client that has a secret.
    let (api, issuer) = (world.provider.api()?.to_owned(), world.provider.issuer()?.to_owned());
    let mut command = sandbox.signbell()?;
    command.args(["add", &api, "--name", "notes", "--account", "ada", "--issuer", &issuer, "--tool", "script"]);
    command.args(["--client-id", "signbell-secret", "--client-secret-stdin", "--sign-in", "--json"]);
    let output = run(command, format!("{CLIENT_SECRET}\n").as_bytes(), SOON)?.expect_code(0)?;
    ensure!(world.provider.last()?["token"]["authorization"] == "Basic", "{}", world.provider.last()?);
    let access = crate::world::access(&output.json()?[0])?;
    canaries.add("tool key", &access.key)?;
    canaries.add_tokens(&world)?;
    canaries.absent_from("what `add` said to the person", &output.stderr)?;

    // A tool with the key in its path, and one whose key is wrong.
    let tool = sandbox.run_json(&["tool", "add", "base-url", "--service", "notes", "--key-in-path"])?[0].clone();
    canaries.add("key in path", tool["key"].as_str().context("no key")?)?;
    let in_path = tool["urls"]["notes"].as_str().context("no url")?;
    ensure!(Curl::new(format!("{in_path}/me")).run()?.status == 200);
    let wrong = "sbk_wrong-canary-0123456789";
    canaries.add("wrong key", wrong)?;
    ensure!(access.curl("/me").run()?.status == 200);
    ensure!(Curl::new(format!("{}/me", access.url)).header("x-signbell-key", wrong).run()?.status == 401);
    ensure!(Curl::new(world.serve.url(&format!("/k/{wrong}/notes/me"))).run()?.status == 401);
    let query = "canary-in-a-query-0123456789";
    canaries.add("query", query)?;
    access.curl(&format!("/me?access_token={query}&code={query}")).run()?;
    let body = "canary-in-a-body-0123456789";
    canaries.add("body", body)?;
    ensure!(access.curl("/echo").body(body).run()?.status == 200);

    // Renewals, an outage, an end, a wait, somebody else, a sign-in.
    for fault in [Value::Null, json!({"mode": "500"}), json!({"mode": "429", "ms": 1000})] {
        world.provider.fault(&fault)?;
        world.provider.expire_access("ada")?;
        access.curl("/me").run()?;
        signbell_tests::wait_ok("a request that succeeds again", SOON, || access.get("/me"))?;
        canaries.add_tokens(&world)?;
    }
    world.provider.revoke_refresh("ada", true)?;
    let pending = access.curl("/me").timeout(SOON * 2).spawn()?;
    world.wait_account("a waiting request", |a| a["waiting"] == 1)?;
    world.provider.auto_consent(Some("bob"))?;
    let output = sandbox.run(&["sign-in", "ada", "--json"])?.expect_code(12)?;
    canaries.add_tokens(&world)?;
    canaries.absent_from("a refused sign-in", &(output.stdout + &output.stderr))?;
    world.provider.auto_consent(Some("ada"))?;
    let output = sandbox.run(&["sign-in", "ada", "--json"])?.expect_code(0)?;
    canaries.add_tokens(&world)?;
    canaries.absent_from("a sign-in", &(output.stdout + &output.stderr))?;
    ensure!(pending.wait()?.status == 200);

    // The canaries are the real ones: the one token that may be printed is among them.
    sandbox.run_ok(&["account", "set", "ada", "--allow-token"])?;
    let printed = sandbox.run_ok(&["token", "ada"])?;
    let printed = ("AccessToken".to_owned(), printed.trim().to_owned());
    ensure!(canaries.0.contains(&printed), "the provider does not know of what `signbell token` printed");
    for (kind, least) in [("AccessToken", 4), ("RefreshToken", 4), ("AuthorizationCode", 2)] {
        ensure!(canaries.count(kind) >= least, "only {} of {kind}", canaries.count(kind));
    }

    // What commands show.
    for line in ["status", "activity", "service list", "tool list", "account list", "doctor"] {
        for json in [false, true] {
            let mut args: Vec<&str> = line.split(' ').collect();
            args.extend(json.then_some("--json"));
            let output = sandbox.run(&args)?;
            ensure!(!output.stdout.is_empty(), "{line} says nothing: {output:?}");
            canaries.absent_from(line, &(output.stdout + &output.stderr))?;
        }
    }
    // What everyone on the machine sees.
    let arguments = fs::read(format!("/proc/{}/cmdline", world.serve.id()))?;
    canaries.absent_from("argv", &String::from_utf8_lossy(&arguments))?;

    // Files, while it runs and after its end.
    let config = fs::read_to_string(sandbox.signbell_home().join("config.toml"))?;
    ensure!(config.contains(&sha256(access.key.as_bytes())?), "the key's digest is not in config.toml");
    for ended in [false, true] {
        if ended {
            sandbox.run_ok(&["sign-out", "ada"])?;
            ensure!(world.serve.stop()?.code() == Some(0));
        }
        let log = world.serve.stderr()?;
        ensure!(log.contains("TRACE") && log.len() > 10_000, "nothing was traced: {} bytes", log.len());
        canaries.absent_from("the log", &log)?;
        canaries.absent_from("stdout", &world.serve.stdout()?)?;
        let home = sandbox.signbell_home();
        for name in ["config.toml", "state.json", "activity.jsonl"] {
            canaries.absent_from(name, &fs::read_to_string(home.join(name)).with_context(|| name.to_owned())?)?;
        }
        for (name, value) in &canaries.0 {
            let files = sandbox.files_containing(value, |_| false)?;
            ensure!(files.is_empty(), "{name} in {files:?}");
        }
    }
    Ok(())
}

#[test]
fn g2_what_a_tool_sends_steers_no_log_and_no_terminal() -> Result<()> {
    let sandbox = Sandbox::new("steer")?;
    sandbox.set_env("SIGNBELL_VAULT", "memory");
    sandbox.set_env("SIGNBELL_LOG", "trace");
    follow_links(&sandbox)?;
    let world =
        World { serve: Serve::start(&sandbox)?, provider: provider(&sandbox, &json!({}))?, sandbox: sandbox.clone() };
    let access: Access = world.add("notes", &["--sign-in"])?;
    access.curl("/me").header("user-agent", "a\u{1b}[2Jb").run_any()?;
    access.curl("/%1b%5b2J%0d%0aX").run_any()?;
    sandbox.run_ok(&["account", "set", "ada", "--name", "\u{1b}[2J\u{202e}evil"])?;
    for args in [&["status"][..], &["activity"], &["account", "list"]] {
        let text = sandbox.run_ok(args)?;
        ensure!(text.contains("evil") || args != ["status"], "{text}");
        ensure!(!text.contains('\u{1b}') && !text.contains('\u{202e}'), "{args:?}: {text:?}");
    }
    // The log has colours of its own only on a terminal.
    ensure!(!world.serve.stderr()?.contains("\u{1b}[2J"), "the log can be steered");
    Ok(())
}
