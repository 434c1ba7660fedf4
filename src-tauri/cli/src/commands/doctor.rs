//! `signbell doctor`: what Signbell needs, and what to do where it is missing.

#[cfg(target_os = "linux")]
mod desktop;

use std::io;
use std::path::Path;

use serde::Serialize;
use signbell_engine::control::Failure;
use signbell_engine::view::AppView;

use super::Context;
use crate::output::field;
use signbell_engine::wording::cli::doctor as words;

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

pub(super) async fn run(context: &Context) -> Result<u8, Failure> {
    let mut findings = vec![config(&context.paths.config_file())];
    match context.view().await {
        Ok(view) => findings.extend(app(&view)),
        Err(failure) => findings.push(found("app", State::Problem, failure.message)),
    }
    #[cfg(target_os = "linux")]
    findings.extend(desktop::look().await);
    for finding in &findings {
        context.out.result(finding, || {
            format!("{:<8} {:<14} {}", finding.state.word(), finding.check, field(&finding.text))
        })?;
    }
    let bad = findings.iter().any(|finding| finding.state == State::Problem);
    Ok(u8::from(bad))
}

fn config(file: &Path) -> Finding {
    let name = file.display().to_string();
    match std::fs::read_to_string(file) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => found("config", State::Ok, words::no_config(&name)),
        Err(e) => found("config", State::Problem, words::unreadable_config(&name, &e)),
        Ok(text) => match text.parse::<toml_edit::DocumentMut>() {
            Ok(_) => found("config", State::Ok, words::good_config(&name)),
            Err(e) => {
                let before = e.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
                let line = before.matches('\n').count() + 1;
                found("config", State::Problem, words::bad_config(&name, line, e.message()))
            }
        },
    }
}

fn app(view: &AppView) -> Vec<Finding> {
    let proxy = &view.proxy;
    let mut findings = vec![found("app", State::Ok, words::RUNNING)];
    findings.push(match (proxy.running, proxy.paused) {
        (true, false) => found("proxy", State::Ok, words::listening(&proxy.address)),
        (true, true) => found("proxy", State::Note, words::paused(&proxy.address)),
        (false, _) => found("proxy", State::Problem, words::not_listening(&proxy.address)),
    });
    findings.push(found("vault", State::Ok, words::vault(&proxy.vault)));
    findings.extend(view.banners.iter().map(|banner| found("said by the app", State::Problem, banner)));
    findings
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_mistake_is_named_with_its_line() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("config.toml");
        assert_eq!(config(&file).state, State::Ok);
        std::fs::write(&file, "# mine\nport = 8401\n").unwrap();
        assert_eq!(config(&file).state, State::Ok);
        std::fs::write(&file, "# mine\nport = \n").unwrap();
        let finding = config(&file);
        assert_eq!(finding.state, State::Problem);
        assert!(finding.text.contains("line 2"), "{}", finding.text);
        assert_eq!(config(folder.path()).state, State::Problem);
    }

    #[test]
    fn what_the_app_says_is_passed_on() {
        let mut view = AppView { banners: vec!["No keyring.".into()], ..AppView::default() };
        view.proxy.running = true;
        let states: Vec<_> = app(&view).iter().map(|f| (f.check, f.state)).collect();
        assert_eq!(
            states,
            [("app", State::Ok), ("proxy", State::Ok), ("vault", State::Ok), ("said by the app", State::Problem)]
        );
    }
}
