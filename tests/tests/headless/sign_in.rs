//! Signing in: in a real browser, declined, as somebody else, by a pasted redirect.

use std::thread;

use anyhow::{Context as _, Result, anyhow, ensure};
use serde_json::{Value, json};
use signbell_tests::process::Output;
use signbell_tests::{Chromium, Curl, Page, Sandbox, UrlCatcher};

use crate::SOON;
use crate::world::{self, World, error_of};

/// Runs a command that opens a page, while `browse` does with the page what a person would.
pub fn with_page(
    sandbox: &Sandbox,
    catcher: &UrlCatcher,
    args: &[&str],
    browse: impl FnOnce(&str) -> Result<Page>,
) -> Result<(Output, Page)> {
    thread::scope(|scope| {
        let command = scope.spawn(|| sandbox.run(args));
        let page = catcher.next_url(SOON).and_then(|url| browse(&url));
        let output = command.join().map_err(|_| anyhow!("the command's thread panicked"))??;
        let page = page.with_context(|| format!("{output:?}"))?;
        Ok((output, page))
    })
}

#[test]
fn a_person_signs_in_declines_and_comes_as_somebody_else() -> Result<()> {
    let world = World::with("chromium", &json!({"autoConsent": null}))?;
    let sandbox = &world.sandbox;
    let catcher = UrlCatcher::install(sandbox)?;
    let chromium = Chromium::start(sandbox)?;
    let (api, issuer) = (world.provider.api()?, world.provider.issuer()?);

    // The first sign-in.
    let add = [
        "add",
        api,
        "--name",
        "notes",
        "--account",
        "ada",
        "--issuer",
        issuer,
        "--client-id",
        world::CLIENT,
        "--tool",
        "script",
        "--sign-in",
        "--json",
    ];
    let (output, page) = with_page(sandbox, &catcher, &add, |url| chromium.sign_in(url, "ada"))?;
    let lines = output.expect_code(0)?.json()?;
    let access = world::access(lines.first().context("nothing printed")?)?;
    ensure!(page.text.contains("Signed in. You can close this tab."), "{page:?}");
    ensure!(page.text.contains("ada@example.test"), "{page:?}");
    ensure!(page.url.starts_with("http://127.0.0.1:"), "{page:?}");
    let console = chromium.console()?;
    // A browser asks for the icon by itself, and gets none.
    ensure!(!console.iter().any(|line| line.contains("Content Security Policy")), "{console:?}");
    let signed_in = lines.get(1).context("no second line")?;
    ensure!(signed_in["identity"] == "ada@example.test" && signed_in["state"] == "active", "{signed_in}");
    ensure!(access.get("/me")?["login"] == "ada");

    let asked = world.provider.last()?;
    let (authorize, token) = (&asked["authorize"], &asked["token"]);
    let text = |name: &str| authorize[name].as_str().unwrap_or_default();
    ensure!(text("response_type") == "code" && text("client_id") == world::CLIENT, "{authorize}");
    ensure!(text("code_challenge_method") == "S256" && text("code_challenge").len() == 43, "{authorize}");
    ensure!(text("state").len() >= 22 && text("nonce").len() >= 22 && text("state") != text("nonce"), "{authorize}");
    ensure!(text("redirect_uri").starts_with("http://127.0.0.1:"), "{authorize}");
    ensure!(authorize.get("login_hint").is_none(), "nobody was signed in before: {authorize}");
    ensure!(token["grant_type"] == "authorization_code" && token["code_verifier"] == true, "{token}");
    ensure!(token["redirect_uri"] == text("redirect_uri") && token["authorization"].is_null(), "{token}");
    let first = authorize.clone();

    // Declined: the session that is there stands.
    chromium.forget_cookies()?;
    let again = ["sign-in", "ada", "--force", "--json"];
    let (output, page) = with_page(sandbox, &catcher, &again, |url| chromium.deny(url, "ada"))?;
    let error = error_of(&output.expect_code(12)?)?;
    ensure!(error["code"] == "access_denied", "{error}");
    ensure!(page.text.contains("Not signed in") && page.text.contains("still stands"), "{page:?}");
    let authorize = world.provider.last()?["authorize"].clone();
    ensure!(authorize["login_hint"] == "ada@example.test", "{authorize}");
    for name in ["state", "nonce", "code_challenge"] {
        ensure!(authorize[name] != first[name], "{name} was used twice");
    }
    ensure!(world.account()?["state"] == "active");
    ensure!(access.get("/me")?["login"] == "ada");

    // Somebody else: refused by name, and nothing of ada's is lost.
    chromium.forget_cookies()?;
    let (output, page) = with_page(sandbox, &catcher, &again, |url| chromium.sign_in(url, "bob"))?;
    let error = error_of(&output.expect_code(12)?)?;
    let message = error["message"].as_str().unwrap_or_default();
    ensure!(error["code"] == "other_identity", "{error}");
    for words in [message, page.text.as_str()] {
        ensure!(words.contains("bob@example.test") && words.contains("ada@example.test"), "{words}");
    }
    let account = world.account()?;
    ensure!(account["state"] == "active" && account["identity"] == "ada@example.test", "{account}");
    ensure!(access.get("/me")?["login"] == "ada");
    ensure!(world.count("/revocation")? >= 1, "bob's tokens, which nobody asked for, were not revoked");

    // And ada herself, with the session's cookies gone, still can.
    chromium.forget_cookies()?;
    let (output, _) = with_page(sandbox, &catcher, &again, |url| chromium.sign_in(url, "ada"))?;
    output.expect_code(0)?;
    ensure!(access.get("/me")?["login"] == "ada");
    catcher.expect_none()?;
    let kinds = world.activity()?;
    let count = |kind: &str| kinds.iter().filter(|k| *k == kind).count();
    ensure!(count("signed_in") == 2 && count("sign_in_failed") == 2, "{kinds:?}");
    Ok(())
}

#[test]
fn a_pasted_redirect_signs_in_where_there_is_no_browser() -> Result<()> {
    let world = World::new("paste")?;
    let access = world.add("notes", &[])?;
    // The link is for another machine's browser: nothing may be opened here.
    let catcher = UrlCatcher::install(&world.sandbox)?;
    let mut command = world.sandbox.signbell()?;
    command
        .args(["sign-in", "ada", "--no-browser", "--json"])
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::null());
    let mut process = signbell_tests::Process::spawn(command, "signbell sign-in")?;
    let (stdin, stdout) = (process.take_stdin(), process.take_stdout());
    let (mut stdin, stdout) = (stdin.context("no stdin")?, stdout.context("no stdout")?);
    let mut lines = std::io::BufRead::lines(std::io::BufReader::new(stdout));
    let mut next = || -> Result<Value> { Ok(serde_json::from_str(&lines.next().context("no line")??)?) };
    let page = next()?;
    let url = page["authorize_url"].as_str().with_context(|| page.to_string())?.to_owned();
    let redirect = Curl::new(url).run()?;
    let location = redirect.header("location").context("the provider does not redirect")?.to_owned();
    ensure!(location.contains("code="), "{location}");
    // L2: the address of another sign-in is no use.
    let forged = location.replace("state=", "state=x");
    std::io::Write::write_all(&mut stdin, format!("{forged}\n").as_bytes())?;
    std::thread::sleep(std::time::Duration::from_millis(300));
    ensure!(process.is_running() && world.count("/authorization_code/ok")? == 0, "a forged state was taken");
    std::io::Write::write_all(&mut stdin, format!("{location}\n").as_bytes())?;
    let last = next()?;
    ensure!(last["state"] == "active" && last["identity"] == "ada@example.test", "{last}");
    ensure!(last["scopes"].as_array().is_some_and(|s| !s.is_empty()) && last["expires_at"].is_u64(), "{last}");
    ensure!(process.wait(SOON)?.code() == Some(0));
    ensure!(access.get("/me")?["login"] == "ada");
    catcher.expect_none()
}

#[test]
fn l1_l2_l6_strangers_at_the_loopback_port_end_no_sign_in() -> Result<()> {
    let world = World::new("strangers")?;
    let access = world.add("notes", &[])?;
    let catcher = UrlCatcher::install(&world.sandbox)?;
    thread::scope(|scope| {
        let command = scope.spawn(|| world.sandbox.run(&["sign-in", "ada", "--json"]));
        let strangers = || -> Result<()> {
            let url = catcher.next_url(SOON)?;
            let location = Curl::new(url).run()?.header("location").context("no redirect")?.to_owned();
            let (redirect, _) = location.split_once('?').context("no query")?;
            for query in
                ["", "?code=x", "?code=x&state=wrong", "?error=access_denied", "?error=access_denied&state=wrong"]
            {
                let response = Curl::new(format!("{redirect}{query}")).run()?;
                ensure!(response.status == 400, "{query:?}: {}", response.status);
                ensure!(response.text().contains("This is not a sign-in"), "{query:?}: {}", response.text());
            }
            let response = Curl::new(format!("{location}&state=again")).run()?;
            ensure!(response.status == 400, "l3, a parameter twice: {}", response.status);
            let response = Curl::new(&location).header("host", "127.0.0.1.evil.test").run()?;
            ensure!(response.status == 403, "l7: {}", response.status);
            let response = Curl::new(&location).method("POST").run()?;
            ensure!(response.status == 405, "l8: {}", response.status);
            ensure!(world.count("/authorization_code/ok")? == 0, "a stranger caused a token request");
            let response = Curl::new(format!("{location}&next=https://evil.test/")).run()?;
            ensure!(response.status == 200 && response.header("location").is_none(), "l12: {response:?}");
            let policy = response.header("content-security-policy").unwrap_or_default();
            ensure!(policy.starts_with("default-src 'none'") && !policy.contains("unsafe"), "{policy:?}");
            ensure!(response.header("x-content-type-options") == Some("nosniff"), "{response:?}");
            // L10: nobody listens there any more.
            signbell_tests::wait_until("the closed loopback port", SOON, || {
                Curl::new(&location).run_any().ok().filter(|r| r.exit == 7)
            })?;
            Ok(())
        };
        let visited = strangers();
        if visited.is_err() {
            // The command would wait for ten minutes.
            world.control(&json!({"do": "quit"}))?;
        }
        let output = command.join().map_err(|_| anyhow!("the command's thread panicked"))?;
        visited?;
        output?.expect_code(0)?;
        ensure!(access.get("/me")?["login"] == "ada");
        Ok(())
    })
}

#[test]
fn all_signs_in_whoever_needs_it() -> Result<()> {
    let world = World::new("all")?;
    let access = world.add("notes", &[])?;
    let lines = world.sandbox.run_json(&["sign-in", "--all"])?;
    ensure!(lines.len() == 1 && lines[0]["account"] == "ada" && lines[0]["state"] == "active", "{lines:?}");
    ensure!(access.get("/me")?["login"] == "ada");
    // Nobody needs it any more: no page, no line.
    let before = world.count("/authorize")?;
    ensure!(world.sandbox.run_json(&["sign-in", "--all"])?.is_empty());
    ensure!(world.sandbox.run_json(&["sign-in", "ada"])?[0]["state"] == "active");
    ensure!(world.count("/authorize")? == before, "a page was opened for a session that is good");
    Ok(())
}
