//! What nearly every test begins with: a provider, an engine, an account with a service and a tool.

use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::net::UnixStream;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
pub use signbell_tests::browser::follow_links;
use signbell_tests::process::{Output, run};
use signbell_tests::{Curl, Provider, Sandbox, Serve, wait_ok};

use crate::SOON;

/// The client registration at the provider that most tests use.
pub const CLIENT: &str = "signbell-test";

/// A sandbox with a provider and a running engine.
pub struct World {
    // Dropped in this order: the engine before the provider it may still talk to.
    pub serve: Serve,
    pub provider: Provider,
    pub sandbox: Sandbox,
}

/// How a tool reaches a service.
#[derive(Debug, Clone)]
pub struct Access {
    /// Its key.
    pub key: String,
    /// The service's address at the proxy.
    pub url: String,
}

impl World {
    /// Nobody is signed in; a sign-in needs no pages and is ada's.
    pub fn new(name: &str) -> Result<Self> {
        Self::with(name, &json!({}))
    }

    /// The same with other options of the provider.
    pub fn with(name: &str, options: &Value) -> Result<Self> {
        let sandbox = Sandbox::new(name)?;
        sandbox.set_env("SIGNBELL_VAULT", "memory");
        follow_links(&sandbox)?;
        let provider = provider(&sandbox, options)?;
        let serve = Serve::start(&sandbox)?;
        Ok(Self { serve, provider, sandbox })
    }

    /// The account `ada` is signed in, and the tool `script` may use the service `notes`.
    pub fn signed_in(name: &str) -> Result<(Self, Access)> {
        Self::signed_in_with(name, &json!({}))
    }

    /// The same with other options of the provider.
    pub fn signed_in_with(name: &str, options: &Value) -> Result<(Self, Access)> {
        let world = Self::with(name, options)?;
        let access = world.add("notes", &["--sign-in"])?;
        Ok((world, access))
    }

    /// Adds the provider's API of this name to the account `ada`, with the tool `script`.
    pub fn add(&self, api: &str, more: &[&str]) -> Result<Access> {
        add(&self.sandbox, &self.provider, api, more)
    }

    /// The same for any upstream.
    pub fn add_url(&self, url: &str, name: &str, more: &[&str]) -> Result<Access> {
        add_url(&self.sandbox, &self.provider, url, name, more)
    }

    /// The account `ada` as `signbell status --json` tells it.
    pub fn account(&self) -> Result<Value> {
        account(&self.sandbox)
    }

    /// Waits until the account is as wanted.
    pub fn wait_account(&self, what: &str, wanted: impl Fn(&Value) -> bool) -> Result<Value> {
        wait_account(&self.sandbox, what, wanted)
    }

    /// Sends one request to the control socket, as the tray does, and gives the first reply.
    pub fn control(&self, request: &Value) -> Result<Value> {
        control(&self.sandbox, request)
    }

    /// A number of the provider's counts, 0 where it counted nothing yet.
    pub fn count(&self, pointer: &str) -> Result<u64> {
        Ok(self.provider.counts()?.pointer(pointer).and_then(Value::as_u64).unwrap_or(0))
    }

    /// The kinds of all records of the activity, oldest first.
    pub fn activity(&self) -> Result<Vec<String>> {
        let records = self.sandbox.run_json(&["activity"])?;
        Ok(records.iter().map(|record| record["kind"].as_str().unwrap_or_default().to_owned()).collect())
    }

    /// Ends the engine and starts it again in the same folders.
    pub fn restart(&mut self) -> Result<()> {
        let ended = self.serve.stop()?;
        ensure!(ended.code() == Some(0), "serve ended with {ended}");
        self.serve = Serve::start(&self.sandbox)?;
        Ok(())
    }
}

impl Access {
    /// A request with the key.
    pub fn curl(&self, path: &str) -> Curl {
        Curl::new(format!("{}{path}", self.url)).header("authorization", &format!("Bearer {}", self.key))
    }

    /// A GET with the key that must succeed; gives the JSON it answered.
    pub fn get(&self, path: &str) -> Result<Value> {
        let response = self.curl(path).run()?;
        ensure!(response.status == 200, "GET {path}: {} {}", response.status, response.text());
        response.json()
    }
}

/// See [`World::control`].
pub fn control(sandbox: &Sandbox, request: &Value) -> Result<Value> {
    let socket = sandbox.signbell_home().join("control.sock");
    let stream = UnixStream::connect(&socket).with_context(|| format!("connecting to {}", socket.display()))?;
    stream.set_read_timeout(Some(SOON))?;
    writeln!(&stream, "{request}")?;
    let mut line = String::new();
    BufReader::new(&stream).read_line(&mut line)?;
    serde_json::from_str(&line).with_context(|| format!("the control socket's reply {line:?}"))
}

/// Starts the provider with tokens that live long and sign-ins without pages, unless `options` say
/// otherwise.
pub fn provider(sandbox: &Sandbox, options: &Value) -> Result<Provider> {
    let mut all = json!({"accessTtl": 600, "autoConsent": "ada"});
    for (name, value) in options.as_object().context("options are an object")? {
        all[name] = value.clone();
    }
    Provider::start(sandbox, &all)
}

/// See [`World::add`].
pub fn add(sandbox: &Sandbox, provider: &Provider, api: &str, more: &[&str]) -> Result<Access> {
    add_url(sandbox, provider, provider.api_named(api)?, api, more)
}

/// See [`World::add_url`].
pub fn add_url(sandbox: &Sandbox, provider: &Provider, url: &str, name: &str, more: &[&str]) -> Result<Access> {
    let issuer = provider.issuer()?;
    let usual =
        ["add", url, "--name", name, "--account", "ada", "--issuer", issuer, "--client-id", CLIENT, "--tool", "script"];
    let lines = sandbox.run_json(&[&usual, more].concat())?;
    access(lines.first().context("no line of `add`")?)
}

/// What `signbell add --tool` printed; the key is empty where the tool was there already.
pub fn access(line: &Value) -> Result<Access> {
    Ok(Access {
        key: line["key"].as_str().unwrap_or_default().to_owned(),
        url: line["url"].as_str().with_context(|| format!("no url: {line}"))?.to_owned(),
    })
}

/// See [`World::account`].
pub fn account(sandbox: &Sandbox) -> Result<Value> {
    let status = sandbox.run_json(&["status", "ada"])?;
    let account = status.first().and_then(|status| status["accounts"].get(0));
    account.cloned().with_context(|| format!("no account in {status:?}"))
}

/// See [`World::wait_account`].
pub fn wait_account(sandbox: &Sandbox, what: &str, wanted: impl Fn(&Value) -> bool) -> Result<Value> {
    wait_ok(what, SOON, || {
        let seen = account(sandbox)?;
        ensure!(wanted(&seen), "{seen}");
        Ok(seen)
    })
}

/// The error that a command told as its last JSON line.
pub fn error_of(output: &Output) -> Result<Value> {
    let lines = output.json()?;
    let error = lines.last().map(|line| line["error"].clone()).filter(Value::is_object);
    error.with_context(|| format!("no error in {lines:?}"))
}

/// Runs `signbell … --json`, wants this exit code and error code, and gives the message.
pub fn refused(sandbox: &Sandbox, args: &[&str], exit: i32, code: &str) -> Result<String> {
    let output = sandbox.run(&[args, &["--json"]].concat())?.expect_code(exit).with_context(|| args.join(" "))?;
    let error = error_of(&output)?;
    ensure!(error["code"] == code, "{args:?}: {error}");
    Ok(error["message"].as_str().unwrap_or_default().to_owned())
}

/// The SHA-256 of these bytes in hexadecimal, by a program that is not ours.
pub fn sha256(bytes: &[u8]) -> Result<String> {
    let output = run(Command::new("sha256sum"), bytes, SOON)?.expect_code(0)?;
    Ok(output.stdout.split(' ').next().unwrap_or_default().to_owned())
}

/// So many bytes, none like its neighbours.
pub fn bytes(length: usize) -> Vec<u8> {
    (0u32..).map(|i| (i.wrapping_mul(2_654_435_761) >> 24).to_le_bytes()[0]).take(length).collect()
}
