use std::collections::BTreeSet;

use super::*;

/// `{name}` and its like, in order.
fn places(text: &str) -> Vec<&str> {
    let mut places: Vec<_> = text.split('{').skip(1).filter_map(|rest| rest.split('}').next()).collect();
    places.sort_unstable();
    places
}

#[test]
fn every_language_has_every_label_with_the_same_places() {
    let english = all(Language::En);
    for language in Language::ALL {
        let own: BTreeMap<_, _> = tables(language).iter().flat_map(|table| table.iter().copied()).collect();
        let missing: Vec<_> = english.keys().filter(|key| !own.contains_key(*key)).collect();
        let unknown: Vec<_> = own.keys().filter(|key| !english.contains_key(*key)).collect();
        assert!(missing.is_empty(), "{language} lacks {missing:#?}");
        assert!(unknown.is_empty(), "{language} has what English does not: {unknown:#?}");
        for (key, text) in own {
            assert!(!text.trim().is_empty(), "{language} {key} says nothing");
            assert_eq!(places(text), places(english[key]), "{language} {key}");
        }
        assert_eq!(say(language, "language"), language.code());
    }
}

#[test]
fn no_key_is_there_twice() {
    for language in Language::ALL {
        let mut seen = BTreeSet::new();
        for (key, _) in tables(language).iter().flat_map(|table| table.iter()) {
            assert!(seen.insert(key), "{language} {key}");
        }
    }
}

#[test]
fn what_is_filled_in_stays_as_it_is() {
    let filled = fill(Language::En, "tray.account", &[("title", "{state}"), ("state", "{title} 100 % {")]);
    assert_eq!(filled, "{state} — {title} 100 % {");
    assert_eq!(count(Language::De, "waiting", 1, &[("who", "curl")]), "1 Anfrage von curl wartet");
    assert_eq!(count(Language::En, "waiting", 2, &[("who", "curl")]), "2 requests from curl are waiting");
    assert_eq!(fill(Language::En, "no.such.key", &[]), "");
}

/// Codes of what only a command line can fail at, or only a start without a desktop.
const NO_WINDOW: &[&str] = &[
    "already_running",
    "bad_environment",
    "bad_export",
    "bad_sign_in_page",
    "cannot_start",
    "conflict",
    "exists",
    "incomplete",
    "input",
    "interrupted",
    "likely_committed",
    "newer_export",
    "no_desktop_app",
    "no_export",
    "no_file",
    "not_confirmed",
    "not_our_address",
    "runtime",
    "skipped",
    "temporary_folder",
    "token_too_short",
    "unknown_id",
    "unusable_file",
    "usage",
];

/// The codes of every failure that `wording` makes, from its own source.
fn codes() -> BTreeSet<String> {
    fn files(folder: &std::path::Path, found: &mut Vec<std::path::PathBuf>) {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            match entry.path() {
                path if path.is_dir() => files(&path, found),
                path if path.extension().is_some_and(|end| end == "rs") => found.push(path),
                _ => {}
            }
        }
    }
    let mut found = Vec::new();
    files(std::path::Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/src/wording")), &mut found);
    let text: String = found.iter().filter_map(|file| std::fs::read_to_string(file).ok()).collect();
    let after = text.split("FailureKind::").skip(1).filter_map(|rest| rest.split_once(',')).map(|(_, rest)| rest);
    let quoted = after.filter_map(|rest| rest.trim_start().strip_prefix('"')?.split('"').next());
    let is_code = |code: &&str| !code.is_empty() && code.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
    quoted.filter(is_code).map(str::to_owned).collect()
}

#[test]
fn what_fails_in_the_window_is_said_in_every_language() {
    let codes = codes();
    assert!(codes.len() > 80 && codes.contains("name_taken"), "the source was not read: {codes:?}");
    for language in Language::ALL.into_iter().filter(|language| *language != Language::En) {
        let own: BTreeSet<_> = failures(language).iter().map(|(key, _)| key.trim_start_matches("failure.")).collect();
        let missing: Vec<_> =
            codes.iter().filter(|code| !own.contains(code.as_str()) && !NO_WINDOW.contains(&code.as_str())).collect();
        assert!(missing.is_empty(), "{language} lacks {missing:?}");
        let vault = ["keyring_locked", "keyring_absent", "keyring_denied", "keyring_silent"];
        let vault = vault.into_iter().chain(["wrong_passphrase", "newer_format", "vault_failed"]);
        let unknown: Vec<_> =
            own.iter().filter(|code| !codes.contains(**code) && !vault.clone().any(|known| known == **code)).collect();
        assert!(unknown.is_empty(), "{language} has codes of no failure: {unknown:?}");
    }
    let taken = crate::wording::name_taken("tool", "curl");
    assert_eq!(failure(Language::En, &taken), taken.message);
    assert!(failure(Language::De, &taken).starts_with("Diesen Namen"));
}
