//! Every provider that is known beforehand, in its own words: signed in, used, renewed, down, dead.
//!
//! The servers are doubles (`signbell_tests::known_provider` says why); all else is real.

mod cases;

use std::collections::BTreeSet;
use std::fs;
use std::net::TcpListener;
use std::sync::{Arc, OnceLock};

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use signbell_tests::known_provider::{CLIENT, KnownProvider, value};
use signbell_tests::process::run;
use signbell_tests::upstream::{Reply, ok, response};
use signbell_tests::{Curl, Sandbox, Saved, Serve, Upstream, wait_ok};

use self::cases::{CASES, Case};
use crate::SOON;
use crate::world::{Access, access, account, follow_links, refused, wait_account};

/// A provider with an account at it and a tool that may use its API.
struct Stage {
    access: Access,
    _serve: Serve,
    double: KnownProvider,
    sandbox: Sandbox,
}

impl Stage {
    /// Adds the double's API as a person would, and then, as one with an installation of their own, sets
    /// where its endpoints are.
    fn new(case: &Case, more: &[&str]) -> Result<Self> {
        let double = KnownProvider::start(case.name)?;
        let sandbox = Sandbox::new(case.name)?;
        sandbox.set_env("SIGNBELL_VAULT", "sealed-file");
        sandbox.set_env("SIGNBELL_PASSPHRASE", "correct horse");
        follow_links(&sandbox)?;
        let mut serve = Serve::start(&sandbox)?;
        let issuer = case.issuer.map(|path| format!("{}{path}", double.base()));
        let mut command = sandbox.signbell()?;
        command.args(["add", &double.api(), "--name", "api", "--account", "ada", "--tool", "script", "--json"]);
        command.args(["--provider-preset", case.name, "--client-id", CLIENT]).args(more);
        command.args(issuer.iter().flat_map(|issuer| ["--issuer", issuer]));
        command.args(case.secret.then_some("--client-secret-stdin"));
        let added = run(command, b"s3cr3t\n", SOON)?.expect_code(0)?.json()?;
        let access = access(added.first().context("no line of `add`")?)?;
        serve.stop()?;
        let path = sandbox.signbell_home().join("config.toml");
        let config = fs::read_to_string(&path)?;
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        // The preset's own port is one for all tests.
        let mut settings = format!("redirect_port = {port}\n");
        if case.issuer.is_none() {
            for endpoint in ["authorization", "token", "identity"] {
                let at = endpoint.replace("authorization", "authorize");
                settings += &format!("{endpoint}_endpoint = \"{}/{at}\"\n", double.base());
            }
        }
        let client = format!("client_id = \"{CLIENT}\"\n");
        ensure!(config.contains(&client) && config.contains(&format!("preset = \"{}\"", case.name)), "{config}");
        fs::write(&path, config.replace(&client, &format!("{client}{settings}")))?;
        let serve = Serve::start(&sandbox)?;
        sandbox.run_ok(&["service", "set", "api", "--hold", "0"])?;
        let access = Access { url: serve.url("/api"), ..access };
        Ok(Self { access, _serve: serve, double, sandbox })
    }

    fn signed_in(case: &Case) -> Result<Self> {
        let stage = Self::new(case, &[])?;
        stage.sandbox.run_ok(&["sign-in", "ada"])?;
        Ok(stage)
    }

    fn account(&self) -> Result<Value> {
        account(&self.sandbox)
    }

    /// Calls the API until the account stands as wanted: a provider that was down is asked again only after
    /// a while.
    fn call_until(&self, what: &str, wanted: impl Fn(&Value) -> bool) -> Result<Value> {
        wait_ok(what, SOON, || {
            self.access.curl("/x").run()?;
            let account = self.account()?;
            ensure!(wanted(&account), "{account}");
            Ok(account)
        })
    }
}

fn case(name: &str) -> Result<&'static Case> {
    CASES.iter().find(|case| case.name == name).with_context(|| name.to_owned())
}

/// The whole life of a session.
fn play(name: &str) -> Result<()> {
    let case = case(name)?;
    let stage = Stage::signed_in(case)?;
    let (double, access) = (&stage.double, &stage.access);

    // The request, as this provider wants it.
    let authorize = double.authorize();
    for (name, expected) in case.authorize {
        ensure!(value(&authorize, name) == Some(expected), "{name}: {authorize:?}");
    }
    ensure!(value(&authorize, "code_challenge_method") == Some("S256"), "{authorize:?}");
    let redirect = value(&authorize, "redirect_uri").unwrap_or_default();
    ensure!(redirect.starts_with(case.redirect) && redirect.ends_with("/callback"), "{redirect}");
    let exchanged = double.tokens().first().cloned().context("no token request")?;
    ensure!(exchanged.get("client_id") == Some(CLIENT), "{exchanged:?}");
    ensure!(exchanged.get("client_secret") == case.secret.then_some("s3cr3t"), "{exchanged:?}");
    ensure!(exchanged.get("redirect_uri") == Some(redirect) && exchanged.get("code_verifier").is_some());

    // Who it is, what it may do, and that the token is the right one of the answer.
    let account = stage.account()?;
    ensure!(account["state"] == "active" && account["identity"] == case.identity, "{account}");
    let shipped = stage.sandbox.run_json(&["provider", "presets", name])?;
    ensure!(account["provider"] == shipped[0]["title"], "{account}");
    ensure!(access.get("/x")?["token"] == double.note("token", "access")?.as_str());

    // Refused: renewed, and the tool does not notice.
    double.refuse();
    ensure!(access.get("/x")?["token"] == double.note("refresh", "access")?.as_str());
    let renewed = double.tokens().last().cloned().context("no refresh")?;
    ensure!(renewed.get("grant_type") == Some("refresh_token"), "{renewed:?}");
    ensure!(renewed.get("client_secret") == case.secret.then_some("s3cr3t"), "{renewed:?}");
    let account = stage.account()?;
    ensure!(account["scopes"] == json!(case.scopes), "{account}");

    // Down: nobody is signed out.
    double.answer_refresh("refresh-busy");
    double.refuse();
    let response = access.curl("/x").run()?;
    ensure!(response.status == 503, "{response:?}");
    let account = stage.account()?;
    ensure!(account["state"] != "needs_sign_in", "{account}");

    // Dead, in this provider's words.
    double.answer_refresh("refresh-dead");
    let account = stage.call_until("the end of the session", |account| account["state"] == "needs_sign_in")?;
    ensure!(account["reason"] == "ended_by_provider", "{account}");

    // And signed in again.
    stage.sandbox.run_ok(&["sign-in", "ada"])?;
    ensure!(access.get("/x")?["token"] == double.note("token", "access")?.as_str());

    let mut files = KnownProvider::files(name)?;
    files.retain(|file| !case.others.contains(&file.as_str()));
    ensure!(double.played() == files, "{:?} of {files:?}", double.played());
    Ok(())
}

macro_rules! each {
    ($($name:ident),* $(,)?) => {$(
        #[test]
        fn $name() -> Result<()> {
            play(stringify!($name))
        }
    )*

        #[test]
        fn every_preset_and_every_answer_is_played_and_has_a_source() -> Result<()> {
            let played: BTreeSet<&str> = [$(stringify!($name)),*].into();
            let folders: Result<BTreeSet<String>> = fs::read_dir(KnownProvider::folder())?
                .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
                .collect();
            ensure!(folders?.iter().map(String::as_str).collect::<BTreeSet<_>>() == played);
            let sandbox = Sandbox::new("presets")?;
            let shipped = sandbox.run_json(&["provider", "presets"])?;
            ensure!(shipped.iter().map(|line| line["preset"].as_str().unwrap_or_default()).collect::<BTreeSet<_>>() == played);
            for name in played {
                for file in KnownProvider::files(name)? {
                    let saved = Saved::read(&KnownProvider::folder().join(name).join(format!("{file}.http")))?;
                    let source = saved.note("source").unwrap_or_default();
                    ensure!(source.starts_with("https://"), "{name}/{file}: {source:?}");
                    ensure!(saved.note("note").is_some(), "{name}/{file}: what is literal in it?");
                }
                for other in case(name)?.others {
                    ensure!(OTHERS.contains(&(name, *other)), "{name}/{other} is played by nobody");
                }
            }
            Ok(())
        }
    };
}

each![
    atlassian, auth0, dropbox, entra, github, gitlab, google, keycloak, linear, notion, okta, salesforce, slack,
    spotify
];

/// The answers that the tests below play.
const OTHERS: &[(&str, &str)] = &[
    ("atlassian", "refresh-dead-standard"),
    ("entra", "refresh-person"),
    ("github", "token-lasting"),
    ("github", "token-wrong-secret"),
    ("slack", "token-lasting"),
];

#[test]
fn tokens_that_never_end_need_the_person_once_they_are_refused() -> Result<()> {
    for (name, scopes) in [("github", &["gist", "repo"][..]), ("slack", &["chat:write"])] {
        let stage = Stage::new(case(name)?, &[])?;
        stage.double.answer_code("token-lasting");
        stage.sandbox.run_ok(&["sign-in", "ada"])?;
        let account = stage.account()?;
        ensure!(account["state"] == "active" && account["expires_at"].is_null(), "{account}");
        ensure!(account["refreshable"] == false && account["scopes"] == json!(scopes), "{account}");
        // Slack has a bot's token beside it.
        ensure!(stage.access.get("/x")?["token"] == stage.double.note("token-lasting", "access")?.as_str());
        stage.double.refuse();
        ensure!(stage.access.curl("/x").run()?.status == 401);
        let account = wait_account(&stage.sandbox, "the end", |account| account["state"] == "needs_sign_in")?;
        ensure!(account["reason"] == "no_refresh_token", "{account}");
    }
    Ok(())
}

#[test]
fn other_ways_to_end_a_session() -> Result<()> {
    for (name, file, reason) in [
        ("atlassian", "refresh-dead-standard", "ended_by_provider"),
        ("entra", "refresh-person", "interaction_required"),
    ] {
        let stage = Stage::signed_in(case(name)?)?;
        stage.double.answer_refresh(file);
        stage.double.refuse();
        ensure!(stage.access.curl("/x").run()?.status == 401);
        let account = stage.account()?;
        ensure!(account["state"] == "needs_sign_in" && account["reason"] == reason, "{account}");
    }
    Ok(())
}

#[test]
fn an_error_with_the_status_200_is_no_sign_in() -> Result<()> {
    let stage = Stage::new(case("github")?, &[])?;
    stage.double.answer_code("token-wrong-secret");
    let message = refused(&stage.sandbox, &["sign-in", "ada"], 12, "exchange_failed")?;
    ensure!(message.contains("invalid_client"), "{message}");
    Ok(())
}

#[test]
fn scopes_are_written_as_the_provider_reads_them() -> Result<()> {
    let more = ["--scope", "write", "--scope", "read"];
    for (name, parameter, expected) in
        [("slack", "user_scope", "read,write"), ("linear", "scope", "read,write"), ("github", "scope", "read write")]
    {
        let stage = Stage::new(case(name)?, &more)?;
        stage.sandbox.run_ok(&["sign-in", "ada"])?;
        let authorize = stage.double.authorize();
        ensure!(value(&authorize, parameter) == Some(expected), "{name}: {authorize:?}");
        ensure!(parameter == "scope" || value(&authorize, "scope").is_none(), "{name}: {authorize:?}");
    }
    Ok(())
}

#[test]
fn d2_a_tenant_s_metadata_may_not_name_another_host() -> Result<()> {
    // Without the preset the template is another issuer, as for any server.
    let double = KnownProvider::start("entra")?;
    let sandbox = Sandbox::new("template")?;
    sandbox.set_env("SIGNBELL_VAULT", "memory");
    let _serve = Serve::start(&sandbox)?;
    let issuer = format!("{}/common/v2.0", double.base());
    let (api, add) = (double.api(), ["--issuer", &issuer, "--client-id", CLIENT]);
    let message = refused(&sandbox, &[&["add", &api], &add[..]].concat(), 1, "bad_metadata")?;
    ensure!(message.contains("tenantid"), "{message}");
    // With it, a tenant that was asked for by its id is that tenant.
    let tenant = format!("{}/9188040d-6c67-4c5b-b112-36a304b66dad/v2.0", double.base());
    let add = ["add", &api, "--issuer", &tenant, "--client-id", CLIENT, "--provider-preset", "entra"];
    refused(&sandbox, &add, 1, "bad_metadata")?;
    Ok(())
}

#[test]
fn a_stranger_s_service_gets_no_token_of_a_provider_by_saying_so() -> Result<()> {
    let sandbox = Sandbox::new("stranger")?;
    sandbox.set_env("SIGNBELL_VAULT", "memory");
    let _serve = Serve::start(&sandbox)?;
    for issuer in ["https://github.com/login/oauth", "https://login.microsoftonline.com/common/v2.0"] {
        let address = Arc::new(OnceLock::<String>::new());
        let own = Arc::clone(&address);
        let service = Upstream::start(move |request| {
            let own = own.get().cloned().unwrap_or_default();
            let document = json!({"resource": own, "authorization_servers": [issuer], "scopes_supported": ["repo"]});
            Reply::Bytes(match request.target.as_str() {
                "/.well-known/oauth-protected-resource" => ok(&document.to_string()),
                _ => response("401 Unauthorized\r\nwww-authenticate: Bearer", b"no"),
            })
        })?;
        let _ = address.set(service.address().to_owned());
        let message = refused(&sandbox, &["add", service.address(), "--client-id", "x"], 13, "provider_needs_naming")?;
        ensure!(message.contains(&format!("--issuer {issuer}")), "{message}");
    }
    ensure!(sandbox.run_json(&["status"])?[0]["services"] == json!([]));
    Ok(())
}

#[test]
fn what_a_person_must_do_first_is_said() -> Result<()> {
    let sandbox = Sandbox::new("console")?;
    sandbox.set_env("SIGNBELL_VAULT", "memory");
    let serve = Serve::start(&sandbox)?;
    // By the address alone, and without asking anybody: who signs in there is known.
    for (url, console, redirect) in [
        ("https://api.github.com", "https://github.com/settings/developers", "http://127.0.0.1/callback"),
        ("https://gmail.googleapis.com", "https://console.cloud.google.com/auth/clients", "http://127.0.0.1/callback"),
        ("https://slack.com/api", "https://api.slack.com/apps", "http://localhost:8412/callback"),
        ("https://graph.microsoft.com/v1.0", "https://entra.microsoft.com/", "http://localhost/callback"),
    ] {
        let message = refused(&sandbox, &["add", url], 2, "client_id_needed")?;
        for part in [console, redirect, "--client-id"] {
            ensure!(message.contains(part), "{url}: no {part} in {message}");
        }
    }
    // By the issuer.
    let add = ["add", "https://api.example.test", "--issuer", "https://github.com"];
    refused(&sandbox, &add, 2, "client_id_needed")?;
    let message = refused(&sandbox, &[&add[..], &["--client-id", "x"]].concat(), 2, "client_secret_needed")?;
    ensure!(message.contains("--client-secret-stdin"), "{message}");
    // What is known of GitHub is not known of another server.
    let other = ["add", "https://ghe.example.test/api", "--issuer", "https://ghe.example.test/login/oauth"];
    let message = refused(&sandbox, &[&other[..], &["--provider-preset", "github"]].concat(), 2, "preset_of_another")?;
    ensure!(message.contains("ghe.example.test"), "{message}");
    let okta = ["add", "https://api.example.test", "--provider-preset", "okta"];
    let message = refused(&sandbox, &okta, 2, "issuer_needed")?;
    ensure!(message.contains("https://{organisation}.okta.com"), "{message}");
    refused(&sandbox, &["add", "https://api.example.test", "--provider-preset", "x"], 1, "unknown_preset")?;
    refused(&sandbox, &["provider", "presets", "x"], 1, "unknown_preset")?;
    // With what it needs it is added, and nothing more is asked.
    let mut command = sandbox.signbell()?;
    command.args(["add", "https://api.github.com", "--client-id", "x", "--client-secret-stdin", "--json"]);
    let added = run(command, b"s3cr3t\n", SOON)?.expect_code(0)?.json()?;
    ensure!(added[0]["service"] == "github" && added[0]["preset"] == "github", "{added:?}");
    let config = fs::read_to_string(sandbox.signbell_home().join("config.toml"))?;
    ensure!(config.contains("issuer = \"https://github.com/login/oauth\""), "{config}");
    // A mistake in the settings is named.
    drop(serve);
    let path = sandbox.signbell_home().join("config.toml");
    fs::write(&path, config.replacen("preset = \"github\"", "preset = \"gitub\"", 1))?;
    let output = sandbox.run(&["serve", "--json"])?.expect_code(1)?;
    ensure!(output.stdout.contains("gitub"), "{output:?}");
    let about = sandbox.run(&["provider", "presets", "atlassian"])?.expect_code(0)?.stdout;
    ensure!(about.contains("accessible-resources") && about.contains("http://127.0.0.1:8412/callback"), "{about}");
    Ok(())
}

#[test]
fn l7_a_redirect_to_localhost_takes_no_other_name() -> Result<()> {
    let stage = Stage::new(case("salesforce")?, &[])?;
    let mut pending = stage.sandbox.signbell()?;
    pending.args(["sign-in", "ada", "--no-browser", "--json"]);
    let output = std::thread::scope(|scope| -> Result<_> {
        let command = scope.spawn(|| run(pending, b"", SOON));
        let config = fs::read_to_string(stage.sandbox.signbell_home().join("config.toml"))?;
        let port = config.lines().find_map(|line| line.strip_prefix("redirect_port = ")).context("no port")?;
        let at = |host: &str| Curl::new(format!("http://127.0.0.1:{port}/callback?x")).header("host", host);
        let answer = |host: &str| at(host).run();
        wait_ok("the loopback", SOON, || answer(&format!("localhost:{port}")))?;
        for (host, status) in [
            (format!("localhost:{port}"), 400),
            (format!("127.0.0.1:{port}"), 403),
            (format!("localhost.evil.test:{port}"), 403),
        ] {
            ensure!(answer(&host)?.status == status, "{host}");
        }
        stage.sandbox.run_ok(&["sign-out", "ada"])?;
        command.join().map_err(|_| anyhow::anyhow!("the command's thread panicked"))?
    })?;
    ensure!(output.stdout.contains("authorize_url"), "{output:?}");
    Ok(())
}
