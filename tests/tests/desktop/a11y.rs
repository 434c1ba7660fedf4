//! What a screen reader or a keyboard can't use, as axe-core sees it in the real webview, on every view,
//! sheet and state, light and dark. `tests/axe` pins it; it is put into the page by the driver and ships
//! nowhere.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use signbell_engine::view::DevicePage;
use signbell_tests::{Webview, wait_ok};

use crate::stage::{Stage, a_day, account, service, tool, view, with};
use crate::{SOON, shot, turn};

/// Runs axe over the page as it stands, once it has been drawn.
const RUN: &str = "const done = arguments[0];
const asked = {resultTypes: ['violations'], runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']};
requestAnimationFrame(() => requestAnimationFrame(() => axe.run(document, asked).then(
    found => done(found.violations.map(one => ({id: one.id, impact: one.impact, help: one.help,
        nodes: one.nodes.map(node => `${node.target.join(' ')} ${node.failureSummary}`)}))),
    error => done([{id: 'axe', impact: 'critical', help: String(error), nodes: []}]))));";

/// A page with axe in it, and what it found so far.
struct Examined {
    window: Webview,
    theme: &'static str,
    found: Vec<Value>,
    looked_at: usize,
}

impl Examined {
    fn new(window: Webview, theme: &'static str) -> Result<Self> {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("axe/node_modules/axe-core/axe.min.js");
        let axe =
            fs::read_to_string(&file).with_context(|| format!("{}: npm ci --prefix tests/axe", file.display()))?;
        window.eval(&format!("{axe}; window.axe = axe;"))?;
        ensure!(window.eval("return typeof axe.run")? == "function", "axe is not in the page");
        Ok(Self { window, theme, found: Vec::new(), looked_at: 0 })
    }

    /// Looks at the page as it is now.
    fn look(&mut self, what: &str) -> Result<()> {
        let found = self.window.session().post("/execute/async", &json!({"script": RUN, "args": []}))?;
        for mut one in found.as_array().context("axe gave no list")?.iter().cloned() {
            one["where"] = json!(format!("{what}, {}", self.theme));
            self.found.push(one);
        }
        self.looked_at += 1;
        Ok(())
    }

    fn go(&mut self, hash: &str, wait_for: &str) -> Result<()> {
        self.window.eval(&format!("location.hash = '{hash}'"))?;
        self.window.find(wait_for).map(drop)
    }

    /// Presses every such button.
    fn open_all(&self, css: &str) -> Result<()> {
        self.window.eval(&format!("for (const head of document.querySelectorAll(\"{css}\")) head.click()"))?;
        wait_ok("all of them open", SOON, || {
            let left = self.window.eval(&format!("return document.querySelectorAll(\"{css}\").length"))?;
            ensure!(left == 0, "{left} are folded");
            Ok(())
        })
    }

    /// What a person can't get past.
    fn verdict(self) -> Result<usize> {
        let errors = self.window.console_errors()?;
        ensure!(errors.is_empty(), "{errors:?}");
        let grave: Vec<_> =
            self.found.iter().filter(|one| matches!(one["impact"].as_str(), Some("serious" | "critical"))).collect();
        let light: Vec<_> = self.found.iter().filter(|one| !grave.contains(one)).collect();
        ensure!(grave.is_empty(), "{}", serde_json::to_string_pretty(&grave)?);
        ensure!(light.is_empty(), "{}", serde_json::to_string_pretty(&light)?);
        self.window.close();
        Ok(self.looked_at)
    }
}

/// Everything that a view can show, at once.
fn everything() -> Value {
    let code = DevicePage::new("WDJB-MJHT".into(), "https://login.example.com/device".into(), None);
    let accounts = [
        account("ada", &json!({"label": "work", "last_used": crate::stage::now() - 60, "last_used_by": "claude-code"})),
        account(
            "bob",
            &json!({"state": "needs_sign_in", "state_words": "Needs you", "reason": "ended_by_provider",
            "reason_words": "The provider ended this session.", "waiting": 2, "expires_at": null,
            "waiting_words": "2 requests from claude-code are waiting",
            "ring": {"id": 1, "title": "Linear (bob) needs you", "body": "The provider ended this session."}}),
        ),
        account("cy", &json!({"state": "refreshing", "state_words": "Renewing…"})),
        account("di", &json!({"state": "signed_out", "state_words": "Signed out", "expires_at": null})),
        account(
            "ed",
            &json!({"state": "unavailable", "state_words": "Keyring is locked", "reason": "keyring_locked",
            "reason_words": "The keyring is locked. Unlock it, and Signbell goes on by itself."}),
        ),
        account(
            "flo",
            &json!({"ask": {"scopes": ["notes:read"], "typed": ["notes:write"],
            "words": "claude-code's request to notes needs more permissions: notes:read notes:write."},
            "state_words": "Signed in; more permissions are asked for"}),
        ),
        account(
            "gil",
            &json!({"state": "needs_sign_in", "state_words": "Needs you", "identity": null,
            "title": "Linear", "signing_in": true, "device": code}),
        ),
        account(
            "hal",
            &json!({"reason": "renewing_fails", "reason_words": "provider not reachable", "refreshable": false,
            "state_words": "Signed in until 14:05; renewing fails: provider not reachable", "ephemeral": true}),
        ),
        account(
            "ida",
            &json!({"grants": [
            {"resource": "https://a.example.com", "state": "active", "scopes": ["a:read"], "expires_at": 4_000_000_000_u64},
            {"resource": null, "state": "needs_sign_in", "scopes": [], "expires_at": null}]}),
        ),
    ];
    let names = ["ada", "bob", "cy", "di", "ed", "flo", "gil", "hal", "ida"];
    let services: Vec<_> = names.iter().map(|name| service(name, &json!({}))).collect();
    let tools = [tool("claude-code", &["ada", "bob"]), with(tool("old-script", &[]), &json!({"key_in_path": true}))];
    let banner = json!({"banners": ["config.toml, line 3: what stands there is not understood."]});
    with(view(&accounts, &services, &tools), &banner)
}

fn look_everywhere(theme: &'static str, gtk: &str) -> Result<()> {
    let _turn = turn();
    let stage = Stage::new("axe", everything(), a_day("ada"))?;
    stage.sandbox.set_env("GTK_THEME", gtk);
    let mut page = Examined::new(stage.open()?, theme)?;
    page.window.find("#row-ida")?;
    page.look("sessions")?;
    page.open_all("main .row-toggle[aria-expanded='false']")?;
    page.window.find(".timeline-picture")?;
    page.look("sessions, open")?;
    page.window.screenshot(&shot(&format!("desk-all-{theme}.png"))?)?;
    page.window.click("#renew-ada")?;
    page.window.find(".failure")?;
    page.window.click("#for-out-ada")?;
    page.window.find("#ask-out-ada")?;
    page.open_all(".failure button[aria-expanded='false']")?;
    page.look("a question, a failure and its details")?;

    page.go("#add", "#sheet-add")?;
    page.look("adding")?;
    page.go("#sessions", "#row-ada")?;

    page.go("#services", "#service-ada")?;
    page.look("services")?;
    page.open_all("main .row-toggle[aria-expanded='false']")?;
    page.open_all(".fold-head[aria-expanded='false']")?;
    page.window.type_text("#text-test-ada", "HTTP/1.1 401 Unauthorized\n\n")?;
    page.window.click("#send-test-ada")?;
    page.window.find(".judged")?;
    page.look("services, open")?;

    page.go("#tools", "#tool-claude-code")?;
    page.look("tools")?;
    page.go("#add-tool", "#sheet-tool")?;
    page.open_all("#sheet-tool .fold-head[aria-expanded='false']")?;
    page.look("adding a tool")?;
    page.window.type_text("#tool-name", "script")?;
    page.window.click("#tool-submit")?;
    page.go("#tools", "#open-add-tool")?;
    page.go("#tool/old-script", "#sheet-tool")?;
    page.look("widening a tool")?;
    page.go("#tools", "#open-add-tool")?;
    page.window.click("#for-rotate-claude-code")?;
    page.window.find("#ask-rotate-claude-code")?;
    page.look("a question about a tool")?;

    page.go("#activity", ".day")?;
    page.look("activity")?;
    page.open_all(".brief[aria-expanded='false']")?;
    page.look("activity, explained")?;
    page.window.type_text("#seek", "nothing is called this")?;
    page.window.find(".nothing.small")?;
    page.look("activity, nothing found")?;

    page.go("#settings", "#tab-settings[aria-current]")?;
    page.look("settings")?;

    page.window.click("#open-search")?;
    page.window.type_text("#search-text", "a")?;
    page.window.find(".found-one")?;
    page.look("search")?;
    page.window.type_text("#search-text", "zzzz")?;
    page.window.find(".search-none")?;
    page.look("search, nothing found")?;
    page.window.type_text("#search-text", "\u{e00c}")?;

    // What there is while there is nothing, and while nothing works.
    page.go("#sessions", "#row-ada")?;
    stage.show(with(
        view(&[], &[], &[]),
        &json!({"proxy": {"address": "http://127.0.0.1:8401", "running": true,
        "paused": true, "vault": "memory"}}),
    ))?;
    page.window.find("#begin")?;
    page.look("empty, paused")?;
    for (hash, css) in [("#services", ".nothing"), ("#tools", ".nothing")] {
        page.go(hash, css)?;
        page.look(&format!("empty {hash}"))?;
    }
    ensure!(page.verdict()? > 18);
    Ok(())
}

#[test]
fn axe_finds_nothing_in_the_light() -> Result<()> {
    look_everywhere("light", "Adwaita")
}

#[test]
fn axe_finds_nothing_in_the_dark() -> Result<()> {
    look_everywhere("dark", "Adwaita:dark")
}
