//! `signbell mcp`: clients that speak stdio alone reach a remote server, with the official SDK at both ends.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::Stdio;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use signbell_tests::process::{Process, run};
use signbell_tests::upstream::{Reply, response};
use signbell_tests::{Upstream, wait_ok};

use crate::SOON;
use crate::mcp::{Generation, Mcp, V1, V2, V2_AUTO, V2_LEGACY, ensure_carried};
use crate::world::{World, error_of};

fn everything_goes_through(generation: Generation) -> Result<()> {
    let mcp = Mcp::start("bridge", generation)?;
    ensure_carried(&mcp.stdio_client("everything", "mcp1")?, generation)?;
    // And while tokens die.
    mcp.kill()?;
    ensure_carried(&mcp.stdio_client("everything", "mcp1")?, generation)?;
    ensure!(mcp.refreshes()? == 1, "{} refreshes", mcp.refreshes()?);
    Ok(())
}

#[test]
fn bridge_v1_everything_goes_through() -> Result<()> {
    everything_goes_through(V1)
}

#[test]
fn bridge_v2_everything_goes_through() -> Result<()> {
    everything_goes_through(V2)
}

#[test]
fn bridge_v2_legacy_everything_goes_through() -> Result<()> {
    everything_goes_through(V2_LEGACY)
}

#[test]
fn bridge_v2_auto_everything_goes_through() -> Result<()> {
    everything_goes_through(V2_AUTO)
}

#[test]
fn leaving_is_seen_upstream() -> Result<()> {
    for generation in [V1, V2] {
        let mcp = Mcp::start("bridge-leave", generation)?;
        let seen = mcp.stdio_client("leave", "mcp1")?;
        ensure!(seen.step("taken")?.get("error").is_none() && seen.step("echo")?["text"] == "still here", "{seen:?}");
        wait_ok("the end of all that the client left", SOON, || {
            let log = mcp.log()?;
            // A session is ended by a word, which ends what is under way in it.
            let over = log.iter().any(|entry| entry["method"] == "DELETE" && entry["status"] == 200);
            let calls: Vec<_> = log.iter().filter(|entry| entry["rpc"] == "tools/call count").collect();
            ensure!(calls.len() == 2 && calls.iter().all(|call| over || call["aborted"] == true), "{log:?}");
            Ok(())
        })?;
    }
    Ok(())
}

#[test]
fn a_forgotten_session_is_begun_anew_unseen() -> Result<()> {
    let mcp = Mcp::start("bridge-lost", V1)?;
    let seen = mcp.stdio_client("lost", "mcp1")?;
    seen.ensure_untroubled()?;
    ensure!(seen.0.iter().filter(|line| line["step"] == "echo").all(|line| line["text"] == "hello"), "{seen:?}");
    Ok(())
}

#[test]
fn where_only_the_person_can_help_the_client_reads_why() -> Result<()> {
    // One that is pinned to 2026-07-28 shows nobody's words for a server that can't be asked.
    for generation in [V1, V2_AUTO] {
        let mcp = Mcp::start("bridge-person", generation)?;
        // The server kills what it has seen.
        mcp.stdio_client("everything", "mcp1")?;
        mcp.end_session()?;
        mcp.kill()?;
        let seen = mcp.stdio_client("everything", "mcp1")?;
        ensure!(seen.error("connect")?.contains("signbell sign-in ada"), "{seen:?}");
    }
    Ok(())
}

/// `signbell mcp` with pipes.
struct Bridge {
    stdin: std::process::ChildStdin,
    lines: std::io::Lines<BufReader<std::process::ChildStdout>>,
    process: Process,
}

impl Bridge {
    fn start(world: &World, service: &str) -> Result<Self> {
        let mut command = world.sandbox.signbell()?;
        command.args(["mcp", service]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut process = Process::spawn(command, "signbell mcp")?;
        let stdin = process.take_stdin().context("no stdin")?;
        let lines = BufReader::new(process.take_stdout().context("no stdout")?).lines();
        Ok(Self { stdin, lines, process })
    }

    fn say(&mut self, line: &str) -> Result<()> {
        Ok(writeln!(self.stdin, "{line}")?)
    }

    fn hear(&mut self) -> Result<Value> {
        Ok(serde_json::from_str(&self.lines.next().context("no line")??)?)
    }
}

#[test]
fn messages_go_through_untouched_and_bad_lines_are_told() -> Result<()> {
    // A double: it answers with what no SDK would, to show that nothing is lost on the way.
    let odd =
        json!({"jsonrpc": "2.0", "id": "a-1", "result": {"ünknown": [1.5, null, {"x": "\u{2028}"}]}, "extra": true});
    let answer = odd.to_string();
    let upstream = Upstream::start(move |request| {
        let body: Value = serde_json::from_slice(&request.body).unwrap_or_default();
        Reply::Bytes(match body["method"].as_str() {
            Some("odd") => response("200 OK\r\ncontent-type: application/json", answer.as_bytes()),
            Some("cut") => response("200 OK\r\ncontent-type: text/event-stream", b": nothing\n\n"),
            _ => response("500 Internal Server Error\r\ncontent-type: text/plain", b"no"),
        })
    })?;
    let mut world = World::new("bridge-odd")?;
    world.add_url(upstream.address(), "odd", &["--sign-in"])?;
    let mut bridge = Bridge::start(&world, "odd")?;
    bridge.say(r#"{"jsonrpc":"2.0","id":"a-1","method":"odd","params":{"später":1}}"#)?;
    ensure!(bridge.hear()? == odd);
    let seen = upstream.seen().pop().context("nothing arrived")?;
    ensure!(serde_json::from_slice::<Value>(&seen.body)?["params"]["später"] == 1);
    bridge.say("not json")?;
    let told = bridge.hear()?;
    ensure!(told["error"]["code"] == -32700 && told["id"].is_null(), "{told}");
    bridge.say(r#"{"jsonrpc":"2.0","id":2,"method":"cut"}"#)?;
    let told = bridge.hear()?;
    ensure!(told["id"] == 2 && told["error"]["message"].to_string().contains("before it was whole"), "{told}");
    bridge.say(r#"{"jsonrpc":"2.0","id":3,"method":"other"}"#)?;
    let told = bridge.hear()?;
    ensure!(told["id"] == 3 && told["error"]["message"].to_string().contains("500"), "{told}");

    // The engine starts anew; the conversation goes on with another key.
    world.restart()?;
    world.sandbox.run_ok(&["sign-in", "ada"])?;
    bridge.say(r#"{"jsonrpc":"2.0","id":"a-1","method":"odd"}"#)?;
    let after = bridge.hear()?;
    ensure!(after == odd, "{after}");
    // The client leaves, and so does the bridge.
    let Bridge { stdin, mut process, .. } = bridge;
    drop(stdin);
    ensure!(process.wait(SOON)?.code() == Some(0));
    Ok(())
}

#[test]
fn an_address_that_nobody_added_is_added() -> Result<()> {
    let world = World::with("bridge-address", &json!({"register": true, "describe": "challenge"}))?;
    let url = world.provider.api_named("notes")?.to_owned();
    let mut command = world.sandbox.signbell()?;
    command.args(["mcp", &url]);
    run(command, b"", SOON)?.expect_code(0)?;
    let services = world.sandbox.run_json(&["service", "list"])?;
    ensure!(services.len() == 1 && services[0]["url"] == url, "{services:?}");
    // The second time it is known.
    let mut command = world.sandbox.signbell()?;
    command.args(["mcp", &url]);
    run(command, b"", SOON)?.expect_code(0)?;
    ensure!(world.sandbox.run_json(&["service", "list"])?.len() == 1);
    let mut command = world.sandbox.signbell()?;
    command.args(["--json", "mcp", "No Such Thing"]);
    ensure!(error_of(&run(command, b"", SOON)?.expect_code(2)?)?["code"] == "usage");
    Ok(())
}

#[test]
fn what_was_asked_before_the_last_line_is_answered() -> Result<()> {
    let upstream = Upstream::start(move |request| {
        let body: Value = serde_json::from_slice(&request.body).unwrap_or_default();
        if body["method"] == "slow" {
            // Longer than what has no answer to wait for is given to be sent.
            std::thread::sleep(std::time::Duration::from_secs(3));
        }
        let answer = json!({"jsonrpc": "2.0", "id": body["id"], "result": {}}).to_string();
        Reply::Bytes(response("200 OK\r\ncontent-type: application/json", answer.as_bytes()))
    })?;
    let world = World::new("bridge-last")?;
    world.add_url(upstream.address(), "slow", &["--sign-in"])?;
    let mut command = world.sandbox.signbell()?;
    command.args(["mcp", "slow"]);
    let lines =
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"slow\"}\n{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"quick\"}\n";
    let output = run(command, lines.as_bytes(), SOON)?.expect_code(0)?;
    let mut ids: Vec<Value> = output.json()?.into_iter().map(|line| line["id"].clone()).collect();
    ids.sort_by_key(Value::to_string);
    ensure!(ids == [json!(1), json!(2)], "{output:?}");
    Ok(())
}
