//! A saved exchange: a response as it came over the wire, and what was asked, in `#` lines before it.
//!
//! `signbell service test` reads them, and so do the tests, which keep one for each known case.

use http::header::{HeaderMap, HeaderName, HeaderValue};
use http::{Method, StatusCode};

use super::body::{self, LARGEST};
use super::{Found, Head, OnHead, RuleSet};

/// A saved exchange.
#[derive(Debug, Clone)]
pub struct Saved {
    /// The request's method; GET where the file does not say.
    pub method: Method,
    /// The request's path; `/` where the file does not say.
    pub path: String,
    /// The request's headers, as far as the file tells them.
    pub request: HeaderMap,
    /// The response's status.
    pub status: StatusCode,
    /// The response's headers.
    pub headers: HeaderMap,
    /// The response's body.
    pub body: Vec<u8>,
    /// Whether the token had expired by the clock.
    pub stale: bool,
}

/// Why a text is no saved response.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadSaved {
    /// A line before the status line is not `# key: value`.
    #[error("line {0} is neither a `# key: value` nor a status line like `HTTP/1.1 200 OK`")]
    Line(usize),
    /// A header can't be read.
    #[error("line {0} is no header")]
    Header(usize),
    /// There is no response in it.
    #[error("there is no response in it")]
    Empty,
}

/// Reads a saved exchange.
///
/// # Errors
/// [`BadSaved`], which names the line.
pub fn parse(bytes: &[u8]) -> Result<Saved, BadSaved> {
    let mut saved = Saved {
        method: Method::GET,
        path: "/".to_owned(),
        request: HeaderMap::new(),
        status: StatusCode::OK,
        headers: HeaderMap::new(),
        body: vec![],
        stale: false,
    };
    let mut rest = bytes;
    let mut number = 0;
    let mut head = false;
    while !rest.is_empty() {
        let end = rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len());
        let (line, after) = rest.split_at(end);
        rest = after.get(1..).unwrap_or_default();
        number += 1;
        let line = String::from_utf8_lossy(line);
        let line = line.trim_end_matches('\r');
        if head && line.is_empty() {
            saved.body = rest.strip_suffix(b"\n").unwrap_or(rest).to_vec();
            return Ok(saved);
        }
        if head {
            let (name, value) = header(line).ok_or(BadSaved::Header(number))?;
            saved.headers.append(name, value);
        } else if let Some(note) = line.strip_prefix('#') {
            saved.note(note, number)?;
        } else if let Some(status) = status(line) {
            (saved.status, head) = (status, true);
        } else if !line.trim().is_empty() {
            return Err(BadSaved::Line(number));
        }
    }
    if head { Ok(saved) } else { Err(BadSaved::Empty) }
}

impl Saved {
    fn note(&mut self, note: &str, number: usize) -> Result<(), BadSaved> {
        let Some((key, value)) = note.split_once(':') else { return Ok(()) };
        let value = value.trim();
        match key.trim() {
            "request" => {
                let (method, path) = value.split_once(' ').unwrap_or(("GET", value));
                self.method = method.parse().map_err(|_| BadSaved::Line(number))?;
                self.path = path.trim().to_owned();
            }
            "request-header" => {
                let (name, value) = header(value).ok_or(BadSaved::Line(number))?;
                self.request.append(name, value);
            }
            "stale" => self.stale = value == "yes",
            _ => {}
        }
        Ok(())
    }

    /// The rule that matches, if one does.
    #[must_use]
    pub fn judge(&self, rules: &RuleSet) -> Option<Found> {
        let head = Head {
            method: &self.method,
            path: self.path.split('?').next().unwrap_or_default(),
            request: &self.request,
            status: self.status,
            headers: &self.headers,
            stale: self.stale,
        };
        match rules.on_head(&head) {
            OnHead::Nothing => None,
            OnHead::Found(found) => Some(found),
            OnHead::AskBody => {
                let read = self.body.get(..self.body.len().min(LARGEST)).unwrap_or_default();
                rules.on_body(&head, &body::read(&self.headers, read).unwrap_or_default())
            }
        }
    }
}

fn status(line: &str) -> Option<StatusCode> {
    let rest = line.strip_prefix("HTTP/")?;
    let (_, rest) = rest.split_once(' ')?;
    rest.split(' ').next()?.parse().ok()
}

fn header(line: &str) -> Option<(HeaderName, HeaderValue)> {
    let (name, value) = line.split_once(':')?;
    Some((name.trim().parse().ok()?, HeaderValue::try_from(value.trim()).ok()?))
}
