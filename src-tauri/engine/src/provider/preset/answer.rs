//! PURE: the token endpoint's answer as RFC 6749 sections 5.1 and 5.2 have it, whatever the provider made
//! of it; and our request as it wants it.

use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderName, HeaderValue, Request, Response, StatusCode};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::{IdentityRule, Preset, TokenRequest};

/// Where we put who it is, for the answer's reader.
pub(crate) const IDENTITY: &str = "signbell_identity";

/// Where the token endpoint's answer differs from RFC 6749 section 5.1.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct AnswerRules {
    /// JSON pointers to where the tokens may lie; the first with an access token counts. The answer
    /// itself where there is none.
    pub at: Vec<String>,
    /// Between two scopes; RFC 6749 section 3.3 has a space.
    pub scope_separator: Option<String>,
    /// Its tokens are bearer tokens whatever `token_type` says, or where it says nothing.
    pub is_bearer: bool,
}

/// What an error code of the provider's own means.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ErrorRule {
    /// The `error` of its answer.
    pub error: String,
    /// What its `error_description` must hold besides.
    #[serde(default)]
    pub description: Option<String>,
    /// In the terms of RFC 6749.
    pub means: Means,
}

/// What it means, in the terms of RFC 6749.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Means {
    /// The refresh token is dead: only the person can help.
    InvalidGrant,
    /// It does not know our client, or not with this secret.
    InvalidClient,
    /// Nothing about the token: later it may work.
    Busy,
}

impl Preset {
    /// Our request as the token endpoint wants it.
    pub(crate) fn write(&self, request: &mut Request<Vec<u8>>) {
        for (name, value) in &self.token_headers {
            if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
                request.headers_mut().insert(name, value);
            }
        }
        if self.token_request == TokenRequest::Json {
            let pairs = url::form_urlencoded::parse(request.body()).into_owned();
            let object: Map<String, Value> = pairs.map(|(name, value)| (name, Value::String(value))).collect();
            *request.body_mut() = Value::Object(object).to_string().into_bytes();
            request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
            request.headers_mut().remove(CONTENT_LENGTH);
        }
    }

    /// The token endpoint's answer in the standard's terms. One that is no JSON object, or an outage,
    /// stays as it is.
    pub(crate) fn read(&self, response: &mut Response<Vec<u8>>) {
        let status = response.status();
        if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS {
            return;
        }
        let Ok(Value::Object(answer)) = serde_json::from_slice(response.body()) else { return };
        if let Some(error) = answer.get("error").and_then(Value::as_str) {
            let description = answer.get("error_description").and_then(Value::as_str).unwrap_or_default();
            let Some(means) = self.meaning(error, description) else { return };
            tracing::debug!("{} answered {error}, which is {means:?}", self.title);
            let (status, code) = match means {
                Means::InvalidGrant => (StatusCode::BAD_REQUEST, "invalid_grant"),
                Means::InvalidClient => (StatusCode::UNAUTHORIZED, "invalid_client"),
                Means::Busy => (StatusCode::SERVICE_UNAVAILABLE, "temporarily_unavailable"),
            };
            *response.status_mut() = status;
            *response.body_mut() = serde_json::json!({ "error": code }).to_string().into_bytes();
        } else if status.is_success() {
            *response.body_mut() = Value::Object(self.standard(answer)).to_string().into_bytes();
        }
    }

    fn meaning(&self, error: &str, description: &str) -> Option<Means> {
        let holds = |rule: &ErrorRule| rule.description.as_ref().is_none_or(|part| description.contains(part.as_str()));
        self.errors.iter().find(|rule| rule.error == error && holds(rule)).map(|rule| rule.means)
    }

    fn standard(&self, answer: Map<String, Value>) -> Map<String, Value> {
        let who = match &self.identity {
            Some(rule @ IdentityRule { ask: None, .. }) => rule.read(&Value::Object(answer.clone())),
            _ => None,
        };
        let whole = Value::Object(answer);
        let has_token = |at: &&Value| at.get("access_token").is_some_and(Value::is_string);
        let at = self.answer.at.iter().filter_map(|at| whole.pointer(at)).find(has_token).unwrap_or(&whole);
        let mut tokens = at.as_object().cloned().unwrap_or_default();
        if self.answer.is_bearer {
            tokens.insert("token_type".into(), "Bearer".into());
        }
        if let Some(separator) = &self.answer.scope_separator
            && let Some(scope) = tokens.get("scope").and_then(Value::as_str)
        {
            let scope = scope.replace(separator.as_str(), " ");
            tokens.insert("scope".into(), scope.into());
        }
        tokens.remove(IDENTITY);
        if let Some(who) = who.and_then(|who| serde_json::to_value(who).ok()) {
            tokens.insert(IDENTITY.into(), who);
        }
        tokens
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::named;
    use super::*;
    use serde_json::json;

    fn read(preset: &str, status: u16, body: &str) -> (u16, Value) {
        let mut response = Response::builder().status(status).body(body.as_bytes().to_vec()).unwrap();
        named(preset).unwrap().read(&mut response);
        (response.status().as_u16(), serde_json::from_slice(response.body()).unwrap_or(Value::Null))
    }

    #[test]
    fn what_a_provider_s_own_codes_mean() {
        let grant = (400, json!({"error": "invalid_grant"}));
        let client = (401, json!({"error": "invalid_client"}));
        for (preset, status, body, expected) in [
            ("github", 200, r#"{"error":"bad_refresh_token","error_description":"x"}"#, grant.clone()),
            ("github", 200, r#"{"error":"incorrect_client_credentials"}"#, client.clone()),
            ("slack", 200, r#"{"ok":false,"error":"invalid_refresh_token"}"#, grant.clone()),
            ("slack", 200, r#"{"ok":false,"error":"bad_client_secret"}"#, client),
            ("slack", 200, r#"{"ok":false,"error":"ratelimited"}"#, (503, json!({"error":"temporarily_unavailable"}))),
            (
                "atlassian",
                403,
                r#"{"error":"unauthorized_client","error_description":"refresh_token is invalid"}"#,
                grant,
            ),
        ] {
            assert_eq!(read(preset, status, body), expected, "{preset}: {body}");
        }
        // What no rule names is left to the standard's own list.
        for (preset, status, body) in [
            ("github", 200, r#"{"error":"bad_verification_code"}"#),
            ("slack", 200, r#"{"ok":false,"error":"internal_error"}"#),
            ("atlassian", 403, r#"{"error":"unauthorized_client","error_description":"not this client"}"#),
            ("google", 400, r#"{"error":"invalid_grant"}"#),
            ("github", 200, "[]"),
        ] {
            assert_eq!(read(preset, status, body), (status, serde_json::from_str(body).unwrap()), "{preset}: {body}");
        }
    }

    #[test]
    fn d13_an_outage_is_told_as_it_came() {
        for status in [429, 500, 502, 503] {
            for body in [r#"{"error":"bad_refresh_token"}"#, "<html>"] {
                assert_eq!(read("github", status, body).0, status, "{body}");
            }
        }
    }

    #[test]
    fn tokens_are_found_where_they_lie() {
        let (_, user) = read(
            "slack",
            200,
            r#"{"ok":true,"access_token":"bot","token_type":"bot","authed_user":{"id":"U1","access_token":"user","token_type":"user","scope":"a,b"},"signbell_identity":{"subject":"x","display":"x"}}"#,
        );
        assert_eq!(user["access_token"], "user");
        assert_eq!(user["token_type"], "Bearer");
        assert_eq!(user["scope"], "a b");
        assert_eq!(user[IDENTITY], Value::Null);
        let (_, renewed) =
            read("slack", 200, r#"{"ok":true,"access_token":"new","token_type":"user","authed_user":{"id":"U1"}}"#);
        assert_eq!((&renewed["access_token"], &renewed["token_type"]), (&"new".into(), &"Bearer".into()));
        let (_, github) = read("github", 200, r#"{"access_token":"a","scope":"repo,gist","token_type":"bearer"}"#);
        assert_eq!(github["scope"], "repo gist");
        let body = r#"{"access_token":"a","token_type":"bearer","owner":{"type":"user","user":{"id":"7","person":{"email":"ada@example.com"}}}}"#;
        assert_eq!(read("notion", 200, body).1[IDENTITY], json!({"subject": "7", "display": "ada@example.com"}));
    }

    #[test]
    fn a_request_as_json() {
        let mut request =
            Request::post("https://a.test").body(b"grant_type=refresh_token&refresh_token=a%2Bb".to_vec());
        let request = request.as_mut().unwrap();
        named("notion").unwrap().write(request);
        let body: Value = serde_json::from_slice(request.body()).unwrap();
        assert_eq!(body, json!({"grant_type": "refresh_token", "refresh_token": "a+b"}));
        assert_eq!(request.headers()[CONTENT_TYPE], "application/json");
        assert_eq!(request.headers()["notion-version"], "2025-09-03");
    }
}
