//! Settings count at once, whoever wrote them: a command, an editor, the person's own hand.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::PathBuf;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use signbell_tests::{DesktopOptions, Sandbox, Serve, wait_ok};

use crate::SOON;
use crate::forget::items;
use crate::network::{Outside, certificate};
use crate::world::{World, access, add, follow_links, provider, refused};

fn config(sandbox: &Sandbox) -> PathBuf {
    sandbox.signbell_home().join("config.toml")
}

/// As most editors save: a new file, renamed over the old one.
fn save(sandbox: &Sandbox, text: &str) -> Result<()> {
    let (path, new) = (config(sandbox), sandbox.signbell_home().join("config.toml.new"));
    fs::write(&new, text)?;
    fs::rename(new, path).context("renaming")
}

fn value(sandbox: &Sandbox, key: &str) -> Result<Value> {
    Ok(sandbox.run_json(&["settings", "get", key])?[0]["value"].clone())
}

fn wait_value(sandbox: &Sandbox, key: &str, wanted: &Value) -> Result<()> {
    wait_ok(key, SOON, || {
        let seen = value(sandbox, key)?;
        ensure!(seen == *wanted, "{key} is {seen}");
        Ok(())
    })
}

/// Waits until the only banner has all of these words; none: until there is no banner.
fn wait_banner(sandbox: &Sandbox, words: &[&str]) -> Result<()> {
    wait_ok("the banner", SOON, || {
        let banners = sandbox.run_json(&["status"])?[0]["banners"].clone();
        let said = banners[0].as_str().unwrap_or_default();
        let right = if words.is_empty() { banners == json!([]) } else { words.iter().all(|word| said.contains(word)) };
        ensure!(right, "{banners}");
        Ok(())
    })
}

fn free_port() -> Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

#[test]
fn a_hand_edit_counts_at_once_and_a_mistake_is_told() -> Result<()> {
    let (world, access) = World::signed_in("hand-edit")?;
    let sandbox = &world.sandbox;
    let good = fs::read_to_string(config(sandbox))?;
    save(sandbox, &format!("# mine\n[proxy]\nhold_seconds = 7\n{good}"))?;
    wait_value(sandbox, "proxy.hold_seconds", &json!(7))?;
    let told = sandbox.run_ok(&["activity"])?;
    ensure!(told.contains("config.toml was edited"), "{told}");

    // In place, and with a mistake: the last good settings stay, and everything goes on.
    fs::write(config(sandbox), format!("# mine\n[proxy]\nhold_secs = 9\n{good}"))?;
    wait_banner(sandbox, &["config.toml, line 3", "hold_secs", "The last good settings stay in force"])?;
    ensure!(value(sandbox, "proxy.hold_seconds")? == 7);
    access.get("/me")?;
    let message = refused(sandbox, &["settings", "set", "proxy.hold_seconds", "8"], 1, "bad_config")?;
    ensure!(message.contains("line 3"), "{message}");
    ensure!(fs::read_to_string(config(sandbox))?.contains("hold_secs = 9"), "the person's text was replaced");

    // A part that contradicts another is named with its line as well.
    let line = good.lines().position(|line| line == "[services.notes]").context("no service")? + 1;
    save(sandbox, &good.replace("account = \"ada\"", "account = \"nobody\""))?;
    wait_banner(sandbox, &[&format!("config.toml, line {line}"), "nobody"])?;
    access.get("/me")?;

    // Gone by a slip of the hand.
    fs::remove_file(config(sandbox))?;
    wait_banner(sandbox, &["is gone"])?;
    access.get("/me")?;

    save(sandbox, &format!("[proxy]\nhold_seconds = 9\n{good}"))?;
    wait_banner(sandbox, &[])?;
    ensure!(value(sandbox, "proxy.hold_seconds")? == 9);
    access.get("/me")?;
    Ok(())
}

#[test]
fn t10_a_file_that_others_may_write_does_not_count_until_it_is_mended() -> Result<()> {
    let (world, access) = World::signed_in("t10-hot")?;
    let sandbox = &world.sandbox;
    // A person's own dotfile, behind a link.
    let dotfile = sandbox.home().join("dotfiles");
    fs::create_dir(&dotfile)?;
    let dotfile = dotfile.join("signbell.toml");
    fs::rename(config(sandbox), &dotfile)?;
    symlink(&dotfile, config(sandbox))?;
    let good = fs::read_to_string(&dotfile)?;
    wait_banner(sandbox, &[])?;
    fs::write(&dotfile, format!("[proxy]\nhold_seconds = 11\n{good}"))?;
    wait_value(sandbox, "proxy.hold_seconds", &json!(11))?;

    fs::set_permissions(&dotfile, fs::Permissions::from_mode(0o666))?;
    wait_banner(sandbox, &["writable by others"])?;
    fs::write(&dotfile, format!("[proxy]\nhold_seconds = 12\n{good}"))?;
    access.get("/me")?;
    ensure!(value(sandbox, "proxy.hold_seconds")? == 11);
    fs::set_permissions(&dotfile, fs::Permissions::from_mode(0o600))?;
    wait_banner(sandbox, &[])?;
    wait_value(sandbox, "proxy.hold_seconds", &json!(12))?;
    // A link stays one.
    sandbox.run_ok(&["settings", "set", "proxy.hold_seconds", "13"])?;
    ensure!(fs::symlink_metadata(config(sandbox))?.is_symlink());
    ensure!(fs::read_to_string(&dotfile)?.contains("hold_seconds = 13"));
    Ok(())
}

#[test]
fn the_command_line_lists_shows_and_sets() -> Result<()> {
    let world = World::new("settings")?;
    let sandbox = &world.sandbox;
    fs::write(config(sandbox), "[proxy] # the proxy\nhold_seconds = 7 # short\n")?;
    wait_value(sandbox, "proxy.hold_seconds", &json!(7))?;
    let all = sandbox.run_json(&["settings", "list"])?;
    let port = all.iter().find(|setting| setting["key"] == "proxy.port").context("no port")?;
    ensure!(port["value"] == 8401 && port["default"] == 8401 && port["kind"] == "number", "{port}");
    ensure!(port["overridden_by"] == "SIGNBELL_PORT", "{port}");
    let table = sandbox.run_ok(&["settings", "list"])?;
    ensure!(table.contains("SIGNBELL_PORT counts") && table.contains("Reminders"), "{table}");

    let text = sandbox.run_ok(&["settings", "set", "proxy.hold_seconds", "5m"])?;
    ensure!(text.trim() == "proxy.hold_seconds is 300 now.", "{text}");
    sandbox.run_ok(&["settings", "set", "bell.reminders", "5, 2h"])?;
    sandbox.run_ok(&["settings", "set", "desktop.theme", "dark"])?;
    let file = fs::read_to_string(config(sandbox))?;
    for line in ["[proxy] # the proxy", "hold_seconds = 300 # short", "reminders = [5, 120]", "theme = \"dark\""] {
        ensure!(file.contains(line), "{line}: {file}");
    }
    let status = sandbox.run_json(&["status"])?;
    ensure!(status[0]["desktop"]["theme"] == "dark", "{}", status[0]["desktop"]);
    // The default again.
    sandbox.run_ok(&["settings", "set", "bell.reminders", ""])?;
    ensure!(value(sandbox, "bell.reminders")? == json!([10, 30, 120, 480, 1440]));
    ensure!(!fs::read_to_string(config(sandbox))?.contains("reminders"));

    for (key, text, code) in [
        ("proxy.port", "80000", "bad_value"),
        ("proxy.colour", "red", "unknown_setting"),
        ("desktop.theme", "purple", "bad_value"),
        ("network.proxy", "proxy.example", "bad_value"),
        ("bell.reminders", "soon", "bad_value"),
    ] {
        refused(sandbox, &["settings", "set", key, text], 2, code)?;
    }
    refused(sandbox, &["settings", "set", "vault.kind", "keyring"], 2, "overridden")?;
    let message = refused(sandbox, &["settings", "set", "network.extra_ca", "/no/such.pem"], 1, "bad_network")?;
    ensure!(message.contains("/no/such.pem") && message.contains("Nothing was changed"), "{message}");
    ensure!(value(sandbox, "network.extra_ca")?.is_null());
    let told = sandbox.run_ok(&["activity"])?;
    ensure!(told.contains("Setting desktop.theme is \"dark\" now"), "{told}");
    Ok(())
}

#[test]
fn the_port_moves_and_what_is_under_way_ends() -> Result<()> {
    let sandbox = Sandbox::new("port")?;
    sandbox.set_env("SIGNBELL_VAULT", "memory");
    sandbox.remove_env("SIGNBELL_PORT");
    follow_links(&sandbox)?;
    let provider = provider(&sandbox, &json!({}))?;
    let first = free_port()?;
    fs::write(config(&sandbox), format!("[proxy]\nport = {first}\n"))?;
    let world = World { serve: Serve::start(&sandbox)?, provider, sandbox };
    let sandbox = &world.sandbox;
    ensure!(world.serve.address() == format!("http://127.0.0.1:{first}"), "{}", world.serve.address());
    let notes = add(sandbox, &world.provider, "notes", &["--sign-in"])?;
    notes.get("/me")?;

    // A request waits for the person, and the port moves under it.
    world.provider.revoke_refresh("ada", true)?;
    let waiting = notes.curl("/me").spawn()?;
    world.wait_account("a waiting request", |account| account["waiting"] == 1)?;
    let second = free_port()?;
    sandbox.run_ok(&["settings", "set", "proxy.port", &second.to_string()])?;
    let status = sandbox.run_json(&["status"])?;
    ensure!(status[0]["proxy"]["address"] == format!("http://127.0.0.1:{second}"), "{}", status[0]["proxy"]);
    ensure!(TcpStream::connect(("127.0.0.1", second)).is_ok(), "nobody listens at the new port");
    sandbox.run_ok(&["sign-in", "ada"])?;
    ensure!(waiting.wait()?.status == 200, "what was under way did not end");
    wait_ok("the end of the old port", SOON, || {
        ensure!(TcpStream::connect(("127.0.0.1", first)).is_err(), "it still listens at the old port");
        Ok(())
    })?;
    let moved = access(&json!({"key": notes.key, "url": format!("http://127.0.0.1:{second}/notes")}))?;
    moved.get("/me")?;

    // One that is taken keeps the old one, says so, and is taken once it is free.
    let holder = TcpListener::bind("127.0.0.1:0")?;
    let taken = holder.local_addr()?.port();
    let message = refused(sandbox, &["settings", "set", "proxy.port", &taken.to_string()], 1, "port_taken")?;
    ensure!(message.contains(&std::process::id().to_string()), "it does not say who: {message}");
    ensure!(value(sandbox, "proxy.port")? == second);
    let text = fs::read_to_string(config(sandbox))?;
    save(sandbox, &text.replace(&format!("port = {second}"), &format!("port = {taken}")))?;
    wait_banner(sandbox, &[&taken.to_string(), "is taken by", &format!("stays at http://127.0.0.1:{second}")])?;
    moved.get("/me")?;
    drop(holder);
    wait_banner(sandbox, &[])?;
    access(&json!({"key": notes.key, "url": format!("http://127.0.0.1:{taken}/notes")}))?.get("/me")?;
    Ok(())
}

#[test]
fn how_the_network_is_reached_changes_at_once() -> Result<()> {
    let world = World::new("network-hot")?;
    let outside = Outside::start(&world.sandbox)?;
    let here = world.add_url(&outside.upstream, "here", &["--sign-in"])?;
    ensure!(here.curl("/").run()?.status == 502, "an unknown authority was trusted");
    let authority = outside.authority.display().to_string();
    world.sandbox.run_ok(&["settings", "set", "network.extra_ca", &authority])?;
    here.get("/")?;
    // Ada stays signed in, and what she is asked through has changed too.
    world.sandbox.run_ok(&["refresh", "ada"])?;
    // By hand it is told in a banner, and the last good ones stay.
    let text = fs::read_to_string(config(&world.sandbox))?;
    save(&world.sandbox, &text.replace("ca.pem", "gone.pem"))?;
    wait_banner(&world.sandbox, &["gone.pem", "The last good ones stay in force"])?;
    here.get("/")?;
    world.sandbox.run_ok(&["settings", "set", "network.extra_ca", ""])?;
    wait_banner(&world.sandbox, &[])?;
    ensure!(here.curl("/").run()?.status == 502, "the authority is still trusted");
    Ok(())
}

#[test]
fn a_file_of_authorities_that_is_replaced_counts_at_once() -> Result<()> {
    let world = World::new("authorities-hot")?;
    let outside = Outside::start(&world.sandbox)?;
    let file = world.sandbox.path("corp.pem");
    certificate(&["-subj", "/CN=Another"], &world.sandbox.path("another-key.pem"), &file)?;
    world.sandbox.run_ok(&["settings", "set", "network.extra_ca", &file.display().to_string()])?;
    let here = world.add_url(&outside.upstream, "here", &["--sign-in"])?;
    ensure!(here.curl("/").run()?.status == 502, "an unknown authority was trusted");
    let good = fs::read(&outside.authority)?;
    let another = fs::read(&file)?;
    let wait_status = |status| {
        wait_ok("what is trusted now", SOON, || {
            let seen = here.curl("/").run()?.status;
            ensure!(seen == status, "{seen}");
            Ok(())
        })
    };
    // As an administrator's script may write it: in place, and by a new file in the old one's place.
    fs::write(&file, &good)?;
    wait_status(200)?;
    fs::write(world.sandbox.path("corp.new"), &another)?;
    fs::rename(world.sandbox.path("corp.new"), &file)?;
    wait_status(502)?;
    fs::write(&file, &good)?;
    wait_status(200)?;
    // One that can't be used takes nothing away, and is told until it is mended; whatever else is set.
    fs::write(&file, "nothing")?;
    wait_banner(&world.sandbox, &["corp.pem", "stay trusted"])?;
    world.sandbox.run_ok(&["settings", "set", "proxy.hold_seconds", "7"])?;
    wait_banner(&world.sandbox, &["corp.pem", "stay trusted"])?;
    here.get("/")?;
    fs::write(&file, &good)?;
    wait_banner(&world.sandbox, &[])?;
    here.get("/")?;
    Ok(())
}

#[test]
fn a_folder_that_goes_and_comes_back_is_watched_again() -> Result<()> {
    let (world, access) = World::signed_in("folder-hot")?;
    let sandbox = &world.sandbox;
    let (folder, away) = (sandbox.home().join("dotfiles"), sandbox.home().join("away"));
    fs::create_dir(&folder)?;
    let dotfile = folder.join("signbell.toml");
    fs::rename(config(sandbox), &dotfile)?;
    symlink(&dotfile, config(sandbox))?;
    let good = fs::read_to_string(&dotfile)?;
    fs::write(&dotfile, format!("[proxy]\nhold_seconds = 11\n{good}"))?;
    wait_value(sandbox, "proxy.hold_seconds", &json!(11))?;
    // A disk that is taken out, a checkout that is made anew.
    for (seconds, anew) in [(12, false), (13, true)] {
        fs::rename(&folder, &away)?;
        wait_banner(sandbox, &["is gone"])?;
        access.get("/me")?;
        if anew {
            fs::create_dir(&folder)?;
        } else {
            fs::rename(&away, &folder)?;
        }
        fs::write(&dotfile, format!("[proxy]\nhold_seconds = {seconds}\n{good}"))?;
        fs::set_permissions(&dotfile, fs::Permissions::from_mode(0o600))?;
        wait_value(sandbox, "proxy.hold_seconds", &json!(seconds))?;
        wait_banner(sandbox, &[])?;
        // And told from then on.
        fs::write(&dotfile, format!("[proxy]\nhold_seconds = {}\n{good}", seconds + 10))?;
        wait_value(sandbox, "proxy.hold_seconds", &json!(seconds + 10))?;
    }
    Ok(())
}

#[test]
fn how_long_a_request_waits_changes_at_once() -> Result<()> {
    let (world, access) = World::signed_in("hold-hot")?;
    world.provider.revoke_refresh("ada", true)?;
    world.sandbox.run_ok(&["settings", "set", "proxy.hold_seconds", "0"])?;
    ensure!(access.curl("/me").run()?.status == 401);
    ensure!(!world.activity()?.contains(&"held".to_owned()), "it waited");
    world.sandbox.run_ok(&["settings", "set", "proxy.hold_seconds", "1h"])?;
    let waiting = access.curl("/me").spawn()?;
    world.wait_account("a waiting request", |account| account["waiting"] == 1)?;
    world.sandbox.run_ok(&["sign-in", "ada"])?;
    ensure!(waiting.wait()?.status == 200);
    Ok(())
}

#[test]
fn tokens_move_to_the_keyring_and_back_and_none_is_lost() -> Result<()> {
    let sandbox = Sandbox::new("vault-move")?;
    let _desktop = DesktopOptions::default().without_panel().without_dunst().start(&sandbox)?;
    follow_links(&sandbox)?;
    sandbox.set_env("SIGNBELL_PASSPHRASE", "correct horse");
    fs::write(config(&sandbox), "[vault]\nkind = \"sealed-file\"\n")?;
    let provider = provider(&sandbox, &json!({}))?;
    let mut world = World { serve: Serve::start(&sandbox)?, provider, sandbox };
    let mut notes = world.add("notes", &["--sign-in"])?;
    // A grant that no service uses any more is kept until the person signs out.
    world.add("issues", &["--resource", world.provider.api_named("issues")?, "--sign-in"])?;
    world.sandbox.run_ok(&["service", "remove", "issues"])?;
    let kept =
        |world: &World| -> Result<Value> { Ok(world.sandbox.run_json(&["status"])?[0]["proxy"]["vault"].clone()) };
    ensure!(kept(&world)? == "sealed file" && items(&world.sandbox)?.is_empty());

    world.sandbox.run_ok(&["settings", "set", "vault.kind", "keyring"])?;
    ensure!(kept(&world)? == "keyring");
    let there = items(&world.sandbox)?;
    ensure!(there.len() == 2 && there.iter().all(|name| name.starts_with("grant:ada")), "{there:?}");
    world.sandbox.run_ok(&["refresh", "ada"])?;
    world.restart()?;
    ensure!(kept(&world)? == "keyring", "the choice was forgotten");
    notes.url = world.serve.url("/notes");
    notes.get("/me")?;
    // By hand nothing moves, and it is said.
    let text = fs::read_to_string(config(&world.sandbox))?;
    save(&world.sandbox, &text.replace("\"keyring\"", "\"sealed-file\""))?;
    wait_banner(&world.sandbox, &["sealed-file", "they are still in", "signbell settings set vault.kind"])?;
    ensure!(kept(&world)? == "keyring");
    world.sandbox.set_env("SIGNBELL_PASSPHRASE", "wrong");
    refused(&world.sandbox, &["settings", "set", "vault.kind", "sealed-file"], 11, "wrong_passphrase")?;
    ensure!(kept(&world)? == "keyring");
    world.sandbox.set_env("SIGNBELL_PASSPHRASE", "correct horse");
    world.sandbox.run_ok(&["settings", "set", "vault.kind", "sealed-file"])?;
    wait_banner(&world.sandbox, &[])?;
    ensure!(kept(&world)? == "sealed file" && items(&world.sandbox)?.is_empty(), "{:?}", items(&world.sandbox)?);
    world.restart()?;
    notes.url = world.serve.url("/notes");
    notes.get("/me")?;
    world.sandbox.run_ok(&["refresh", "ada"])?;
    // Our own change of the file is nobody's edit.
    let records = world.sandbox.run_json(&["activity"])?;
    let edited = |record: &&Value| record["text"].as_str().is_some_and(|text| text.contains("was edited"));
    ensure!(records.iter().filter(edited).count() == 1, "{records:?}");
    Ok(())
}

#[test]
fn t10_a_file_that_is_lost_takes_nothing_with_it() -> Result<()> {
    let (world, access) = World::signed_in("lost")?;
    let sandbox = &world.sandbox;
    let good = fs::read_to_string(config(sandbox))?;
    for lost in [None, Some(""), Some(" \n")] {
        match lost {
            None => fs::remove_file(config(sandbox))?,
            Some(text) => fs::write(config(sandbox), text)?,
        }
        wait_banner(sandbox, &["is gone"])?;
        // A change would be all that is left in it.
        refused(sandbox, &["settings", "set", "desktop.theme", "dark"], 1, "config_gone")?;
        refused(sandbox, &["tool", "add", "other", "--service", "notes"], 1, "config_gone")?;
        ensure!(access.get("/me")?["login"] == "ada", "{lost:?}");
        save(sandbox, &good)?;
        wait_banner(sandbox, &[])?;
    }
    sandbox.run_ok(&["settings", "set", "desktop.theme", "dark"])?;
    ensure!(access.get("/me")?["login"] == "ada");
    Ok(())
}

#[test]
fn g1_no_password_of_a_proxy_is_told_and_nothing_is_turned_on_without_a_word() -> Result<()> {
    let world = World::new("told")?;
    let sandbox = &world.sandbox;
    sandbox.run_ok(&["settings", "set", "network.proxy", "http://ada:hunter2@127.0.0.1:9"])?;
    let activity = sandbox.run_ok(&["activity"])?;
    ensure!(activity.contains("network.proxy") && !activity.contains("hunter2"), "{activity}");
    ensure!(sandbox.run(&["settings", "set", "proxy.forward", "yes"])?.code == Some(13), "nobody was asked");
    ensure!(value(sandbox, "proxy.forward")? == false);
    sandbox.run_ok(&["settings", "set", "proxy.forward", "yes", "--yes"])?;
    ensure!(value(sandbox, "proxy.forward")? == true);
    Ok(())
}
