//! `signbell connect`: a client's own file is shown, written and undone, and what is written works.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use signbell_tests::process::run;
use signbell_tests::upstream::{Reply, response};
use signbell_tests::{Curl, Upstream};

use crate::SOON;
use crate::mcp::{Mcp, V1, ensure_carried};
use crate::world::{World, refused};

/// A JSON file in the sandbox's home.
fn json_file(world: &World, name: &str) -> Result<Value> {
    let path = world.sandbox.home().join(name);
    let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    Ok(serde_json::from_str(&text)?)
}

/// The names of all tools.
fn tools(world: &World) -> Result<Vec<String>> {
    let status = world.sandbox.run_json(&["status"])?;
    let tools = status[0]["tools"].as_array().context("no tools")?.clone();
    Ok(tools.iter().filter_map(|tool| tool["tool"].as_str().map(str::to_owned)).collect())
}

fn connect(world: &World, args: &[&str]) -> Result<Value> {
    let lines = world.sandbox.run_json(&[&["connect"], args].concat())?;
    lines.first().cloned().context("`connect` says nothing")
}

#[test]
fn a_client_s_file_is_shown_written_and_undone() -> Result<()> {
    let (world, _) = World::signed_in("connect")?;
    let file = world.sandbox.home().join(".claude.json");
    let before = "{\n  \"numStartups\": 3,\n  \"mcpServers\": {},\n  \"token\": \"0123456789abcdef\"\n}";
    fs::write(&file, before)?;

    // Shown, and nothing is done: no file, no backup, no tool.
    let shown = connect(&world, &["claude-code", "notes", "--dry-run"])?;
    ensure!(shown["changed"] == false && shown["form"] == "key", "{shown}");
    let diff = shown["diff"].as_str().context("no diff")?;
    ensure!(diff.contains("+    \"notes\": {") && diff.contains("Bearer sbk_…") && !diff.contains("56789ab"), "{diff}");
    ensure!(fs::read_to_string(&file)? == before && tools(&world)? == ["script"]);
    // Nobody can be asked here.
    let said = refused(&world.sandbox, &["connect", "claude-code", "notes"], 2, "usage")?;
    ensure!(said.contains("--yes"), "{said}");
    ensure!(fs::read_to_string(&file)? == before && tools(&world)? == ["script"]);

    // Written, with a key that works.
    let output = world.sandbox.run_ok(&["connect", "claude-code", "notes", "--yes"])?;
    ensure!(output.contains("Connected Claude Code"), "{output}");
    let written = json_file(&world, ".claude.json")?;
    let server = &written["mcpServers"]["notes"];
    ensure!(server["type"] == "http" && written["numStartups"] == 3, "{written}");
    let key = server["headers"]["Authorization"].as_str().context("no key")?.to_owned();
    ensure!(!output.contains(key.trim_start_matches("Bearer ")), "the key was printed");
    let url = server["url"].as_str().context("no url")?.to_owned();
    let with_key = || Curl::new(format!("{url}/me")).header("authorization", &key).run();
    ensure!(with_key()?.status == 200);
    let backups: Vec<PathBuf> = world
        .sandbox
        .files()?
        .into_iter()
        .filter(|path| path.to_string_lossy().contains(".claude.json.signbell-"))
        .collect();
    ensure!(backups.len() == 1 && fs::read_to_string(&backups[0])? == before, "{backups:?}");

    // Once more changes nothing, the key least of all; a second service gets the same.
    let text = fs::read_to_string(&file)?;
    ensure!(connect(&world, &["claude-code", "notes", "--yes"])?["changed"] == false);
    ensure!(fs::read_to_string(&file)? == text && with_key()?.status == 200);
    world.add("issues", &[])?;
    connect(&world, &["claude-code", "issues", "--yes"])?;
    ensure!(json_file(&world, ".claude.json")?["mcpServers"]["issues"]["headers"]["Authorization"] == key.as_str());
    let listed = world.sandbox.run_json(&["connect", "--list"])?;
    let claude = listed.iter().find(|client| client["client"] == "claude-code").context("not listed")?;
    ensure!(claude["found"] == true && claude["connected"] == serde_json::json!(["issues", "notes"]), "{claude}");

    // One goes; the person changes something; all go, and that stays.
    connect(&world, &["claude-code", "issues", "--undo", "--yes"])?;
    ensure!(fs::read_to_string(&file)? == text);
    fs::write(&file, text.replace("\"numStartups\": 3", "\"numStartups\": 4"))?;
    let undone = world.sandbox.run_ok(&["connect", "claude-code", "--undo", "--yes"])?;
    ensure!(undone.contains("signbell tool remove claude-code"), "{undone}");
    ensure!(fs::read_to_string(&file)? == before.replace("\"numStartups\": 3", "\"numStartups\": 4"));
    ensure!(connect(&world, &["claude-code", "--undo"])?["changed"] == false);

    // The tool is there, its key is not: nothing without a word.
    let said = refused(&world.sandbox, &["connect", "claude-code", "notes", "--yes"], 1, "key_unknown")?;
    ensure!(said.contains("--rotate") && said.contains("--stdio"), "{said}");
    ensure!(with_key()?.status == 200, "the key is no longer good");
    connect(&world, &["claude-code", "notes", "--rotate", "--yes"])?;
    ensure!(with_key()?.status == 401);
    Ok(())
}

#[test]
fn in_a_terminal_the_person_is_asked() -> Result<()> {
    let (world, _) = World::signed_in("connect-asked")?;
    let program = world.sandbox.signbell()?.get_program().to_string_lossy().into_owned();
    let file = world.sandbox.home().join(".config/zed/settings.json");
    let answered = |answer: &str| -> Result<String> {
        // script(1) gives it a terminal of its own.
        let mut script = world.sandbox.command("script");
        script.args(["-qec", &format!("'{program}' connect zed notes"), "/dev/null"]);
        Ok(run(script, answer.as_bytes(), SOON)?.expect_code(0)?.stdout)
    };
    let said = answered("n\n")?;
    ensure!(said.contains("Write it?") && said.contains("Nothing was written") && !file.exists(), "{said}");
    ensure!(tools(&world)? == ["script"]);
    let said = answered("y\n")?;
    ensure!(said.contains("Connected Zed") && file.exists(), "{said}");
    Ok(())
}

#[test]
fn g1_no_key_where_it_would_be_committed() -> Result<()> {
    let (world, _) = World::signed_in("connect-project")?;
    let project = connect(&world, &["claude-code", "notes", "--project", "--yes"])?;
    ensure!(project["form"] == "program" && project["notes"][0]["note"] == "likely-committed", "{project}");
    let server = json_file(&world, ".mcp.json")?["mcpServers"]["notes"].clone();
    ensure!(server["command"] == "signbell" && server["args"][0] == "mcp", "{server}");
    let env = connect(&world, &["claude-code", "notes", "--project", "--env", "--yes"])?;
    ensure!(env["form"] == "variable", "{env}");
    let server = json_file(&world, ".mcp.json")?["mcpServers"]["notes"].clone();
    ensure!(server["headers"]["Authorization"] == "Bearer ${SIGNBELL_KEY}", "{server}");

    // A home folder that is kept in git.
    fs::create_dir(world.sandbox.home().join(".git"))?;
    ensure!(connect(&world, &["cursor", "notes", "--yes"])?["form"] == "program");
    ensure!(!fs::read_to_string(world.sandbox.home().join(".cursor/mcp.json"))?.contains("sbk_"));
    refused(&world.sandbox, &["connect", "curl", "notes", "--yes"], 13, "likely_committed")?;
    Ok(())
}

#[test]
fn what_can_t_be_done_says_why_and_leaves_the_file() -> Result<()> {
    let (mut world, _) = World::signed_in("connect-wrong")?;
    let sandbox = &world.sandbox;
    fs::create_dir_all(sandbox.home().join(".codex"))?;
    let file = sandbox.home().join(".codex/config.toml");
    fs::write(&file, "model = \"x\"\nbroken = \n")?;
    let said = refused(sandbox, &["connect", "codex", "notes", "--yes"], 1, "broken_file")?;
    ensure!(said.contains("config.toml, line 2"), "{said}");
    ensure!(fs::read_to_string(&file)? == "model = \"x\"\nbroken = \n" && tools(&world)? == ["script"]);
    refused(sandbox, &["connect", "emacs", "notes"], 2, "usage")?;
    refused(sandbox, &["connect", "codex"], 2, "usage")?;
    refused(sandbox, &["connect", "codex", "nothing", "--yes"], 1, "unknown_service")?;
    refused(sandbox, &["connect", "windsurf", "notes", "--project"], 2, "usage")?;
    refused(sandbox, &["connect", "claude-desktop", "notes", "--env"], 2, "usage")?;
    refused(sandbox, &["connect", "kubectl", "notes", "--yes"], 13, "token_not_allowed")?;

    // Without a running app nothing is written, but what is there can be taken out.
    connect(&world, &["zed", "notes", "--yes"])?;
    world.serve.stop()?;
    refused(&world.sandbox, &["connect", "zed", "notes"], 3, "not_running")?;
    let undone = connect(&world, &["zed", "--undo", "--yes"])?;
    ensure!(undone["changed"] == true && !world.sandbox.home().join(".config/zed/settings.json").exists(), "{undone}");
    Ok(())
}

#[test]
fn curl_finds_its_key_in_the_file() -> Result<()> {
    let (world, access) = World::signed_in("connect-curl")?;
    let told = connect(&world, &["curl", "notes", "--yes"])?;
    let file = told["file"].as_str().context("no file")?;
    let mut curl = world.sandbox.command("curl");
    curl.args(["-sSf", "--config", file, &format!("{}/me", access.url)]);
    let output = run(curl, b"", SOON)?.expect_code(0)?;
    ensure!(output.stdout.contains("\"login\":\"ada\""), "{output:?}");
    connect(&world, &["curl", "--undo", "--yes"])?;
    ensure!(!PathBuf::from(file).exists());
    Ok(())
}

#[test]
fn git_clones_from_the_service_s_own_address() -> Result<()> {
    // A real repository, served as files (gitprotocol-http(5), "dumb clients"); the server around it is a
    // double that wants a token.
    let world = World::new("connect-git")?;
    let git = |args: &[&str]| -> Result<()> {
        let mut git = world.sandbox.command("git");
        git.args(["-c", "user.name=a", "-c", "user.email=a@b", "-c", "init.defaultBranch=main"]).args(args);
        git.env("GIT_CONFIG_NOSYSTEM", "1");
        run(git, b"", SOON)?.expect_code(0)?;
        Ok(())
    };
    let (work, bare) = (world.sandbox.path("work"), world.sandbox.path("repo.git"));
    let (work, bare_text) = (work.to_string_lossy().into_owned(), bare.to_string_lossy().into_owned());
    git(&["init", "-q", &work])?;
    git(&["-C", &work, "commit", "-q", "--allow-empty", "-m", "through the bell"])?;
    git(&["clone", "-q", "--bare", &work, &bare_text])?;
    git(&["-C", &bare_text, "update-server-info"])?;
    let upstream = Upstream::start(move |request| {
        if request.token().is_empty() {
            return Reply::Bytes(response("401 Unauthorized\r\nwww-authenticate: Basic realm=\"x\"", b""));
        }
        let path = request.target.split('?').next().unwrap_or_default();
        let file = path.strip_prefix("/repo.git/").map(|path| bare.join(path)).filter(|file| file.is_file());
        Reply::Bytes(match file.and_then(|file| fs::read(file).ok()) {
            Some(bytes) => response("200 OK\r\ncontent-type: text/plain", &bytes),
            None => response("404 Not Found", b""),
        })
    })?;
    world.add_url(upstream.address(), "forge", &["--sign-in"])?;
    fs::write(world.sandbox.home().join(".gitconfig"), "[user]\n\tname = Ada\n")?;
    connect(&world, &["git", "forge", "--yes"])?;
    let config = fs::read_to_string(world.sandbox.home().join(".gitconfig"))?;
    ensure!(!config.contains("sbk_") && config.contains("insteadOf"), "{config}");

    let clone = |to: &str| -> Result<Command> {
        let mut clone = world.sandbox.command("git");
        clone.args(["clone", "-q", &format!("{}/repo.git", upstream.address()), to]);
        clone.env("GIT_CONFIG_NOSYSTEM", "1").env("GIT_TERMINAL_PROMPT", "0");
        Ok(clone)
    };
    let cloned = world.sandbox.path("cloned");
    run(clone(&cloned.to_string_lossy())?, b"", SOON)?.expect_code(0)?;
    let log = {
        let mut log = world.sandbox.command("git");
        log.args(["-C", &cloned.to_string_lossy(), "log", "--format=%s"]);
        run(log, b"", SOON)?.expect_code(0)?
    };
    ensure!(log.stdout.trim() == "through the bell", "{log:?}");

    // Undone, it asks the server itself, which knows nobody.
    connect(&world, &["git", "--undo", "--yes"])?;
    ensure!(fs::read_to_string(world.sandbox.home().join(".gitconfig"))? == "[user]\n\tname = Ada\n");
    let seen = upstream.seen().len();
    ensure!(run(clone(&world.sandbox.path("again").to_string_lossy())?, b"", SOON)?.code != Some(0));
    ensure!(upstream.seen().iter().skip(seen).all(|request| request.token().is_empty()));
    Ok(())
}

#[test]
fn helpers_of_docker_and_kubectl_answer_in_their_own_words() -> Result<()> {
    let (world, access) = World::signed_in("connect-helpers")?;
    connect(&world, &["docker", "notes", "--yes"])?;
    let config = json_file(&world, ".docker/config.json")?;
    let host = config["credHelpers"].as_object().and_then(|all| all.keys().next()).context("no helper")?.clone();
    ensure!(config["credHelpers"][&host] == "signbell" && host.starts_with("notes.localhost:"), "{config}");
    let helper = world.sandbox.path("docker-credential-signbell");
    std::os::unix::fs::symlink(world.sandbox.signbell()?.get_program(), &helper)?;
    let ask = |operation: &str, server: &str| {
        let mut command = world.sandbox.command(&helper);
        command.arg(operation);
        run(command, server.as_bytes(), SOON)
    };
    let answer: Value = serde_json::from_str(&ask("get", &host)?.expect_code(0)?.stdout)?;
    ensure!(answer["Username"] == "signbell" && answer["ServerURL"] == host.as_str(), "{answer}");
    let secret = answer["Secret"].as_str().context("no secret")?;
    let used = Curl::new(format!("{}/me", access.url)).header("authorization", &format!("Bearer {secret}")).run()?;
    ensure!(used.status == 200);
    // Never for anybody else's address.
    let other = ask("get", "ghcr.io")?;
    ensure!(other.code != Some(0) && other.stdout.trim() == "credentials not found in native keychain", "{other:?}");
    ensure!(ask("list", "")?.expect_code(0)?.stdout.trim() == "{}");
    ask("store", "{}")?.expect_code(0)?;

    // kubectl: the real token, where that is allowed.
    refused(&world.sandbox, &["credential", "kubectl", "ada"], 13, "token_not_allowed")
        .or_else(|_| refused(&world.sandbox, &["credential", "kubectl", "ada"], 13, "not_allowed"))?;
    world.sandbox.run_ok(&["account", "set", "ada", "--allow-token"])?;
    let told = connect(&world, &["kubectl", "notes", "--yes"])?;
    let file = fs::read_to_string(told["file"].as_str().context("no file")?)?;
    ensure!(file.contains("args: [credential, kubectl, ada]") && !file.contains("sbk_"), "{file}");
    let credential: Value = serde_json::from_str(&world.sandbox.run_ok(&["credential", "kubectl", "ada"])?)?;
    ensure!(credential["kind"] == "ExecCredential" && credential["status"]["token"].is_string(), "{credential}");
    Ok(())
}

#[test]
fn an_mcp_client_does_what_its_file_says() -> Result<()> {
    // The official SDK starts what stands in the file, as the client would.
    let mcp = Mcp::start("connect-mcp", V1)?;
    connect(&mcp.world, &["cursor", "mcp1", "--stdio", "--yes"])?;
    let server = json_file(&mcp.world, ".cursor/mcp.json")?["mcpServers"]["mcp1"].clone();
    let mut words = vec![server["command"].clone()];
    words.extend(server["args"].as_array().context("no arguments")?.iter().cloned());
    ensure_carried(&mcp.stdio_client_of("everything", &Value::Array(words))?, V1)?;
    ensure!(tools(&mcp.world)?.contains(&"cursor".to_owned()), "as another tool");
    Ok(())
}

#[test]
fn the_mcp_inspector_does_what_its_file_says() -> Result<()> {
    // It reads the form that Cursor, Claude Desktop and others share.
    let mcp = Mcp::start("inspector", V1)?;
    connect(&mcp.world, &["cursor", "mcp1", "--stdio", "--yes"])?;
    let script =
        concat!(env!("CARGO_MANIFEST_DIR"), "/inspector/node_modules/@modelcontextprotocol/inspector/cli/build/cli.js");
    let node = std::env::var("SIGNBELL_NODE").unwrap_or_else(|_| "node".into());
    let mut command = mcp.world.sandbox.command(node);
    command.arg(script).args(["--cli", "--config"]).arg(mcp.world.sandbox.home().join(".cursor/mcp.json"));
    command.args(["--server", "mcp1", "--method", "tools/list"]);
    let said = run(command, b"", SOON)?.expect_code(0)?;
    let listed: Value = serde_json::from_str(&said.stdout).with_context(|| said.stdout.clone())?;
    ensure!(listed["tools"].as_array().is_some_and(|tools| !tools.is_empty()), "{listed}");
    ensure!(tools(&mcp.world)?.contains(&"cursor".to_owned()), "as another tool");
    Ok(())
}

#[test]
fn a_key_that_is_no_tool_s_is_replaced_and_rotate_rotates() -> Result<()> {
    let (world, _) = World::signed_in("dead-key")?;
    let key = || -> Result<String> {
        let header = json_file(&world, ".cursor/mcp.json")?["mcpServers"]["notes"]["headers"]["Authorization"].clone();
        Ok(header.as_str().and_then(|header| header.strip_prefix("Bearer ")).context("no key")?.to_owned())
    };
    let works = |key: &str| -> Result<bool> {
        let me = Curl::new(world.serve.url("/notes/me")).header("x-signbell-key", key).run()?;
        Ok(me.status == 200)
    };
    connect(&world, &["cursor", "notes", "--yes"])?;
    let first = key()?;
    ensure!(works(&first)?);
    connect(&world, &["cursor", "notes", "--rotate", "--yes"])?;
    let second = key()?;
    ensure!(second != first && works(&second)? && !works(&first)?, "it was not rotated");
    // Its tool is gone, and with it the key: a new one is made.
    world.sandbox.run_ok(&["tool", "remove", "cursor"])?;
    connect(&world, &["cursor", "notes", "--yes"])?;
    let third = key()?;
    ensure!(third != second && works(&third)?, "the file has a dead key");
    // Its key was replaced elsewhere: nobody has it any more, and that is said.
    world.sandbox.run_ok(&["tool", "rotate", "cursor"])?;
    refused(&world.sandbox, &["connect", "cursor", "notes", "--yes"], 1, "key_unknown")?;
    connect(&world, &["cursor", "notes", "--rotate", "--yes"])?;
    ensure!(works(&key()?)?);
    Ok(())
}

#[test]
fn what_was_written_at_another_port_is_ours_too() -> Result<()> {
    // Port 0 is another one at each start.
    let (mut world, _) = World::signed_in("moved-port")?;
    let home = world.sandbox.home();
    let files =
        [("git", ".gitconfig"), ("npm", ".npmrc"), ("cargo", ".cargo/config.toml"), ("docker", ".docker/config.json")];
    let mut first = vec![];
    for (client, file) in files {
        let path = home.join(file);
        fs::create_dir_all(path.parent().context("no folder")?)?;
        let own = if client == "docker" { "{\n  \"auths\": {}\n}\n" } else { "# mine\n" };
        fs::write(&path, own)?;
        connect(&world, &[client, "notes", "--yes"])?;
        first.push((path, own, world.serve.address().to_owned()));
    }
    world.restart()?;
    for ((client, _), (path, own, before)) in files.into_iter().zip(first) {
        let (before, now) = (before.trim_start_matches("http://"), world.serve.address().trim_start_matches("http://"));
        ensure!(before != now, "the port did not move");
        let port = |address: &str| address.rsplit(':').next().unwrap_or_default().to_owned();
        connect(&world, &[client, "notes", "--yes"])?;
        let text = fs::read_to_string(&path)?;
        ensure!(text.contains(&port(now)) && !text.contains(&port(before)), "{client}: {text}");
        connect(&world, &[client, "--undo", "--yes"])?;
        let text = fs::read_to_string(&path)?;
        ensure!(text == own, "{client}: {text}");
    }
    Ok(())
}
