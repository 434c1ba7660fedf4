//! Who signed in: from the id_token, else from userinfo.

use base64::Engine as _;
use serde_json::Value;

use crate::clock::{self, Now};
use crate::model::Identity;
use crate::provider::preset::IdentityRule;
use crate::provider::{FetchError, Issued, Provider};
use crate::session::tokens::TokenSet;

/// How far an id_token's `exp` may lie behind us: clocks differ.
const LEEWAY_SECONDS: u64 = 300;

/// Why the identity can't be trusted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdentityError {
    /// The id_token fails a check of OpenID Connect Core section 3.1.3.7.
    #[error("the id_token's {0} is wrong")]
    IdToken(&'static str),
    /// Userinfo is offered and can't be had.
    #[error("userinfo: {0}")]
    Userinfo(#[from] FetchError),
    /// Userinfo names nobody (OpenID Connect Core section 5.3.2 requires `sub`).
    #[error("userinfo names nobody")]
    Nameless,
}

/// Who the tokens speak for; nothing where the provider does not tell.
pub(super) async fn of(
    provider: &Provider,
    issued: &Issued,
    nonce: Option<&str>,
    resource: Option<&str>,
) -> Result<Option<Identity>, IdentityError> {
    let from_token = match &issued.id_token {
        Some(id_token) => {
            let claims = claims(id_token.expose()).ok_or(IdentityError::IdToken("form"))?;
            let registration = provider.registration();
            let issuer = provider.metadata().await.ok().and_then(|metadata| metadata.issuer_of(&claims));
            let issuer = issuer.ok_or(IdentityError::IdToken("issuer"))?;
            check(&claims, &issuer, &registration.client_id, nonce, &issued.tokens, clock::now())?;
            identity(&claims)
        }
        None => None,
    };
    if from_token.is_none()
        && let Some(rule) = provider.registration().identity_rule()
    {
        return own_way(provider, rule, issued).await;
    }
    // A subject alone is no name to show; userinfo may know one. It takes only tokens that are for
    // no resource in particular.
    let wants_name = from_token.as_ref().is_none_or(|who| who.display == who.subject);
    if wants_name
        && resource.is_none()
        && let Ok(metadata) = provider.metadata().await
        && let Some(endpoint) = &metadata.userinfo_endpoint
    {
        match provider.userinfo(endpoint, &issued.tokens).await {
            Ok(claims) => return userinfo(&claims, from_token),
            // A token without `openid` is refused there; that tells nothing of the sign-in.
            Err(FetchError::Status { status: 401 | 403, .. }) => {}
            Err(e) if from_token.is_none() => return Err(e.into()),
            Err(_) => {}
        }
    }
    Ok(from_token)
}

/// As the provider's preset says.
async fn own_way(provider: &Provider, rule: &IdentityRule, issued: &Issued) -> Result<Option<Identity>, IdentityError> {
    let Some(ask) = &rule.ask else { return Ok(issued.identity.clone()) };
    match provider.ask_identity(ask, &issued.tokens.access).await {
        Ok(answer) => rule.read(&answer).map(Some).ok_or(IdentityError::Nameless),
        // A permission that the token lacks tells nothing of the sign-in.
        Err(FetchError::Status { status: 401 | 403, .. }) => Ok(None),
        Err(e) => Err(e.into()),
    }
}

fn userinfo(claims: &Value, from_token: Option<Identity>) -> Result<Option<Identity>, IdentityError> {
    let found = identity(claims).ok_or(IdentityError::Nameless)?;
    match from_token {
        // OpenID Connect Core section 5.3.2: else the claims must not be used.
        Some(who) if who.subject != found.subject => Err(IdentityError::IdToken("subject")),
        _ => Ok(Some(found)),
    }
}

/// The claims of a JWT, its signature unread: it came straight from the token endpoint over TLS,
/// which OpenID Connect Core section 3.1.3.7 accepts instead.
pub(super) fn claims(jwt: &str) -> Option<Value> {
    let payload = jwt.split('.').nth(1)?;
    let json = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(payload.trim_end_matches('=')).ok()?;
    serde_json::from_slice(&json).ok()
}

fn check(
    claims: &Value,
    issuer: &str,
    client_id: &str,
    nonce: Option<&str>,
    tokens: &TokenSet,
    now: Now,
) -> Result<(), IdentityError> {
    let text = |name: &str| claims.get(name).and_then(Value::as_str);
    if text("iss") != Some(issuer) {
        return Err(IdentityError::IdToken("issuer"));
    }
    let for_us = match claims.get("aud") {
        Some(Value::String(one)) => one == client_id,
        Some(Value::Array(many)) => many.iter().any(|aud| aud.as_str() == Some(client_id)),
        _ => false,
    };
    if !for_us {
        return Err(IdentityError::IdToken("audience"));
    }
    let alive = claims
        .get("exp")
        .and_then(Value::as_f64)
        .is_some_and(|exp| exp + LEEWAY_SECONDS as f64 > tokens.issued.provider_unix(now) as f64);
    if !alive {
        return Err(IdentityError::IdToken("expiry"));
    }
    // Only a request in a browser carries one.
    if nonce.is_some_and(|nonce| text("nonce") != Some(nonce)) {
        return Err(IdentityError::IdToken("nonce"));
    }
    Ok(())
}

fn identity(claims: &Value) -> Option<Identity> {
    let text = |name: &str| claims.get(name).and_then(Value::as_str).filter(|s| !s.is_empty());
    let subject = text("sub")?.to_owned();
    let display = ["email", "preferred_username", "name"].into_iter().find_map(text).unwrap_or(&subject);
    // Nobody's name is that long; an attacker's may be.
    let display = display.chars().take(120).collect();
    Some(Identity { subject, display })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::clock::Anchor;
    use crate::model::Scopes;
    use crate::secret::Secret;
    use serde_json::json;

    #[test]
    fn every_check_of_the_id_token() {
        let now = Now { boot_ms: 1000, wall_ms: 2_000_000_000 };
        let tokens = TokenSet {
            access: Secret::new("a"),
            refresh: None,
            scopes: Scopes::default(),
            issued: Anchor::new(Some(1_000_000), now),
            lifetime: None,
            jwt_expiry: std::sync::OnceLock::new(),
            unattended: false,
            dpop: None,
            id_token: None,
        };
        let good = json!({"iss":"https://a.test","aud":["x","us"],"exp":1_000_001,"nonce":"n","sub":"1"});
        let with = |key: &str, value: Value| {
            let mut claims = good.clone();
            claims[key] = value;
            check(&claims, "https://a.test", "us", Some("n"), &tokens, now)
        };
        let wrong = |what| Err(IdentityError::IdToken(what));
        for (key, value, expected) in [
            ("x", json!(1), Ok(())),
            ("aud", json!("us"), Ok(())),
            ("exp", json!(999_800), Ok(())),
            ("iss", json!("https://a.test/"), wrong("issuer")),
            ("aud", json!("x"), wrong("audience")),
            ("aud", json!(null), wrong("audience")),
            ("exp", json!(999_000), wrong("expiry")),
            ("exp", json!(null), wrong("expiry")),
            ("nonce", json!("m"), wrong("nonce")),
            ("nonce", json!(null), wrong("nonce")),
        ] {
            assert_eq!(with(key, value.clone()), expected, "{key} {value}");
        }
    }

    #[test]
    fn what_is_shown() {
        let show = |claims| identity(&claims).map(|who| who.display);
        assert_eq!(show(json!({"sub":"1","email":"a@b.test","name":"A"})).as_deref(), Some("a@b.test"));
        assert_eq!(show(json!({"sub":"1","email":"","name":"A"})).as_deref(), Some("A"));
        assert_eq!(show(json!({"sub":"1"})).as_deref(), Some("1"));
        assert_eq!(show(json!({"name":"A"})), None);
    }

    #[test]
    fn userinfo_must_speak_of_the_same_person() {
        let who = Identity { subject: "1".into(), display: "1".into() };
        assert!(userinfo(&json!({"sub":"2"}), Some(who.clone())).is_err());
        assert_eq!(userinfo(&json!({"sub":"1","name":"A"}), Some(who)).unwrap().unwrap().display, "A");
    }
}
