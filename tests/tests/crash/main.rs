//! The process is killed with SIGKILL at every step of what changes something, and started again. What is
//! kept, told or lost is counted: `make crash` does each 200 times and prints the table of
//! docs/reliability.md; `make test` does a few of each.
//!
//! With a provider that gives a rotated refresh token some seconds of grace, no session may be lost. With a
//! strict one, only where the answer itself was lost; and then the person is told by the first request.

#![expect(clippy::print_stdout, reason = "the figures are what a long run is for")]

use std::collections::BTreeMap;
use std::os::unix::process::ExitStatusExt as _;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::{Value, json};
use signbell_tests::browser::follow_links;
use signbell_tests::{Curl, Desktop, DesktopOptions, Provider, Sandbox, Serve, wait_ok};

const SOON: Duration = Duration::from_secs(90);

/// What is under way when the process is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Act {
    /// A request whose token has died.
    Refresh,
    /// `signbell sign-in --force`
    SignIn,
    /// `signbell sign-out`
    SignOut,
    /// A change of the configuration.
    Configure,
}

/// Where it is killed (see the engine's `faults`), what is under way, and whether the provider's answer to a
/// rotation is lost there.
const POINTS: [(&str, Act, bool); 17] = [
    ("refresh-before", Act::Refresh, false),
    ("refresh-answer", Act::Refresh, true),
    ("save-before", Act::Refresh, true),
    ("vault-before", Act::Refresh, true),
    ("vault-written", Act::Refresh, false),
    ("save-done", Act::Refresh, false),
    ("sign-in-page", Act::SignIn, false),
    ("sign-in-code", Act::SignIn, false),
    ("sign-in-answer", Act::SignIn, false),
    ("sign-in-saved", Act::SignIn, false),
    ("sign-out-before", Act::SignOut, false),
    ("sign-out-noted", Act::SignOut, false),
    ("sign-out-wiped", Act::SignOut, false),
    ("sign-out-revoked", Act::SignOut, false),
    ("config-before", Act::Configure, false),
    ("file-temporary", Act::Configure, false),
    ("config-written", Act::Configure, false),
];

/// The sealed file's own steps, where it is the vault.
const SEALED: [(&str, Act, bool); 2] =
    [("sealed-temporary", Act::Refresh, true), ("sealed-renamed", Act::Refresh, false)];

/// How it was after the next start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Outcome {
    /// The first request succeeds.
    Kept,
    /// The person is asked, by the first request.
    Told,
    /// Signed out, as was wanted.
    SignedOut,
}

struct Room {
    sandbox: Sandbox,
    provider: Provider,
    key: String,
    // Ends after the engine, which is started and killed by each round.
    _desktop: Option<Desktop>,
}

impl Room {
    fn new(name: &str, grace: u32, sealed: bool) -> Result<Self> {
        let sandbox = Sandbox::new(name)?;
        let desktop = match sealed {
            true => {
                sandbox.set_env("SIGNBELL_VAULT", "sealed-file");
                sandbox.set_env("SIGNBELL_PASSPHRASE", "correct horse battery staple");
                None
            }
            false => Some(DesktopOptions::default().without_panel().without_dunst().start(&sandbox)?),
        };
        follow_links(&sandbox)?;
        let options = json!({"accessTtl": 600, "autoConsent": "ada", "graceSeconds": grace});
        let provider = Provider::start(&sandbox, &options)?;
        let mut serve = Serve::start(&sandbox)?;
        let (api, issuer) = (provider.api_named("notes")?, provider.issuer()?);
        let add = ["add", api, "--name", "notes", "--account", "ada", "--issuer", issuer];
        let more = ["--client-id", "signbell-test", "--tool", "script"];
        let added = sandbox.run_json(&[&add[..], &more[..]].concat())?;
        let key = added[0]["key"].as_str().context("no key")?.to_owned();
        // Who has to ask is told at once.
        sandbox.run_ok(&["service", "set", "notes", "--hold", "0"])?;
        let room = Self { sandbox, provider, key, _desktop: desktop };
        room.sign_in()?;
        serve.stop()?;
        Ok(room)
    }

    fn get(&self, serve: &Serve) -> Result<signbell_tests::http::Response> {
        Curl::new(serve.url("/notes/me")).header("authorization", &format!("Bearer {}", self.key)).run()
    }

    fn account(&self) -> Result<Value> {
        let status = self.sandbox.run_json(&["status", "ada"])?;
        Ok(status[0]["accounts"][0].clone())
    }

    /// The setting that [`Act::Configure`] changes.
    fn replays_unsafe(&self) -> Result<bool> {
        let service = self.sandbox.run_json(&["service", "list"])?;
        service[0]["replay_unsafe"].as_bool().with_context(|| format!("{service:?}"))
    }

    fn sign_in(&self) -> Result<()> {
        self.sandbox.run_ok(&["sign-in", "ada", "--force"]).map(drop)
    }

    /// One round: kill at the point, start again, look.
    fn round(&self, point: &str, act: Act) -> Result<Outcome> {
        let mut serve = Serve::start_with(&self.sandbox, |command| {
            command.env("SIGNBELL_FAULT", point);
        })?;
        let before = self.replays_unsafe()?;
        match act {
            Act::Refresh => self.provider.expire_access("ada")?,
            Act::SignIn => drop(self.sandbox.run(&["sign-in", "ada", "--force"])?),
            Act::SignOut => drop(self.sandbox.run(&["sign-out", "ada"])?),
            Act::Configure => {
                let replay = if before { "--replay-unsafe=no" } else { "--replay-unsafe=yes" };
                drop(self.sandbox.run(&["service", "set", "notes", replay])?);
            }
        }
        let ended = wait_ok("the kill", SOON, || {
            if act == Act::Refresh && serve.is_running() {
                // Cut off, mostly; where the keyring of a busy machine has kept it waiting, the next one is.
                let _ = self.get(&serve);
            }
            ensure!(!serve.is_running(), "it runs on: {point} was not come to");
            serve.kill9()
        })?;
        ensure!(ended.signal() == Some(9), "{point}: it ended with {ended}");

        let mut serve = Serve::start(&self.sandbox)?;
        let response = self.get(&serve)?;
        let account = self.account()?;
        let state = account["state"].as_str().unwrap_or_default().to_owned();
        // A change is made or it is not; whatever else was under way changes no setting.
        ensure!(self.replays_unsafe()? == (before != (point == "config-written")), "{point}: it was {before}");
        let outcome = match (response.status, state.as_str()) {
            (200, "active") => Outcome::Kept,
            (401 | 503, "needs_sign_in") if !account["ring"].is_null() => Outcome::Told,
            (401 | 503, "signed_out") if act == Act::SignOut => Outcome::SignedOut,
            _ => bail!("{point}: {} {} and {account}", response.status, response.text()),
        };
        if outcome != Outcome::Kept {
            self.sign_in().context("signing in after it")?;
            let again = self.get(&serve)?;
            ensure!(again.status == 200, "{point}: {} {}", again.status, again.text());
        }
        serve.stop()?;
        Ok(outcome)
    }
}

/// How often each point is tried.
fn times() -> usize {
    std::env::var("SIGNBELL_CRASH_TIMES").ok().and_then(|times| times.parse().ok()).unwrap_or(2)
}

fn killed(name: &str, grace: u32, sealed: bool, points: &[(&str, Act, bool)]) -> Result<()> {
    let room = Room::new(name, grace, sealed)?;
    for (point, act, answer_lost) in points {
        let mut counts: BTreeMap<Outcome, usize> = BTreeMap::new();
        for n in 0..times() {
            *counts.entry(room.round(point, *act).with_context(|| format!("{name}, round {n}"))?).or_default() += 1;
        }
        println!("CRASH | {name} | {point} | {act:?} | {counts:?}");
        let told = counts.get(&Outcome::Told).copied().unwrap_or_default();
        let may_be_lost = *answer_lost && grace == 0;
        ensure!(told == 0 || may_be_lost, "{name}: {point}: lost {told} of {} sessions", times());
        if *act == Act::SignOut && *point != "sign-out-before" {
            ensure!(counts.get(&Outcome::SignedOut) == Some(&times()), "{name}: {point}: {counts:?}");
        }
    }
    Ok(())
}

/// Seconds, as Okta and others give.
const GRACE: u32 = 60;

#[test]
fn p1_killed_at_any_step_with_grace_no_session_is_lost() -> Result<()> {
    killed("grace", GRACE, false, &POINTS)
}

#[test]
fn p1_killed_at_any_step_with_a_strict_provider_only_a_lost_answer_costs_a_sign_in() -> Result<()> {
    killed("strict", 0, false, &POINTS)
}

#[test]
fn p1_killed_at_any_step_of_the_sealed_file() -> Result<()> {
    killed("sealed-grace", GRACE, true, &SEALED)?;
    killed("sealed-strict", 0, true, &SEALED)
}
