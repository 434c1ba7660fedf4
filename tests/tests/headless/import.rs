//! What other programs have: found, listed, and taken over only when ticked.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use signbell_tests::upstream::response;
use signbell_tests::{Sandbox, Serve};

use crate::double::{Bare, Double, path_of, query, value};
use crate::world::{self, Access, World, access, error_of, follow_links, refused};

/// Puts a file into the sandbox's home.
fn put(sandbox: &Sandbox, place: &str, text: &str) -> Result<()> {
    let path = sandbox.home().join(place);
    fs::create_dir_all(path.parent().context("no folder")?)?;
    Ok(fs::write(path, text)?)
}

/// Every file of a home, to see that none was changed.
fn all_of(home: &Path) -> Result<Vec<(std::path::PathBuf, Vec<u8>)>> {
    let mut all = vec![];
    let mut folders = vec![home.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            if path.is_dir() { folders.push(path) } else { all.push((path.clone(), fs::read(path)?)) }
        }
    }
    all.sort();
    Ok(all)
}

/// The item of this id.
fn item(lines: &[Value], id: &str) -> Result<Value> {
    lines.iter().find(|line| line["id"] == id).cloned().with_context(|| format!("no {id} in {lines:?}"))
}

/// mcp-remote's files for a server that a client starts it with, as it writes them.
fn mcp_remote(sandbox: &Sandbox, url: &str) -> Result<()> {
    let client = json!({"mcpServers": {"api": {"command": "npx", "args": ["-y", "mcp-remote", url]}}});
    put(sandbox, ".cursor/mcp.json", &client.to_string())?;
    let folder = ".mcp-auth/mcp-remote-0.1.38";
    let hash = md5(url)?;
    let info = json!({"client_id": "theirs", "redirect_uris": ["http://localhost:21345/oauth/callback"]});
    put(sandbox, &format!("{folder}/{hash}_client_info.json"), &info.to_string())?;
    let tokens = json!({"access_token": "canary-access-of-theirs", "token_type": "Bearer",
        "refresh_token": "canary-refresh-of-theirs", "scope": "read"});
    put(sandbox, &format!("{folder}/{hash}_tokens.json"), &tokens.to_string())
}

/// By a program that is not ours.
fn md5(text: &str) -> Result<String> {
    let output = signbell_tests::process::run(std::process::Command::new("md5sum"), text.as_bytes(), crate::SOON)?;
    Ok(output.expect_code(0)?.stdout.split(' ').next().unwrap_or_default().to_owned())
}

#[test]
fn a_client_s_server_is_listed_and_taken_only_when_named() -> Result<()> {
    let bare = Bare::new("import-client")?;
    let double = Double::plain()?;
    let sandbox = &bare.sandbox;
    let entry = json!({"url": double.api(), "headers": {"Authorization": "Bearer canary-of-the-client"}});
    put(sandbox, ".cursor/mcp.json", &json!({"mcpServers": {"Work Notes": entry}}).to_string())?;
    put(sandbox, ".gemini/settings.json", "{ broken canary-of-the-client")?;
    let before = all_of(&sandbox.home())?;

    // Listed, whatever else is there; nothing is taken, and no secret shown.
    for args in [&["import", "--json"][..], &["import", "--json", "--dry-run"], &["import"], &["import", "clients"]] {
        let output = sandbox.run(args)?.expect_code(0)?;
        ensure!(!format!("{}{}", output.stdout, output.stderr).contains("canary"), "{output:?}");
        ensure!(output.stdout.contains("clients:Work-Notes") && output.stderr.contains("--take"), "{output:?}");
        ensure!(output.stderr.contains(".gemini/settings.json is left out"), "{output:?}");
    }
    let lines = sandbox.run_json(&["import"])?;
    let listed = item(&lines, "clients:Work-Notes")?;
    ensure!(listed["complete"] == true && listed["url"] == double.api() && listed.get("here").is_none(), "{listed}");
    ensure!(listed["notes"][0].as_str().is_some_and(|note| note.contains("header of its own")), "{listed}");
    ensure!(lines.iter().any(|line| line["unusable"].as_str().is_some_and(|f| f.ends_with("settings.json"))));
    ensure!(sandbox.run_json(&["service", "list"])?.is_empty(), "taken without being asked");
    ensure!(double.seen().is_empty(), "somebody was asked: {:?}", double.seen());
    refused(sandbox, &["import", "--take", "clients:nothing"], 2, "unknown_id")?;

    // Taken: with a name of its own, registered anew, and it works.
    let taken = sandbox.run_json(&["import", "--take", "clients:Work-Notes", "--tool", "me"])?[0].clone();
    ensure!(taken["service"] == "work-notes" && taken["id"] == "clients:Work-Notes", "{taken}");
    ensure!(taken["with_tokens"] == false && taken["state"] == "needs_sign_in", "{taken}");
    let access = access(&taken)?;
    sandbox.run_ok(&["sign-in", taken["account"].as_str().context("no account")?])?;
    ensure!(access.get("/x")?["done"] == true);
    ensure!(
        double.seen().iter().all(|request| !format!("{:?}", request.headers).contains("canary")),
        "a client's header went out"
    );

    // Once it is here it says so, and `--all` leaves it.
    let listed = item(&sandbox.run_json(&["import"])?, "clients:Work-Notes")?;
    ensure!(listed["here"] == "work-notes", "{listed}");
    sandbox.run_ok(&["import", "--all"])?;
    ensure!(sandbox.run_json(&["service", "list"])?.len() == 1);
    ensure!(all_of(&sandbox.home())? == before, "a file of another program was changed");
    Ok(())
}

#[test]
fn another_program_s_sign_in_goes_on_only_when_wanted() -> Result<()> {
    let bare = Bare::new("import-mcp-remote")?;
    // Knows the other program's client with that program's redirect only, as a server does.
    let double = Double::start(|request, _| {
        let page = path_of(request) == "/authorize";
        let theirs = page && value(&query(request), "client_id") == "theirs";
        theirs.then(|| response("400 Bad Request", b"{\"error\":\"invalid_redirect_uri\"}"))
    })?;
    let sandbox = &bare.sandbox;
    mcp_remote(sandbox, &double.api())?;
    let before = all_of(&sandbox.home())?;
    let lines = sandbox.run_json(&["import"])?;
    let listed = item(&lines, "mcp-remote:api")?;
    ensure!(lines.len() == 1 && listed["places"].as_array().is_some_and(|places| places.len() == 2), "{lines:?}");
    ensure!(listed["tokens"] == "refresh" && !listed.to_string().contains("canary"), "{listed}");

    // Without a wish for more: a registration and a sign-in of our own; their tokens stay theirs.
    let taken = sandbox.run_json(&["import", "mcp-remote", "--take", "mcp-remote:api", "--tool", "me"])?[0].clone();
    ensure!(taken["state"] == "needs_sign_in" && double.asked("/register").len() == 1, "{taken}");
    ensure!(double.forms().is_empty(), "{:?}", double.forms());
    sandbox.run_ok(&["account", "remove", taken["account"].as_str().context("no account")?])?;
    sandbox.run_ok(&["tool", "remove", "me"])?;

    // With it: their client's id, their refresh token once, and what came of it is ours.
    let taken = sandbox.run_json(&["import", "--take", "mcp-remote:api", "--with-tokens", "--tool", "me"])?[0].clone();
    ensure!(taken["state"] == "active" && taken["with_tokens"] == true, "{taken}");
    let forms = double.forms();
    let redeemed = forms.last().context("no token request")?;
    ensure!(value(redeemed, "grant_type") == "refresh_token", "{redeemed:?}");
    ensure!(value(redeemed, "refresh_token") == "canary-refresh-of-theirs", "{redeemed:?}");
    ensure!(value(redeemed, "client_id") == "theirs" && double.pages().is_empty(), "{redeemed:?}");
    let access = access(&taken)?;
    ensure!(access.get("/x")?["done"] == true);
    let account = taken["account"].as_str().context("no account")?;
    sandbox.run_ok(&["refresh", account])?;
    let forms = double.forms();
    ensure!(forms.last().is_some_and(|form| value(form, "refresh_token") != "canary-refresh-of-theirs"), "{forms:?}");

    // What is signed in is never put at risk for another program's token.
    let again = json!({"do": "adopt", "service": taken["service"], "refresh_token": "another-refresh-token"});
    let reply = world::control(sandbox, &again)?;
    ensure!(reply["code"] == "signed_in_already" && double.forms().len() == forms.len(), "{reply}");

    // A later sign-in: the server knows that client's redirect only, so Signbell registers one of its own.
    let registered = double.asked("/register").len();
    sandbox.run_ok(&["sign-in", account, "--force"])?;
    ensure!(double.asked("/register").len() == registered + 1, "no registration of our own");
    ensure!(access.get("/x")?["done"] == true);
    ensure!(double.pages().iter().all(|page| value(&query(page), "client_id") == "double"));
    ensure!(all_of(&sandbox.home())? == before, "a file of another program was changed");
    ensure!(sandbox.files_containing("canary-", |file| file.starts_with(sandbox.home()))?.is_empty());
    Ok(())
}

#[test]
fn a_real_server_s_refresh_token_moves_over() -> Result<()> {
    // The other program: here a Signbell of its own, whose token the provider tells us.
    let (theirs, _) = World::signed_in("import-theirs")?;
    let tokens = theirs.provider.control("GET", "/tokens", &[("login", "ada")], None)?;
    let refresh = tokens["RefreshToken"][0].as_str().with_context(|| format!("no refresh token: {tokens}"))?;
    let issuer = theirs.provider.issuer()?;
    let sandbox = Sandbox::new("import-ours")?;
    sandbox.set_env("SIGNBELL_VAULT", "memory");
    follow_links(&sandbox)?;
    let _serve = Serve::start(&sandbox)?;
    let account = json!({
        "name": "work", "issuer_url": issuer, "client_id": world::CLIENT, "client_secret": "",
        "refresh_token": refresh, "auth_scope": "openid email offline_access", "redirect_uris": [],
    });
    put(&sandbox, ".config/oidc-agent/work", &account.to_string())?;

    // The source names no service: the person does.
    let message = refused(&sandbox, &["import", "--take", "oidc-agent:work"], 2, "incomplete")?;
    ensure!(message.contains("--url"), "{message}");
    let api = theirs.provider.api()?;
    let args = ["import", "--take", "oidc-agent:work", "--url", api, "--with-tokens", "--tool", "me"];
    let taken = sandbox.run_json(&args)?[0].clone();
    ensure!(taken["state"] == "active" && taken["with_tokens"] == true, "{taken}");
    let mine: Access = access(&taken)?;
    ensure!(mine.get("/me")?["login"] == "ada");
    ensure!(theirs.count("/authorize")? == 1, "somebody signed in again");
    let status = sandbox.run_json(&["status"])?[0]["accounts"][0].clone();
    ensure!(status["identity"] == "ada@example.test" && status["refreshable"] == true, "{status}");

    // It rotates: what was said of the other program is so.
    let output = theirs.sandbox.run(&["refresh", "ada", "--json"])?;
    ensure!(output.code == Some(10), "{output:?}");
    Ok(())
}

#[test]
fn a_token_that_is_no_good_leaves_the_service_and_says_what_to_do() -> Result<()> {
    let world = World::new("import-dead")?;
    let account = json!({
        "name": "work", "issuer_url": world.provider.issuer()?, "client_id": world::CLIENT,
        "refresh_token": "canary-dead-refresh-token", "auth_scope": "openid",
    });
    put(&world.sandbox, ".config/oidc-agent/work", &account.to_string())?;
    let api = world.provider.api()?;
    let args = ["import", "--take", "oidc-agent:work", "--url", api, "--with-tokens", "--json"];
    let output = world.sandbox.run(&args)?.expect_code(0)?;
    let taken = output.json()?[0].clone();
    ensure!(taken["with_tokens"] == false && taken["state"] == "needs_sign_in", "{taken}");
    let account = taken["account"].as_str().context("no account")?;
    ensure!(output.stderr.contains(&format!("signbell sign-in {account}")), "{output:?}");
    ensure!(!format!("{}{}", output.stdout, output.stderr).contains("canary"), "{output:?}");
    world.sandbox.run_ok(&["sign-in", account])?;
    Ok(())
}

#[test]
fn g1_no_secret_of_an_address_is_shown() -> Result<()> {
    let sandbox = Sandbox::new("import-address")?;
    let servers = json!({
        "query": {"url": "https://mcp.example.test/mcp?api_key=canary-1#canary-2"},
        "user": {"url": "https://ada:canary-3@mcp.example.test/own"},
        "ours": {"url": "http://127.0.0.1:8401/k/sbk_canary-4/notes"},
    });
    put(&sandbox, ".cursor/mcp.json", &json!({"mcpServers": servers}).to_string())?;
    for args in [&["import"][..], &["import", "--json"], &["import", "--take", "clients:query"], &["import", "--all"]] {
        let output = sandbox.run(args)?;
        ensure!(!format!("{}{}", output.stdout, output.stderr).contains("canary"), "{output:?}");
    }
    let lines = sandbox.run_json(&["import"])?;
    ensure!(item(&lines, "clients:query")?["url"] == "https://mcp.example.test/mcp?…", "{lines:?}");
    ensure!(item(&lines, "clients:user")?["url"] == "https://mcp.example.test/own", "{lines:?}");
    ensure!(item(&lines, "clients:ours")?["url"] == "http://127.0.0.1:8401/k/…/notes", "{lines:?}");
    Ok(())
}

#[test]
fn without_a_running_app_it_still_lists() -> Result<()> {
    let sandbox = Sandbox::new("import-alone")?;
    put(&sandbox, ".cursor/mcp.json", "{\"mcpServers\": {\"a\": {\"url\": \"https://mcp.example.test/mcp\"}}}")?;
    ensure!(sandbox.run_json(&["import"])?[0]["id"] == "clients:a");
    let output = sandbox.run(&["import", "--take", "clients:a", "--json"])?.expect_code(3)?;
    ensure!(error_of(&output)?["code"] == "not_running", "{output:?}");
    // Another place than the usual one.
    put(&sandbox, "elsewhere/hosts.yml", "github.com:\n    user: ada\n    oauth_token: gho_canary\n")?;
    let from = sandbox.home().join("elsewhere/hosts.yml");
    let from = from.to_str().context("no text")?;
    let lines = sandbox.run_json(&["import", "gh", "--from", from])?;
    ensure!(lines[0]["id"] == "gh:ada@github.com" && lines[0]["complete"] == false, "{lines:?}");
    let message =
        refused(&sandbox, &["import", "gh", "--from", from, "--take", "gh:ada@github.com"], 3, "not_running")?;
    ensure!(!message.is_empty());
    // A place that the person names is one that must be there.
    let message = refused(&sandbox, &["import", "gh", "--from", "/no/such/hosts.yml"], 1, "no_file")?;
    ensure!(message.contains("/no/such/hosts.yml"), "{message}");
    Ok(())
}

#[test]
fn in_a_terminal_it_asks_which() -> Result<()> {
    let bare = Bare::new("import-terminal")?;
    let double = Double::plain()?;
    let sandbox = &bare.sandbox;
    let servers = json!({"first": {"url": "https://mcp.example.test/mcp"}, "second": {"url": double.api()}});
    put(sandbox, ".cursor/mcp.json", &json!({"mcpServers": servers}).to_string())?;
    let binary = signbell_tests::sandbox::binary("signbell")?;
    for (answer, taken) in [("", 0), ("7", 0), ("2", 1)] {
        // util-linux' `script` gives it a terminal.
        let mut command = sandbox.command("script");
        command.args(["-qec", &format!("'{}' import", binary.display()), "/dev/null"]);
        let output = signbell_tests::process::run(command, format!("{answer}\n").as_bytes(), crate::SOON)?;
        ensure!(output.stdout.contains("clients:second") && output.stdout.contains("Which ones?"), "{output:?}");
        let services = sandbox.run_json(&["service", "list"])?;
        ensure!(services.len() == taken, "{answer:?}: {services:?}, {output:?}");
    }
    ensure!(sandbox.run_json(&["service", "list"])?[0]["service"] == "second");
    Ok(())
}
