//! The person's browser: catching the URLs that are opened, and signing in with a real Chromium.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::json;

use crate::process::which;
use crate::sandbox::Sandbox;
use crate::wait::wait_ok;
use crate::webdriver::Session;

/// How long a page may take to follow a click.
const PAGE: Duration = Duration::from_secs(60);

/// Makes the browser a program that follows redirects, which is all that a sign-in needs where the provider
/// shows no page. Gives the program.
pub fn follow_links(sandbox: &Sandbox) -> Result<PathBuf> {
    let script = sandbox.path("browser.sh");
    fs::write(&script, "#!/bin/sh\nexec curl -q -sSL --noproxy '*' --max-time 40 -o /dev/null \"$1\"\n")?;
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755))?;
    sandbox.set_env("BROWSER", script.to_string_lossy());
    Ok(script)
}

/// Stands in for the browser that programs open: notes each URL.
#[derive(Debug)]
pub struct UrlCatcher {
    file: PathBuf,
    script: PathBuf,
    given: Mutex<usize>,
    _sandbox: Sandbox,
}

impl UrlCatcher {
    /// Sets BROWSER in the sandbox to a script which notes URLs. Programs started earlier do not
    /// know it.
    pub fn install(sandbox: &Sandbox) -> Result<Self> {
        let file = sandbox.log_path("urls", "txt");
        let script = file.with_extension("sh");
        fs::write(&file, "").context("creating the file of URLs")?;
        // One printf writes one line at once, so calls at the same time do not mix.
        let text = format!("#!/bin/sh\nfor url; do printf '%s\\n' \"$url\" >>'{}'; done\n", file.display());
        fs::write(&script, text).context("writing the browser script")?;
        fs::set_permissions(&script, fs::Permissions::from_mode(0o755))
            .context("making the browser script executable")?;
        sandbox.set_env("BROWSER", script.to_string_lossy());
        Ok(Self { file, script, given: Mutex::new(0), _sandbox: sandbox.clone() })
    }

    /// The script, for programs that get their browser in another way than by BROWSER.
    pub fn script(&self) -> &Path {
        &self.script
    }

    /// All URLs opened so far.
    pub fn urls(&self) -> Result<Vec<String>> {
        let text = fs::read_to_string(&self.file).context("reading the opened URLs")?;
        let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
        Ok(whole.lines().map(str::to_owned).collect())
    }

    /// Waits for the next URL: each is given once, in order.
    pub fn next_url(&self, timeout: Duration) -> Result<String> {
        let mut given = self.given.lock().unwrap_or_else(PoisonError::into_inner);
        let url = wait_ok("a URL opened in the browser", timeout, || {
            let urls = self.urls()?;
            let next = urls.get(*given).cloned();
            next.with_context(|| format!("the {} URLs given before", urls.len()))
        })?;
        *given += 1;
        Ok(url)
    }

    /// Fails if a URL not yet given by [`UrlCatcher::next_url`] was opened.
    pub fn expect_none(&self) -> Result<()> {
        let given = *self.given.lock().unwrap_or_else(PoisonError::into_inner);
        let urls = self.urls()?;
        let more = urls.get(given..).unwrap_or_default();
        ensure!(more.is_empty(), "URLs were opened in the browser: {more:?}");
        Ok(())
    }
}

/// The page at which signing in ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// Its URL.
    pub url: String,
    /// Its visible text.
    pub text: String,
}

/// A headless Chromium with a fresh profile; it keeps cookies between pages as a person's does.
#[derive(Debug)]
pub struct Chromium {
    session: Session,
    _sandbox: Sandbox,
}

impl Chromium {
    /// Starts Chromium and its driver in the sandbox. It reaches loopback addresses only.
    pub fn start(sandbox: &Sandbox) -> Result<Self> {
        let profile = sandbox.log_path("chromium", "profile");
        let mut args: Vec<String> = [
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--disable-dev-shm-usage",
            "--no-first-run",
            "--no-default-browser-check",
            "--no-pings",
            "--no-proxy-server",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-default-apps",
            "--disable-domain-reliability",
            "--disable-extensions",
            "--disable-sync",
            "--metrics-recording-only",
            "--password-store=basic",
            "--window-size=1000,800",
            "--host-resolver-rules=MAP rebound.test 127.0.0.1, MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE 127.0.0.1",
        ]
        .map(str::to_owned)
        .into();
        args.push(format!("--user-data-dir={}", profile.display()));
        let capabilities = json!({
            "browserName": "chrome",
            "goog:chromeOptions": {"binary": which("chromium")?, "args": args},
            "goog:loggingPrefs": {"browser": "ALL"},
        });
        Ok(Self { session: Session::start(sandbox, "chromedriver", &capabilities)?, _sandbox: sandbox.clone() })
    }

    /// The session, for everything beyond signing in.
    pub fn session(&self) -> &Session {
        &self.session
    }

    /// Opens a URL and gives the page it leads to.
    pub fn open(&self, url: &str) -> Result<Page> {
        self.session.goto(url)?;
        self.page()
    }

    /// The page shown now.
    pub fn page(&self) -> Result<Page> {
        self.session.wait_loaded(PAGE)?;
        Ok(Page { url: self.session.url()?, text: self.session.text()? })
    }

    /// Signs in as a person does: opens `url`, and where there is `#login` types the login and
    /// clicks `#continue`, where there is `#allow` clicks it. Gives the page after that, which is
    /// the program's own if all went well.
    pub fn sign_in(&self, url: &str, login: &str) -> Result<Page> {
        self.session.goto(url)?;
        self.go_on(login)
    }

    /// Like [`Chromium::sign_in`] but clicks `#deny`, which must be there.
    pub fn deny(&self, url: &str, login: &str) -> Result<Page> {
        self.session.goto(url)?;
        self.type_login(login)?;
        ensure!(self.click_through("#deny")?, "no #deny: {:?}", self.page()?);
        self.page()
    }

    /// Clicks what is at this CSS selector, which must be there, and gives the page it leads to.
    pub fn press(&self, css: &str) -> Result<Page> {
        ensure!(self.click_through(css)?, "no {css}: {:?}", self.page()?);
        self.page()
    }

    /// Signs in at the page shown now, as [`Chromium::sign_in`] does.
    pub fn go_on(&self, login: &str) -> Result<Page> {
        self.type_login(login)?;
        self.click_through("#allow")?;
        self.page()
    }

    /// Forgets all cookies, so that the next sign-in asks for the login again.
    pub fn forget_cookies(&self) -> Result<()> {
        let command = json!({"cmd": "Network.clearBrowserCookies", "params": {}});
        self.session.post("/goog/cdp/execute", &command)?;
        Ok(())
    }

    /// What pages wrote to the console since the last call, errors of loading included.
    pub fn console(&self) -> Result<Vec<String>> {
        let entries = self.session.post("/se/log", &json!({"type": "browser"}))?;
        let entries = entries.as_array().cloned().unwrap_or_default();
        let line = |entry: &serde_json::Value| {
            let part = |name: &str| entry[name].as_str().unwrap_or_default().to_owned();
            format!("{} {}", part("level"), part("message"))
        };
        Ok(entries.iter().map(line).collect())
    }

    /// Writes a picture of the page to `file` (PNG).
    pub fn screenshot(&self, file: &Path) -> Result<()> {
        self.session.screenshot(file)
    }

    fn type_login(&self, login: &str) -> Result<()> {
        self.session.wait_loaded(PAGE)?;
        if let Some(field) = self.session.try_find("#login")? {
            // A `login_hint` may stand there already.
            self.session.clear(&field)?;
            self.session.type_text(&field, login)?;
            ensure!(self.click_through("#continue")?, "#login without #continue");
        }
        Ok(())
    }

    /// Clicks the element, if it is there, and waits until its page is left.
    fn click_through(&self, css: &str) -> Result<bool> {
        let Some(element) = self.session.try_find(css)? else {
            return Ok(false);
        };
        self.session.click(&element)?;
        wait_ok(&format!("the page after {css}"), PAGE, || {
            let left = self.session.is_stale(&element);
            ensure!(left, "still {:?}", self.page()?);
            Ok(())
        })?;
        self.session.wait_loaded(PAGE)?;
        Ok(true)
    }
}
