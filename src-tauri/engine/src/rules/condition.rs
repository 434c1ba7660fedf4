//! PURE: what a response has to look like.

use http::header::{CONTENT_TYPE, LOCATION, WWW_AUTHENTICATE};
use http::{HeaderName, Method};
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use url::Url;

use super::{Head, Matched, Text, challenges};
use crate::challenge::Challenge;
use crate::model::Scopes;

/// All that is given must hold.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(default, rename_all = "kebab-case", deny_unknown_fields)]
pub struct Conditions {
    /// The response's status is one of these.
    pub status: Vec<u16>,
    /// The request's method is one of these.
    #[serde(deserialize_with = "methods")]
    pub method: Vec<Method>,
    /// The request's path begins so.
    pub path: Option<String>,
    /// The request has these headers.
    #[serde(deserialize_with = "header_names")]
    pub request_header: Vec<HeaderName>,
    /// The response has each of these headers, and this text in it, in any case.
    #[serde(deserialize_with = "header_texts")]
    pub header: Vec<(HeaderName, String)>,
    /// One challenge is like this.
    pub challenge: Option<WantedChallenge>,
    /// There is no challenge at all.
    pub no_challenge: bool,
    /// Every challenge has one of these schemes, in lower case, and there is at least one.
    pub only_schemes: Vec<String>,
    /// The response's media type begins so.
    pub content_type: Option<String>,
    /// It redirects there.
    pub redirect: Option<WantedRedirect>,
    /// One header lists scopes of which none is listed by the other.
    pub missing_scopes: Option<MissingScopes>,
    /// It is a JSON-RPC error with one of these codes.
    pub rpc_code: Vec<i64>,
    /// Each of these holds of the JSON.
    pub json: Vec<Wanted>,
    /// All of these words are in the body, in any case.
    pub body_contains: Vec<String>,
}

/// A challenge.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(default, rename_all = "kebab-case", deny_unknown_fields)]
pub struct WantedChallenge {
    /// Its scheme is one of these, in lower case.
    pub scheme: Vec<String>,
    /// Its `error` is one of these.
    pub error: Vec<String>,
    /// It has these parameters.
    pub has: Vec<String>,
    /// Its `error_description` has these words.
    pub contains: Option<String>,
}

/// A redirect.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(default, rename_all = "kebab-case", deny_unknown_fields)]
pub struct WantedRedirect {
    /// To one of these hosts; `*.x` is any host below x.
    pub host: Vec<String>,
    /// To a path that begins so.
    pub path: Option<String>,
}

/// Scopes that a resource accepts, and those that the token has (as GitHub tells them).
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MissingScopes {
    /// The header of those of which one would do.
    #[serde(deserialize_with = "header_name")]
    pub accepted: HeaderName,
    /// The header of those that the token has.
    #[serde(deserialize_with = "header_name")]
    pub granted: HeaderName,
}

/// Something in the JSON of a body.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Wanted {
    /// Where.
    at: Pointer,
    /// It is exactly one of these.
    #[serde(default)]
    is: Vec<Value>,
    /// It is text and has one of these in it; case, blanks, `_` and `-` don't count.
    #[serde(default)]
    contains: Vec<String>,
    /// It is text and begins with one of these.
    #[serde(default)]
    starts_with: Vec<String>,
    /// It is text and ends with one of these.
    #[serde(default)]
    ends_with: Vec<String>,
    /// It is not there, or null.
    #[serde(default)]
    absent: bool,
}

/// A JSON pointer (RFC 6901) in which `*` stands for every element or member.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Pointer(Vec<String>);

impl TryFrom<String> for Pointer {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        match text.strip_prefix('/') {
            None if text.is_empty() => Ok(Self(vec![])),
            None => Err(format!("{text:?} is no JSON pointer: it must begin with /")),
            Some(rest) => Ok(Self(rest.split('/').map(|part| part.replace("~1", "/").replace("~0", "~")).collect())),
        }
    }
}

impl Pointer {
    fn begins_in_an_array(&self) -> bool {
        self.0.first().is_some_and(|part| part == "*" || part.bytes().all(|b| b.is_ascii_digit()))
    }

    fn find<'v>(&self, value: &'v Value) -> Vec<&'v Value> {
        let mut found = vec![value];
        for part in &self.0 {
            found = found
                .into_iter()
                .flat_map(|value| match (part.as_str(), value) {
                    ("*", Value::Array(elements)) => elements.iter().collect(),
                    ("*", Value::Object(members)) => members.values().collect(),
                    (name, Value::Object(members)) => members.get(name).into_iter().collect::<Vec<_>>(),
                    (at, Value::Array(elements)) => {
                        at.parse::<usize>().ok().and_then(|at| elements.get(at)).into_iter().collect()
                    }
                    _ => vec![],
                })
                .collect();
        }
        found
    }
}

impl Wanted {
    fn holds(&self, json: &Value) -> bool {
        let found = self.at.find(json);
        if self.absent {
            return found.iter().all(|value| value.is_null());
        }
        let texts = || found.iter().filter_map(|value| value.as_str());
        (self.is.is_empty() || found.iter().any(|value| self.is.contains(value)))
            && (self.contains.is_empty() || texts().any(|text| has_any(text, &self.contains)))
            && (self.starts_with.is_empty() || texts().any(|text| self.starts_with.iter().any(|p| text.starts_with(p))))
            && (self.ends_with.is_empty() || texts().any(|text| self.ends_with.iter().any(|p| text.ends_with(p))))
            && !found.is_empty()
    }
}

impl WantedChallenge {
    /// Whether `challenge` is like this.
    pub(super) fn matches(&self, challenge: &Challenge) -> bool {
        (self.scheme.is_empty() || self.scheme.iter().any(|scheme| challenge.is(scheme)))
            && (self.error.is_empty() || challenge.param("error").is_some_and(|e| self.error.iter().any(|w| w == e)))
            && self.has.iter().all(|name| challenge.param(name).is_some())
            && self.contains.as_ref().is_none_or(|words| {
                challenge.param("error_description").is_some_and(|text| squeezed(text).contains(&squeezed(words)))
            })
    }
}

impl Conditions {
    /// Whether the body has a say.
    pub(super) fn needs_body(&self) -> bool {
        !(self.rpc_code.is_empty() && self.json.is_empty() && self.body_contains.is_empty())
    }

    /// Whether it reads bodies that are no JSON.
    pub(super) fn reads_text(&self) -> bool {
        !self.body_contains.is_empty()
    }

    /// Whether words count that anybody may have written.
    pub(super) fn reads_free_text(&self) -> bool {
        !self.body_contains.is_empty() || self.json.iter().any(|wanted| !wanted.contains.is_empty())
    }

    pub(super) fn request(&self, head: &Head<'_>) -> bool {
        (self.method.is_empty() || self.method.contains(head.method))
            && self.path.as_ref().is_none_or(|path| head.path.starts_with(path))
            && self.request_header.iter().all(|name| head.request.contains_key(name))
    }

    pub(super) fn response(&self, head: &Head<'_>) -> bool {
        let text = |name: &HeaderName| head.headers.get(name).and_then(|value| value.to_str().ok());
        (!self.no_challenge || !head.headers.contains_key(WWW_AUTHENTICATE))
            && (self.only_schemes.is_empty() || {
                let challenges = challenges(head.headers);
                !challenges.is_empty() && challenges.iter().all(|c| self.only_schemes.iter().any(|s| c.is(s)))
            })
            && self.challenge.as_ref().is_none_or(|wanted| challenges(head.headers).iter().any(|c| wanted.matches(c)))
            && self.header.iter().all(|(name, words)| {
                let values = head.headers.get_all(name);
                values.iter().any(|value| {
                    String::from_utf8_lossy(value.as_bytes()).to_ascii_lowercase().contains(&words.to_ascii_lowercase())
                })
            })
            && self.content_type.as_ref().is_none_or(|wanted| {
                text(&CONTENT_TYPE).is_some_and(|is| is.to_ascii_lowercase().starts_with(&wanted.to_ascii_lowercase()))
            })
            && self.redirect.as_ref().is_none_or(|wanted| text(&LOCATION).is_some_and(|to| wanted.matches(to)))
            && self.missing_scopes.as_ref().is_none_or(|scopes| {
                let listed =
                    |name| text(name).map(|list| list.split([',', ' ']).map(str::to_owned).collect::<Scopes>());
                let (Some(accepted), Some(granted)) = (listed(&scopes.accepted), listed(&scopes.granted)) else {
                    return false;
                };
                !accepted.is_empty() && !accepted.iter().any(|scope| granted.iter().any(|has| has == scope))
            })
    }

    /// Whether the body is as wanted; with a batch, whether all of it is.
    pub(super) fn body(&self, body: &Text) -> Option<Matched> {
        if !self.needs_body() {
            return Some(Matched::Whole);
        }
        let lower = body.text.to_ascii_lowercase();
        if !self.body_contains.iter().all(|word| lower.contains(&word.to_ascii_lowercase())) {
            return None;
        }
        if self.rpc_code.is_empty() && self.json.is_empty() {
            return Some(Matched::Whole);
        }
        let json = body.json.as_ref()?;
        match json {
            // A batch, unless the rule speaks of the array itself.
            Value::Array(answers) if self.json.iter().all(|wanted| !wanted.at.begins_in_an_array()) => {
                let matching = answers.iter().filter(|answer| self.one(answer)).count();
                match matching {
                    0 => None,
                    n if n == answers.len() && !body.is_first_of_many => Some(Matched::Whole),
                    _ => Some(Matched::Part),
                }
            }
            json => self.one(json).then_some(Matched::Whole),
        }
    }

    fn one(&self, json: &Value) -> bool {
        let code = || json.get("error").and_then(|error| error.get("code")).and_then(Value::as_i64);
        (self.rpc_code.is_empty() || code().is_some_and(|code| self.rpc_code.contains(&code)))
            && self.json.iter().all(|wanted| wanted.holds(json))
    }
}

impl WantedRedirect {
    fn matches(&self, location: &str) -> bool {
        // A relative reference has no host of its own; its path counts all the same.
        let url = Url::parse("https://relative.invalid/").and_then(|base| base.join(location));
        let Ok(url) = url else { return false };
        (self.host.is_empty()
            || url.host_str().is_some_and(|host| self.host.iter().any(|wanted| host_is(host, wanted))))
            && self.path.as_ref().is_none_or(|path| url.path().starts_with(path))
    }
}

/// Whether a host is `wanted`, where `*.x` stands for any host below x.
pub(crate) fn host_is(host: &str, wanted: &str) -> bool {
    let host = host.trim_end_matches('.').to_ascii_lowercase();
    match wanted.strip_prefix('*') {
        Some(below) => host.len() > below.len() && host.ends_with(below),
        None => host == wanted,
    }
}

/// The scopes that a body names: in backticks where there are any, else separated by blanks or commas.
pub(super) fn scopes_at(json: &Value, at: &Pointer) -> Scopes {
    let texts = at.find(json).into_iter().flat_map(|value| match value {
        Value::Array(elements) => elements.iter().filter_map(Value::as_str).collect(),
        value => value.as_str().into_iter().collect::<Vec<_>>(),
    });
    texts
        .flat_map(|text| match text.contains('`') {
            true => text.split('`').skip(1).step_by(2).map(str::to_owned).collect::<Vec<_>>(),
            false => text.split([' ', ',']).map(str::to_owned).collect(),
        })
        .filter(|scope| is_scope(scope))
        .collect()
}

/// `scope-token` of RFC 6749 section 3.3.
pub(super) fn is_scope(text: &str) -> bool {
    !text.is_empty() && text.len() <= 256 && text.bytes().all(|b| matches!(b, 0x21 | 0x23..=0x5b | 0x5d..=0x7e))
}

fn has_any(text: &str, words: &[String]) -> bool {
    let text = squeezed(text);
    words.iter().any(|word| text.contains(&squeezed(word)))
}

/// In lower case, without blanks, `_` and `-`.
fn squeezed(text: &str) -> String {
    text.chars().filter(|c| !matches!(c, ' ' | '_' | '-')).flat_map(char::to_lowercase).collect()
}

fn methods<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Method>, D::Error> {
    let texts = Vec::<String>::deserialize(deserializer)?;
    texts
        .iter()
        .map(|text| text.parse().map_err(|_| serde::de::Error::custom(format!("{text:?} is no method"))))
        .collect()
}

fn name_of<E: serde::de::Error>(text: &str) -> Result<HeaderName, E> {
    text.parse().map_err(|_| E::custom(format!("{text:?} is no header's name")))
}

pub(super) fn header_name<'de, D: Deserializer<'de>>(deserializer: D) -> Result<HeaderName, D::Error> {
    name_of(&String::deserialize(deserializer)?)
}

fn header_names<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<HeaderName>, D::Error> {
    Vec::<String>::deserialize(deserializer)?.iter().map(|text| name_of(text)).collect()
}

fn header_texts<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<(HeaderName, String)>, D::Error> {
    let texts = std::collections::BTreeMap::<String, String>::deserialize(deserializer)?;
    texts.into_iter().map(|(name, words)| Ok((name_of(&name)?, words))).collect()
}
