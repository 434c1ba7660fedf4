//! A token set: what a provider issued, and when it ends.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use base64::Engine as _;
use serde::{Deserialize, Serialize};
use url::Url;

use crate::clock::{Anchor, Now};
use crate::model::{Generation, Scopes};
use crate::provider::{DpopKey, Registration};
use crate::secret::Secret;

/// Assumed where the provider names no lifetime (RFC 6749 section 5.1 leaves it to "other means").
const UNSTATED_LIFETIME: Option<Duration> = None;

/// How far past a JWT's `exp` a resource server may still accept it; its own leeway is usual.
const JWT_LEEWAY_SECONDS: u64 = 60;

/// A token received less than this long ago is never taken for dead, whatever its `exp` says: then
/// it is the clocks that are wrong, and a refresh would not help.
const FRESH: Duration = Duration::from_secs(30);

/// What a provider issued in one answer.
#[derive(Debug, Clone)]
pub struct TokenSet {
    /// The access token (RFC 6749 section 1.4).
    pub access: Secret,
    /// The refresh token, if there is one.
    pub refresh: Option<Secret>,
    /// What was granted.
    pub scopes: Scopes,
    /// When it came.
    pub issued: Anchor,
    /// How long the access token lives; unknown where the provider does not say.
    pub lifetime: Option<Duration>,
    /// The token's own `exp`, once somebody asked.
    pub jwt_expiry: OnceLock<Option<u64>>,
    /// Whether others can be had without the person and without a refresh token: the client asks in its
    /// own name (RFC 6749 section 4.4), or an employer's sign-in vouches for the person.
    pub unattended: bool,
    /// The key that they are bound to (RFC 9449).
    pub dpop: Option<Arc<DpopKey>>,
    /// Who signed in, as the provider wrote it down (OpenID Connect Core section 2). It is shown to other
    /// servers where the employer vouches.
    pub id_token: Option<Secret>,
}

impl TokenSet {
    /// Whether the access token is known to be dead: by the lifetime that the provider stated, or as
    /// a JWT whose `exp` is more than a minute past.
    #[must_use]
    pub fn is_dead(&self, now: Now) -> bool {
        if self.remaining(now).is_some_and(|left| left.is_zero()) {
            return true;
        }
        self.issued.age(now) >= FRESH
            && self
                .jwt_expiry()
                .is_some_and(|exp| self.issued.provider_unix(now) > exp.saturating_add(JWT_LEEWAY_SECONDS))
    }

    /// Whether others can be had without the person.
    #[must_use]
    pub fn is_renewable(&self) -> bool {
        self.refresh.is_some() || self.unattended
    }

    /// Whether the access token has expired by either clock, without any leeway. Alone it is no reason
    /// not to send it; with a server's ambiguous refusal it is one to renew it.
    #[must_use]
    pub fn is_stale(&self, now: Now) -> bool {
        self.remaining(now).is_some_and(|left| left.is_zero())
            || self.jwt_expiry().is_some_and(|exp| self.issued.provider_unix(now) > exp)
    }

    /// Read once; every request asks.
    fn jwt_expiry(&self) -> Option<u64> {
        *self.jwt_expiry.get_or_init(|| jwt_expiry(self.access.expose()))
    }

    /// What is left of the stated lifetime; nothing where none was stated.
    #[must_use]
    pub fn remaining(&self, now: Now) -> Option<Duration> {
        let lifetime = self.lifetime.or(UNSTATED_LIFETIME)?;
        Some(lifetime.saturating_sub(self.issued.age(now)))
    }

    /// How long before its end a token in use is renewed: a tenth of its life, a minute at most.
    #[must_use]
    pub fn lead(&self) -> Duration {
        self.lifetime.map_or(Duration::ZERO, |life| (life / 10).min(Duration::from_secs(60)))
    }

    /// When the access token ends, on this machine's wall clock in Unix seconds.
    #[must_use]
    pub fn expires_at(&self, now: Now) -> Option<u64> {
        self.lifetime.map(|life| self.issued.wall_unix(now).saturating_add(life.as_secs()))
    }
}

/// A token set as it lies in the vault: JSON, written and read as one item.
#[derive(Serialize, Deserialize)]
struct Stored {
    format: u32,
    generation: Generation,
    access_token: String,
    #[serde(default)]
    refresh_token: Option<String>,
    scopes: Scopes,
    issued: Anchor,
    #[serde(default)]
    lifetime_ms: Option<u64>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    unattended: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    dpop_key: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    id_token: Option<String>,
    /// Whose they are. Absent in what the first version wrote.
    #[serde(default)]
    owner: Option<Owner>,
}

/// Who issued tokens, and to which client: nobody else is ever shown them (D7).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owner {
    issuer: Url,
    client_id: String,
}

impl From<&Registration> for Owner {
    fn from(registration: &Registration) -> Self {
        Self { issuer: registration.issuer.clone(), client_id: registration.client_id.clone() }
    }
}

const FORMAT: u32 = 1;

/// Why a vault item is no token set.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadItem {
    /// A newer Signbell wrote it; it is left as it is.
    #[error("written by a newer Signbell (format {0})")]
    Newer(u32),
    /// It can't be read.
    #[error("not a token set: {0}")]
    Corrupt(String),
    /// Another server issued it, or to another client: it is as good as none.
    #[error("issued by {} to another registration", .0.issuer)]
    Another(Owner),
}

/// The vault item for `tokens`.
#[must_use]
pub fn to_item(tokens: &TokenSet, generation: Generation, owner: Owner) -> Secret {
    let stored = Stored {
        format: FORMAT,
        generation,
        access_token: tokens.access.expose().to_owned(),
        refresh_token: tokens.refresh.as_ref().map(|t| t.expose().to_owned()),
        scopes: tokens.scopes.clone(),
        issued: tokens.issued.clone(),
        lifetime_ms: tokens.lifetime.map(|l| u64::try_from(l.as_millis()).unwrap_or(u64::MAX)),
        unattended: tokens.unattended,
        dpop_key: tokens.dpop.as_ref().map(|key| key.to_pem().expose().to_owned()),
        id_token: tokens.id_token.as_ref().map(|token| token.expose().to_owned()),
        owner: Some(owner),
    };
    // Strings and numbers always serialise.
    Secret::new(serde_json::to_string(&stored).unwrap_or_default())
}

/// Reads a vault item.
///
/// # Errors
/// [`BadItem`].
pub fn from_item(item: &Secret, owner: &Owner) -> Result<(TokenSet, Generation), BadItem> {
    // serde_json's messages name positions and expected types, never the text.
    let corrupt = |e: serde_json::Error| BadItem::Corrupt(e.to_string());
    let value: serde_json::Value = serde_json::from_str(item.expose()).map_err(corrupt)?;
    match value.get("format").and_then(serde_json::Value::as_u64) {
        Some(format) if format > u64::from(FORMAT) => {
            return Err(BadItem::Newer(u32::try_from(format).unwrap_or(u32::MAX)));
        }
        _ => {}
    }
    let stored: Stored = serde_json::from_value(value).map_err(|_| BadItem::Corrupt("fields differ".into()))?;
    if let Some(other) = stored.owner.filter(|other| other != owner) {
        return Err(BadItem::Another(other));
    }
    let dpop = match stored.dpop_key.map(|pem| DpopKey::from_pem(Secret::new(pem))) {
        None => None,
        Some(Ok(key)) => Some(Arc::new(key)),
        Some(Err(_)) => return Err(BadItem::Corrupt("the key is damaged".into())),
    };
    Ok((
        TokenSet {
            access: Secret::new(stored.access_token),
            refresh: stored.refresh_token.map(Secret::new),
            scopes: stored.scopes,
            issued: stored.issued,
            lifetime: stored.lifetime_ms.map(Duration::from_millis),
            jwt_expiry: OnceLock::new(),
            unattended: stored.unattended,
            dpop,
            id_token: stored.id_token.map(Secret::new),
        },
        stored.generation,
    ))
}

/// The `exp` of a token that looks like a signed JWT (RFC 7519 section 4.1.4), without checking its
/// signature: three parts, base64url with or without padding. A fraction is cut off and a quoted
/// number honoured. Anything else has none.
#[must_use]
pub fn jwt_expiry(token: &str) -> Option<u64> {
    let mut parts = token.split('.');
    let (_, payload, _) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() {
        return None;
    }
    let payload = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(payload.trim_end_matches('=')).ok()?;
    let claims: serde_json::Value = serde_json::from_slice(&payload).ok()?;
    let exp = match claims.get("exp")? {
        serde_json::Value::Number(number) => number.as_f64()?,
        serde_json::Value::String(text) => text.parse::<f64>().ok()?,
        _ => return None,
    };
    // Beyond 2^53 a float is no longer exact, and no date of use either.
    (1.0..9_007_199_254_740_992.0).contains(&exp).then_some(exp as u64)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const NOW: Now = Now { boot_ms: 10_000_000, wall_ms: 2_000_000_000_000 };

    fn tokens(access: &str, lifetime: Option<u64>) -> TokenSet {
        TokenSet {
            access: Secret::new(access),
            refresh: Some(Secret::new("r")),
            scopes: Scopes::parse("a b"),
            issued: Anchor::new(Some(1_000_000), NOW),
            lifetime: lifetime.map(Duration::from_secs),
            jwt_expiry: OnceLock::new(),
            unattended: false,
            dpop: None,
            id_token: None,
        }
    }

    fn jwt(payload: &str) -> String {
        let encode = |text: &str| base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(text);
        format!("{}.{}.sig", encode("{}"), encode(payload))
    }

    #[test]
    fn a_stated_lifetime_decides() {
        let set = tokens("opaque", Some(100));
        for (after, dead) in [(0, false), (99, false), (100, true), (5000, true)] {
            assert_eq!(set.is_dead(NOW.plus(Duration::from_secs(after))), dead, "{after}");
        }
        assert_eq!(set.lead(), Duration::from_secs(10));
        assert_eq!(set.expires_at(NOW), Some(2_000_000_100));
    }

    #[test]
    fn without_one_a_jwt_s_exp_does() {
        let set = tokens(&jwt(r#"{"exp":1000100}"#), None);
        for (after, dead) in [(0, false), (160, false), (161, true)] {
            assert_eq!(set.is_dead(NOW.plus(Duration::from_secs(after))), dead, "{after}");
        }
        let already = tokens(&jwt(r#"{"exp":5}"#), None);
        assert!(!already.is_dead(NOW), "just received: never dead");
        assert!(already.is_dead(NOW.plus(FRESH)));
        assert!(!tokens("opaque", None).is_dead(NOW.plus(Duration::from_secs(1_000_000))));
    }

    #[test]
    fn the_sooner_of_both_counts() {
        // The provider says an hour, the token itself two minutes: it would be refused after those.
        let set = tokens(&jwt(r#"{"exp":1000120}"#), Some(3600));
        for (after, dead, stale) in [(0, false, false), (120, false, false), (121, false, true), (181, true, true)] {
            let now = NOW.plus(Duration::from_secs(after));
            assert_eq!((set.is_dead(now), set.is_stale(now)), (dead, stale), "{after}");
        }
        let set = tokens(&jwt(r#"{"exp":1003600}"#), Some(100));
        assert!(set.is_dead(NOW.plus(Duration::from_secs(100))));
    }

    /// Every kind of `exp` that altinity-mcp's own check tells apart, and what it makes of each.
    #[test]
    fn case_2_altinity_exp_table() {
        let payload = |exp: &str| jwt(&format!(r#"{{"sub":"a","exp":{exp}}}"#));
        let padded = {
            let encode = |text: &str| base64::engine::general_purpose::URL_SAFE.encode(text);
            format!("{}.{}.sig", encode("{}"), encode(r#"{"exp":1700000000,"a":1}"#))
        };
        assert!(padded.contains('='));
        for (token, expected) in [
            (payload("1700000000"), Some(1_700_000_000)),
            (payload("1"), Some(1)),
            (payload("1700000000.9"), Some(1_700_000_000)),
            (payload("1.7e9"), Some(1_700_000_000)),
            (payload("\"1700000000\""), Some(1_700_000_000)),
            (payload("\"1700000000.5\""), Some(1_700_000_000)),
            (padded, Some(1_700_000_000)),
            (payload("null"), None),
            (payload("0"), None),
            (payload("-5"), None),
            (payload("\"-5\""), None),
            (payload("\"soon\""), None),
            (payload("\"\""), None),
            (payload("\"NaN\""), None),
            (payload("\"inf\""), None),
            (payload("true"), None),
            (payload("[1700000000]"), None),
            (payload("{\"at\":1}"), None),
            (payload("1e30"), None),
            (payload("9007199254740993"), None),
            (payload("99999999999999999999999999"), None),
            (jwt(r#"{"sub":"a"}"#), None),
            (jwt("not json"), None),
            (jwt("[1]"), None),
            ("a.b.c".to_owned(), None),
            ("opaque".to_owned(), None),
            (String::new(), None),
            ("..".to_owned(), None),
            (format!("{}.x", payload("1700000000")), None),
            (format!("{}.x.y", payload("1700000000")), None),
            (payload("1700000000").replacen('.', ". ", 1), None),
        ] {
            assert_eq!(jwt_expiry(&token), expected, "{token}");
        }
    }

    #[test]
    fn survives_the_vault() {
        let mut set = tokens("access", Some(7));
        set.dpop = Some(Arc::new(DpopKey::generate().unwrap()));
        let owner = |issuer: &str, client: &str| Owner { issuer: issuer.parse().unwrap(), client_id: client.into() };
        let ours = owner("https://a.test", "c");
        let item = to_item(&set, Generation(3), ours.clone());
        let (back, generation) = from_item(&item, &ours).unwrap();
        // D7: another server's, or another registration's, is not ours.
        for other in [owner("https://b.test", "c"), owner("https://a.test", "d")] {
            assert!(matches!(from_item(&item, &other), Err(BadItem::Another(_))));
        }
        assert_eq!(generation, Generation(3));
        assert_eq!(back.access.expose(), "access");
        assert_eq!(back.issued, set.issued);
        assert_eq!(back.lifetime, set.lifetime);
        let key = |set: &TokenSet| set.dpop.as_ref().map(|key| key.thumbprint());
        assert_eq!(key(&back), key(&set));
        assert_eq!(from_item(&Secret::new(r#"{"format":9}"#), &ours).unwrap_err(), BadItem::Newer(9));
        assert!(matches!(from_item(&Secret::new("{"), &ours), Err(BadItem::Corrupt(_))));
    }
}
