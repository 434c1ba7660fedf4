//! What other programs have is shown in the window, and taken over only where it is ticked.

use std::fs;

use anyhow::{Context as _, Result, ensure};
use serde_json::json;
use signbell_tests::{Webview, wait_ok};

use crate::room::Room;
use crate::{SOON, shot, turn};

const NOTES: &str = "[id='import-clients:Work-Notes']";

fn disabled(window: &Webview, css: &str) -> Result<bool> {
    Ok(window.eval(&format!("return document.querySelector(\"{css}\").disabled"))? == true)
}

#[test]
fn what_a_client_has_is_listed_and_taken_over_when_ticked() -> Result<()> {
    let _turn = turn();
    let room = Room::with("importing", &json!({"accessTtl": 3000, "register": true, "describe": "challenge"}))?;
    let servers = json!({"mcpServers": {
        "Work Notes": {"url": format!("{}/me", room.provider.api()?), "headers": {"Authorization": "Bearer canary"}},
        "Issues": {"url": format!("{}/me?token=canary", room.provider.api_named("issues")?)},
    }});
    let file = room.sandbox.home().join(".cursor/mcp.json");
    fs::create_dir_all(file.parent().context("no folder")?)?;
    fs::write(&file, servers.to_string())?;
    // One that can't be read is named and keeps nothing back.
    fs::create_dir_all(room.sandbox.home().join(".gemini"))?;
    fs::write(room.sandbox.home().join(".gemini/settings.json"), "{ broken")?;
    let before = fs::read_to_string(&file)?;

    let window = room.open()?;
    window.click("#open-import")?;
    window.wait_text("#sheet-import", ".gemini/settings.json is left out", SOON)?;
    window.wait_text("#sheet-import", "You sign in once.", SOON)?;
    ensure!(disabled(&window, "#import-submit")?, "nothing is ticked");
    let status = room.sandbox.run_json(&["status"])?;
    ensure!(status[0]["services"] == json!([]), "taken without being asked: {status:?}");
    window.click(NOTES)?;
    window.screenshot(&shot("import.png")?)?;
    window.click("#import-submit")?;
    window.wait_text("#import-told", "1 service was taken over", SOON)?;
    window.wait_text("#sheet-import", "Taken over, as work-notes", SOON)?;
    ensure!(disabled(&window, NOTES)? && !disabled(&window, "[id='import-clients:Issues']")?);
    window.screenshot(&shot("import-done.png")?)?;
    let page = window.eval("return document.documentElement.outerHTML")?;
    ensure!(page.as_str().is_some_and(|page| !page.contains("canary")), "a secret is shown");
    window.click("#import-close")?;
    let status = room.sandbox.run_json(&["status"])?;
    let services = status[0]["services"].as_array().context("no services")?;
    ensure!(services.len() == 1 && services[0]["service"] == "work-notes", "{services:?}");
    ensure!(fs::read_to_string(&file)? == before, "the client's file was changed");

    // The person signs in to it where they do to any other; the next look says that it is here.
    window.click("main .row .button.filled")?;
    room.sign_in()?;
    window.wait_text(".row-words", "Signed in", SOON)?;
    window.click("#open-add")?;
    window.click("#add-import")?;
    window.wait_text("#sheet-import", "Here already, as work-notes", SOON)?;
    wait_ok("the list", SOON, || {
        ensure!(disabled(&window, NOTES)?);
        Ok(())
    })?;
    room.close(window)
}
