//! PURE: who signed in, where the provider has no id_token and no userinfo (OpenID Connect Core section 5.3).

use serde::Deserialize;
use serde_json::Value;
use url::Url;

use crate::model::Identity;

/// Nobody's name is longer; an attacker's may be.
const LONGEST: usize = 120;

/// Where a provider says who it is.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct IdentityRule {
    /// What to ask; the token endpoint's own answer says it where this is absent.
    #[serde(default)]
    pub ask: Option<Ask>,
    /// JSON pointer (RFC 6901) to the id that stays, as [`Identity::subject`].
    pub subject: String,
    /// JSON pointers to what to show, the best first.
    pub display: Vec<String>,
}

/// A request with the new token.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Ask {
    /// Where; `[providers.NAME]` may say another place.
    pub url: Url,
    /// POST with this JSON; a GET where absent.
    #[serde(default)]
    pub json: Option<String>,
}

impl IdentityRule {
    /// Who it is by this answer.
    #[must_use]
    pub fn read(&self, answer: &Value) -> Option<Identity> {
        let text = |at: &str| match answer.pointer(at)? {
            Value::String(text) if !text.is_empty() => Some(text.clone()),
            Value::Number(number) => Some(number.to_string()),
            _ => None,
        };
        let subject = text(&self.subject)?;
        let display = self.display.iter().find_map(|at| text(at)).unwrap_or_else(|| subject.clone());
        Some(Identity { subject, display: display.chars().take(LONGEST).collect() })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::json;

    #[test]
    fn the_best_that_is_there() {
        let rule = IdentityRule { ask: None, subject: "/id".into(), display: vec!["/email".into(), "/login".into()] };
        let show = |answer| rule.read(&answer).map(|who| (who.subject, who.display));
        let is = |subject: &str, display: &str| Some((subject.to_owned(), display.to_owned()));
        assert_eq!(show(json!({"id": 1, "login": "octocat", "email": null})), is("1", "octocat"));
        assert_eq!(show(json!({"id": "x", "login": "o", "email": "o@a.test"})), is("x", "o@a.test"));
        assert_eq!(show(json!({"id": "x"})), is("x", "x"));
        assert_eq!(show(json!({"login": "o"})), None);
        assert_eq!(show(json!({"id": ""})), None);
        assert_eq!(show(json!({"id": "x", "login": "é".repeat(500)})).unwrap().1.chars().count(), LONGEST);
    }
}
