//! The tools: each asks again and again with its key, and says what it got.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use serde_json::Value;
use ureq::Agent;

/// Longer than Signbell waits for any provider or service here.
const PATIENCE: Duration = Duration::from_secs(60);

/// Between two requests of one caller: between half a second and a second and a half.
const PAUSE_MS: u64 = 500;

/// What a caller got.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outcome {
    /// The answer of its own account.
    Answered,
    /// The API's own 500, passed on.
    TheirError,
    /// An answer that was cut off where the API cut it off.
    Cut,
    /// 502 in Signbell's words: the API gave no answer.
    Broken,
    /// 503 in Signbell's words, with `Retry-After`: the provider can't be asked just now.
    Later,
    /// The API's 401: a token that was renewed and refused again.
    Refused,
    /// The person is asked: a session was lost.
    PersonNeeded,
    /// Another account's answer.
    AnotherAccount,
    /// What nothing above explains.
    Unexplained(String),
}

/// How often what came.
#[derive(Debug, Default)]
pub struct Tally {
    /// How many requests were made.
    pub asked: AtomicU64,
    got: Mutex<BTreeMap<Outcome, u64>>,
}

impl Tally {
    /// How often each outcome came.
    pub fn outcomes(&self) -> BTreeMap<Outcome, u64> {
        self.got.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn note(&self, outcome: Outcome) {
        *self.got.lock().unwrap_or_else(PoisonError::into_inner).entry(outcome).or_default() += 1;
    }
}

/// One tool's one way to one account.
pub struct Caller {
    /// The account.
    pub account: usize,
    /// Which of the account's callers this is.
    pub number: usize,
    /// The account's service at the proxy.
    pub url: String,
    /// The tool's key.
    pub key: String,
}

impl Caller {
    /// Asks until it is told to stop.
    pub fn run(&self, tally: &Tally, stop: &AtomicBool) {
        let config = Agent::config_builder().timeout_global(Some(PATIENCE)).http_status_as_error(false).proxy(None);
        let agent: Agent = config.build().into();
        let mut turn = 0_u64;
        while !stop.load(Ordering::Relaxed) {
            turn += 1;
            tally.asked.fetch_add(1, Ordering::Relaxed);
            tally.note(self.ask(&agent, turn));
            // Out of step with each other, so that they meet the end of a token alone and together.
            let spread = (turn * 7919 + self.account as u64 * 104_729 + self.number as u64 * 1_299_709) % 1000;
            thread::sleep(Duration::from_millis(PAUSE_MS + spread));
        }
    }

    /// Every third request is a POST, which must never be carried out twice.
    fn ask(&self, agent: &Agent, turn: u64) -> Outcome {
        let url = format!("{}/note", self.url);
        let key = format!("Bearer {}", self.key);
        let answer = match turn % 3 {
            0 => agent.post(&url).header("authorization", &key).send(format!("{}-{turn}", self.number)),
            _ => agent.get(&url).header("authorization", &key).call(),
        };
        let mut answer = match answer {
            Ok(answer) => answer,
            Err(e) => return Outcome::Unexplained(format!("no answer: {e}")),
        };
        let status = answer.status().as_u16();
        let may_try_again = answer.headers().contains_key("retry-after");
        match answer.body_mut().read_to_string() {
            Ok(body) => read_answer(self.account, status, may_try_again, &body),
            Err(_) => Outcome::Cut,
        }
    }
}

/// What an answer says.
fn read_answer(account: usize, status: u16, may_try_again: bool, body: &str) -> Outcome {
    let parsed: Value = serde_json::from_str(body).unwrap_or_default();
    let code = parsed["code"].as_str().unwrap_or_default();
    match (status, code) {
        (200, _) if parsed["account"] == account => Outcome::Answered,
        (200, _) if parsed["account"].is_number() => Outcome::AnotherAccount,
        (500, "") if body == "a fault of the double" => Outcome::TheirError,
        (502, "upstream_broken" | "upstream_unreachable") => Outcome::Broken,
        (503, "provider_unavailable") if may_try_again => Outcome::Later,
        (401, "") if body == "dead" => Outcome::Refused,
        (_, "sign_in_needed" | "signed_out") => Outcome::PersonNeeded,
        _ => Outcome::Unexplained(format!("{status} {body}")),
    }
}

#[test]
fn answers_are_told_apart() {
    for (status, may_try_again, body, expected) in [
        (200, false, r#"{"account":7}"#, Outcome::Answered),
        (200, false, r#"{"account":8}"#, Outcome::AnotherAccount),
        (500, false, "a fault of the double", Outcome::TheirError),
        (502, false, r#"{"code":"upstream_broken"}"#, Outcome::Broken),
        (503, true, r#"{"code":"provider_unavailable"}"#, Outcome::Later),
        (401, false, "dead", Outcome::Refused),
        (401, false, r#"{"code":"sign_in_needed"}"#, Outcome::PersonNeeded),
        (503, true, r#"{"code":"signed_out"}"#, Outcome::PersonNeeded),
    ] {
        assert_eq!(read_answer(7, status, may_try_again, body), expected, "{status} {body}");
    }
    for (status, body) in [(200, "{}"), (503, r#"{"code":"provider_unavailable"}"#), (500, "{}"), (418, "")] {
        assert!(matches!(read_answer(7, status, false, body), Outcome::Unexplained(_)), "{status} {body}");
    }
}
