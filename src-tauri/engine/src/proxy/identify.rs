//! Who asks: the `Host` must be ours, no web page may ask, the peer must be this user, and a tool
//! shows its key.

mod apps;
mod peer;
mod process;

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use base64::Engine as _;
use http::header::{AUTHORIZATION, HOST, ORIGIN, PROXY_AUTHORIZATION};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue};
use sha2::{Digest as _, Sha256};

pub(super) use self::peer::{PeerError, PeerLookup, own_uid};
#[cfg(test)]
pub use self::process::Asker;
pub use self::process::Program;
pub(crate) use self::process::program_of;
pub(super) use self::process::{Caller, From, Programs};
use super::forward_proxy::ForwardRefusal;
use super::respond::Refusal;
use super::route::{Routes, Tool};
use crate::config::KeyDigest;

/// Beginning of every key, so that a person and a secret scanner know one when they see it.
pub const KEY_PREFIX: &str = "sbk_";

/// Who is at the other end of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Peer {
    /// A process of this user, or the system does not tell.
    Own,
    /// Another user's.
    Foreign,
}

impl Peer {
    /// Compares the owner of the other end with us; `None` where the system does not tell.
    pub(super) fn of(uid: Option<u32>) -> Self {
        match (uid, own_uid()) {
            (Some(theirs), Some(ours)) if theirs != ours => Self::Foreign,
            _ => Self::Own,
        }
    }
}

/// Checks what does not depend on the tool.
///
/// # Errors
/// [`Refusal`].
pub(super) fn check_origin(peer: Peer, parts: &Parts, port: u16) -> Result<(), Refusal> {
    check_peer(peer)?;
    // The strict reader lets exactly one through.
    let host = parts.headers.get(HOST).and_then(|h| h.to_str().ok()).unwrap_or_default();
    if !is_our_host(host, port) {
        return Err(Refusal::ForeignHost);
    }
    check_program(parts)
}

/// The other end is a process of this user (I6).
///
/// # Errors
/// [`Refusal::ForeignUser`].
pub(super) fn check_peer(peer: Peer) -> Result<(), Refusal> {
    if peer == Peer::Foreign { Err(Refusal::ForeignUser) } else { Ok(()) }
}

/// No web page asks (I3).
///
/// # Errors
/// [`Refusal::WebPage`].
pub(super) fn check_program(parts: &Parts) -> Result<(), Refusal> {
    if parts.headers.contains_key(ORIGIN) || is_from_a_page(&parts.headers) {
        return Err(Refusal::WebPage);
    }
    Ok(())
}

/// `127.0.0.1`, `[::1]`, `localhost` or `<service>.localhost`, with our port: names that DNS can't
/// make anybody else's (RFC 6761 section 6.3).
fn is_our_host(host: &str, port: u16) -> bool {
    let Some((name, with_port)) = host.rsplit_once(':') else { return false };
    if with_port.parse() != Ok(port) || !with_port.bytes().all(|b| b.is_ascii_digit()) {
        return false;
    }
    ["127.0.0.1", "localhost", "[::1]"].iter().any(|own| name.eq_ignore_ascii_case(own))
        || name.to_ascii_lowercase().strip_suffix(".localhost").is_some_and(super::route::is_service_name)
}

/// A browser says so itself (Fetch Metadata); no command line sends this with another value.
fn is_from_a_page(headers: &HeaderMap) -> bool {
    headers.get("sec-fetch-site").is_some_and(|site| site.as_bytes() != b"none")
}

/// The tool whose key the request shows.
///
/// # Errors
/// [`Refusal`].
pub(super) fn tool<'a>(
    parts: &Parts,
    in_path: Option<&str>,
    routes: &'a Routes,
    guesses: &Guesses,
) -> Result<&'a Tool, Refusal> {
    let from_path = in_path.is_some();
    let Some(key) = in_path.map(Cow::Borrowed).or_else(|| key_of(&parts.headers)) else {
        return Err(Refusal::NoKey);
    };
    let digest = digest(&key);
    // The look-up is by digest: how long it takes tells nothing of the key.
    match routes.tool(&digest) {
        Some(tool) if tool.key_in_path || !from_path => Ok(tool),
        _ => Err(guesses.note(digest)),
    }
}

/// The tool whose key a proxy is shown (RFC 9110 section 11.7.2): every other place of a request belongs to
/// the upstream that it asks for.
///
/// # Errors
/// [`Refusal`].
pub(super) fn tool_at_a_proxy<'a>(parts: &Parts, routes: &'a Routes, guesses: &Guesses) -> Result<&'a Tool, Refusal> {
    let shown = parts.headers.get(PROXY_AUTHORIZATION).and_then(|value| value.to_str().ok());
    let Some(key) = shown.and_then(|value| from_authorization(value.trim())) else {
        return Err(ForwardRefusal::NoKey.into());
    };
    let digest = digest(&key);
    routes.tool(&digest).ok_or_else(|| match guesses.note(digest) {
        Refusal::UnknownKey => ForwardRefusal::UnknownKey.into(),
        too_many => too_many,
    })
}

/// Whether this `Authorization` holds a key of ours, for whomever the tool takes us.
pub(super) fn holds_a_key(value: &HeaderValue) -> bool {
    let key = value.to_str().ok().and_then(|value| from_authorization(value.trim()));
    key.is_some_and(|key| key.starts_with(KEY_PREFIX))
}

fn digest(key: &str) -> KeyDigest {
    KeyDigest(Sha256::digest(key.as_bytes()).into())
}

/// The key, wherever a tool can put it.
fn key_of(headers: &HeaderMap) -> Option<Cow<'_, str>> {
    let text = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim);
    let own = text(HeaderName::from_static("x-signbell-key")).map(Cow::Borrowed);
    own.or_else(|| [AUTHORIZATION, PROXY_AUTHORIZATION].into_iter().find_map(|name| from_authorization(text(name)?)))
}

fn from_authorization(value: &str) -> Option<Cow<'_, str>> {
    let (scheme, rest) = value.split_once(' ').unwrap_or(("", value));
    let rest = rest.trim();
    let is = |name: &str| scheme.eq_ignore_ascii_case(name);
    if is("bearer") || is("token") {
        return Some(rest.into());
    }
    // git, docker and pip send Basic: the key is the password, or the user name without one.
    if is("basic") {
        let pair = String::from_utf8(base64::engine::general_purpose::STANDARD.decode(rest).ok()?).ok()?;
        let (user, password) = pair.split_once(':')?;
        return Some(if password.is_empty() { user } else { password }.to_owned().into());
    }
    // cargo sends the bare key.
    (is("") && rest.starts_with(KEY_PREFIX)).then(|| rest.into())
}

/// How often which unknown key was shown of late. It counts keys and not addresses, for everyone
/// here has the same address.
#[derive(Debug, Default)]
pub(super) struct Guesses {
    seen: Mutex<HashMap<KeyDigest, (Instant, u32)>>,
}

impl Guesses {
    const FREE: u32 = 5;
    const WINDOW: Duration = Duration::from_secs(60);
    const REMEMBERED: usize = 1024;

    fn note(&self, digest: KeyDigest) -> Refusal {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.retain(|_, (since, _)| since.elapsed() < Self::WINDOW);
        if seen.len() >= Self::REMEMBERED {
            return Refusal::TooManyGuesses(Self::WINDOW);
        }
        let (since, count) = seen.entry(digest).or_insert_with(|| (Instant::now(), 0));
        *count += 1;
        if *count > Self::FREE {
            Refusal::TooManyGuesses(Self::WINDOW.saturating_sub(since.elapsed()))
        } else {
            Refusal::UnknownKey
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn i2_i4_only_our_own_names() {
        for good in ["127.0.0.1:8401", "localhost:8401", "LocalHost:8401", "[::1]:8401", "linear.localhost:8401"] {
            assert!(is_our_host(good, 8401), "{good}");
        }
        for bad in [
            "",
            "127.0.0.1",
            "127.0.0.1:80",
            "evil.test:8401",
            "127.0.0.1.evil.test:8401",
            "localhost.evil.test:8401",
            ".localhost:8401",
            "a.b.localhost:8401",
            "127.0.0.1:+8401",
            "127.0.0.1:08401x",
            "0.0.0.0:8401",
        ] {
            assert!(!is_our_host(bad, 8401), "{bad}");
        }
    }

    #[test]
    fn every_place_for_a_key() {
        for (name, value, expected) in [
            ("authorization", "Bearer sbk_x", Some("sbk_x")),
            ("authorization", "bearer  sbk_x ", Some("sbk_x")),
            ("authorization", "token sbk_x", Some("sbk_x")),
            ("authorization", "sbk_x", Some("sbk_x")),
            ("authorization", "other", None),
            ("authorization", "Digest sbk_x", None),
            ("authorization", "Basic dTpzYmtfeA==", Some("sbk_x")),
            ("authorization", "Basic c2JrX3g6", Some("sbk_x")),
            ("authorization", "Basic !", None),
            ("proxy-authorization", "Basic dTpzYmtfeA==", Some("sbk_x")),
            ("x-signbell-key", "sbk_x", Some("sbk_x")),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(name, value.parse().unwrap());
            assert_eq!(key_of(&headers).as_deref(), expected, "{name}: {value}");
        }
    }

    #[test]
    fn an_unknown_key_is_told_five_times() {
        let guesses = Guesses::default();
        let note = |n: u8| guesses.note(KeyDigest([n; 32]));
        for _ in 0..5 {
            assert!(matches!(note(1), Refusal::UnknownKey));
        }
        assert!(matches!(note(1), Refusal::TooManyGuesses(_)));
        assert!(matches!(note(2), Refusal::UnknownKey), "another key is another matter");
    }
}
