//! Addresses in what a package registry answers.
//!
//! A registry tells where its packages lie in the body of its answer, absolute: npm's `dist.tarball`, cargo's
//! `dl` in `config.json`, links of a simple index (PEP 503, PEP 691). npm replaces the host of such an
//! address (`replace-registry-host`) but knows nothing of a path before it; pip and cargo take them as they
//! are. For a service whose person says so, what lies below its own base becomes the address that the tool
//! used, as [`super::location`] does for headers; every other address stays.
//!
//! The text is not parsed: each place that begins with the base is replaced while the answer streams
//! through, whatever its length.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use http::{HeaderMap, StatusCode};
use http_body::{Body as _, Frame};
use url::Url;

use super::Exchange;
use super::respond::Body;

/// The replacements for this answer; nothing where it is to go through as it is.
pub(super) fn finder(status: StatusCode, headers: &HeaderMap, exchange: &Exchange<'_>) -> Option<Finder> {
    let text = |name| headers.get(name).and_then(|value: &http::HeaderValue| value.to_str().ok());
    // A part of a text is no text, and what is compressed although nobody asked for that can't be read.
    if status == StatusCode::PARTIAL_CONTENT || text(CONTENT_ENCODING).is_some_and(|coding| coding != "identity") {
        return None;
    }
    let kind = text(CONTENT_TYPE)?.split(';').next()?.trim().to_ascii_lowercase();
    let is = |name: &str| kind == format!("text/{name}") || kind == format!("application/{name}");
    let ends = |suffix: &str| kind.ends_with(suffix);
    (is("json") || is("html") || ends("+json") || ends("+html"))
        .then(|| Finder::new(&exchange.route.base, &exchange.tool_base))
}

/// Finds the base in a text that comes in pieces.
pub(super) struct Finder {
    all: Vec<Replacement>,
    longest: usize,
    /// The end of what came, which might be the beginning of one.
    kept: Vec<u8>,
}

struct Replacement {
    found: Vec<u8>,
    by: Vec<u8>,
    /// What may follow: else it is the beginning of another address.
    follows: fn(u8) -> bool,
}

impl Finder {
    fn new(base: &Url, tool_base: &str) -> Self {
        let (theirs, ours) = (base.as_str().trim_end_matches('/'), tool_base.trim_end_matches('/'));
        let path = base.path().trim_end_matches('/');
        let escaped = |text: &str| text.replace('/', "\\/");
        let replacement = |found: String, by: String, follows| Replacement {
            found: found.into_bytes(),
            by: by.into_bytes(),
            follows,
        };
        // RFC 3986 section 3.2: what ends an authority or goes on with a path; and what ends the text.
        let ends: fn(u8) -> bool = |byte| b"/?#\"'<>&\\ \t\r\n".contains(&byte);
        // Two slashes would begin a host.
        let path_goes_on: fn(u8) -> bool = |byte| byte != b'/';
        let mut all = vec![
            replacement(theirs.to_owned(), ours.to_owned(), ends),
            replacement(escaped(theirs), escaped(ours), ends),
        ];
        // Relative to the host alone: against us that would lead to another service.
        for before in ["href=\"", "href='", "\"url\":\"", "\"url\": \""] {
            all.push(replacement(format!("{before}{path}/"), format!("{before}{ours}/"), path_goes_on));
        }
        let longest = all.iter().map(|one| one.found.len()).max().unwrap_or_default();
        Self { all, longest, kept: Vec::new() }
    }

    /// What can be passed on of all that came so far.
    fn feed(&mut self, piece: &[u8]) -> Vec<u8> {
        let mut text = std::mem::take(&mut self.kept);
        text.extend_from_slice(piece);
        let (out, used) = self.scan(&text, false);
        self.kept = text.split_off(used);
        out
    }

    /// The rest.
    fn finish(&mut self) -> Vec<u8> {
        let text = std::mem::take(&mut self.kept);
        self.scan(&text, true).0
    }

    fn scan(&self, text: &[u8], last: bool) -> (Vec<u8>, usize) {
        let mut out = Vec::with_capacity(text.len());
        let mut at = 0;
        while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
            // What follows must be known too.
            if !last && rest.len() <= self.longest {
                break;
            }
            let fits = |one: &&Replacement| {
                rest.starts_with(&one.found) && rest.get(one.found.len()).is_none_or(|byte| (one.follows)(*byte))
            };
            match self.all.iter().find(fits) {
                Some(one) => {
                    out.extend_from_slice(&one.by);
                    at += one.found.len();
                }
                None => {
                    out.extend(rest.first());
                    at += 1;
                }
            }
        }
        (out, at)
    }
}

/// A body that is rewritten while it streams through.
pub struct Rewritten {
    body: Body,
    /// Nothing once the text is over.
    finder: Option<Finder>,
    /// What comes behind the text.
    trailers: Option<Frame<Bytes>>,
}

impl Rewritten {
    pub(super) fn new(body: Body, finder: Finder) -> Self {
        Self { body, finder: Some(finder), trailers: None }
    }

    pub(super) fn is_end_stream(&self) -> bool {
        self.finder.is_none() && self.trailers.is_none()
    }

    pub(super) fn poll_frame(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        loop {
            if self.finder.is_none() {
                return Poll::Ready(self.trailers.take().map(Ok));
            }
            let text = match std::task::ready!(Pin::new(&mut self.body).poll_frame(context)) {
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) => self.finder.as_mut().map(|finder| finder.feed(&data)).unwrap_or_default(),
                    Err(trailers) => {
                        self.trailers = Some(trailers);
                        self.finder.take().map(|mut finder| finder.finish()).unwrap_or_default()
                    }
                },
                None => self.finder.take().map(|mut finder| finder.finish()).unwrap_or_default(),
            };
            if !text.is_empty() {
                return Poll::Ready(Some(Ok(Frame::data(text.into()))));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const OURS: &str = "http://127.0.0.1:8401/npm";

    fn rewritten(base: &str, text: &str, piece: usize) -> String {
        let mut finder = Finder::new(&base.parse().unwrap(), OURS);
        let mut out: Vec<u8> = text.as_bytes().chunks(piece).flat_map(|piece| finder.feed(piece)).collect();
        out.extend(finder.finish());
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn e1_only_what_lies_below_the_base_becomes_ours() {
        for (base, text, expected) in [
            (
                "https://npm.test/acme/",
                r#"{"tarball":"https://npm.test/acme/a/-/a-1.tgz","homepage":"https://npm.test/other"}"#,
                r#"{"tarball":"http://127.0.0.1:8401/npm/a/-/a-1.tgz","homepage":"https://npm.test/other"}"#,
            ),
            (
                "https://npm.test",
                r#""https:\/\/npm.test\/a" "https://npm.test.evil/a" "https://npm.testa" "https://npm.test""#,
                r#""http:\/\/127.0.0.1:8401\/npm\/a" "https://npm.test.evil/a" "https://npm.testa" "http://127.0.0.1:8401/npm""#,
            ),
            (
                "https://py.test/",
                r#"<a href="/packages/a.whl#sha256=x">a</a><a href="//cdn.test/a"><a href="../b">"#,
                r#"<a href="http://127.0.0.1:8401/npm/packages/a.whl#sha256=x">a</a><a href="//cdn.test/a"><a href="../b">"#,
            ),
            (
                "https://py.test/api",
                r#"<a href='/api/a.whl'> <a href="/other/a.whl"> {"url": "/api/x"}"#,
                r#"<a href='http://127.0.0.1:8401/npm/a.whl'> <a href="/other/a.whl"> {"url": "http://127.0.0.1:8401/npm/x"}"#,
            ),
            ("https://npm.test/acme", "https://npm.test/acm", "https://npm.test/acm"),
            ("https://npm.test/acme", "", ""),
            ("https://npm.test/acme", "https://npm.test/acme", OURS),
        ] {
            for piece in [1, 2, 7, 4096] {
                assert_eq!(rewritten(base, text, piece), expected, "in pieces of {piece}");
            }
        }
    }
}
