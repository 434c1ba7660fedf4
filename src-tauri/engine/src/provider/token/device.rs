//! Signing in on another device (RFC 8628): a short code instead of a redirect.
//!
//! The oauth2 crate's own polling ends at the first 503; here only the server's word or the deadline does.

use std::time::Duration;

use serde::Deserialize;
use url::Url;

use super::call::Call;
use super::{Issued, TokenAsk, TokenError};
use crate::browser::may_open;
use crate::provider::Provider;
use crate::secret::Secret;

/// RFC 8628 section 3.4.
const GRANT: &str = "urn:ietf:params:oauth:grant-type:device_code";
/// RFC 8628 section 3.5: the interval where none is named.
const INTERVAL: Duration = Duration::from_secs(5);
/// How much longer the interval is after each `slow_down`.
const SLOWER: Duration = Duration::from_secs(5);
/// A server may not make us wait longer between two questions.
const LONGEST: Duration = Duration::from_secs(60);
/// A person copies it by hand.
const LONGEST_CODE: usize = 64;

/// What the person has to do (section 3.2).
#[derive(Debug, Clone)]
pub(crate) struct DeviceCode {
    device_code: Secret,
    /// What to enter.
    pub(crate) user_code: String,
    /// Where.
    pub(crate) verification_uri: Url,
    /// The same with the code in it.
    pub(crate) verification_uri_complete: Option<Url>,
    /// How long it is good for.
    pub(crate) lifetime: Duration,
    interval: Duration,
}

#[derive(Deserialize)]
struct Answer {
    device_code: Secret,
    user_code: String,
    // Google says `verification_url`.
    #[serde(alias = "verification_url")]
    verification_uri: Url,
    #[serde(default, alias = "verification_url_complete")]
    verification_uri_complete: Option<Url>,
    #[serde(default)]
    expires_in: Option<f64>,
    #[serde(default)]
    interval: Option<f64>,
}

impl Provider {
    /// Asks for a code (section 3.1).
    ///
    /// # Errors
    /// [`TokenError`].
    pub(crate) async fn device_code(&self, ask: &TokenAsk<'_>) -> Result<DeviceCode, TokenError> {
        let metadata = self.known_metadata().await?;
        let Some(endpoint) = &metadata.device_authorization_endpoint else {
            return Err(TokenError::NotSent("this provider offers no sign-in on another device".into()));
        };
        let scopes = ask.scopes.to_string();
        let mut form = vec![];
        if !ask.scopes.is_empty() {
            form.push(("scope", scopes.as_str()));
        }
        if let Some(resource) = ask.resource {
            form.push(("resource", resource));
        }
        let response = self.post_as_client(metadata, endpoint, form).await?;
        if !response.status().is_success() {
            let body: Option<serde_json::Value> = serde_json::from_slice(response.body()).ok();
            let error = body.and_then(|body| body["error"].as_str().map(|e| e.chars().take(100).collect()));
            return Err(TokenError::Answer { status: response.status().as_u16(), error, retry_after: None });
        }
        read(response.body())
    }

    /// Asks for tokens until the person has decided (section 3.4 and 3.5).
    ///
    /// # Errors
    /// [`TokenError`]; `expired_token` when the code's time is over.
    pub(crate) async fn await_device(&self, code: &DeviceCode, ask: &TokenAsk<'_>) -> Result<Issued, TokenError> {
        let metadata = self.known_metadata().await?;
        let call = Call::new(self, metadata, ask.dpop.cloned(), None).await?;
        let mut interval = code.interval;
        let polling = async {
            loop {
                tokio::time::sleep(interval).await;
                let mut form = vec![("grant_type", GRANT), ("device_code", code.device_code.expose())];
                if let Some(resource) = ask.resource {
                    form.push(("resource", resource));
                }
                match call.redeem(form, ask.scopes).await {
                    Err(TokenError::Answer { error: Some(error), .. }) if error == "authorization_pending" => {}
                    Err(TokenError::Answer { error: Some(error), .. }) if error == "slow_down" => {
                        interval = (interval + SLOWER).min(LONGEST);
                    }
                    // Section 3.5: a connection that fails means to ask less often; nothing is lost.
                    Err(
                        TokenError::Answer { status: 429 | 500.., .. }
                        | TokenError::NotSent(_)
                        | TokenError::NoAnswer(_),
                    ) => interval = (interval * 2).min(LONGEST),
                    outcome => return outcome,
                }
            }
        };
        let over = || TokenError::Answer { status: 400, error: Some("expired_token".into()), retry_after: None };
        tokio::time::timeout(code.lifetime, polling).await.unwrap_or_else(|_| Err(over()))
    }
}

fn read(body: &[u8]) -> Result<DeviceCode, TokenError> {
    let nonsense = |what: &str| TokenError::Nonsense(what.to_owned());
    let answer: Answer =
        serde_json::from_slice(body).map_err(|_| nonsense("the answer holds no code for another device"))?;
    let plain =
        |code: &str| !code.is_empty() && code.len() <= LONGEST_CODE && code.bytes().all(|b| (b' '..=b'~').contains(&b));
    if !plain(&answer.user_code) {
        return Err(nonsense("the code is nothing that a person can type"));
    }
    if !may_open(&answer.verification_uri) || answer.verification_uri_complete.as_ref().is_some_and(|u| !may_open(u)) {
        return Err(nonsense("the page for the code is not a safe address"));
    }
    let seconds = |value: Option<f64>| value.filter(|s| (1.0..=86_400.0).contains(s)).map(Duration::from_secs_f64);
    Ok(DeviceCode {
        device_code: answer.device_code,
        user_code: answer.user_code,
        verification_uri: answer.verification_uri,
        verification_uri_complete: answer.verification_uri_complete,
        lifetime: seconds(answer.expires_in).unwrap_or(crate::signin::DEADLINE),
        interval: seconds(answer.interval).unwrap_or(INTERVAL).min(LONGEST),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::json;

    #[test]
    fn what_may_be_shown() {
        let good = json!({
            "device_code": "d", "user_code": "WDJB-MJHT", "verification_uri": "https://a.test/device", "expires_in": 900,
        });
        let with = |name: &str, value: serde_json::Value| {
            let mut answer = good.clone();
            answer[name] = value;
            read(answer.to_string().as_bytes())
        };
        let code = with("x", json!(1)).unwrap();
        assert_eq!((code.lifetime, code.interval), (Duration::from_secs(900), INTERVAL));
        assert_eq!(with("interval", json!(1)).unwrap().interval, Duration::from_secs(1));
        assert_eq!(with("interval", json!(1e30)).unwrap().interval, INTERVAL);
        assert_eq!(with("interval", json!(3000)).unwrap().interval, LONGEST);
        for (name, value) in [
            ("verification_uri", json!("javascript:alert(1)")),
            ("verification_uri", json!("http://a.test/")),
            ("verification_uri_complete", json!("file:///etc/passwd")),
            ("user_code", json!("")),
            ("user_code", json!("a\u{202e}b")),
            ("user_code", json!("x".repeat(100))),
            ("device_code", json!(7)),
        ] {
            assert!(matches!(with(name, value.clone()), Err(TokenError::Nonsense(_))), "{name} {value}");
        }
        let google = json!({"device_code": "d", "user_code": "u", "verification_url": "https://www.google.com/device"});
        assert_eq!(read(google.to_string().as_bytes()).unwrap().verification_uri.path(), "/device");
    }
}
