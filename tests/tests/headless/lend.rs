//! Keys for a while: `signbell run`, and git through its credential helper.

use std::fs;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use signbell_tests::process::run;
use signbell_tests::upstream::{Reply, ok};
use signbell_tests::{Curl, Upstream, wait_ok};

use crate::SOON;
use crate::world::{World, error_of};

#[test]
fn a_command_has_its_key_for_as_long_as_it_runs() -> Result<()> {
    let (world, access) = World::signed_in("run")?;
    let out = world.sandbox.path("seen");
    let script = format!(
        "printf '%s %s' \"$SIGNBELL_KEY\" \"$SIGNBELL_NOTES_URL\" > {}; \
         curl -q -sSf --noproxy '*' -H \"Authorization: Bearer $SIGNBELL_KEY\" \"$SIGNBELL_URL/me\"; exit 7",
        out.display()
    );
    let output = world.sandbox.run(&["run", "--tool", "script", "--", "sh", "-c", &script])?.expect_code(7)?;
    ensure!(output.stdout.contains("\"login\":\"ada\""), "{output:?}");
    let seen = fs::read_to_string(out)?;
    let (key, url) = seen.split_once(' ').context("no key and address")?;
    ensure!(url == access.url && key.starts_with("sbk_") && key != access.key, "{seen}");
    // It ended with the command; the tool's own key is none the worse.
    let with = |key: &str| Curl::new(format!("{url}/me")).header("authorization", &format!("Bearer {key}")).run();
    wait_ok("the lent key's end", SOON, || {
        ensure!(with(key)?.status == 401);
        Ok(())
    })?;
    ensure!(with(&access.key)?.status == 200);
    ensure!(world.sandbox.run_json(&["status"])?[0]["tools"].as_array().is_some_and(|tools| tools.len() == 1));
    // A signal's end is told as shells do.
    world.sandbox.run(&["run", "--tool", "script", "--", "sh", "-c", "kill -9 $$"])?.expect_code(137)?;
    Ok(())
}

#[test]
fn what_can_t_be_run_says_why() -> Result<()> {
    let (world, _) = World::signed_in("run-wrong")?;
    let failing =
        |args: &[&str]| error_of(&world.sandbox.run(&[&["--json", "run", "--tool"], args].concat())?.expect_code(1)?);
    ensure!(failing(&["nobody", "--", "true"])?["code"] == "unknown_tool");
    let error = failing(&["script", "--", "no-such-program-here"])?;
    ensure!(
        error["code"] == "cannot_start" && error["message"].to_string().contains("no-such-program-here"),
        "{error}"
    );
    world.sandbox.run(&["run", "--tool", "script"])?.expect_code(2)?;
    Ok(())
}

#[test]
fn git_clones_through_its_credential_helper() -> Result<()> {
    // git's own server side on a real repository; the upstream around it is a double, for it only has to
    // see which credential arrives.
    let world = World::new("git-helper")?;
    let repository = world.sandbox.path("repo.git");
    let refs = world.sandbox.path("seen-refs");
    let mut init = Command::new("git");
    init.args(["init", "-q", "--bare"]).arg(&repository);
    run(init, b"", SOON)?.expect_code(0)?;
    let served = repository.clone();
    let upstream = Upstream::start(move |request| {
        let mut git = Command::new("git");
        git.args(["upload-pack", "--stateless-rpc", "--advertise-refs"]).arg(&served);
        let advertised = run(git, b"", SOON).map(|output| output.stdout).unwrap_or_default();
        if request.token().is_empty() || !request.target.starts_with("/repo/info/refs") {
            return Reply::Bytes(ok("not found"));
        }
        let body = format!("001e# service=git-upload-pack\n0000{advertised}");
        let head = "200 OK\r\ncontent-type: application/x-git-upload-pack-advertisement";
        Reply::Bytes(signbell_tests::upstream::response(head, body.as_bytes()))
    })?;
    world.add_url(upstream.address(), "forge", &["--sign-in"])?;
    world.sandbox.run_ok(&["tool", "add", "git", "--service", "forge"])?;
    let address = world.sandbox.run_json(&["status"])?[0]["proxy"]["address"].clone();
    let address = address.as_str().context("no address")?;
    let signbell = world.sandbox.signbell()?;
    let helper = format!("credential.{address}.helper=!'{}' credential git", signbell.get_program().to_string_lossy());
    let mut ls = world.sandbox.command("git");
    ls.args([
        "-c",
        "http.proxy=",
        "-c",
        "credential.helper=",
        "-c",
        &helper,
        "ls-remote",
        &format!("{address}/forge/repo"),
    ]);
    ls.env("GIT_TERMINAL_PROMPT", "0");
    let output = run(ls, b"", SOON)?;
    fs::write(refs, &output.stdout)?;
    output.expect_code(0)?;
    // Never for anybody else's address.
    let mut other = world.sandbox.signbell()?;
    other.args(["credential", "git", "get"]);
    let output = run(other, b"protocol=https\nhost=github.com\n\n", SOON)?.expect_code(0)?;
    ensure!(output.stdout.is_empty(), "{output:?}");
    Ok(())
}
