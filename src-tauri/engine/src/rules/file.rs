//! The format of a rule as it is written down: in a preset's file and in `config.toml`.

use std::sync::Arc;

use http::{HeaderValue, StatusCode};
use serde::Deserialize;

use super::condition::{Conditions, Pointer};
use crate::model::Scopes;
use crate::secret::Secret;

/// What a matching response means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// The token is no good; another may be.
    Expired,
    /// The token lacks scopes (RFC 6750 section 3.1 `insufficient_scope`).
    NeedsScope,
    /// The token lacks claims (`insufficient_claims`, as Microsoft's continuous access evaluation has it).
    NeedsClaims,
    /// Only the person can help.
    NeedsPerson,
    /// The refusal is not about the token.
    NotOurs,
}

impl Verdict {
    /// As rules write it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Expired => "expired",
            Self::NeedsScope => "needs-scope",
            Self::NeedsClaims => "needs-claims",
            Self::NeedsPerson => "needs-person",
            Self::NotOurs => "not-ours",
        }
    }
}

/// What it means if the replayed request is answered the same way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Again {
    /// Only the person can help.
    NeedsPerson,
    /// The token does lack scopes; once the person is asked for them, no refresh is tried first.
    NeedsScope,
    /// It was not about the token after all.
    NotOurs,
}

/// How a service takes its token, where that is not `Authorization: Bearer`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Injection {
    /// The header's name.
    #[serde(deserialize_with = "super::condition::header_name")]
    pub header: http::HeaderName,
    /// What stands before the token, without the blank; nothing where this is empty.
    #[serde(default)]
    pub scheme: String,
}

impl Injection {
    /// The header's value for this token; nothing where the token can't be one.
    #[must_use]
    pub fn value(&self, token: &Secret) -> Option<HeaderValue> {
        let text = match self.scheme.as_str() {
            "" => token.expose().to_owned(),
            scheme => [scheme, " ", token.expose()].concat(),
        };
        let mut value = HeaderValue::try_from(text).ok()?;
        value.set_sensitive(true);
        Some(value)
    }
}

impl Default for Injection {
    fn default() -> Self {
        Self { header: http::header::AUTHORIZATION, scheme: "Bearer".to_owned() }
    }
}

/// One way in which a server says no.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Written")]
pub struct Rule {
    /// By which it is told: `slack-token-expired`.
    pub name: String,
    /// Its row in the list of known cases.
    pub row: Option<u32>,
    /// Where a server was seen to say it.
    pub source: String,
    /// The same in one sentence for a person.
    pub why: String,
    /// What the response looks like.
    pub when: Conditions,
    /// What it means.
    pub verdict: Verdict,
    /// Whether the request was not carried out, so that it may be sent again.
    pub nothing_done: bool,
    /// Matches only where the token has expired by the local clock too.
    pub only_if_stale: bool,
    /// What it means if it comes again after the replay.
    pub again: Option<Again>,
    /// The status with which it is passed on if it comes again after the replay.
    pub pass_as: Option<StatusCode>,
    /// The sentence for the person that goes with it, by its key in [`crate::wording`].
    pub hint: Option<String>,
    /// The scopes that are needed, where they are always the same.
    pub scopes: Scopes,
    /// Where the body names the scopes that are needed.
    pub scopes_at: Option<Pointer>,
    /// Any one of the named scopes is enough.
    pub scopes_any: bool,
}

/// A rule that contradicts itself.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("rule {rule}: {what}")]
pub struct BadRule {
    rule: String,
    what: &'static str,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Written {
    name: String,
    row: Option<u32>,
    #[serde(default)]
    source: String,
    why: String,
    when: Conditions,
    verdict: Verdict,
    nothing_done: Option<bool>,
    #[serde(default)]
    only_if_stale: bool,
    again: Option<Again>,
    pass_as: Option<u16>,
    hint: Option<String>,
    #[serde(default)]
    scopes: Scopes,
    scopes_at: Option<Pointer>,
    #[serde(default)]
    scopes_any: bool,
}

impl TryFrom<Written> for Rule {
    type Error = BadRule;

    fn try_from(written: Written) -> Result<Self, BadRule> {
        let Written { name, when, verdict, hint, .. } = written;
        let bad = |what| Err(BadRule { rule: name.clone(), what });
        if name.is_empty() || !name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-') {
            return bad("its name must consist of a-z, 0-9 and '-'");
        }
        if when.status.is_empty() || when.status.iter().any(|status| !(200..=599).contains(status)) {
            return bad("`when.status` must list statuses from 200 to 599");
        }
        if when.no_challenge && when.challenge.is_some() {
            return bad("`no-challenge` and `challenge` exclude each other");
        }
        if !when.body_contains.is_empty() && when.content_type.is_none() {
            return bad("`body-contains` needs a `content-type`");
        }
        let nothing_done = match (verdict, written.nothing_done) {
            (Verdict::NotOurs, None) => false,
            (Verdict::NotOurs, Some(_)) => return bad("`nothing-done` says nothing where the verdict is not-ours"),
            (_, None) => return bad("`nothing-done` must say whether the request was not carried out"),
            (_, Some(nothing_done)) => nothing_done,
        };
        // Words in a 2xx may be a user's own; what was carried out would be carried out twice.
        if nothing_done && when.status.iter().any(|status| *status < 300) && when.reads_free_text() {
            return bad("free text in a 2xx can't say that nothing was done");
        }
        let asks_for_scopes = verdict == Verdict::NeedsScope || written.again == Some(Again::NeedsScope);
        if (!written.scopes.is_empty() || written.scopes_at.is_some() || written.scopes_any) && !asks_for_scopes {
            return bad("scopes are needed only where the verdict is needs-scope");
        }
        if written.again.is_some() && verdict != Verdict::Expired {
            return bad("`again` goes with the verdict expired");
        }
        let pass_as = match written.pass_as.map(StatusCode::from_u16) {
            None => None,
            Some(Ok(status)) if written.again == Some(Again::NotOurs) => Some(status),
            Some(_) => return bad("`pass-as` is a status, and goes with again = \"not-ours\""),
        };
        if let Some(hint) = &hint
            && crate::wording::hint(hint, None).is_none()
        {
            return bad("its hint is not known");
        }
        Ok(Self {
            row: written.row,
            source: written.source,
            why: written.why,
            nothing_done,
            only_if_stale: written.only_if_stale,
            again: written.again,
            pass_as,
            scopes: written.scopes,
            scopes_at: written.scopes_at,
            scopes_any: written.scopes_any,
            name,
            when,
            verdict,
            hint,
        })
    }
}

/// Rules, each to be shared by many requests.
pub(crate) fn shared<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Vec<Arc<Rule>>, D::Error> {
    Ok(Vec::<Rule>::deserialize(deserializer)?.into_iter().map(Arc::new).collect())
}
