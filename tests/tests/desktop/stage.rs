//! A window on a stage: a double of the engine whose views the test writes, for what no provider can bring
//! about at will, and in any order. Nothing behind the socket is real.

use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use anyhow::{Context as _, Result};
use serde_json::{Value, json};
use signbell_tests::sandbox::binary;
use signbell_tests::{Desktop, DesktopOptions, Sandbox, Webview};

/// A desktop with the double, for windows that the test opens.
pub struct Stage {
    pub desktop: Desktop,
    pub sandbox: Sandbox,
    script: Arc<Mutex<Script>>,
}

#[derive(Default)]
struct Script {
    view: Value,
    activity: Vec<Value>,
    asked: Vec<Value>,
    watchers: Vec<UnixStream>,
}

impl Stage {
    /// A desktop whose engine shows this view.
    pub fn new(name: &str, view: Value, activity: Vec<Value>) -> Result<Self> {
        let sandbox = Sandbox::new(name)?;
        let desktop = DesktopOptions::default().without_dunst().without_panel().start(&sandbox)?;
        let script = Arc::new(Mutex::new(Script { view, activity, ..Script::default() }));
        let listener = UnixListener::bind(sandbox.signbell_home().join("control.sock"))?;
        let shared = Arc::clone(&script);
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let script = Arc::clone(&shared);
                thread::spawn(move || drop(converse(stream, &script)));
            }
        });
        Ok(Self { desktop, sandbox, script })
    }

    /// Opens the window.
    pub fn open(&self) -> Result<Webview> {
        Webview::open(&self.sandbox, &self.desktop, &binary("signbell-desktop")?, &["window"])
    }

    /// The engine's view is now this one.
    pub fn show(&self, view: Value) -> Result<()> {
        let mut script = lock(&self.script);
        script.view = view;
        let line = format!("{}\n", script.view);
        for watcher in &mut script.watchers {
            // A window that was closed watches no more.
            let _ = watcher.write_all(line.as_bytes());
        }
        Ok(())
    }

    /// What was asked of the engine by `do`, oldest first.
    pub fn asked(&self, what: &str) -> Vec<Value> {
        lock(&self.script).asked.iter().filter(|asked| asked["do"] == what).cloned().collect()
    }
}

fn lock(script: &Mutex<Script>) -> MutexGuard<'_, Script> {
    script.lock().unwrap_or_else(PoisonError::into_inner)
}

fn converse(mut stream: UnixStream, script: &Mutex<Script>) -> Result<()> {
    let mut lines = BufReader::new(stream.try_clone()?).lines();
    let request: Value = serde_json::from_str(&lines.next().context("no request")??)?;
    let replies = {
        let mut script = lock(script);
        script.asked.push(request.clone());
        match request["do"].as_str() {
            Some("watch" | "watch-in") => {
                writeln!(stream, "{}", script.view)?;
                script.watchers.push(stream.try_clone()?);
                drop(script);
                // Until the window leaves.
                lines.next();
                return Ok(());
            }
            Some("status") => vec![script.view.clone()],
            Some("activity") => {
                let told = script.activity.iter().map(|record| {
                    let mut reply = record.clone();
                    reply["reply"] = json!("activity");
                    reply
                });
                told.chain([json!({"reply": "done"})]).collect()
            }
            Some("service-test") => vec![json!({"reply": "judged", "service": request["service"], "status": 401,
                "rule": "bearer-challenge", "verdict": "expired", "why": "The token is no longer good.",
                "source": "RFC 6750 section 3.1", "action": "refresh, replay", "scopes": []})],
            Some("tool-add") => vec![json!({"reply": "tool-key", "tool": request["tool"], "key": "sbk_0123456789",
                "urls": {"linear": "http://127.0.0.1:8401/linear"}})],
            Some("refresh") => vec![json!({"reply": "failed", "kind": "refused", "code": "invalid_grant",
                "message": "The provider ended this session."})],
            _ => vec![json!({"reply": "done"})],
        }
    };
    for reply in replies {
        writeln!(stream, "{reply}")?;
    }
    Ok(())
}

/// A view of three accounts that are signed in.
pub fn three() -> Value {
    let names = ["ada", "bob", "cy"];
    let accounts = names.map(|name| account(name, &json!({})));
    let services = names.map(|name| service(name, &json!({})));
    view(&accounts, &services, &[tool("claude-code", &["ada"]), tool("cursor", &["bob"])])
}

/// A view with these accounts, services and tools.
pub fn view(accounts: &[Value], services: &[Value], tools: &[Value]) -> Value {
    json!({"reply": "view", "accounts": accounts, "services": services, "tools": tools, "banners": [],
        "proxy": {"address": "http://127.0.0.1:8401", "running": true, "paused": false, "vault": "keyring"},
        "recoveries": {"sign_ins": 42, "requests": 17, "since": now().saturating_sub(20 * 86_400)}})
}

/// An account that is signed in, unless `more` says otherwise.
pub fn account(name: &str, more: &Value) -> Value {
    let now = now();
    let account = json!({
        "account": name, "title": format!("{name}@example.com · Linear"), "short_title": format!("Linear ({name})"),
        "provider": "Linear", "identity": format!("{name}@example.com"), "state": "active", "state_words": "Signed in",
        "scopes": ["openid", "issues:read"], "issued_at": now - 600, "expires_at": now + 3000, "refreshable": true,
        "services": [name], "waiting": 0, "signing_in": false, "allow_token": false, "ephemeral": false, "grants": [],
    });
    with(account, more)
}

/// A service of the account of the same name, unless `more` says otherwise.
pub fn service(name: &str, more: &Value) -> Value {
    let service = json!({
        "service": name, "url": "https://mcp.linear.app/mcp", "address": format!("http://127.0.0.1:8401/{name}"),
        "account": name, "resource": null, "preset": "mcp", "preset_title": "MCP server",
        "origin": "https://mcp.linear.app", "header": "Authorization: Bearer", "hold_seconds": 120,
        "hold_seconds_json_rpc": 50, "own_hold": false, "replay_unsafe": true, "expired": "automatic",
    });
    with(service, more)
}

/// A tool that may use these services.
pub fn tool(name: &str, services: &[&str]) -> Value {
    json!({"tool": name, "services": services, "last_seen": now() - 120, "expired": "automatic", "key_in_path": false})
}

/// A thing that happened `ago` seconds ago.
pub fn record(ago: u64, kind: &str, account: &str, text: &str) -> Value {
    json!({"at": now() - ago, "kind": kind, "account": account, "text": text})
}

/// The value with these fields.
pub fn with(mut value: Value, more: &Value) -> Value {
    for (key, field) in more.as_object().into_iter().flatten() {
        value[key] = field.clone();
    }
    value
}

/// Unix seconds, as the page reads them.
#[allow(clippy::disallowed_methods, reason = "the views of the double are dated as an engine's are")]
pub fn now() -> u64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |time| time.as_secs())
}

/// A day in the life of an account: every kind of line that there is.
pub fn a_day(account: &str) -> Vec<Value> {
    let hour = 3600;
    let mut day = vec![
        record(20 * hour, "signed_in", account, "Signed in to Linear as ada@example.com"),
        record(19 * hour, "used", account, "claude-code used linear"),
        record(17 * hour, "refreshed", account, "Linear was renewed"),
        record(16 * hour, "refreshed", account, "Linear was renewed"),
        record(15 * hour, "refresh_failed", account, "Linear could not be renewed: provider not reachable"),
        record(14 * hour, "refreshed", account, "Linear was renewed"),
        record(
            12 * hour,
            "recovered",
            account,
            "linear refused the token; it was renewed and the request went through",
        ),
        record(10 * hour, "ended", account, "Linear needs you. The provider ended this session."),
        record(9 * hour, "held", account, "claude-code waits for you to sign in to Linear"),
        record(9 * hour - 600, "hold_over", account, "claude-code stopped waiting for Linear"),
        record(7 * hour, "sign_in_failed", account, "Signing in to Linear was declined in the browser"),
        record(6 * hour, "signed_in", account, "Signed in to Linear as ada@example.com"),
        record(4 * hour, "refreshed", account, "Linear was renewed"),
        record(3 * hour, "scopes_asked", account, "linear wants more permissions"),
        record(2 * hour, "passed_on", account, "claude-code's request to linear was refused"),
        record(hour, "refused", account, "A request with an unknown key was refused"),
        record(1800, "hint", account, "linear for claude-code: reconnect the tool"),
        record(900, "changed", account, "Service linear was changed"),
        record(600, "recovered", account, "linear refused the token; it was renewed and the request went through"),
    ];
    if let Some(last) = day.last_mut() {
        last["took_ms"] = json!(312);
        last["tool"] = json!("claude-code");
        last["service"] = json!("linear");
        last["refusal"] = json!({"status": 401, "rule": "bearer-challenge", "why": "The token is no longer good.",
            "decision": "renewed the token and sent the request again"});
    }
    day
}
