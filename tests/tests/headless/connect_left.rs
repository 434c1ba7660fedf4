//! What `signbell connect` leaves behind: after `--undo`, after a change of port, and in the person's settings.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use signbell_tests::process::Output;
use signbell_tests::{Curl, Sandbox, Serve};

use crate::settings::free_port;
use crate::world::{World, add, follow_links, provider, refused};

/// What `signbell connect` says to people.
fn connect(world: &World, args: &[&str]) -> Result<Output> {
    world.sandbox.run(&[&["connect"], args].concat())?.expect_code(0)
}

/// The same to programs.
fn told(world: &World, args: &[&str]) -> Result<Value> {
    let lines = world.sandbox.run_json(&[&["connect"], args].concat())?;
    lines.first().cloned().context("`connect` says nothing")
}

fn home(world: &World, name: &str) -> Result<PathBuf> {
    let path = world.sandbox.home().join(name);
    fs::create_dir_all(path.parent().context("no folder")?)?;
    Ok(path)
}

fn mode(path: &Path) -> Result<u32> {
    Ok(fs::metadata(path)?.permissions().mode() & 0o777)
}

/// What `connect --list` says of a client.
fn listed(sandbox: &Sandbox, client: &str) -> Result<Value> {
    let all = sandbox.run_json(&["connect", "--list"])?;
    all.into_iter().find(|one| one["client"] == client).with_context(|| format!("{client} is not listed"))
}

#[test]
fn one_service_of_several_goes_and_the_others_are_named() -> Result<()> {
    let (world, _) = World::signed_in("connect-one")?;
    world.add("issues", &[])?;
    connect(&world, &["cursor", "notes", "issues", "--yes"])?;
    let said = connect(&world, &["cursor", "elsewhere", "--undo", "--yes"])?.stderr;
    ensure!(said.contains("not connected to elsewhere, but to issues and notes"), "{said}");
    let said = connect(&world, &["cursor", "issues", "--undo", "--yes"])?.stdout;
    ensure!(said.contains("Disconnected Cursor from issues") && said.contains("still leads to notes"), "{said}");
    ensure!(!said.contains("says nothing"), "{said}");
    connect(&world, &["cursor", "issues", "--yes"])?;
    let undone = told(&world, &["cursor", "issues", "--undo", "--yes"])?;
    ensure!(undone["gone"] == json!(["issues"]) && undone["left"] == json!(["notes"]), "{undone}");
    // kubectl's file is ours as a whole, and loses one as well.
    world.sandbox.run_ok(&["account", "set", "ada", "--allow-token"])?;
    connect(&world, &["kubectl", "notes", "issues", "--yes"])?;
    let undone = told(&world, &["kubectl", "issues", "--undo", "--yes"])?;
    ensure!(undone["left"] == json!(["notes"]) && undone["tool"].is_null(), "{undone}");
    Ok(())
}

#[test]
fn the_tool_that_is_named_is_the_one_whose_key_is_there() -> Result<()> {
    let (world, _) = World::signed_in("connect-tool")?;
    world.add("issues", &[])?;
    let file = home(&world, ".cursor/mcp.json")?;
    let said = connect(&world, &["cursor", "notes", "--tool", "other", "--yes"])?.stdout;
    ensure!(said.contains("as the tool other"), "{said}");
    // The next service goes to the same, since the file has one key; and a key works for both.
    let told = told(&world, &["cursor", "issues", "--yes"])?;
    ensure!(told["tool"] == "other", "{told}");
    let written: Value = serde_json::from_str(&fs::read_to_string(&file)?)?;
    for service in ["notes", "issues"] {
        let server = &written["mcpServers"][service];
        let (url, key) = (server["url"].as_str().context("no url")?, server["headers"]["Authorization"].as_str());
        let me = Curl::new(format!("{url}/me")).header("authorization", key.context("no key")?).run()?;
        ensure!(me.status == 200, "{service}: {}", me.text());
    }
    // Another is another: its own key stands there then.
    connect(&world, &["cursor", "notes", "issues", "--tool", "third", "--yes"])?;
    let said = connect(&world, &["cursor", "--undo", "--yes"])?.stdout;
    ensure!(said.contains("`signbell tool remove third`"), "{said}");
    // So too where a program is started.
    connect(&world, &["cursor", "notes", "--stdio", "--tool", "other", "--yes"])?;
    let said = connect(&world, &["cursor", "--undo", "--yes"])?.stdout;
    ensure!(said.contains("`signbell tool remove other`"), "{said}");
    // Where nothing can be written, the command for that tool is named.
    fs::create_dir(world.sandbox.home().join(".git"))?;
    let said = refused(&world.sandbox, &["connect", "curl", "notes", "--tool", "other"], 13, "likely_committed")?;
    ensure!(said.contains("`signbell run --tool other -- curl …`"), "{said}");
    // Those whose helper is always the same tool say so.
    refused(&world.sandbox, &["connect", "docker", "notes", "--tool", "other"], 2, "usage")?;
    refused(&world.sandbox, &["connect", "kubectl", "notes", "--tool", "other"], 2, "usage")?;
    Ok(())
}

#[test]
fn what_is_set_for_a_registry_is_shown_and_undone() -> Result<()> {
    let (world, _) = World::signed_in("connect-rewrites")?;
    let rewrites = || -> Result<bool> {
        let config = fs::read_to_string(world.sandbox.signbell_home().join("config.toml"))?;
        Ok(config.contains("rewrite_addresses = true"))
    };
    let shown = connect(&world, &["npm", "notes", "--dry-run"])?;
    ensure!(shown.stderr.contains("rewrite_addresses is turned on for notes") && !rewrites()?, "{shown:?}");
    let shown = told(&world, &["npm", "notes", "--dry-run"])?;
    ensure!(shown["notes"] == json!([{"note": "rewrites", "service": "notes"}]), "{shown}");
    connect(&world, &["npm", "notes", "--yes"])?;
    ensure!(rewrites()?);
    // A second client needs it, and the first goes.
    connect(&world, &["pip", "notes", "--yes"])?;
    connect(&world, &["npm", "--undo", "--yes"])?;
    ensure!(rewrites()?, "pip needs it still");
    let undone = connect(&world, &["pip", "--undo", "--yes"])?;
    ensure!(undone.stderr.contains("rewrite_addresses is turned off for notes") && !rewrites()?, "{undone:?}");
    // The person's own stays.
    world.sandbox.run_ok(&["service", "set", "notes", "--rewrite-addresses"])?;
    connect(&world, &["cargo", "notes", "--yes"])?;
    connect(&world, &["cargo", "--undo", "--yes"])?;
    ensure!(rewrites()?, "the person turned it on");
    Ok(())
}

#[test]
fn g1_a_file_that_others_may_read_becomes_the_person_s_alone() -> Result<()> {
    let (world, _) = World::signed_in("connect-mode")?;
    let file = home(&world, ".npmrc")?;
    fs::write(&file, "save-exact=true\n")?;
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644))?;
    let shown = connect(&world, &["npm", "notes", "--dry-run"])?.stderr;
    ensure!(shown.contains("Others may read") && shown.contains("mode 0644") && mode(&file)? == 0o644, "{shown}");
    connect(&world, &["npm", "notes", "--yes"])?;
    ensure!(mode(&file)? == 0o600);
    let undone = connect(&world, &["npm", "--undo", "--yes"])?.stderr;
    ensure!(undone.contains("0644") && mode(&file)? == 0o644, "{undone}");
    // Without a key in it nothing is closed.
    connect(&world, &["npm", "notes", "--env", "--yes"])?;
    ensure!(mode(&file)? == 0o644);
    // Where others may be meant to read it, it stays as it is.
    let shared = world.sandbox.path("shared-npmrc");
    fs::write(&shared, "")?;
    fs::set_permissions(&shared, fs::Permissions::from_mode(0o644))?;
    world.sandbox.set_env("NPM_CONFIG_USERCONFIG", shared.to_string_lossy());
    let said = refused(&world.sandbox, &["connect", "npm", "notes", "--rotate", "--yes"], 13, "shared_file")?;
    ensure!(said.contains("--env") && mode(&shared)? == 0o644 && fs::read(&shared)?.is_empty(), "{said}");
    Ok(())
}

#[test]
fn where_the_key_comes_from_is_said_once() -> Result<()> {
    let (world, _) = World::signed_in("connect-env")?;
    let said = connect(&world, &["claude-code", "notes", "--project", "--env", "--dry-run"])?.stderr;
    ensure!(said.contains("likely to be committed") && said.contains("signbell run --tool claude-code -- claude"));
    ensure!(!said.contains("starts `signbell`"), "{said}");
    let said = connect(&world, &["claude-code", "notes", "--project", "--dry-run"])?.stderr;
    ensure!(said.contains("starts `signbell`") && !said.contains("SIGNBELL_KEY"), "{said}");
    Ok(())
}

#[test]
fn only_secrets_are_hidden_in_what_is_shown() -> Result<()> {
    let (world, _) = World::signed_in("connect-shown")?;
    fs::write(home(&world, ".docker/config.json")?, "{\n\t\"auths\": {},\n\t\"credsStore\": \"secretservice\"\n}\n")?;
    let shown = connect(&world, &["docker", "notes", "--dry-run"])?.stdout;
    ensure!(shown.contains("\t\"credsStore\": \"secretservice\",") && !shown.contains("\\u{9}"), "{shown}");
    let shown = connect(&world, &["cargo", "notes", "--dry-run"])?.stdout;
    ensure!(shown.contains("\"cargo:token-from-stdout\"") && !shown.contains('…'), "{shown}");
    Ok(())
}

#[test]
fn g1_no_key_is_left_behind() -> Result<()> {
    let (world, _) = World::signed_in("connect-keys")?;
    world.add("issues", &[])?;
    let own = "{\n  \"mcpServers\": {}\n}\n";
    let file = home(&world, ".cursor/mcp.json")?;
    fs::write(&file, own)?;
    for (client, more) in [("cursor", "issues"), ("zed", "issues"), ("curl", "issues")] {
        connect(&world, &[client, "notes", "--yes"])?;
        connect(&world, &[client, more, "--yes"])?;
    }
    let keys = || -> Result<Vec<PathBuf>> {
        let holds = |path: &PathBuf| fs::read(path).is_ok_and(|text| text.windows(4).any(|part| part == b"sbk_"));
        let all = world.sandbox.files()?.into_iter().filter(|path| path.starts_with(world.sandbox.home()));
        Ok(all.filter(holds).collect())
    };
    ensure!(keys()?.len() == 6, "{:?}", keys()?);
    for path in keys()? {
        ensure!(mode(&path)? == 0o600, "{}", path.display());
    }
    let said = connect(&world, &["cursor", "--undo", "--yes"])?.stdout;
    ensure!(said.contains("No key stands in its earlier backups"), "{said}");
    connect(&world, &["zed", "--undo", "--yes"])?;
    connect(&world, &["curl", "--undo", "--yes"])?;
    for path in keys()? {
        let text = fs::read_to_string(&path)?.replace("sbk_removed", "");
        ensure!(!text.contains("sbk_") && path.starts_with(home(&world, ".cursor/x")?.with_file_name("")), "{text}");
    }
    // What the person had is there as it was; of files that were all ours nothing is.
    ensure!(fs::read_to_string(&file)? == own);
    let left = fs::read_dir(world.sandbox.home().join(".config/zed"))?.count();
    ensure!(left == 0, "{left} files are left of Zed’s");
    Ok(())
}

const FILES: [(&str, &str, &str); 6] = [
    ("git", ".gitconfig", "[user]\n\tname = Ada\n"),
    ("cargo", ".cargo/config.toml", "# mine\n"),
    ("docker", ".docker/config.json", "{\n  \"auths\": {}\n}\n"),
    ("npm", ".npmrc", "; mine\n"),
    ("goose", ".config/goose/config.yaml", "GOOSE_MODE: auto\n"),
    ("cursor", ".cursor/mcp.json", "{\n  \"mcpServers\": {}\n}\n"),
];

#[test]
fn after_a_change_of_port_one_command_leads_all_clients_back() -> Result<()> {
    let sandbox = Sandbox::new("connect-again")?;
    sandbox.set_env("SIGNBELL_VAULT", "memory");
    sandbox.remove_env("SIGNBELL_PORT");
    follow_links(&sandbox)?;
    let provider = provider(&sandbox, &json!({}))?;
    let first = free_port()?;
    fs::write(sandbox.signbell_home().join("config.toml"), format!("[proxy]\nport = {first}\n"))?;
    let mut world = World { serve: Serve::start(&sandbox)?, provider, sandbox };
    add(&world.sandbox, &world.provider, "notes", &["--sign-in"])?;
    for (client, file, own) in FILES {
        fs::write(home(&world, file)?, own)?;
        connect(&world, &[client, "notes", "--yes"])?;
    }
    let said = connect(&world, &["--again"])?.stderr;
    ensure!(said.contains("Nothing to change"), "{said}");
    ensure!(listed(&world.sandbox, "git")?["elsewhere"] == json!([]));

    // Who looks at the old port is named where the port is set, in the list and by doctor.
    let second = free_port()?;
    let set = world.sandbox.run(&["settings", "set", "proxy.port", &second.to_string()])?.expect_code(0)?.stderr;
    for (client, title) in [("git", "git"), ("docker", "docker"), ("goose", "Goose"), ("cursor", "Cursor")] {
        ensure!(set.contains(title), "{client}: {set}");
    }
    ensure!(set.contains("`signbell connect --again`"), "{set}");
    for (client, ..) in FILES {
        let one = listed(&world.sandbox, client)?;
        ensure!(one["connected"] == json!(["notes"]), "{one}");
        ensure!(one["elsewhere"] == json!([{"service": "notes", "port": first}]), "{one}");
    }
    let list = connect(&world, &["--list"])?;
    ensure!(list.stdout.contains(&format!("notes (port {first})")) && list.stderr.contains("--again"), "{list:?}");
    let doctor = world.sandbox.run(&["doctor"])?.stdout;
    let named =
        |client: &str| doctor.contains(&format!("{client} looks for Signbell at port {first}, and it is at {second}"));
    for client in ["git", "cargo", "docker", "npm", "Goose", "Cursor"] {
        ensure!(named(client) && doctor.contains("`signbell connect --again` mends"), "{client}: {doctor}");
    }

    // Shown, then written; nobody's key changes, and what was there before comes back.
    let before = fs::read_to_string(home(&world, ".cursor/mcp.json")?)?;
    let shown = connect(&world, &["--again", "--dry-run"])?.stdout;
    ensure!(shown.contains(&format!("+[url \"http://127.0.0.1:{second}/notes/\"]")), "{shown}");
    ensure!(fs::read_to_string(home(&world, ".cursor/mcp.json")?)? == before);
    refused(&world.sandbox, &["connect", "--again"], 2, "usage")?;
    // The same without a running app, which knows the port from the settings.
    world.serve.stop()?;
    let done = world.sandbox.run_json(&["connect", "cursor", "--again", "--yes"])?;
    ensure!(done[0]["changed"] == true, "{done:?}");
    world.serve = Serve::start(&world.sandbox)?;
    let done = world.sandbox.run_json(&["connect", "--again", "--yes"])?;
    ensure!(done.len() == FILES.len() - 1 && done.iter().all(|one| one["changed"] == true), "{done:?}");
    let after = fs::read_to_string(home(&world, ".cursor/mcp.json")?)?;
    ensure!(after == before.replace(&first.to_string(), &second.to_string()), "{after}");
    let doctor = world.sandbox.run(&["doctor"])?.stdout;
    ensure!(!doctor.contains("looks for Signbell at port"), "{doctor}");
    for (client, file, own) in FILES {
        ensure!(listed(&world.sandbox, client)?["elsewhere"] == json!([]), "{client}");
        connect(&world, &[client, "--undo", "--yes"])?;
        let text = fs::read_to_string(home(&world, file)?)?;
        ensure!(text == own, "{client}: {text}");
    }
    Ok(())
}
