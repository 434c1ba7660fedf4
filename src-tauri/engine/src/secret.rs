//! A string that must not be seen: a token, a client secret, a passphrase.
//!
//! It wipes its memory when dropped, prints as `[secret]` wherever somebody
//! formats it, compares in constant time, and has no `Serialize`: whoever writes
//! one somewhere has to say [`Secret::expose`], so that a search finds each place.

use std::fmt;

use secrecy::zeroize::Zeroize;
use secrecy::{ExposeSecret, SecretString};
use serde::de::{self, Deserialize, Deserializer, Visitor};
use subtle::ConstantTimeEq;

/// A string that is wiped on drop and never printed.
#[derive(Clone)]
pub struct Secret(SecretString);

impl Secret {
    /// Takes the text over. The given string's own memory is wiped, since turning
    /// it into a box could move it and leave the old bytes behind.
    pub fn new(text: impl Into<String>) -> Self {
        let mut text = text.into();
        let kept = Self(SecretString::from(text.as_str()));
        text.zeroize();
        kept
    }

    /// The text itself. Each use is a place where a secret may leave.
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }

    /// The text's length in bytes.
    pub fn len(&self) -> usize {
        self.expose().len()
    }

    /// Whether there is no text at all.
    pub fn is_empty(&self) -> bool {
        self.expose().is_empty()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

/// In constant time for texts of one length; the length itself is no secret.
impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        self.expose().as_bytes().ct_eq(other.expose().as_bytes()).into()
    }
}

impl Eq for Secret {}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self::new(text)
    }
}

/// So that a token response is parsed straight into it.
impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // Not `deserialize_string`: by that serde_json itself quotes what is no string.
        deserializer.deserialize_any(SecretVisitor)
    }
}

struct SecretVisitor;

/// A token sent as a number or a boolean: serde's own message would quote it.
fn not_text<E: de::Error>() -> E {
    E::custom("expected a string")
}

impl Visitor<'_> for SecretVisitor {
    type Value = Secret;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Secret, E> {
        Ok(Secret(SecretString::from(text)))
    }

    fn visit_string<E: de::Error>(self, text: String) -> Result<Secret, E> {
        Ok(Secret::new(text))
    }

    fn visit_bool<E: de::Error>(self, _: bool) -> Result<Secret, E> {
        Err(not_text())
    }

    fn visit_i64<E: de::Error>(self, _: i64) -> Result<Secret, E> {
        Err(not_text())
    }

    fn visit_i128<E: de::Error>(self, _: i128) -> Result<Secret, E> {
        Err(not_text())
    }

    fn visit_u64<E: de::Error>(self, _: u64) -> Result<Secret, E> {
        Err(not_text())
    }

    fn visit_u128<E: de::Error>(self, _: u128) -> Result<Secret, E> {
        Err(not_text())
    }

    fn visit_f64<E: de::Error>(self, _: f64) -> Result<Secret, E> {
        Err(not_text())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    const CANARY: &str = "canary-7f3a91";

    #[test]
    fn g1_never_shown_by_what_contains_it() {
        #[derive(Debug, Clone)]
        #[expect(dead_code, reason = "only printed")]
        struct Tokens {
            access: Secret,
            refresh: Option<Secret>,
            all: Vec<(String, Secret)>,
        }
        let tokens = Tokens {
            access: Secret::new(CANARY),
            refresh: Some(Secret::new(CANARY)),
            all: vec![("a".into(), Secret::new(CANARY))],
        };
        let shown = [
            format!("{tokens:?}"),
            format!("{tokens:#?}"),
            format!("{:?}", tokens.clone()),
            format!("{}", Secret::new(CANARY)),
            format!("{:>20?}", Secret::new(CANARY)),
            format!("{:?}", Ok::<_, ()>(Secret::new(CANARY))),
        ];
        for text in shown {
            assert!(!text.contains("canary"), "{text}");
            assert!(text.contains("[secret]"), "{text}");
        }
    }

    #[test]
    fn equal_by_content() {
        for (a, b, equal) in [("", "", true), ("a", "a", true), ("a", "b", false), ("a", "aa", false), ("ä", "ä", true)]
        {
            assert_eq!(Secret::new(a) == Secret::new(b), equal, "{a:?} {b:?}");
        }
        assert_eq!(Secret::new("abc").len(), 3);
        assert!(Secret::new("").is_empty());
    }

    #[test]
    fn d12_parsed_from_strings_only_and_errors_quote_nothing() {
        let parsed: Secret = serde_json::from_str(r#""a\"b""#).unwrap();
        assert_eq!(parsed.expose(), "a\"b");
        let from_value: Secret = serde_json::from_value(serde_json::json!("x")).unwrap();
        assert_eq!(from_value.expose(), "x");
        let wrong = ["90210", "-90210", "902.10", "true", "null", "[90210]", r#"{"90210":1}"#];
        for json in wrong {
            let error = serde_json::from_str::<Secret>(json).unwrap_err().to_string();
            assert!(!error.contains("902") && !error.contains("true"), "{error}");
        }
    }
}
