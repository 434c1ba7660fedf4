//! What lets programs do more, or gives something out, leaves its trace in the activity; and without a screen it
//! goes by with no click.

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use crate::SOON;
use crate::world::{CLIENT, World};

#[test]
fn each_widening_and_each_printing_is_in_the_activity() -> Result<()> {
    let (world, _) = World::signed_in("trail")?;
    let sandbox = &world.sandbox;
    let issues = world.provider.api_named("issues")?.to_owned();
    let issuer = world.provider.issuer()?.to_owned();
    let export = sandbox.home().join("export.toml").display().to_string();
    let add = ["add", &issues, "--name", "issues", "--account", "ada", "--issuer", &issuer, "--client-id", CLIENT];
    let to_tool = [&add[..], &["--tool", "script"]].concat();
    // The command, what it reads, and its record: the kind, words, and the field that says what it was about.
    type Act<'a> = (&'a [&'a str], &'a str, &'a str, &'a str, (&'a str, &'a str));
    let acts: &[Act] = &[
        (&to_tool, "", "changed", "Tool script may use more: notes, issues", ("tool", "script")),
        (
            &["tool", "add", "second", "--service", "notes"],
            "",
            "changed",
            "Tool second was registered: notes",
            ("tool", "second"),
        ),
        (
            &["tool", "add", "second", "--service", "issues"],
            "",
            "changed",
            "Tool second may use more: notes, issues",
            ("tool", "second"),
        ),
        (&["tool", "rotate", "second"], "", "changed", "Tool second got a new key", ("tool", "second")),
        (
            &["account", "set", "ada", "--allow-token"],
            "",
            "changed",
            "printing its token is now allowed",
            ("account", "ada"),
        ),
        (&["token", "ada"], "", "used", "`signbell token` printed a token of", ("account", "ada")),
        (&["run", "--tool", "second", "--", "true"], "", "changed", "A key of second was lent", ("tool", "second")),
        (&["forward", "on", "--yes"], "", "changed", "The forward proxy was turned on", ("kind", "changed")),
        (&["tool", "set", "second", "--confirm"], "", "changed", "are asked about once", ("tool", "second")),
        (&["tool", "set", "second", "--confirm=no"], "", "changed", "no longer asked about", ("tool", "second")),
        (
            &["service", "set", "notes", "--replay-unsafe=no"],
            "",
            "changed",
            "replay_unsafe is false now",
            ("service", "notes"),
        ),
        (
            &["service", "set", "notes", "--replay-unsafe=yes"],
            "",
            "changed",
            "replay_unsafe is true now",
            ("service", "notes"),
        ),
        (
            &["settings", "set", "proxy.hold_seconds", "7"],
            "",
            "changed",
            "proxy.hold_seconds is 7 now",
            ("kind", "changed"),
        ),
        (
            &["settings", "set", "network.proxy", "http://u:canary@127.0.0.1:9"],
            "",
            "changed",
            "network.proxy was changed",
            ("kind", "changed"),
        ),
        (&["settings", "set", "network.proxy", ""], "", "changed", "network.proxy was changed", ("kind", "changed")),
        (&["export", &export], "", "changed", "The settings were exported to", ("kind", "changed")),
        (
            &["provider", "set", "ada", "--client-secret-stdin"],
            "canary-secret\n",
            "changed",
            "knows Signbell by was changed",
            ("account", "ada"),
        ),
        (&["tool", "remove", "second"], "", "changed", "Tool second was removed", ("tool", "second")),
    ];
    for (args, input, kind, says, (field, value)) in acts {
        let before = sandbox.run_json(&["activity"])?;
        let output = sandbox.run_input(args, input)?;
        output.expect_code(0).with_context(|| args.join(" "))?;
        let after = sandbox.run_json(&["activity"])?;
        let new: Vec<&Value> = after.iter().skip(before.len()).collect();
        let found = new
            .iter()
            .find(|record| record["kind"] == *kind && record["text"].as_str().is_some_and(|text| text.contains(says)));
        let found = found.with_context(|| format!("{args:?} left no trace of {says:?}: {new:?}"))?;
        ensure!(found[*field] == *value, "{args:?}: {found}");
        ensure!(!format!("{new:?}").contains("canary"), "{args:?}: {new:?}");
    }
    // It is told as it happens, and it is still there after a restart.
    let records = sandbox.run_json(&["activity"])?.len();
    let mut world = world;
    world.restart()?;
    ensure!(world.sandbox.run_json(&["activity"])?.len() >= records);
    Ok(())
}

#[test]
fn what_changes_nothing_leaves_no_trace_of_a_widening() -> Result<()> {
    let (world, _) = World::signed_in("trail-none")?;
    let before = world.sandbox.run_json(&["activity"])?;
    world.sandbox.run_ok(&["tool", "add", "script", "--service", "notes"])?;
    ensure!(world.sandbox.run_json(&["activity"])? == before);
    Ok(())
}

#[test]
fn what_lives_in_memory_widens_nothing_that_is_there() -> Result<()> {
    let (world, _) = World::signed_in("memory-alone")?;
    let parts = || -> Result<[serde_json::Value; 3]> {
        let status = world.sandbox.run_json(&["status"])?;
        Ok(["accounts", "services", "tools"].map(|part| status[0][part].clone()))
    };
    let before = parts()?;
    let add = |account: &str, tool: &str| {
        world.control(&serde_json::json!({
            "do": "add-ephemeral", "url": world.provider.api()?, "name": "guest", "account": account,
            "issuer": world.provider.issuer()?, "client_id": CLIENT, "tool": tool,
        }))
    };
    for (account, tool) in [("guest", "script"), ("ada", "guest")] {
        let reply = add(account, tool)?;
        ensure!(reply["reply"] == "failed" && reply["code"] == "name_taken", "{account}, {tool}: {reply}");
        ensure!(parts()? == before, "{account}, {tool}");
    }
    let reply = add("guest", "guest")?;
    ensure!(reply["reply"] == "added" && reply["key"].is_string(), "{reply}");
    Ok(())
}

#[test]
fn who_only_says_that_it_is_a_desktop_is_none() -> Result<()> {
    use std::io::{BufRead as _, BufReader, Write as _};
    let (world, _) = World::signed_in("no-desktop")?;
    let socket = world.sandbox.signbell_home().join("control.sock");
    let watching = std::os::unix::net::UnixStream::connect(socket)?;
    watching.set_read_timeout(Some(SOON))?;
    writeln!(&watching, "{}", serde_json::json!({"do": "watch-in", "language": "en"}))?;
    let mut line = String::new();
    BufReader::new(&watching).read_line(&mut line)?;
    ensure!(line.contains("\"reply\":\"view\""), "{line}");
    // There is no screen: nothing waits for a click that could not come, and no answer from here counts.
    world.sandbox.run_ok(&["account", "set", "ada", "--allow-token"])?;
    let reply = world.control(&serde_json::json!({"do": "permit", "id": 1, "allow": true}))?;
    ensure!(reply["reply"] == "failed" && reply["code"] == "click_needed", "{reply}");
    Ok(())
}
