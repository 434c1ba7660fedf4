//! An MCP server that wants a sign-in, from its address and nothing else to a first tool call: the official
//! SDK's own authorization at the server, oidc-provider behind it, the SDK's client in front.

use anyhow::{Context as _, Result, ensure};
use serde_json::json;
use signbell_tests::process::run;
use signbell_tests::{NodeServer, node};

use crate::SOON;
use crate::world::{World, access};

#[test]
fn one_command_from_an_mcp_server_s_address_to_a_first_tool_call() -> Result<()> {
    let options = json!({"register": true, "accessFormat": "jwt"});
    let world = World::with("mcp-authorized", &options)?;
    let server = NodeServer::start(&world.sandbox, "mcp/authorized.mjs", &[world.provider.issuer()?])?;
    let url = server.field("/url")?;
    world.provider.control("POST", "/accept-resource", &[("resource", url)], None)?;

    let lines = world.sandbox.run_json(&["add", url, "--tool", "me", "--sign-in"])?;
    let access = access(lines.first().context("no line of `add`")?)?;
    let call = || -> Result<()> {
        let mut command = node(&world.sandbox, "mcp/client.mjs");
        command.args(["v1", &access.url, "first-call"]).env("KEY", &access.key);
        let seen = run(command, b"", SOON * 2)?.expect_code(0)?.json()?;
        let step = |name: &str| seen.iter().find(|line| line["step"] == name);
        ensure!(seen.iter().all(|line| line.get("error").is_none()), "{seen:?}");
        ensure!(step("list").is_some_and(|line| line["tools"][0] == "echo"), "{seen:?}");
        ensure!(step("echo").is_some_and(|line| line["text"] == "hello"), "{seen:?}");
        Ok(())
    };
    call()?;
    let last = world.provider.last()?;
    ensure!(last["authorize"]["resource"] == url && last["token"]["resource"] == url, "{last}");
    // The SDK's challenge asks for one scope, and the server offers a session that lasts.
    ensure!(last["authorize"]["scope"] == "notes:read offline_access", "{last}");
    ensure!(world.count("/registered")? == 1 && world.count("/authorize")? == 1);

    // It lives on: renewed for the same resource, and taken.
    let account = lines[0]["account"].as_str().context("no account")?;
    world.sandbox.run_ok(&["refresh", account])?;
    let last = world.provider.last()?;
    ensure!(last["token"]["grant_type"] == "refresh_token" && last["token"]["resource"] == url, "{last}");
    call()
}
