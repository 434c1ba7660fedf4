//! The app's own window, driven through WebKitGTK's driver.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

use crate::desktop::Desktop;
use crate::sandbox::Sandbox;
use crate::webdriver::{Element, Session};

/// How long an element may take to appear.
const APPEAR: Duration = Duration::from_secs(60);

/// Keeps the errors of the page where [`Webview::console_errors`] finds them.
const COLLECT_ERRORS: &str = r"
if (!window.__testErrors) {
    const errors = window.__testErrors = [];
    const usual = console.error;
    console.error = (...args) => { errors.push(args.map(String).join(' ')); usual(...args); };
    addEventListener('error', event => errors.push(String(event.message || event.target?.src)), true);
    addEventListener('unhandledrejection', event => errors.push(String(event.reason)));
}";

/// A running program whose window is a WebKitGTK webview; dropping it ends the program.
#[derive(Debug)]
pub struct Webview {
    session: Session,
    _sandbox: Sandbox,
}

impl Webview {
    /// Starts `binary` with `args` on the desktop, through WebKitWebDriver: a Tauri program offers
    /// its window to the driver when TAURI_AUTOMATION is set (which this does).
    pub fn open(sandbox: &Sandbox, desktop: &Desktop, binary: &Path, args: &[&str]) -> Result<Self> {
        let parts = Some(sandbox.root()) == Some(desktop.sandbox().root());
        anyhow::ensure!(parts, "the desktop belongs to another sandbox");
        // The driver hands its own environment on to the program.
        sandbox.set_env("TAURI_AUTOMATION", "true");
        sandbox.set_env("TAURI_WEBVIEW_AUTOMATION", "true");
        let capabilities = json!({
            "webkitgtk:browserOptions": {"binary": binary, "args": args},
        });
        let session = Session::start(sandbox, "WebKitWebDriver", &capabilities);
        sandbox.remove_env("TAURI_AUTOMATION");
        sandbox.remove_env("TAURI_WEBVIEW_AUTOMATION");
        let session = session.with_context(|| format!("opening {}", binary.display()))?;
        let webview = Self { session, _sandbox: sandbox.clone() };
        webview.session.wait_loaded(APPEAR)?;
        webview.watch_errors()?;
        Ok(webview)
    }

    /// Begins to keep the errors of the page shown now, for [`Webview::console_errors`]; needed
    /// again after a reload or another page.
    pub fn watch_errors(&self) -> Result<()> {
        self.session.eval(COLLECT_ERRORS)?;
        Ok(())
    }

    /// The session, for commands not offered here.
    pub fn session(&self) -> &Session {
        &self.session
    }

    /// Waits for the first element for a CSS selector.
    pub fn find(&self, css: &str) -> Result<Element> {
        self.session.find(css, APPEAR)
    }

    /// Waits for the element and clicks it.
    pub fn click(&self, css: &str) -> Result<()> {
        let element = self.find(css)?;
        let clicked = self.session.click(&element);
        clicked.with_context(|| format!("clicking {css}"))
    }

    /// Waits for the element and types into it.
    pub fn type_text(&self, css: &str, text: &str) -> Result<()> {
        let element = self.find(css)?;
        let typed = self.session.type_text(&element, text);
        typed.with_context(|| format!("typing into {css}"))
    }

    /// Waits for the element and gives its visible text.
    pub fn text(&self, css: &str) -> Result<String> {
        let element = self.find(css)?;
        let text = self.session.text_of(&element);
        text.with_context(|| format!("reading {css}"))
    }

    /// Waits until the visible text of the first such element contains `wanted`.
    pub fn wait_text(&self, css: &str, wanted: &str, timeout: Duration) -> Result<String> {
        crate::wait_ok(&format!("{wanted:?} in {css}"), timeout, || {
            let element = self.session.try_find(css)?;
            let element = element.with_context(|| format!("no {css}"))?;
            let text = self.session.text_of(&element)?;
            anyhow::ensure!(text.contains(wanted), "{text:?}");
            Ok(text)
        })
    }

    /// Runs JavaScript (the body of a function; `return` gives the value) in the window.
    pub fn eval(&self, script: &str) -> Result<Value> {
        self.session.eval(script)
    }

    /// Errors of the page since it was opened: `console.error`, uncaught exceptions, rejected
    /// promises. Those of the very first loading come before the harness listens.
    pub fn console_errors(&self) -> Result<Vec<String>> {
        let errors = self.eval("return window.__testErrors || []")?;
        serde_json::from_value(errors).context("reading the console errors")
    }

    /// Writes a picture of the window's content to `file` (PNG).
    pub fn screenshot(&self, file: &Path) -> Result<()> {
        self.session.screenshot(file)
    }

    /// Ends the session and the program with it.
    pub fn close(self) {
        drop(self);
    }
}
