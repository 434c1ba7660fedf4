//! A small WebDriver client: as much of the protocol as the browser and the app's window need.

use std::net::TcpListener;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use base64::Engine as _;
use serde_json::{Value, json};
use ureq::Agent;

use crate::process::Process;
use crate::sandbox::Sandbox;
use crate::wait::{still, wait_ok};

/// The key under which the protocol gives an element.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";
/// How long one command may take; loading a page is one command.
const COMMAND: Duration = Duration::from_secs(60);
/// How long a driver program may take to listen.
const START: Duration = Duration::from_secs(45);

/// Calls back after two frames were drawn; soon in any case, as hidden pages are never drawn.
const AFTER_DRAWING: &str = "const done = arguments[0]; setTimeout(done, 1000);
requestAnimationFrame(() => requestAnimationFrame(() => done()));";

/// A session of a browser with its driver program; both end with it.
#[derive(Debug)]
pub struct Session {
    agent: Agent,
    base: String,
    _driver: Process,
}

/// An element of the page, valid until the page is left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Element(String);

impl Session {
    /// Starts `driver` (a program that takes `--port=`) on a free port in the sandbox and a
    /// session with these capabilities.
    pub fn start(sandbox: &Sandbox, driver: &str, capabilities: &Value) -> Result<Self> {
        let agent: Agent = Agent::config_builder()
            .timeout_global(Some(COMMAND))
            .http_status_as_error(false)
            .proxy(None)
            .build()
            .into();
        let (process, port) = start_driver(sandbox, driver, &agent)?;
        let mut session = Self { agent, base: format!("http://127.0.0.1:{port}/session"), _driver: process };
        let request = json!({"capabilities": {"alwaysMatch": capabilities}});
        let answer = session.post("", &request);
        let answer = answer.with_context(|| format!("starting a session of {driver}"))?;
        let id = answer["sessionId"].as_str();
        let id = id.with_context(|| format!("{driver} gave no session: {answer}"))?;
        session.base = format!("{}/{id}", session.base);
        Ok(session)
    }

    /// Opens a URL and waits until it is loaded.
    pub fn goto(&self, url: &str) -> Result<()> {
        self.post("/url", &json!({"url": url})).with_context(|| format!("opening {url}"))?;
        Ok(())
    }

    /// The URL of the page now shown.
    pub fn url(&self) -> Result<String> {
        string(self.get("/url")?)
    }

    /// The title of the page now shown.
    pub fn title(&self) -> Result<String> {
        string(self.get("/title")?)
    }

    /// The first element for a CSS selector, if there is one.
    pub fn try_find(&self, css: &str) -> Result<Option<Element>> {
        let query = json!({"using": "css selector", "value": css});
        let found = self.post("/elements", &query)?;
        Ok(found[0][ELEMENT].as_str().map(|id| Element(id.to_owned())))
    }

    /// Waits for an element for a CSS selector.
    pub fn find(&self, css: &str, timeout: Duration) -> Result<Element> {
        wait_ok(&format!("the element {css}"), timeout, || {
            let found = self.try_find(css)?;
            found.with_context(|| format!("the page {:?}", self.text().unwrap_or_default()))
        })
    }

    /// Clicks an element as a person would: it must be visible and not covered.
    pub fn click(&self, element: &Element) -> Result<()> {
        self.post(&format!("/element/{}/click", element.0), &json!({}))?;
        Ok(())
    }

    /// Types text into an element, after what it contains.
    pub fn type_text(&self, element: &Element, text: &str) -> Result<()> {
        self.post(&format!("/element/{}/value", element.0), &json!({"text": text}))?;
        Ok(())
    }

    /// Empties a field.
    pub fn clear(&self, element: &Element) -> Result<()> {
        self.post(&format!("/element/{}/clear", element.0), &json!({}))?;
        Ok(())
    }

    /// The visible text of an element.
    pub fn text_of(&self, element: &Element) -> Result<String> {
        string(self.get(&format!("/element/{}/text", element.0))?)
    }

    /// An attribute of an element; `None` if it has none of this name.
    pub fn attribute(&self, element: &Element, name: &str) -> Result<Option<String>> {
        let value = self.get(&format!("/element/{}/attribute/{name}", element.0))?;
        Ok(value.as_str().map(str::to_owned))
    }

    /// Whether an element belongs to a page that was left.
    pub fn is_stale(&self, element: &Element) -> bool {
        let asked = self.get(&format!("/element/{}/name", element.0));
        asked.is_err_and(|error| {
            let text = format!("{error:#}");
            text.contains("stale element") || text.contains("no such element")
        })
    }

    /// The visible text of the whole page.
    pub fn text(&self) -> Result<String> {
        string(self.eval("return document.body ? document.body.innerText : ''")?)
    }

    /// Runs JavaScript (the body of a function; `return` gives the value) in the page.
    pub fn eval(&self, script: &str) -> Result<Value> {
        self.eval_with(script, &[])
    }

    /// Like [`Session::eval`], with `arguments[0]` and so on.
    pub fn eval_with(&self, script: &str, args: &[Value]) -> Result<Value> {
        self.post("/execute/sync", &json!({"script": script, "args": args}))
    }

    /// Waits until the page is loaded completely.
    pub fn wait_loaded(&self, timeout: Duration) -> Result<()> {
        wait_ok("the loaded page", timeout, || {
            let state = self.eval("return document.readyState")?;
            ensure!(state == "complete", "document.readyState {state}");
            Ok(())
        })
    }

    /// Writes a picture of the page to `file` (PNG), once it is drawn and stands still.
    pub fn screenshot(&self, file: &Path) -> Result<()> {
        // A page may be complete and yet not drawn: the picture would be white.
        self.post("/execute/async", &json!({"script": AFTER_DRAWING, "args": []}))?;
        let encoded = still("the page", || string(self.get("/screenshot")?))?;
        let picture = base64::engine::general_purpose::STANDARD.decode(encoded.trim());
        if let Some(folder) = file.parent() {
            std::fs::create_dir_all(folder).context("creating the screenshot's folder")?;
        }
        std::fs::write(file, picture.context("the screenshot is not base64")?)
            .with_context(|| format!("writing {}", file.display()))
    }

    /// Any GET command of the session.
    pub fn get(&self, path: &str) -> Result<Value> {
        let answer = self.agent.get(format!("{}{path}", self.base)).call();
        value_of(answer).with_context(|| format!("WebDriver command GET {path}"))
    }

    /// Any POST command of the session.
    pub fn post(&self, path: &str, body: &Value) -> Result<Value> {
        let request = self.agent.post(format!("{}{path}", self.base));
        value_of(request.send_json(body)).with_context(|| format!("WebDriver command POST {path}"))
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        // Ends the browser in order; the driver's process group is ended after that in any case.
        let request = self.agent.delete(&self.base).config();
        let _ = request.timeout_global(Some(Duration::from_secs(5))).build().call();
    }
}

/// Starts the driver on a port that was free a moment ago, again if somebody else took it.
fn start_driver(sandbox: &Sandbox, driver: &str, agent: &Agent) -> Result<(Process, u16)> {
    let mut last = None;
    for _ in 0..3 {
        let port = free_port()?;
        let mut command = sandbox.command(driver);
        command.arg(format!("--port={port}"));
        let (mut process, log) = sandbox.spawn(command, driver)?;
        let ready = wait_ok(&format!("{driver} on port {port}"), START, || {
            if !process.is_running() {
                return Ok(Err(process.failure(&log)));
            }
            let answer = agent.get(format!("http://127.0.0.1:{port}/status")).call();
            Ok(Ok(value_of(answer)?))
        })?;
        match ready {
            Ok(_) => return Ok((process, port)),
            Err(error) => last = Some(error),
        }
    }
    Err(last.context("no attempt was made")?)
}

/// A port of the loopback address on which nobody listens now.
pub fn free_port() -> Result<u16> {
    let listener = TcpListener::bind("127.0.0.1:0").context("looking for a free port")?;
    Ok(listener.local_addr()?.port())
}

fn value_of(answer: Result<ureq::http::Response<ureq::Body>, ureq::Error>) -> Result<Value> {
    let mut answer = answer?;
    let status = answer.status();
    let text = answer.body_mut().with_config().limit(64 << 20).read_to_string()?;
    let parsed: Value = serde_json::from_str(&text).with_context(|| format!("{status}, not JSON: {text:.300}"))?;
    let value = parsed["value"].clone();
    if !status.is_success() {
        bail!("{}: {}", value["error"], value["message"]);
    }
    Ok(value)
}

fn string(value: Value) -> Result<String> {
    match value {
        Value::String(text) => Ok(text),
        other => bail!("text expected, got {other}"),
    }
}
