//! `signbell doctor`: what Signbell needs, and what to do where it is missing.
//!
//! Settings first, then the running app, then what is around it: the desktop, the network, and the clients
//! that look for us. Nothing is changed; the vault is written to only where that is asked for.

mod clients;
#[cfg(target_os = "linux")]
mod desktop;
mod here;

use serde::Serialize;
use signbell_engine::checkup;
use signbell_engine::control::{Checkup, Failure, Reply, Request};
use signbell_engine::view::AppView;

use super::Context;
use crate::output::field;
use signbell_engine::wording::cli as cli_words;
use signbell_engine::wording::cli::doctor as words;

/// A clock that is so far off is wrong; less is the network's and the second's.
const CLOCK_LEEWAY_SECONDS: u64 = 60;

/// How something stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum State {
    Ok,
    /// Something does without it.
    Note,
    Problem,
}

impl State {
    fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Note => "note",
            Self::Problem => "problem",
        }
    }
}

/// What was looked at, and what came of it.
#[derive(Debug, Serialize)]
struct Finding {
    check: &'static str,
    state: State,
    text: String,
}

fn found(check: &'static str, state: State, text: impl Into<String>) -> Finding {
    Finding { check, state, text: text.into() }
}

pub(super) async fn run(context: &Context, test_vault: bool) -> Result<u8, Failure> {
    let here::Config { mut findings, settings, banner } = here::config(&context.paths);
    let view = match context.view().await {
        Ok(view) => {
            findings.extend(app(&view, banner.as_deref()));
            Some(view)
        }
        Err(failure) => {
            findings.push(found("app", State::Problem, failure.message));
            findings.extend(here::left_over(&context.paths));
            findings.extend(here::port(&settings));
            None
        }
    };
    if view.is_some() {
        match context.call(&Request::Checkup { try_vault: test_vault }).await? {
            Reply::Checkup(checkup) => findings.extend(engine(&checkup)),
            _ => return Err(cli_words::odd_reply()),
        }
    }
    findings.extend(here::sealed_file(&context.paths, view.as_ref()));
    findings.push(here::trust(&settings));
    findings.push(match checkup::browser() {
        Some(program) => found("browser", State::Ok, words::browser(&program)),
        None => found("browser", State::Note, words::NO_BROWSER),
    });
    #[cfg(target_os = "linux")]
    findings.extend(desktop::look().await);
    let port = view.as_ref().and_then(|view| view.proxy.address.rsplit(':').next()?.parse().ok());
    findings.extend(clients::look(&settings, port.unwrap_or(settings.port())));
    for finding in &findings {
        context.out.result(finding, || {
            format!("{:<8} {:<14} {}", finding.state.word(), finding.check, field(&finding.text))
        })?;
    }
    let bad = findings.iter().any(|finding| finding.state == State::Problem);
    Ok(u8::from(bad))
}

/// `told` is said already, with its line in the file.
fn app(view: &AppView, told: Option<&str>) -> Vec<Finding> {
    let proxy = &view.proxy;
    let mut findings = vec![found("app", State::Ok, words::RUNNING)];
    findings.push(match (proxy.running, proxy.paused) {
        (true, false) => found("proxy", State::Ok, words::listening(&proxy.address)),
        (true, true) => found("proxy", State::Note, words::paused(&proxy.address)),
        (false, _) => found("proxy", State::Problem, words::not_listening(&proxy.address)),
    });
    let banners = view.banners.iter().filter(|banner| Some(banner.as_str()) != told);
    findings.extend(banners.map(|banner| found("said by the app", State::Problem, banner)));
    findings
}

fn engine(checkup: &Checkup) -> Vec<Finding> {
    let vault = &checkup.vault;
    let vault = match &vault.trouble {
        None => found("vault", State::Ok, words::vault(&vault.words, vault.tried)),
        Some(why) => found("vault", State::Problem, words::vault_trouble(&vault.words, why)),
    };
    let wrong = checkup.clocks.iter().max_by_key(|clock| clock.seconds_ahead.unsigned_abs());
    let clock = match wrong {
        None => found("clock", State::Ok, words::CLOCK_UNKNOWN),
        Some(clock) if clock.seconds_ahead.unsigned_abs() > CLOCK_LEEWAY_SECONDS => {
            found("clock", State::Problem, words::clock_wrong(&clock.account, clock.seconds_ahead))
        }
        Some(_) => found("clock", State::Ok, words::clock_right(checkup.clocks.len())),
    };
    vec![vault, clock]
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use signbell_engine::control::{ClockSeen, VaultSeen};

    use super::*;

    #[test]
    fn what_the_app_says_is_passed_on() {
        let mut view = AppView { banners: vec!["No keyring.".into()], ..AppView::default() };
        view.proxy.running = true;
        let states: Vec<_> = app(&view, None).iter().map(|f| (f.check, f.state)).collect();
        assert_eq!(states, [("app", State::Ok), ("proxy", State::Ok), ("said by the app", State::Problem)]);
        assert!(app(&view, Some("No keyring.")).iter().all(|f| f.state == State::Ok), "told twice");
    }

    #[test]
    fn the_clock_that_is_furthest_off_counts() {
        let clock = |seconds| ClockSeen { account: "ada".parse().unwrap(), seconds_ahead: seconds };
        for (clocks, state, says) in [
            (vec![], State::Ok, "No provider"),
            (vec![clock(3), clock(-59)], State::Ok, "agrees"),
            (vec![clock(3), clock(7200)], State::Problem, "2 hours ahead of"),
            (vec![clock(-90), clock(0)], State::Problem, "90 seconds behind"),
        ] {
            let vault = VaultSeen { words: "memory".into(), tried: false, trouble: None };
            let findings = engine(&Checkup { vault, clocks });
            let finding = findings.iter().find(|finding| finding.check == "clock").unwrap();
            assert!(finding.state == state && finding.text.contains(says), "{finding:?}");
        }
    }
}
