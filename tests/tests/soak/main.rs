//! Many accounts, tokens of two seconds, and a provider and an API of which one answer in twenty goes wrong: for
//! as long as it takes until so many tokens have come to their end. `make soak` does that with 200 accounts and
//! 100,000 tokens and prints the figures of docs/reliability.md; `make test` does a little of it.
//!
//! No session may be lost, no caller see another account, nothing be sent twice that was carried out, and what
//! each caller got must be one of the answers that there are. Memory and descriptors must stay as they are.

#![expect(clippy::print_stdout, reason = "the figures are what a long run is for")]

mod callers;
mod double;
mod watch;

use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::Value;
use signbell_tests::browser::follow_links;
use signbell_tests::process::run;
use signbell_tests::{Curl, Sandbox, Serve, wait_ok};

use callers::{Caller, Outcome, Tally};
use double::{Counts, Double, get};
use watch::Sample;

/// How many tools ask for each account.
const CALLERS: usize = 2;

/// How long all sign-ins may take.
const SIGN_INS: Duration = Duration::from_secs(600);

/// How long the run may be stuck at one number of tokens.
const STUCK: Duration = Duration::from_secs(120);

/// How long an account may be out of order after the last fault: as the pause grows between tries that fail.
const SOON: Duration = Duration::from_secs(90);

/// So much more memory than before is no leak: threads and allocator take and give back.
const MORE_KIB: u64 = 6 * 1024;

/// What is counted in the double as what goes wrong, in its order.
const FAULTS: [&str; 4] = ["lost", "reset", "slow", "500"];

/// How large the run is.
#[derive(Debug, Clone, Copy)]
struct Size {
    accounts: usize,
    tokens: u64,
    /// A file is synced for each renewal, which a disk does some fifty times a second: where there are more, the
    /// tokens are in memory, else it would be the disk that is looked at.
    in_memory: bool,
}

impl Size {
    /// From `SIGNBELL_SOAK_ACCOUNTS` and `SIGNBELL_SOAK_TOKENS`; without them, some twenty seconds.
    fn chosen() -> Self {
        let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u32>().ok());
        Self {
            accounts: number("SIGNBELL_SOAK_ACCOUNTS").map_or(20, |accounts| accounts as usize),
            tokens: number("SIGNBELL_SOAK_TOKENS").unwrap_or(150).into(),
            in_memory: std::env::var("SIGNBELL_SOAK_IN_MEMORY").is_ok_and(|chosen| chosen == "1"),
        }
    }
}

struct Room {
    serve: Serve,
    double: Double,
    sandbox: Sandbox,
    key: String,
    accounts: usize,
}

impl Room {
    /// Everyone is signed in, and the tool `soak` may use all services.
    fn new(size: Size) -> Result<Self> {
        let accounts = size.accounts;
        let sandbox = Sandbox::new("soak")?;
        sandbox.set_env("SIGNBELL_VAULT", if size.in_memory { "memory" } else { "sealed-file" });
        sandbox.set_env("SIGNBELL_PASSPHRASE", "correct horse battery staple");
        follow_links(&sandbox)?;
        let double = Double::start(accounts)?;
        fs::write(sandbox.signbell_home().join("config.toml"), config(&double, accounts))?;
        let serve = Serve::start(&sandbox)?;
        let services: Vec<String> = (0..accounts).map(|n| format!("--service=service-{n}")).collect();
        let services: Vec<&str> = services.iter().map(String::as_str).collect();
        let added = sandbox.run_json(&[&["tool", "add", "soak"], &services[..]].concat())?;
        let key = added[0]["key"].as_str().context("no key")?.to_owned();
        let mut sign_in = sandbox.signbell()?;
        sign_in.args(["sign-in", "--all"]);
        run(sign_in, b"", SIGN_INS)?.expect_code(0)?;
        Ok(Self { serve, double, sandbox, key, accounts })
    }

    fn callers(&self) -> Vec<Caller> {
        let all = (0..self.accounts).flat_map(|account| (0..CALLERS).map(move |number| (account, number)));
        let caller = |(account, number)| Caller { account, number, url: self.url(account), key: self.key.clone() };
        all.map(caller).collect()
    }

    fn url(&self, account: usize) -> String {
        self.serve.url(&format!("/service-{account}"))
    }

    /// Looks at the process until enough tokens have come to their end.
    fn watch(&self, tokens: u64) -> Result<Vec<Sample>> {
        let (begin, mut samples) = (Instant::now(), Vec::<Sample>::new());
        let (mut seen, mut moved) = (0, Instant::now());
        let counts = self.double.counts();
        while counts.renewed() < tokens {
            thread::sleep(Duration::from_secs(1));
            samples.push(Sample::take(self.serve.id(), begin.elapsed(), counts.renewed())?);
            ensure!(get(&counts.ended) == 0, "a session was lost: {counts:?}");
            if counts.renewed() > seen {
                (seen, moved) = (counts.renewed(), Instant::now());
            }
            ensure!(moved.elapsed() < STUCK, "nothing is renewed any more: {counts:?}");
        }
        Ok(samples)
    }

    /// What is kept is the newest of each session: a start anew finds all of them.
    fn restart(&mut self) -> Result<()> {
        let ended = self.serve.stop()?;
        ensure!(ended.code() == Some(0), "serve ended with {ended}");
        self.serve = Serve::start(&self.sandbox)?;
        Ok(())
    }

    /// After the last fault each account serves its caller again, and nobody is asked for anything.
    fn ensure_in_order(&self) -> Result<()> {
        for account in 0..self.accounts {
            wait_ok(&format!("account {account}"), SOON, || {
                let curl = Curl::new(format!("{}/last", self.url(account)));
                let answer = curl.header("authorization", &format!("Bearer {}", self.key)).run()?;
                ensure!(answer.status == 200 && answer.json()?["account"] == account, "{}", answer.text());
                Ok(())
            })?;
        }
        let status = self.sandbox.run_json(&["status"])?;
        let accounts = status[0]["accounts"].as_array().context("no accounts")?;
        ensure!(accounts.len() == self.accounts, "{} accounts", accounts.len());
        let is_well = |account: &&Value| {
            matches!(account["state"].as_str(), Some("active" | "refreshing")) && account["ring"].is_null()
        };
        match accounts.iter().find(|account| !is_well(account)) {
            Some(lost) => bail!("{lost}"),
            None => Ok(()),
        }
    }
}

/// A provider with so many accounts, and a service of each.
fn config(double: &Double, accounts: usize) -> String {
    let mut text = format!("[providers.double]\nissuer = \"{}\"\nclient_id = \"soak\"\n", double.issuer());
    for n in 0..accounts {
        text += &format!(
            "\n[accounts.account-{n}]\nprovider = \"double\"\nscopes = [\"account:{n}\"]\n\
             \n[services.service-{n}]\nurl = \"{}\"\naccount = \"account-{n}\"\nhold_seconds = 0\n",
            double.api(n)
        );
    }
    text
}

/// Every request has an outcome, and each outcome a cause that the double knows of.
fn ensure_accounted_for(tally: &Tally, counts: &Counts) -> Result<()> {
    let outcomes = tally.outcomes();
    let times = |outcome: &Outcome| outcomes.get(outcome).copied().unwrap_or_default();
    ensure!(outcomes.values().sum::<u64>() == get(&tally.asked), "{outcomes:?} of {:?}", tally.asked);
    for never in [Outcome::AnotherAccount, Outcome::PersonNeeded] {
        ensure!(times(&never) == 0, "{never:?}: {outcomes:?}");
    }
    if let Some((unexplained, times)) = outcomes.iter().find(|(outcome, _)| matches!(outcome, Outcome::Unexplained(_)))
    {
        bail!("{times} times {unexplained:?}");
    }
    let [lost, reset, _, errors] = counts.faults.each_ref().map(get);
    for (what, got, caused) in [
        ("cut off", times(&Outcome::Cut), reset),
        ("without an answer", times(&Outcome::Broken), lost + reset),
        ("a 500", times(&Outcome::TheirError), errors),
    ] {
        ensure!(got <= caused, "{got} {what}, {caused} of the double's: {outcomes:?}, {counts:?}");
    }
    ensure!(get(&counts.strangers) == 0 && get(&counts.twice) == 0 && get(&counts.ended) == 0, "{counts:?}");
    Ok(())
}

fn report(size: Size, tally: &Tally, counts: &Counts, samples: &[Sample]) {
    println!("SOAK | {size:?} | {CALLERS} callers each");
    println!(
        "SOAK | tokens: {} renewed, {} ahead of their end and {} after it; {} by a refresh token used before",
        counts.renewed(),
        get(&counts.ahead),
        get(&counts.after),
        get(&counts.in_grace)
    );
    let faults: Vec<String> =
        FAULTS.iter().zip(&counts.faults).map(|(name, count)| format!("{} {name}", get(count))).collect();
    println!(
        "SOAK | provider: {} token requests, {} requests of the API; faults: {}",
        get(&counts.token_requests),
        get(&counts.requests),
        faults.join(", ")
    );
    println!("SOAK | callers: {} requests: {:?}", get(&tally.asked), tally.outcomes());
    println!("{}", watch::table(samples, 12));
}

#[test]
fn tokens_of_two_seconds_and_faults_throughout_lose_no_session() -> Result<()> {
    let size = Size::chosen();
    let mut room = Room::new(size)?;
    let (tally, stop) = (Tally::default(), AtomicBool::default());
    let callers = room.callers();
    room.double.misbehave(true);
    let samples = thread::scope(|scope| {
        for caller in &callers {
            scope.spawn(|| caller.run(&tally, &stop));
        }
        let samples = room.watch(size.tokens);
        stop.store(true, Ordering::Relaxed);
        samples
    });
    room.double.misbehave(false);
    report(size, &tally, room.double.counts(), samples.as_deref().unwrap_or_default());
    let samples = samples?;
    ensure_accounted_for(&tally, room.double.counts())?;
    room.ensure_in_order()?;
    if !size.in_memory {
        room.restart()?;
        room.ensure_in_order()?;
    }
    let counts = room.double.counts();
    ensure!(get(&counts.signed_in) == size.accounts as u64, "somebody signed in again: {counts:?}");
    // The two ways by which Signbell learns of an end, and the grace, were all needed.
    ensure!(get(&counts.ahead) > 0 && get(&counts.after) > 0, "{counts:?}");
    watch::ensure_flat(&samples, MORE_KIB, size.accounts as u64)
}
