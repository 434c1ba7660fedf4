//! What lies on this machine: settings, the port, what a Signbell that is gone left, whom connections believe.

use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::MetadataExt as _;

use signbell_engine::checkup::{self, Settings};
use signbell_engine::paths::Paths;
use signbell_engine::view::AppView;
use signbell_engine::wording::cli::doctor as words;

use super::{Finding, State, found};

/// `config.toml` as it lies there.
pub(super) struct Config {
    pub(super) findings: Vec<Finding>,
    /// As the engine reads them; the defaults where they can't be used.
    pub(super) settings: Settings,
    /// What a running app says of the mistake in it, which is told already.
    pub(super) banner: Option<String>,
}

/// Reads the settings as the engine does.
pub(super) fn config(paths: &Paths) -> Config {
    let file = paths.config_file();
    let name = file.display().to_string();
    let (first, settings, banner) = match (Settings::load(&file), file.exists()) {
        (Ok(settings), true) => (found("config", State::Ok, words::good_config(&name)), settings, None),
        (Ok(settings), false) => (found("config", State::Ok, words::no_config(&name)), settings, None),
        (Err(mistake), _) => {
            let first = found("config", State::Problem, words::bad_config(&mistake.what));
            (first, Settings::default(), Some(mistake.banner))
        }
    };
    let mut findings = vec![first];
    if std::fs::metadata(&file).is_ok_and(|metadata| metadata.mode() & 0o044 != 0) {
        findings.push(found("config", State::Note, words::config_open(&name)));
    }
    Config { findings, settings, banner }
}

/// Where nobody answers: what is left of a Signbell, or one that hangs.
pub(super) fn left_over(paths: &Paths) -> Vec<Finding> {
    match checkup::is_locked(paths) {
        Ok(true) => vec![found("lock", State::Problem, words::HANGS)],
        Err(e) => vec![found("lock", State::Problem, words::lock_unseen(&e))],
        Ok(false) if paths.control_socket().exists() => vec![found("socket", State::Note, words::STALE_SOCKET)],
        Ok(false) => vec![],
    }
}

/// Whether Signbell could start at its port.
pub(super) fn port(settings: &Settings) -> Option<Finding> {
    let named = std::env::var("SIGNBELL_PORT").ok().and_then(|port| port.parse().ok());
    let port = named.unwrap_or(settings.port());
    if port == 0 {
        return None;
    }
    Some(match TcpListener::bind((Ipv4Addr::LOCALHOST, port)) {
        Err(e) if e.kind() == std::io::ErrorKind::AddrInUse => {
            found("port", State::Problem, words::port_taken(port, checkup::port_holder(port).as_deref()))
        }
        _ => found("port", State::Ok, words::port_free(port)),
    })
}

/// A sealed file that is there and not in use.
pub(super) fn sealed_file(paths: &Paths, view: Option<&AppView>) -> Option<Finding> {
    let chosen = std::env::var("SIGNBELL_VAULT").is_ok_and(|vault| vault == "sealed-file");
    let sealed = signbell_engine::wording::states::vault_kind(
        signbell_engine::wording::language::Language::En,
        signbell_engine::vault::StoreKind::SealedFile,
    );
    let in_use = view.map_or(chosen, |view| view.proxy.vault == sealed);
    (checkup::has_sealed_file(paths) && !in_use).then(|| found("sealed file", State::Note, words::SEALED_UNUSED))
}

/// Whom outgoing connections believe.
pub(super) fn trust(settings: &Settings) -> Finding {
    match checkup::trust(settings.extra_ca().map(std::path::PathBuf::as_path)) {
        Ok(trust) if trust.system == 0 => found("trust store", State::Problem, words::NO_AUTHORITIES),
        Ok(trust) => found("trust store", State::Ok, words::trust(trust)),
        Err(why) => found("trust store", State::Problem, words::bad_trust(&why)),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_mistake_is_named_with_its_line() {
        let folder = tempfile::tempdir().unwrap();
        let paths = Paths::below(folder.path());
        let state = || config(&paths).findings.first().map(|finding| (finding.state, finding.text.clone())).unwrap();
        assert_eq!(state().0, State::Ok);
        for (text, expected, says) in [
            ("# mine\n[proxy]\nport = 8402\n", State::Ok, "is good"),
            ("# mine\n[proxy]\nport = \n", State::Problem, "line 3"),
            ("[proxy]\nprot = 1\n", State::Problem, "prot"),
        ] {
            std::fs::write(paths.config_file(), text).unwrap();
            let (found, words) = state();
            assert!(found == expected && words.contains(says), "{text}: {words}");
        }
    }
}
