//! The token endpoint's answer (RFC 6749 section 5.1), read leniently where that is harmless.

use std::time::Duration;

use oauth2::{AccessToken, RefreshToken};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::model::Identity;
use crate::secret::Secret;

/// What we use of it.
#[derive(Debug, Deserialize)]
pub(crate) struct WireTokens {
    #[serde(deserialize_with = "token")]
    pub(super) access_token: AccessToken,
    pub(super) token_type: Kind,
    #[serde(default, deserialize_with = "lifetime")]
    pub(super) expires_in: Option<Duration>,
    #[serde(default)]
    pub(super) refresh_token: Option<RefreshToken>,
    #[serde(default)]
    pub(super) scope: Option<String>,
    #[serde(default)]
    pub(super) id_token: Option<Secret>,
    /// Put there by the preset, where the answer tells who it is.
    #[serde(default, rename = "signbell_identity")]
    pub(super) identity: Option<Identity>,
}

impl Serialize for WireTokens {
    /// The oauth2 crate's trait wants it; nothing here ever writes an answer down.
    fn serialize<S: Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
        Err(serde::ser::Error::custom("token responses are not written"))
    }
}

impl oauth2::TokenResponse for WireTokens {
    type TokenType = Kind;

    fn access_token(&self) -> &AccessToken {
        &self.access_token
    }

    fn token_type(&self) -> &Kind {
        &self.token_type
    }

    fn expires_in(&self) -> Option<Duration> {
        self.expires_in
    }

    fn refresh_token(&self) -> Option<&RefreshToken> {
        self.refresh_token.as_ref()
    }

    fn scopes(&self) -> Option<&Vec<oauth2::Scope>> {
        None
    }
}

/// A token must go into a header: RFC 6750 section 2.1 gives it visible characters only.
fn token<'de, D: Deserializer<'de>>(deserializer: D) -> Result<AccessToken, D::Error> {
    let text = String::deserialize(deserializer)?;
    if text.is_empty() || !text.bytes().all(|b| b.is_ascii_graphic()) {
        return Err(serde::de::Error::custom("not a token"));
    }
    Ok(AccessToken::new(text))
}

/// What a token is good for (RFC 6749 section 7.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Whoever has it (RFC 6750).
    Bearer,
    /// Whoever has its key, too (RFC 9449 section 5).
    Dpop,
}

impl oauth2::TokenType for Kind {}

impl<'de> Deserialize<'de> for Kind {
    /// In any case.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match String::deserialize(deserializer)?.to_ascii_lowercase().as_str() {
            "bearer" => Ok(Self::Bearer),
            "dpop" => Ok(Self::Dpop),
            _ => Err(serde::de::Error::custom("a token type that we do not speak")),
        }
    }
}

impl Serialize for Kind {
    /// The oauth2 crate's trait wants it.
    fn serialize<S: Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
        Err(serde::ser::Error::custom("token responses are not written"))
    }
}

/// Seconds as a number, a fraction or a text. What is no sensible lifetime counts as not stated.
fn lifetime<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
    const TEN_YEARS: f64 = 315_360_000.0;
    let seconds = match serde_json::Value::deserialize(deserializer)? {
        serde_json::Value::Number(number) => number.as_f64(),
        serde_json::Value::String(text) => text.trim().parse::<f64>().ok(),
        _ => None,
    };
    Ok(seconds.filter(|s| *s >= 1.0 && *s <= TEN_YEARS).map(Duration::from_secs_f64))
}

/// The access token of an answer that is taken.
#[cfg(fuzzing)]
pub(crate) fn read(body: &[u8]) -> Option<Secret> {
    let tokens: WireTokens = serde_json::from_slice(body).ok()?;
    Some(Secret::new(tokens.access_token.secret().clone()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn wire(json: &str) -> Result<WireTokens, serde_json::Error> {
        serde_json::from_str(json)
    }

    #[test]
    fn d9_any_expires_in() {
        for (text, expected) in [
            ("3600", Some(3600)),
            ("\"3600\"", Some(3600)),
            ("3600.5", Some(3600)),
            ("0", None),
            ("-5", None),
            ("1e30", None),
            ("null", None),
            ("\"soon\"", None),
            ("[]", None),
        ] {
            let json = format!(r#"{{"access_token":"a","token_type":"bearer","expires_in":{text}}}"#);
            assert_eq!(wire(&json).unwrap().expires_in.map(|d| d.as_secs()), expected, "{text}");
        }
        assert_eq!(wire(r#"{"access_token":"a","token_type":"bearer"}"#).unwrap().expires_in, None);
    }

    #[test]
    fn d12_d16_what_is_no_token() {
        for bad in [
            r#"{"access_token":"","token_type":"bearer"}"#,
            r#"{"access_token":"a\r\nb","token_type":"bearer"}"#,
            r#"{"access_token":7,"token_type":"bearer"}"#,
            r#"{"access_token":"a","token_type":"mac"}"#,
            r#"{"token_type":"bearer"}"#,
            "[]",
        ] {
            assert!(wire(bad).is_err(), "{bad}");
        }
        assert!(wire(r#"{"access_token":"a","token_type":"BEARER"}"#).is_ok());
    }
}
