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
