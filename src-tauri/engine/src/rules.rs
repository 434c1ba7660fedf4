//! How servers say that a token is no good, as data.
//!
//! A [`Rule`] says what a response looks like and what that means. Rules come from three places, and
//! the first that matches decides: the service's own in `config.toml`, its preset's, and the standard
//! ones that hold everywhere. Presets are files under `presets/`, each with its sources;
//! `docs/recognition.md` is made from them.

pub mod body;
mod condition;
mod file;
mod preset;
pub mod saved;

use std::sync::Arc;

use http::header::{HeaderMap, WWW_AUTHENTICATE};
use http::{Method, StatusCode};
use serde_json::Value;
use url::Url;

pub(crate) use self::condition::host_is;
pub use self::condition::{Conditions, Wanted};
pub(crate) use self::file::shared;
pub use self::file::{Again, BadRule, Injection, Rule, Verdict};
pub use self::preset::{Preset, document, named, names, of_host, standard};
use crate::ask::{LARGEST_CLAIMS, MOST_SCOPES};
use crate::challenge::Challenge;
use crate::model::Scopes;

/// Every rule of one service, in the order in which they are asked.
#[derive(Debug, Clone)]
pub struct RuleSet {
    rules: Vec<Arc<Rule>>,
    /// A bit for each status that any rule names, so that nearly every response is passed by at once.
    statuses: [u64; 10],
}

/// What is known of an exchange once the response's head is there.
#[derive(Debug, Clone, Copy)]
pub struct Head<'a> {
    /// The request's method.
    pub method: &'a Method,
    /// The request's path at the upstream.
    pub path: &'a str,
    /// The request's headers, as the tool sent them.
    pub request: &'a HeaderMap,
    /// The response's status.
    pub status: StatusCode,
    /// The response's headers.
    pub headers: &'a HeaderMap,
    /// Whether the token that was sent has expired by the local clock.
    pub stale: bool,
}

/// A response's body, as far as it was read, decoded.
#[derive(Debug, Clone, Default)]
pub struct Text {
    /// The text itself.
    pub text: String,
    /// As JSON, if it is: of an SSE stream, the first event's.
    pub json: Option<Value>,
    /// More may follow: it is the first event of a stream.
    pub is_first_of_many: bool,
}

/// What the head alone says.
#[derive(Debug, Clone)]
pub enum OnHead {
    /// No rule concerns it.
    Nothing,
    /// This rule matched.
    Found(Found),
    /// It depends on the body.
    AskBody,
}

/// A rule that matched, with what it took from the response.
#[derive(Debug, Clone)]
pub struct Found {
    /// Which.
    pub rule: Arc<Rule>,
    /// Whether the request was not carried out, so that it may be sent again.
    pub nothing_done: bool,
    /// The scopes that the server says are needed.
    pub scopes: Scopes,
    /// The claims that it wants (`insufficient_claims`), as JSON.
    pub claims: Option<String>,
    /// An address for the person, where the rule's hint has one.
    pub link: Option<Url>,
    /// How many JSON-RPC answers say so; nothing where the body had no say.
    pub answers: Option<usize>,
}

impl RuleSet {
    /// The service's own rules, then its preset's, then the standard ones.
    #[must_use]
    pub fn new(own: &[Arc<Rule>], preset: Option<&Preset>) -> Self {
        let preset = preset.map(|preset| preset.rules.as_slice()).unwrap_or_default();
        let rules: Vec<_> = own.iter().chain(preset).chain(&standard().rules).cloned().collect();
        let mut statuses = [0; 10];
        for status in rules.iter().flat_map(|rule| &rule.when.status) {
            if let Some(word) = statuses.get_mut(usize::from(*status / 64)) {
                *word |= 1 << (status % 64);
            }
        }
        Self { rules, statuses }
    }

    /// Whether any rule names this status. Where none does, the response is not looked into at all.
    #[must_use]
    pub fn concerns(&self, status: StatusCode) -> bool {
        let status = status.as_u16();
        self.statuses.get(usize::from(status / 64)).is_some_and(|word| word & (1 << (status % 64)) != 0)
    }

    /// What the head says.
    #[must_use]
    pub fn on_head(&self, head: &Head<'_>) -> OnHead {
        if !self.concerns(head.status) {
            return OnHead::Nothing;
        }
        match self.rules.iter().find(|rule| rule.matches_head(head)) {
            None => OnHead::Nothing,
            Some(rule) if rule.when.needs_body() => {
                let as_text = self.rules.iter().any(|rule| rule.matches_head(head) && rule.when.reads_text());
                match body::is_readable(head.headers, as_text) {
                    true => OnHead::AskBody,
                    false => self.without_body(head),
                }
            }
            Some(rule) => OnHead::Found(Found::of(rule, head, None, rule.nothing_done)),
        }
    }

    /// What the rules say that need no body.
    fn without_body(&self, head: &Head<'_>) -> OnHead {
        let rule = self.rules.iter().find(|rule| !rule.when.needs_body() && rule.matches_head(head));
        rule.map_or(OnHead::Nothing, |rule| OnHead::Found(Found::of(rule, head, None, rule.nothing_done)))
    }

    /// What head and body say together.
    #[must_use]
    pub fn on_body(&self, head: &Head<'_>, body: &Text) -> Option<Found> {
        self.rules.iter().filter(|rule| rule.matches_head(head)).find_map(|rule| {
            let nothing_done = match rule.when.body(body)? {
                Matched::Whole => rule.nothing_done,
                // A batch holds one failure among successes: what succeeded must not happen twice.
                Matched::Part => false,
            };
            Some(Found::of(rule, head, Some(body), nothing_done))
        })
    }
}

/// How much of a body a rule matched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Matched {
    /// All of it.
    Whole,
    /// Some answers of a batch, and others not.
    Part,
}

impl Rule {
    fn matches_head(&self, head: &Head<'_>) -> bool {
        self.when.status.contains(&head.status.as_u16())
            && (!self.only_if_stale || head.stale)
            && self.when.request(head)
            && self.when.response(head)
    }
}

impl Found {
    fn of(rule: &Arc<Rule>, head: &Head<'_>, body: Option<&Text>, nothing_done: bool) -> Self {
        let wanted = |challenge: &Challenge| match &rule.when.challenge {
            Some(wanted) => wanted.matches(challenge),
            None => challenge.param("scope").is_some(),
        };
        let challenge = challenges(head.headers).into_iter().find(wanted);
        let param = |name: &str| challenge.as_ref().and_then(|challenge| challenge.param(name));
        let json = body.and_then(|body| body.json.as_ref());
        let answers = json.map(|json| json.as_array().map_or(1, Vec::len));
        let pointed = rule.scopes_at.as_ref().zip(json).map(|(at, json)| condition::scopes_at(json, at));
        let scopes = pointed
            .filter(|scopes| !scopes.is_empty())
            .or_else(|| param("scope").map(Scopes::parse))
            .unwrap_or_else(|| rule.scopes.clone());
        let scopes: Scopes =
            scopes.iter().filter(|s| condition::is_scope(s)).take(MOST_SCOPES).map(str::to_owned).collect();
        Self {
            rule: Arc::clone(rule),
            nothing_done,
            scopes,
            claims: param("claims").and_then(decode_claims),
            link: rule.when.header.iter().find_map(|(name, _)| link_in(head.headers, name)),
            answers,
        }
    }
}

/// Every challenge of a response (RFC 9110 section 11.6.1).
fn challenges(headers: &HeaderMap) -> Vec<Challenge> {
    headers.get_all(WWW_AUTHENTICATE).iter().flat_map(crate::challenge::parse).collect()
}

/// The `claims` parameter is JSON in base64, with or without padding, of either alphabet.
fn decode_claims(text: &str) -> Option<String> {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    if text.len() > LARGEST_CLAIMS {
        return None;
    }
    let plain: String = text.trim_end_matches('=').replace('+', "-").replace('/', "_");
    let json = String::from_utf8(URL_SAFE_NO_PAD.decode(plain).ok()?).ok()?;
    serde_json::from_str::<Value>(&json).ok()?.is_object().then_some(json)
}

/// An address that a header names for the person (GitHub's `X-GitHub-SSO: required; url=…`). It is
/// shown, and opened by nobody but the person.
fn link_in(headers: &HeaderMap, name: &http::HeaderName) -> Option<Url> {
    headers
        .get_all(name)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .filter_map(|value| value.split(';').find_map(|part| part.trim().strip_prefix("url=")))
        .find_map(|url| Url::parse(url.trim_matches('"')).ok().filter(|url| url.scheme() == "https"))
}

#[cfg(test)]
mod tests;
