//! A server wants more than was granted: the person is asked once, sees what for, and what they refuse
//! is remembered.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::Stdio;

use anyhow::{Context as _, Result, ensure};
use base64::Engine as _;
use serde_json::{Value, json};
use signbell_tests::upstream::{Reply, ok, response};
use signbell_tests::{Process, Upstream, UrlCatcher};
use url::Url;

use crate::SOON;
use crate::world::{Access, World, refused};

/// An upstream that wants these scopes of a token, and knows who has them: every token but the first.
fn wanting(scopes: &'static str) -> Result<Upstream> {
    let first = std::sync::OnceLock::<String>::new();
    Upstream::start(move |request| {
        if first.get_or_init(|| request.token().to_owned()) == request.token() {
            return Reply::Bytes(insufficient(scopes));
        }
        Reply::Bytes(ok("{\"done\":true}"))
    })
}

fn insufficient(scopes: &str) -> Vec<u8> {
    let challenge = format!("Bearer error=\"insufficient_scope\", scope=\"{scopes}\"");
    response(&format!("403 Forbidden\r\nwww-authenticate: {challenge}"), b"more, please")
}

/// The account `ada`, with only the scopes that a session needs, and this upstream as the service `api`.
fn signed_in(name: &str, upstream: &Upstream) -> Result<(World, Access)> {
    let world = World::new(name)?;
    let least = ["--scope", "openid", "--scope", "offline_access", "--sign-in"];
    let access = world.add_url(upstream.address(), "api", &least)?;
    Ok((world, access))
}

/// Lets a click add these scopes, as a person does who edits `config.toml`.
fn list(world: &mut World, access: &mut Access, scopes: &str) -> Result<()> {
    let path = world.sandbox.signbell_home().join("config.toml");
    let config = std::fs::read_to_string(&path)?;
    std::fs::write(&path, config.replace("[services.api]", &format!("[services.api]\nscopes = {scopes}")))?;
    // In force at the next start. The session is in memory here, so it is begun again.
    world.restart()?;
    world.sandbox.run_ok(&["sign-in", "ada"])?;
    access.url = world.serve.url("/api");
    Ok(())
}

fn asked(world: &World) -> Result<Value> {
    Ok(world.account()?["ask"].clone())
}

#[test]
fn r4_the_person_adds_what_is_missing_and_the_request_completes() -> Result<()> {
    let upstream = wanting("openid notes:write notes:read")?;
    let (mut world, mut access) = signed_in("step-up", &upstream)?;
    list(&mut world, &mut access, r#"["notes:read", "notes:write"]"#)?;
    let pending = access.curl("/things").body("{}").timeout(SOON * 2).spawn()?;
    let account = world.wait_account("a waiting request", |account| account["waiting"] == 1)?;
    // The session is good meanwhile, and the person sees which scopes are new and whose request it is.
    ensure!(account["state"] == "active", "{account}");
    ensure!(account["ask"]["scopes"] == json!(["notes:read", "notes:write"]), "{account}");
    ensure!(account["ask"]["typed"] == json!([]), "{account}");
    for words in [&account["ask"]["words"], &account["ring"]["body"]] {
        let words = words.as_str().unwrap_or_default();
        ensure!(words.contains("notes:read notes:write") && words.contains("script"), "{account}");
    }
    // A click, as the notification's: no scope is named.
    world.sandbox.run_ok(&["sign-in", "ada"])?;
    let response = pending.wait()?;
    ensure!(response.status == 200 && response.json()? == json!({"done": true}), "{response:?}");
    ensure!(upstream.seen().len() == 2 && world.count("/refresh_token/ok")? == 0, "a refresh is no help");
    let scope = world.provider.last()?["authorize"]["scope"].as_str().unwrap_or_default().to_owned();
    for wanted in ["openid", "offline_access", "notes:read", "notes:write"] {
        ensure!(scope.split(' ').any(|scope| scope == wanted), "{wanted} was not asked for: {scope}");
    }
    let account = world.account()?;
    ensure!(account["ask"].is_null() && account["ring"].is_null(), "{account}");
    ensure!(account["scopes"].as_array().is_some_and(|s| s.contains(&json!("notes:write"))), "{account}");
    // The next sign-in asks for all of it again.
    world.sandbox.run_ok(&["sign-in", "ada", "--force"])?;
    let scope = world.provider.last()?["authorize"]["scope"].as_str().unwrap_or_default().to_owned();
    ensure!(scope.contains("notes:write") && scope.contains("openid"), "{scope}");
    let kinds = world.activity()?;
    ensure!(kinds.iter().filter(|kind| *kind == "scopes_asked").count() == 1, "{kinds:?}");
    ensure!(kinds.iter().any(|kind| kind == "recovered"), "{kinds:?}");
    Ok(())
}

#[test]
fn r4_a_scope_that_is_held_is_refreshed_for_once() -> Result<()> {
    let upstream = wanting("openid")?;
    let (world, access) = signed_in("held-scope", &upstream)?;
    let response = access.curl("/x").run()?;
    ensure!(response.status == 200 && world.count("/refresh_token/ok")? == 1, "{response:?}");
    ensure!(asked(&world)?.is_null() && !world.activity()?.contains(&"held".to_owned()));
    // It goes on saying so: passed on, and nobody is asked.
    let upstream = Upstream::start(|_| Reply::Bytes(insufficient("openid")))?;
    let access = world.add_url(upstream.address(), "never", &[]).map(|a| Access { key: access.key.clone(), ..a })?;
    for _ in 0..3 {
        let response = access.curl("/x").run()?;
        ensure!(response.status == 403 && response.text() == "more, please", "{response:?}");
    }
    ensure!(world.count("/refresh_token/ok")? == 2 && asked(&world)?.is_null());
    Ok(())
}

#[test]
fn a_scope_that_no_list_names_is_typed_by_the_person() -> Result<()> {
    let upstream = wanting("notes:write")?;
    let (world, access) = signed_in("typed", &upstream)?;
    let pending = access.curl("/x").timeout(SOON * 2).spawn()?;
    let account = world.wait_account("a waiting request", |account| account["waiting"] == 1)?;
    ensure!(account["ask"]["typed"] == json!(["notes:write"]) && account["ask"]["scopes"] == json!([]), "{account}");
    // A click is not enough: an upstream does not choose what is asked for.
    let catcher = UrlCatcher::install(&world.sandbox)?;
    let message = refused(&world.sandbox, &["sign-in", "ada"], 13, "scopes_need_typing")?;
    ensure!(message.contains("signbell sign-in ada --scope=notes:write"), "{message}");
    catcher.expect_none()?;
    crate::world::follow_links(&world.sandbox)?;
    world.sandbox.run_ok(&["sign-in", "ada", "--scope", "notes:write"])?;
    ensure!(pending.wait()?.status == 200);
    ensure!(asked(&world)?.is_null());
    Ok(())
}

/// A `signbell sign-in --no-browser`, whose page the test plays.
struct Printed {
    process: Process,
    lines: std::io::Lines<BufReader<std::process::ChildStdout>>,
    stdin: std::process::ChildStdin,
    page: Option<Url>,
}

fn printed(world: &World, args: &[&str]) -> Result<Printed> {
    let mut command = world.sandbox.signbell()?;
    command.args(args).args(["--no-browser", "--json"]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut process = Process::spawn(command, "signbell sign-in")?;
    let (stdin, stdout) = (process.take_stdin().context("no stdin")?, process.take_stdout().context("no stdout")?);
    Ok(Printed { process, lines: BufReader::new(stdout).lines(), stdin, page: None })
}

impl Printed {
    fn page(&mut self) -> Result<Url> {
        let page: Value = serde_json::from_str(&self.lines.next().context("no line")??)?;
        let url: Url = page["authorize_url"].as_str().context("no page")?.parse()?;
        self.page = Some(url.clone());
        Ok(url)
    }

    /// The provider sends the browser back with this error.
    fn paste(&mut self, world: &World, error: &str) -> Result<()> {
        let url = self.page.as_ref().context("no page yet")?;
        let param = |name: &str| url.query_pairs().find(|(n, _)| n == name).map(|(_, value)| value.into_owned());
        let (redirect, state) = (param("redirect_uri").context("no redirect")?, param("state").context("no state")?);
        let issuer = world.provider.issuer()?;
        writeln!(self.stdin, "{redirect}?error={error}&state={state}&iss={issuer}")?;
        Ok(())
    }
}

/// Answers the provider's part with a refusal, as the person who declines does.
fn decline(world: &World) -> Result<()> {
    let mut printed = printed(world, &["sign-in", "ada", "--scope", "notes:write"])?;
    printed.page()?;
    printed.paste(world, "access_denied")?;
    ensure!(printed.process.wait(SOON)?.code() == Some(12), "the refusal was not told");
    Ok(())
}

#[test]
fn what_was_refused_is_not_asked_for_on_every_request() -> Result<()> {
    let upstream = wanting("notes:write")?;
    let (mut world, mut access) = signed_in("declined", &upstream)?;
    let pending = access.curl("/x").timeout(SOON * 2).spawn()?;
    world.wait_account("a waiting request", |account| account["waiting"] == 1)?;
    decline(&world)?;
    // Who waited gets the server's own answer at once, and so does everyone after.
    let response = pending.wait()?;
    ensure!(response.status == 403 && response.text() == "more, please", "{response:?}");
    for _ in 0..3 {
        ensure!(access.curl("/x").run()?.status == 403);
    }
    let account = world.account()?;
    ensure!(account["ask"].is_null() && account["ring"].is_null() && account["state"] == "active", "{account}");
    let kinds = world.activity()?;
    ensure!(kinds.iter().filter(|kind| *kind == "held").count() == 1, "{kinds:?}");
    // It is remembered beyond the end of the program.
    world.restart()?;
    world.sandbox.run_ok(&["sign-in", "ada"])?;
    access.url = world.serve.url("/api");
    let again = Upstream::start(|_| Reply::Bytes(insufficient("notes:write")))?;
    let other = world.add_url(again.address(), "other", &[]).map(|a| Access { key: access.key.clone(), ..a })?;
    ensure!(other.curl("/x").run()?.status == 403 && asked(&world)?.is_null());
    // Until the person asks for it by name.
    world.sandbox.run_ok(&["sign-in", "ada", "--scope", "notes:write"])?;
    ensure!(world.account()?["scopes"].as_array().is_some_and(|s| s.contains(&json!("notes:write"))));
    Ok(())
}

#[test]
fn to_json_rpc_the_missing_scope_is_an_error_of_our_own() -> Result<()> {
    let upstream = Upstream::start(|_| Reply::Bytes(insufficient("notes:write")))?;
    let (world, access) = signed_in("rpc-scope", &upstream)?;
    world.sandbox.run_ok(&["service", "set", "api", "--hold", "0"])?;
    let batch = json!([{"jsonrpc": "2.0", "id": 1, "method": "a"}, {"jsonrpc": "2.0", "id": "b", "method": "c"}]);
    let response = access.curl("/mcp").json(&batch).run()?;
    let answer = response.json()?;
    ensure!(response.status == 503 && response.header("www-authenticate").is_none(), "{response:?}");
    ensure!(answer[0]["id"] == 1 && answer[1]["id"] == "b", "{answer}");
    let error = &answer[0]["error"];
    ensure!(error["data"]["code"] == "scopes_needed" && error["code"] == -32603, "{answer}");
    ensure!(error["message"].as_str().is_some_and(|m| m.contains("signbell sign-in ada --scope")), "{answer}");
    Ok(())
}

#[test]
fn row_27_claims_go_to_the_refresh_and_then_to_the_sign_in() -> Result<()> {
    const CLAIMS: &str = r#"{"access_token":{"nbf":{"essential":true,"value":"1"}}}"#;
    let encoded = base64::engine::general_purpose::STANDARD.encode(CLAIMS);
    let seen = std::sync::Mutex::new(std::collections::BTreeSet::new());
    // The first two tokens lack the claims; only the person brings the third.
    let upstream = Upstream::start(move |request| {
        let mut seen = seen.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        seen.insert(request.token().to_owned());
        if seen.len() > 2 {
            return Reply::Bytes(ok("{}"));
        }
        let challenge = format!("Bearer error=\"insufficient_claims\", claims=\"{encoded}\"");
        Reply::Bytes(response(&format!("401 Unauthorized\r\nwww-authenticate: {challenge}"), b""))
    })?;
    let (world, access) = signed_in("claims", &upstream)?;
    let pending = access.curl("/x").timeout(SOON * 2).spawn()?;
    world.wait_account("a waiting request", |account| account["waiting"] == 1)?;
    let token = world.provider.last()?["token"].clone();
    ensure!(token["grant_type"] == "refresh_token" && token["claims"] == CLAIMS, "{token}");
    // One server's word ends no session: whoever else uses it goes on.
    let account = world.account()?;
    ensure!(account["state"] == "active" && account["ring"].is_object(), "{account}");
    world.sandbox.run_ok(&["sign-in", "ada"])?;
    ensure!(pending.wait()?.status == 200);
    ensure!(world.provider.last()?["authorize"]["claims"] == CLAIMS, "{}", world.provider.last()?);
    ensure!(upstream.seen().len() == 3);
    // They are no part of the sign-ins after that.
    world.sandbox.run_ok(&["sign-in", "ada", "--force"])?;
    ensure!(world.provider.last()?["authorize"]["claims"].is_null(), "{}", world.provider.last()?);
    Ok(())
}

#[test]
fn row_09_a_service_that_wants_a_new_sign_in_gets_one() -> Result<()> {
    let first = std::sync::OnceLock::<String>::new();
    let upstream = Upstream::start(move |request| {
        let revoked = first.get_or_init(|| request.token().to_owned()) == request.token();
        Reply::Bytes(ok(if revoked { r#"{"ok":false,"error":"token_revoked"}"# } else { r#"{"ok":true}"# }))
    })?;
    let world = World::new("revoked")?;
    let access = world.add_url(upstream.address(), "chat", &["--preset", "slack", "--sign-in"])?;
    let pending = access.curl("/api/x").body("a=b").timeout(SOON * 2).spawn()?;
    let account = world.wait_account("a waiting request", |account| account["waiting"] == 1)?;
    ensure!(account["state"] == "needs_sign_in" && account["reason"] == "rejected_by_service", "{account}");
    world.sandbox.run_ok(&["sign-in", "ada"])?;
    let response = pending.wait()?;
    ensure!(response.status == 200 && response.json()? == json!({"ok": true}), "{response:?}");
    ensure!(upstream.seen().iter().all(|request| request.body == b"a=b") && world.count("/refresh_token/ok")? == 0);
    Ok(())
}

#[test]
fn a_service_that_rejects_even_a_new_sign_in_does_not_ask_forever() -> Result<()> {
    let upstream = Upstream::start(|request| {
        let fine = request.target == "/api/fine";
        Reply::Bytes(ok(if fine { r#"{"ok":true}"# } else { r#"{"ok":false,"error":"account_inactive"}"# }))
    })?;
    let world = World::new("rejected")?;
    let access = world.add_url(upstream.address(), "chat", &["--preset", "slack", "--sign-in"])?;
    let other = world.add_url(upstream.address(), "other", &["--preset", "slack"])?;
    let other = Access { key: access.key.clone(), ..other };
    ensure!(other.curl("/api/fine").run()?.status == 200);
    let pending = access.curl("/api/x").timeout(SOON * 2).spawn()?;
    world.wait_account("a waiting request", |account| account["waiting"] == 1)?;
    // The session is good for the other service, and stays so.
    ensure!(world.account()?["state"] == "active" && other.curl("/api/fine").run()?.status == 200);
    world.sandbox.run_ok(&["sign-in", "ada"])?;
    ensure!(pending.wait()?.json()?["error"] == "account_inactive");
    for _ in 0..3 {
        // The other service takes the new token each time.
        ensure!(other.curl("/api/fine").run()?.status == 200);
        ensure!(access.curl("/api/x").run()?.json()?["error"] == "account_inactive");
    }
    let account = world.account()?;
    ensure!(account["state"] == "active" && account["ask"].is_null() && account["ring"].is_null(), "{account}");
    ensure!(world.count("/authorization_code/ok")? == 2, "the person was asked again and again");
    Ok(())
}

#[test]
fn claims_that_the_provider_does_not_take_keep_nobody_out() -> Result<()> {
    let encoded = base64::engine::general_purpose::STANDARD.encode(r#"{"evil":1}"#);
    let challenge =
        format!("401 Unauthorized\r\nwww-authenticate: Bearer error=\"insufficient_claims\", claims=\"{encoded}\"");
    let upstream = Upstream::start(move |_| Reply::Bytes(response(&challenge, b"no")))?;
    let (world, access) = signed_in("evil-claims", &upstream)?;
    let good = world.add("notes", &[])?;
    let good = Access { key: access.key.clone(), ..good };
    world.sandbox.run_ok(&["service", "set", "api", "--hold", "0"])?;
    for _ in 0..3 {
        ensure!(access.curl("/x").run()?.status == 401);
        ensure!(good.get("/me")?["login"] == "ada", "another service's session was ended");
    }
    ensure!(world.account()?["state"] == "active");
    ensure!(world.count("/refresh_token/ok")? <= 1, "it was refreshed for each request");
    // The provider says no to a sign-in with them; the next goes without.
    let mut process = printed(&world, &["sign-in", "ada"])?;
    let page = process.page()?;
    ensure!(page.query_pairs().any(|(name, value)| name == "claims" && value.contains("evil")), "{page}");
    process.paste(&world, "invalid_request")?;
    ensure!(process.process.wait(SOON)?.code() == Some(12));
    let account = world.account()?;
    ensure!(account["ask"].is_null() && account["ring"].is_null(), "{account}");
    world.sandbox.run_ok(&["sign-in", "ada", "--force"])?;
    ensure!(world.provider.last()?["authorize"]["claims"].is_null());
    ensure!(access.curl("/x").run()?.status == 401 && world.account()?["ask"].is_null(), "it asks again");
    Ok(())
}

#[test]
fn signing_out_and_removing_a_service_end_what_was_asked() -> Result<()> {
    let upstream = Upstream::start(|_| Reply::Bytes(insufficient("notes:write")))?;
    let (world, access) = signed_in("ends", &upstream)?;
    world.sandbox.run_ok(&["service", "set", "api", "--hold", "0"])?;
    ensure!(access.curl("/x").run()?.status == 403 && asked(&world)?.is_object());
    world.sandbox.run_ok(&["sign-out", "ada"])?;
    let account = world.account()?;
    ensure!(account["ask"].is_null() && account["ring"].is_null() && account["state"] == "signed_out", "{account}");
    world.sandbox.run_ok(&["sign-in", "ada"])?;
    ensure!(access.curl("/x").run()?.status == 403 && asked(&world)?.is_object());
    world.add("notes", &[])?;
    world.sandbox.run_ok(&["service", "remove", "api"])?;
    let account = world.account()?;
    ensure!(account["ask"].is_null() && account["ring"].is_null(), "{account}");
    Ok(())
}

#[test]
fn what_nobody_was_asked_for_is_not_refused() -> Result<()> {
    let upstream = wanting("notes:write")?;
    let (world, access) = signed_in("not-refused", &upstream)?;
    world.sandbox.run_ok(&["service", "set", "api", "--hold", "0"])?;
    ensure!(access.curl("/x").run()?.status == 403);
    // A sign-in for another reason does not ask for it, so nobody has said no.
    world.sandbox.run_ok(&["sign-in", "ada", "--force"])?;
    ensure!(asked(&world)?["typed"] == json!(["notes:write"]), "{}", asked(&world)?);
    // "Don't allow" does.
    let reply = world.control(&json!({"do": "decline", "account": "ada"}))?;
    ensure!(reply["reply"] == "done" && asked(&world)?.is_null(), "{reply}");
    let again = Upstream::start(|_| Reply::Bytes(insufficient("notes:write")))?;
    let again = world.add_url(again.address(), "again", &[]).map(|a| Access { key: access.key.clone(), ..a })?;
    again.curl("/x").run_any()?;
    ensure!(asked(&world)?.is_null());
    Ok(())
}

#[test]
fn hints_reach_the_person_once() -> Result<()> {
    let upstream = Upstream::start(|_| {
        let sso = "required; url=https://github.com/orgs/acme/sso?authorization_request=x";
        let head = format!("403 Forbidden\r\nx-github-sso: {sso}\r\ncontent-type: application/json");
        Reply::Bytes(response(&head, br#"{"message":"Resource protected by organization SAML enforcement."}"#))
    })?;
    let world = World::new("hints")?;
    let access = world.add_url(upstream.address(), "hub", &["--preset", "github", "--sign-in"])?;
    for _ in 0..3 {
        ensure!(access.curl("/orgs/acme").run()?.status == 403);
    }
    let records = world.sandbox.run_json(&["activity"])?;
    let hints: Vec<&Value> = records.iter().filter(|record| record["kind"] == "hint").collect();
    ensure!(hints.len() == 1, "{hints:?}");
    let text = hints[0]["text"].as_str().unwrap_or_default();
    ensure!(text.contains("single sign-on") && text.contains("https://github.com/orgs/acme/sso?"), "{text}");
    ensure!(world.count("/refresh_token/ok")? == 0 && world.account()?["state"] == "active");
    Ok(())
}
