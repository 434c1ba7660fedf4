//! The words of the program as types: names that a person chose, what belongs to what.
//!
//! An *account* is one identity at one *provider*. A *service* is an upstream base URL bound to one
//! account. Tokens belong to a *grant*: an account and, where the provider issues tokens per
//! resource (RFC 8707), the resource. A *tool* is a registered local program with a key.

use std::borrow::Borrow;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Why a text is no name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} name {text:?} must be 1 to 40 characters of a-z, 0-9 and '-', not beginning or ending with '-'")]
pub struct BadName {
    what: &'static str,
    text: String,
}

macro_rules! name_type {
    ($(#[$doc:meta])* $type:ident, $what:literal) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $type(String);

        impl $type {
            /// The name as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl Borrow<str> for $type {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $type {
            type Err = BadName;

            fn from_str(text: &str) -> Result<Self, BadName> {
                let valid = (1..=40).contains(&text.len())
                    && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
                    && !text.starts_with('-')
                    && !text.ends_with('-');
                if valid {
                    Ok(Self(text.to_owned()))
                } else {
                    Err(BadName { what: $what, text: text.chars().take(80).collect() })
                }
            }
        }

        impl TryFrom<String> for $type {
            type Error = BadName;

            fn try_from(text: String) -> Result<Self, BadName> {
                text.parse()
            }
        }

        impl From<$type> for String {
            fn from(name: $type) -> Self {
                name.0
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

name_type!(
    /// What a person calls a provider: `google`, `linear`.
    ProviderName,
    "provider"
);
name_type!(
    /// What a person calls an account: `linear-work`.
    AccountName,
    "account"
);
name_type!(
    /// What a person calls a service; the first segment of its address.
    ServiceName,
    "service"
);
name_type!(
    /// What a person calls a registered program: `claude-code`.
    ToolName,
    "tool"
);

/// What tokens belong to: an account, and the resource they are for (RFC 8707) where there is one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GrantId {
    /// The account whose identity the tokens speak for.
    pub account: AccountName,
    /// The RFC 8707 resource indicator, sent the same at every endpoint.
    pub resource: Option<String>,
}

impl fmt::Display for GrantId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.resource {
            None => write!(f, "{}", self.account),
            Some(resource) => write!(f, "{} for {resource}", self.account),
        }
    }
}

/// Counts the token sets of a grant; every forwarded request remembers the one it used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
pub struct Generation(pub u64);

impl Generation {
    /// The number of the token set after this one.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

/// A set of OAuth scopes (RFC 6749 section 3.3): unordered, each once.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(from = "Vec<String>", into = "Vec<String>")]
pub struct Scopes(std::collections::BTreeSet<String>);

impl Scopes {
    /// Reads the space-separated form of the wire.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        text.split_ascii_whitespace().map(str::to_owned).collect()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Each scope, in alphabetical order.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }

    /// Whether this scope is in the set.
    #[must_use]
    pub fn has(&self, scope: &str) -> bool {
        self.0.contains(scope)
    }

    /// The scopes of either.
    #[must_use]
    pub fn union(&self, other: &Self) -> Self {
        Self(self.0.union(&other.0).cloned().collect())
    }

    /// The scopes of both.
    #[must_use]
    pub fn intersection(&self, other: &Self) -> Self {
        Self(self.0.intersection(&other.0).cloned().collect())
    }

    /// The scopes that are not in `other`.
    #[must_use]
    pub fn without(&self, other: &Self) -> Self {
        Self(self.0.difference(&other.0).cloned().collect())
    }

    /// Whether every scope of `other` is in this set.
    #[must_use]
    pub fn covers(&self, other: &Self) -> bool {
        other.0.is_subset(&self.0)
    }
}

impl FromIterator<String> for Scopes {
    fn from_iter<I: IntoIterator<Item = String>>(scopes: I) -> Self {
        Self(scopes.into_iter().filter(|s| !s.is_empty()).collect())
    }
}

impl From<Vec<String>> for Scopes {
    fn from(scopes: Vec<String>) -> Self {
        scopes.into_iter().collect()
    }
}

impl From<Scopes> for Vec<String> {
    fn from(scopes: Scopes) -> Self {
        scopes.0.into_iter().collect()
    }
}

impl fmt::Display for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, scope) in self.iter().enumerate() {
            if i > 0 {
                f.write_str(" ")?;
            }
            f.write_str(scope)?;
        }
        Ok(())
    }
}

/// Who an account's tokens speak for, as its provider told it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// The provider's own stable id (`sub`, OpenID Connect Core section 2); two sign-ins are the same
    /// person exactly when this is equal.
    pub subject: String,
    /// What to show: the e-mail address, else the user name, else the subject.
    pub display: String,
}

/// What a tool gets when the person is needed and the hold is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ExpiredAnswer {
    /// 503 to a JSON-RPC request, the upstream's own answer or 401 to any other.
    #[default]
    Automatic,
    /// Always 401.
    #[serde(rename = "401")]
    Unauthorized,
    /// Always 503 with `Retry-After`.
    #[serde(rename = "503")]
    Unavailable,
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn names_are_one_path_segment() {
        for good in ["a", "linear-work", "x9", &"a".repeat(40)] {
            assert_eq!(good.parse::<ServiceName>().unwrap().as_str(), good);
        }
        for bad in ["", "-a", "a-", "A", "a b", "a/b", "..", "é", "a_b", &"a".repeat(41)] {
            assert!(bad.parse::<ServiceName>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn scopes_are_a_set() {
        let scopes = Scopes::parse(" write read  read ");
        assert_eq!(scopes.to_string(), "read write");
        assert!(scopes.covers(&Scopes::parse("read")));
        assert!(!scopes.covers(&Scopes::parse("read admin")));
    }
}
