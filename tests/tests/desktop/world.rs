//! What nearly every test begins with: a desktop with the tray on it, and accounts.

use std::path::PathBuf;
use std::process::ExitStatus;
use std::thread;

use anyhow::{Context as _, Result, anyhow, ensure};
use serde_json::{Value, json};
use signbell_tests::process::tail;
use signbell_tests::sandbox::binary;
use signbell_tests::{Curl, Desktop, DesktopOptions, Process, Provider, Sandbox, Serve, UrlCatcher, wait_ok};

use crate::SOON;

/// The client registration at the provider.
pub const CLIENT: &str = "signbell-test";
/// The tool that makes the requests.
pub const TOOL: &str = "curl";

/// A desktop with the tray, a provider and accounts. Each account has a service of the same name.
pub struct World {
    // Dropped in this order: the tray before what it talks to.
    pub app: App,
    pub provider: Provider,
    pub browser: UrlCatcher,
    pub desktop: Desktop,
    pub sandbox: Sandbox,
    pub key: String,
}

/// The tray process.
pub struct App {
    process: Process,
    log: PathBuf,
}

impl World {
    /// The tray with these accounts, which are not signed in.
    pub fn new(name: &str, parts: DesktopOptions, accounts: &[&str]) -> Result<Self> {
        Self::of(Sandbox::new(name)?, parts, accounts)
    }

    /// The same in a sandbox whose environment is not the usual one.
    pub fn of(sandbox: Sandbox, parts: DesktopOptions, accounts: &[&str]) -> Result<Self> {
        let desktop = parts.start(&sandbox)?;
        let browser = UrlCatcher::install(&sandbox)?;
        let provider = Provider::start(&sandbox, &json!({}))?;
        // Added before the tray is there, which would show its window to a person without accounts.
        let mut serve = Serve::start(&sandbox)?;
        let mut key = String::new();
        for account in accounts {
            let added = add(&sandbox, &provider, account)?;
            if let Some(new) = added["key"].as_str() {
                new.clone_into(&mut key);
            }
        }
        serve.stop()?;
        let app = App::start(&sandbox)?;
        Ok(Self { app, provider, browser, desktop, sandbox, key })
    }

    /// The same, all of them signed in.
    pub fn signed_in(name: &str, parts: DesktopOptions, accounts: &[&str]) -> Result<Self> {
        let world = Self::new(name, parts, accounts)?;
        for account in accounts {
            world.sign_in(account, |url| world.follow(url, account))?;
        }
        Ok(world)
    }

    /// `signbell sign-in`; `page` is the person at the page that opens.
    pub fn sign_in(&self, account: &str, page: impl FnOnce(&str) -> Result<()>) -> Result<()> {
        thread::scope(|scope| {
            let command = scope.spawn(|| self.sandbox.run_json(&["sign-in", account]));
            page(&self.browser.next_url(SOON)?)?;
            let lines = command.join().map_err(|_| anyhow!("signbell sign-in panicked"))??;
            let last = lines.last().context("sign-in wrote nothing")?;
            ensure!(last["state"] == "active", "{lines:?}");
            Ok(())
        })
    }

    /// Runs a command that lets programs do more, and allows it in the notification.
    pub fn permit(&self, args: &[&str]) -> Result<()> {
        thread::scope(|scope| {
            let command = scope.spawn(|| self.sandbox.run_ok(args));
            let bell = self.desktop.notifications();
            let shown =
                bell.wait_for(|shown| shown.summary.starts_with("signbell wants to") && shown.is_open(), SOON)?;
            bell.invoke_label(shown.id, "Allow")?;
            command.join().map_err(|_| anyhow!("the command panicked"))??;
            Ok(())
        })
    }

    /// Signs `login` in at the page `url` without a browser.
    pub fn follow(&self, url: &str, login: &str) -> Result<()> {
        self.provider.auto_consent(Some(login))?;
        let page = Curl::new(url).arg("--location").run()?;
        self.provider.auto_consent(None)?;
        ensure!(page.status == 200 && page.text().contains("Signed in"), "{} {}", page.status, page.text());
        Ok(())
    }

    /// A request for the account's service.
    pub fn curl(&self, account: &str) -> Result<Curl> {
        let address = format!("{}/{account}/me", proxy(&self.sandbox)?);
        Ok(Curl::new(address).header("authorization", &format!("Bearer {}", self.key)))
    }

    /// A request that must succeed.
    pub fn get(&self, account: &str) -> Result<()> {
        let response = self.curl(account)?.run()?;
        ensure!(response.status == 200, "{} {}", response.status, response.text());
        ensure!(response.json()?["login"] == account, "{}", response.text());
        Ok(())
    }

    /// The account as `signbell status --json` tells it.
    pub fn account(&self, name: &str) -> Result<Value> {
        account(&self.sandbox, name)
    }

    /// Waits until the account is as wanted.
    pub fn wait_account(&self, name: &str, what: &str, wanted: impl Fn(&Value) -> bool) -> Result<Value> {
        wait_ok(what, SOON, || {
            let seen = self.account(name)?;
            ensure!(wanted(&seen), "{seen}; the tray's log: {}", self.app.log());
            Ok(seen)
        })
    }
}

impl App {
    /// Starts the tray, which asks something before it does more.
    pub fn start_asking(sandbox: &Sandbox) -> Result<Self> {
        let (process, log) = sandbox.spawn(sandbox.command(binary("signbell-desktop")?), "signbell-desktop")?;
        Ok(Self { process, log })
    }

    /// Starts the tray and waits until its engine answers.
    pub fn start(sandbox: &Sandbox) -> Result<Self> {
        let mut app = Self::start_asking(sandbox)?;
        wait_ok("the engine in the tray", SOON, || {
            ensure!(app.process.is_running(), "it ended: {}", app.log());
            ensure!(sandbox.run(&["status"])?.code == Some(0), "no status; its log: {}", app.log());
            Ok(())
        })?;
        Ok(app)
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// Whether it still runs.
    pub fn is_running(&mut self) -> bool {
        self.process.is_running()
    }

    /// Waits until it has ended by itself.
    pub fn wait(&mut self) -> Result<ExitStatus> {
        self.process.wait(SOON).with_context(|| self.log())
    }

    /// Ends it as a logout does.
    pub fn end(&mut self) -> Result<()> {
        self.process.terminate(SOON)?;
        Ok(())
    }

    /// A crash.
    pub fn kill9(&mut self) -> Result<()> {
        self.process.kill9()?;
        Ok(())
    }

    /// The end of its log.
    pub fn log(&self) -> String {
        tail(&self.log, 2000)
    }
}

/// Adds the account and its service, for the tool; gives what the command told.
pub fn add(sandbox: &Sandbox, provider: &Provider, account: &str) -> Result<Value> {
    let (url, issuer) = (provider.api()?, provider.issuer()?);
    let words = ["add", url, "--name", account, "--account", account];
    let more = ["--issuer", issuer, "--client-id", CLIENT, "--tool", TOOL];
    let lines = sandbox.run_json(&[&words[..], &more].concat())?;
    lines.first().cloned().context("`add` wrote nothing")
}

/// Where tools reach Signbell.
pub fn proxy(sandbox: &Sandbox) -> Result<String> {
    let status = sandbox.run_json(&["status"])?;
    let address = status.first().and_then(|status| status["proxy"]["address"].as_str());
    address.map(str::to_owned).with_context(|| format!("no address in {status:?}"))
}

/// The account as `signbell status --json` tells it.
pub fn account(sandbox: &Sandbox, name: &str) -> Result<Value> {
    let status = sandbox.run_json(&["status", name])?;
    let account = status.first().and_then(|status| status["accounts"].get(0));
    account.cloned().with_context(|| format!("no account {name} in {status:?}"))
}
