//! A desktop with an engine and no tray, for a window that is opened by the test.

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use signbell_tests::sandbox::binary;
use signbell_tests::{Chromium, Curl, Desktop, DesktopOptions, Provider, Sandbox, Serve, UrlCatcher, Webview};

use crate::{SOON, proc};

/// A desktop with an engine, for a window that is opened by the test.
pub struct Room {
    pub serve: Serve,
    pub provider: Provider,
    pub chromium: Chromium,
    pub browser: UrlCatcher,
    pub desktop: Desktop,
    pub sandbox: Sandbox,
}

impl Room {
    /// With a provider as it usually is.
    pub fn new(name: &str) -> Result<Self> {
        Self::with(name, &json!({"accessTtl": 3000}))
    }

    /// With other options of the provider.
    pub fn with(name: &str, options: &Value) -> Result<Self> {
        let sandbox = Sandbox::new(name)?;
        let desktop = DesktopOptions::default().without_dunst().without_panel().start(&sandbox)?;
        let browser = UrlCatcher::install(&sandbox)?;
        let provider = Provider::start(&sandbox, options)?;
        let serve = Serve::start(&sandbox)?;
        let chromium = Chromium::start(&sandbox)?;
        Ok(Self { serve, provider, chromium, browser, desktop, sandbox })
    }

    /// Opens the window.
    pub fn open(&self) -> Result<Webview> {
        Webview::open(&self.sandbox, &self.desktop, &binary("signbell-desktop")?, &["window"])
    }

    /// Closes it, and waits for the end of its process and of WebKit's helpers.
    pub fn close(&self, window: Webview) -> Result<()> {
        let errors = window.console_errors()?;
        ensure!(errors.is_empty(), "{errors:?}");
        let own = proc::windows(std::process::id());
        let [pid] = own[..] else { anyhow::bail!("one window process, not {own:?}") };
        let helpers = proc::descendants(pid);
        ensure!(!helpers.is_empty(), "WebKit has helper processes");
        window.close();
        proc::wait_gone("the end of the window and of WebKit", &[own, helpers].concat())
    }

    /// The person signs in as ada at the page that was opened.
    pub fn sign_in(&self) -> Result<()> {
        let page = self.chromium.sign_in(&self.browser.next_url(SOON)?, "ada")?;
        ensure!(page.text.contains("Signed in"), "{page:?}");
        Ok(())
    }

    /// A request of the tool with this key, at the first service of the first account.
    pub fn curl(&self, key: &str) -> Result<Curl> {
        let status = self.sandbox.run_json(&["status"])?;
        let service = status[0]["accounts"][0]["services"][0].as_str().context("no service")?;
        let address = self.serve.url(&format!("/{service}/me"));
        Ok(Curl::new(address).header("authorization", &format!("Bearer {key}")))
    }
}
