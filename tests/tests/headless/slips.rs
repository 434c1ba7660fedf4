//! What a person gets wrong or gives up: each gets an answer, and nothing is left behind.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use signbell_tests::process::run;
use signbell_tests::{Curl, wait_ok};

use crate::SOON;
use crate::double::{Bare, Double};
use crate::world::{World, refused};

#[test]
fn a_wrong_paste_is_answered_and_the_sign_in_goes_on() -> Result<()> {
    let bare = Bare::new("slips-paste")?;
    let double = Double::plain()?;
    bare.add(&double.api(), &["--name", "api"])?;
    let mut command = bare.sandbox.signbell()?;
    command.args(["sign-in", "ada", "--no-browser", "--json"]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn()?;
    let mut input = child.stdin.take().context("no stdin")?;
    let mut out = BufReader::new(child.stdout.take().context("no stdout")?).lines();
    let mut err = BufReader::new(child.stderr.take().context("no stderr")?).lines();
    let page: Value = serde_json::from_str(&out.next().context("no page")??)?;
    let page = page["authorize_url"].as_str().context("no link")?;
    // The page's redirect, which no browser follows here.
    let location = Curl::new(page).run()?.header("location").context("no redirect")?.to_owned();
    let (base, _) = location.split_once('?').context("no query")?;
    let mut said = |says: &str| -> Result<()> {
        for line in err.by_ref() {
            if line?.contains(says) {
                return Ok(());
            }
        }
        anyhow::bail!("{says:?} was not said")
    };
    for (pasted, says) in [
        ("hello".to_owned(), "not the address of the page"),
        (page.to_owned(), "neither a code nor an error"),
        (format!("{base}?code=c&state=another"), "another sign-in"),
        (format!("{location}&state=twice"), "a thing twice"),
    ] {
        writeln!(input, "{pasted}")?;
        said(says).with_context(|| pasted)?;
    }
    writeln!(input, "{location}")?;
    let last: Value = serde_json::from_str(&out.next().context("no last line")??)?;
    ensure!(last["state"] == "active", "{last}");
    ensure!(child.wait()?.success());
    Ok(())
}

#[test]
fn ctrl_c_ends_the_attempt_too() -> Result<()> {
    let bare = Bare::new("slips-interrupt")?;
    let double = Double::plain()?;
    bare.add(&double.api(), &["--name", "api"])?;
    let mut command = bare.sandbox.signbell()?;
    command.args(["sign-in", "ada", "--no-browser"]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn()?;
    let mut out = BufReader::new(child.stdout.take().context("no stdout")?).lines();
    let page = out.next().context("no page")??;
    let signing_in =
        || Ok::<_, anyhow::Error>(bare.sandbox.run_json(&["status"])?[0]["accounts"][0]["signing_in"].clone());
    ensure!(signing_in()? == true);
    let mut kill = Command::new("kill");
    kill.args(["-INT", &child.id().to_string()]);
    run(kill, b"", SOON)?.expect_code(0)?;
    ensure!(child.wait()?.code() == Some(1));
    ensure!(signing_in()? == false, "the attempt lives on");
    // Whoever comes back from the page finds nobody.
    let location = Curl::new(page).run()?.header("location").context("no redirect")?.to_owned();
    ensure!(Curl::new(location).run().is_err(), "somebody still listens");
    Ok(())
}

#[test]
fn one_page_that_is_of_no_use_keeps_no_other_account_waiting() -> Result<()> {
    let bare = Bare::new("slips-all")?;
    let (dead, good) = (Double::plain()?, Double::plain()?);
    bare.sandbox.run_ok(&["add", &dead.api(), "--name", "dead", "--account", "a-dead"])?;
    bare.sandbox.run_ok(&["add", &good.api(), "--name", "good", "--account", "b-good"])?;
    let mut command = bare.sandbox.signbell()?;
    command.args(["sign-in", "--all", "--no-browser", "--json"]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn()?;
    let mut input = child.stdin.take().context("no stdin")?;
    let mut out = BufReader::new(child.stdout.take().context("no stdout")?).lines();
    let mut line = || -> Result<Value> { Ok(serde_json::from_str(&out.next().context("the output ended")??)?) };
    line()?;
    writeln!(input)?;
    let skipped = line()?;
    ensure!(skipped["error"]["code"] == "skipped", "{skipped}");
    ensure!(skipped["error"]["message"].as_str().is_some_and(|text| text.contains("signbell sign-in a-dead")));
    let page = line()?;
    let page = page["authorize_url"].as_str().with_context(|| format!("no second page: {page}"))?;
    let location = Curl::new(page).run()?.header("location").context("no redirect")?.to_owned();
    Curl::new(location).run()?;
    ensure!(line()?["state"] == "active");
    ensure!(child.wait()?.code() == Some(10));
    let accounts = bare.sandbox.run_json(&["status"])?[0]["accounts"].clone();
    ensure!(accounts[0]["account"] == "a-dead" && accounts[0]["signing_in"] == false, "{accounts}");
    Ok(())
}

#[test]
fn names_and_addresses_that_are_mixed_up_or_there_already() -> Result<()> {
    let (world, _) = World::signed_in("slips-names")?;
    for args in [&["sign-in", "notes"][..], &["refresh", "notes"], &["status", "notes"], &["token", "notes"]] {
        let message = refused(&world.sandbox, args, 1, "unknown_account")?;
        ensure!(message.contains("is a service; its account is \"ada\""), "{message}");
    }
    let api = world.provider.api()?;
    let again = ["add", api, "--issuer", world.provider.issuer()?, "--client-id", crate::world::CLIENT];
    let message = refused(&world.sandbox, &again, 2, "already_added")?;
    ensure!(message.contains("\"notes\"") && message.contains("--account"), "{message}");
    // The engine itself refuses, whoever asks; and before anybody is asked.
    for what in ["look", "add"] {
        let said = world.control(&json!({"do": what, "url": format!("{api}/"), "issuer": world.provider.issuer()?,
            "client_id": crate::world::CLIENT}))?;
        ensure!(said["code"] == "already_added", "{said}");
    }
    world.sandbox.run_ok(&[&again[..], &["--account", "second"]].concat())?;
    Ok(())
}

#[test]
fn an_account_whose_services_are_gone_is_still_signed_in() -> Result<()> {
    let (mut world, _) = World::signed_in("slips-orphan")?;
    world.sandbox.run_ok(&["service", "remove", "notes"])?;
    for _ in 0..2 {
        let account = world.account()?;
        ensure!(account["state"] == "active" && account["services"] == json!([]), "{account}");
        ensure!(account["state_words"].as_str().is_some_and(|words| words.contains("no service")), "{account}");
        world.restart()?;
    }
    world.sandbox.run_ok(&["sign-out", "ada"])?;
    ensure!(world.account()?["state"] == "signed_out");
    Ok(())
}

#[test]
fn a_token_that_is_too_short_is_renewed_or_refused() -> Result<()> {
    let (world, _) = World::signed_in("slips-token")?;
    world.sandbox.run_ok(&["account", "set", "ada", "--allow-token"])?;
    let first = world.sandbox.run_json(&["token", "ada"])?[0].clone();
    let expires = |token: &Value| token["expires_at"].as_u64().context("no expires_at");
    // More than half of its ten minutes is left, and less than was asked for.
    let left = |at: u64| -> Result<u64> {
        let mut date = Command::new("date");
        date.arg("+%s");
        Ok(at.saturating_sub(run(date, b"", SOON)?.expect_code(0)?.stdout.trim().parse()?))
    };
    let at = expires(&first)?;
    wait_ok("two seconds of the token's life", SOON, || {
        let left = left(at)?;
        ensure!(left < 598, "{left}");
        Ok(())
    })?;
    let second = world.sandbox.run(&["token", "ada", "--min-valid", "598s", "--json"])?.expect_code(0)?;
    let token = second.json()?[0].clone();
    ensure!(token["access_token"] != first["access_token"] && expires(&token)? > at, "not renewed: {token}");
    // Longer than any token of this provider: printed, and said.
    let output = world.sandbox.run(&["token", "ada", "--min-valid", "2h", "--json"])?.expect_code(0)?;
    ensure!(output.stderr.contains("never live as long"), "{output:?}");
    Ok(())
}

#[test]
fn another_client_id_ends_no_sign_in_without_a_word() -> Result<()> {
    let (world, access) = World::signed_in("slips-client")?;
    let set = ["provider", "set", "ada", "--client-id", "another"];
    let message = refused(&world.sandbox, &set, 13, "would_end_sign_ins")?;
    ensure!(message.contains("\"ada\"") && message.contains("--yes"), "{message}");
    ensure!(access.get("/me")?["login"] == "ada" && world.account()?["state"] == "active");
    // The same one ends nothing, and neither does what the provider is shown beside it.
    world.sandbox.run_ok(&["provider", "set", "ada", "--client-id", crate::world::CLIENT])?;
    ensure!(access.get("/me")?["login"] == "ada");
    let said = world.sandbox.run_ok(&[&set[..], &["--yes"]].concat())?;
    ensure!(said.contains("signbell sign-in ada"), "{said}");
    ensure!(world.account()?["state"] == "needs_sign_in", "{}", world.account()?);
    // Now there is nothing left to end.
    let changed = world.sandbox.run_json(&["provider", "set", "ada", "--client-id", crate::world::CLIENT])?;
    ensure!(changed[0]["account"] == "ada" && changed[0].get("ended").is_none(), "{changed:?}");
    Ok(())
}

#[test]
fn who_was_signed_out_on_purpose_stays_so_and_is_named() -> Result<()> {
    let (world, _) = World::signed_in("slips-out")?;
    world.sandbox.run_ok(&["sign-out", "ada"])?;
    let output = world.sandbox.run(&["sign-in", "--all"])?.expect_code(0)?;
    ensure!(output.stderr.contains("\"ada\" stays signed out") && output.stderr.contains("signbell sign-in ada"));
    ensure!(world.account()?["state"] == "signed_out", "{}", world.account()?);
    Ok(())
}

#[test]
fn a_key_in_the_path_is_told_in_its_address() -> Result<()> {
    let (world, _) = World::signed_in("slips-path")?;
    let add = ["tool", "add", "base-url", "--service", "notes", "--key-in-path"];
    let said = world.sandbox.run_ok(&add)?;
    let address = said.lines().find_map(|line| line.strip_prefix("Address of \"notes\": ")).context("no address")?;
    ensure!(address.contains("/k/sbk_") && Curl::new(format!("{address}/me")).run()?.status == 200, "{said}");
    ensure!(!said.contains("Bearer") && said.contains("part of the address"), "{said}");
    // Its key is not known any more; where it goes is.
    let again = world.sandbox.run_ok(&add)?;
    ensure!(again.contains("/k/KEY/notes") && !again.contains("sbk_"), "{again}");
    let rotated = world.sandbox.run_ok(&["tool", "rotate", "base-url"])?;
    ensure!(rotated.contains("/k/sbk_") && !rotated.contains("Bearer"), "{rotated}");
    Ok(())
}
