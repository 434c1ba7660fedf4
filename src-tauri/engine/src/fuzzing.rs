//! What fuzzers reach: a function for each reader of foreign text. Each panics where the reader breaks a
//! promise, besides panicking. Compiled only by cargo-fuzz (`make fuzz`).
#![allow(clippy::panic, missing_docs)]

use std::path::Path;

use http::HeaderValue;

use crate::provider::Metadata;
use crate::{challenge, config, provider, proxy, rules, session, signin};

/// The redirect's query: a code only ever comes with our `state`.
pub fn callback(input: &[u8]) {
    let query = String::from_utf8_lossy(input);
    if let Ok(Ok(code)) = signin::read_redirect("the-state", &query) {
        let has_state =
            url::form_urlencoded::parse(query.as_bytes()).any(|pair| pair == ("state".into(), "the-state".into()));
        assert!(!code.is_empty() && has_state, "{query}");
    }
}

/// `WWW-Authenticate`: what is passed on names no metadata any more, and is read as what it was.
pub fn challenge(input: &[u8]) {
    let Ok(value) = HeaderValue::from_bytes(input) else { return };
    let read = challenge::parse(&value);
    let passed = challenge::without_resource_metadata(&value);
    let again = challenge::parse(&passed);
    assert_eq!(read.len(), again.len(), "{value:?} became {passed:?}");
    for challenge in &again {
        assert!(challenge.param("resource_metadata").is_none(), "{value:?} became {passed:?}");
    }
}

/// Metadata of an authorization server (RFC 8414).
pub fn metadata(input: &[u8]) {
    if let Ok(metadata) = serde_json::from_slice::<Metadata>(input) {
        let _ = metadata.is_issuer("https://a.test");
    }
}

/// The token endpoint's answer: no token that can't be sent.
pub fn token_response(input: &[u8]) {
    if let Some(access) = provider::read_token_response(input) {
        assert!(HeaderValue::from_str(access.expose()).is_ok(), "a token that can't be sent");
    }
}

/// A JWT that nobody signed for us.
pub fn jwt(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    let _ = session::tokens::jwt_expiry(&text);
    let _ = signin::read_claims(&text);
}

/// `config.toml`: read, or refused with a line.
pub fn config(input: &[u8]) {
    if let Ok(text) = std::str::from_utf8(input) {
        let _ = config::read_text(Path::new("config.toml"), text);
    }
}

/// A saved answer against every preset's rules.
pub fn rules(input: &[u8]) {
    let Ok(saved) = rules::saved::parse(input) else { return };
    for preset in rules::names().filter_map(rules::named) {
        let _ = saved.judge(&rules::RuleSet::new(&[], Some(&preset)));
    }
}

/// A request's head: read in one piece or byte by byte, it is the same.
pub fn request_head(input: &[u8]) {
    let whole = proxy::listen::scan_head(input, input.len().max(1));
    for step in [1, 2, 7] {
        assert_eq!(whole, proxy::listen::scan_head(input, step), "in steps of {step}");
    }
}

/// A body's first event: found in pieces as in the whole.
pub fn events(input: &[u8]) {
    let mut headers = http::HeaderMap::new();
    headers.insert(http::header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    let read = rules::body::read(&headers, input);
    let mut first = rules::body::FirstEvent::new(&headers);
    let found = (1..=input.len()).any(|end| first.is_in(&input[..end]));
    if found {
        assert!(read.is_some(), "an event that can't be read");
    }
}
