//! A client is connected in the window: what changes is shown, written with one click, and taken back.

use std::fs;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use signbell_tests::{Curl, wait_ok};

use crate::room::Room;
use crate::{SOON, shot, turn};

#[test]
fn a_client_is_connected_with_one_click_and_taken_back_with_another() -> Result<()> {
    let _turn = turn();
    let room = Room::new("connecting")?;
    let (issuer, api) = (room.provider.issuer()?, room.provider.api()?);
    let add =
        ["add", api, "--name", "notes", "--account", "ada", "--issuer", issuer, "--client-id", crate::world::CLIENT];
    room.sandbox.run_json(&add)?;
    let file = room.sandbox.home().join(".cursor/mcp.json");
    fs::create_dir_all(file.parent().context("no folder")?)?;
    let before = "{\n  \"mcpServers\": {\n    \"mine\": { \"command\": \"npx\" }\n  }\n}\n";
    fs::write(&file, before)?;

    let window = room.open()?;
    window.eval("location.hash = '#tools'")?;
    window.click("#open-connect")?;
    let choose = |client: &str| {
        wait_ok("the clients", SOON, || {
            let found = window.eval(&format!(
                "const it = document.querySelector('#connect-client');
                if (![...it.options].some((one) => one.value === '{client}')) return false;
                it.value = '{client}';
                it.dispatchEvent(new Event('change', {{bubbles: true}}));
                return true"
            ))?;
            ensure!(found == true, "no {client}");
            Ok(())
        })
    };
    choose("cursor")?;
    window.wait_text("#connect-diff", "+    \"notes\": {", SOON)?;
    let shown = window.text("#connect-diff")?;
    ensure!(shown.contains("Bearer sbk_…"), "{shown}");
    ensure!(fs::read_to_string(&file)? == before, "shown, and written already");
    window.screenshot(&shot("connect.png")?)?;

    window.click("#connect-submit")?;
    window.wait_text("#connect-told", "Connected Cursor", SOON)?;
    let written: Value = serde_json::from_str(&fs::read_to_string(&file)?)?;
    let server = &written["mcpServers"]["notes"];
    let key = server["headers"]["Authorization"].as_str().context("no key")?;
    let url = server["url"].as_str().context("no url")?;
    // Nobody is signed in, and nobody comes: but the key is known.
    room.sandbox.run_json(&["service", "set", "notes", "--hold", "0"])?;
    let status = Curl::new(format!("{url}/me")).header("authorization", key).run()?;
    ensure!(status.text().contains("sign") && !status.text().contains("unknown_key"), "{status:?}");
    let page = window.eval("return document.documentElement.outerHTML")?;
    ensure!(page.as_str().is_some_and(|page| !page.contains(key.trim_start_matches("Bearer "))), "the key is shown");
    window.screenshot(&shot("connect-done.png")?)?;

    window.click("#connect-undo")?;
    window.wait_text("#connect-diff", "-    \"notes\": {", SOON)?;
    window.click("#connect-submit")?;
    window.wait_text("#connect-told", "Disconnected Cursor", SOON)?;
    ensure!(fs::read_to_string(&file)? == before);
    window.click("#connect-close")?;

    // The tool is there still, its key is nowhere: only a click more makes a new one.
    window.click("#open-connect")?;
    choose("cursor")?;
    window.click("#connect-rotate")?;
    window.wait_text("#connect-diff", "Bearer sbk_…", SOON)?;
    room.close(window)
}

#[test]
fn the_settings_name_the_clients_that_look_at_another_port() -> Result<()> {
    let _turn = turn();
    let room = Room::new("elsewhere")?;
    let window = room.open()?;
    window.eval("location.hash = '#settings'")?;
    window.wait_text("#settings-proxy", "", SOON)?;
    let named = "return document.querySelector('#port-elsewhere') !== null";
    ensure!(window.eval(named)? == false, "nobody looks elsewhere yet");
    let file = room.sandbox.home().join(".cursor/mcp.json");
    fs::create_dir_all(file.parent().context("no folder")?)?;
    let server = r#"{"url": "http://127.0.0.1:1/notes", "headers": {"Authorization": "Bearer sbk_of-before"}}"#;
    fs::write(&file, format!("{{\"mcpServers\": {{\"notes\": {server}}}}}\n"))?;
    let window = {
        room.close(window)?;
        room.open()?
    };
    window.eval("location.hash = '#settings'")?;
    window.wait_text("#port-elsewhere", "Cursor", SOON)?;
    window.wait_text("#port-elsewhere", "signbell connect --again", SOON)?;
    window.screenshot(&shot("settings-elsewhere.png")?)?;
    room.close(window)
}
