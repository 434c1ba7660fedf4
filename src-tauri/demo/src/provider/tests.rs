//! The provider over real HTTP.
#![allow(clippy::unwrap_used)]

use super::book::challenge;
use super::*;
use crate::api::Api;
use crate::follow;
use crate::http::{Answer, get, post};
use signbell_engine::secret::Secret;

const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const REDIRECT: &str = "http://127.0.0.1:9/callback";

fn authorize_url(provider: &Provider, change: &[(&str, &str)]) -> String {
    let code_challenge = challenge(VERIFIER);
    let mut fields = vec![
        ("response_type", "code"),
        ("client_id", CLIENT_ID),
        ("redirect_uri", REDIRECT),
        ("code_challenge_method", "S256"),
        ("code_challenge", code_challenge.as_str()),
        ("state", "s t"),
    ];
    for (name, value) in change {
        fields.retain(|(n, _)| n != name);
        fields.push((name, value));
    }
    let mut url: Url = endpoint(provider, "authorize").parse().unwrap();
    url.query_pairs_mut().extend_pairs(fields);
    url.into()
}

/// Presses the button; the redirect's fields.
async fn press(provider: &Provider) -> std::collections::HashMap<String, String> {
    let page = get(&authorize_url(provider, &[]), None).await.unwrap();
    let ticket = follow::ticket(&page.text).unwrap().to_owned();
    let url = endpoint(provider, "authorize");
    let answer = post(&url, &[(TICKET, &ticket)]).await.unwrap();
    assert_eq!(answer.status, StatusCode::SEE_OTHER);
    assert_eq!(post(&url, &[(TICKET, &ticket)]).await.unwrap().status, StatusCode::BAD_REQUEST);
    let location: Url = answer.location.unwrap().parse().unwrap();
    assert!(location.as_str().starts_with(REDIRECT));
    location.query_pairs().into_owned().collect()
}

fn endpoint(provider: &Provider, path: &str) -> String {
    format!("{}/{path}", provider.issuer())
}

async fn exchange(provider: &Provider, code: &str, verifier: &str, redirect: &str) -> Answer {
    let form = [
        ("grant_type", "authorization_code"),
        ("client_id", CLIENT_ID),
        ("code", code),
        ("redirect_uri", redirect),
        ("code_verifier", verifier),
    ];
    post(&endpoint(provider, "token"), &form).await.unwrap()
}

async fn renew(provider: &Provider, token: &str) -> Answer {
    let form = [("grant_type", "refresh_token"), ("client_id", CLIENT_ID), ("refresh_token", token)];
    post(&endpoint(provider, "token"), &form).await.unwrap()
}

async fn signed_in(provider: &Provider) -> Answer {
    let code = press(provider).await["code"].clone();
    let answer = exchange(provider, &code, VERIFIER, REDIRECT).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    answer
}

fn refused_with(answer: &Answer, error: &str) {
    assert_eq!((answer.status.as_u16(), answer.field("error").as_deref()), (400, Some(error)));
}

#[tokio::test]
async fn the_metadata_names_the_issuer_as_it_was_given() {
    let provider = Provider::start().await.unwrap();
    for path in ["/.well-known/oauth-authorization-server/demo", "/demo/.well-known/openid-configuration"] {
        let metadata = get(provider.issuer().join(path).unwrap().as_str(), None).await.unwrap();
        assert_eq!(metadata.field("issuer").unwrap(), provider.issuer().as_str());
    }
}

#[tokio::test]
async fn a_whole_sign_in() {
    let provider = Provider::start().await.unwrap();
    let api = Api::start(&provider).await.unwrap();
    let back = press(&provider).await;
    assert_eq!(back["state"], "s t");
    assert_eq!(back["iss"], provider.issuer().as_str());
    let tokens = exchange(&provider, &back["code"], VERIFIER, REDIRECT).await;
    let access = Secret::new(tokens.field("access_token").unwrap());
    let who = get(&endpoint(&provider, "userinfo"), Some(&access)).await.unwrap();
    assert_eq!(who.field("email").unwrap(), EMAIL);
    let hello = api.url().join("hello").unwrap();
    let answer = get(hello.as_str(), Some(&access)).await.unwrap();
    assert_eq!(answer.field("message").unwrap(), "Hello Ada, this is call 1");

    provider.end_session();
    assert_eq!(get(hello.as_str(), Some(&access)).await.unwrap().status, StatusCode::UNAUTHORIZED);
    refused_with(&renew(&provider, &tokens.field("refresh_token").unwrap()).await, "invalid_grant");
}

#[tokio::test]
async fn a_wrong_verifier_or_redirect_spends_the_code() {
    let provider = Provider::start().await.unwrap();
    let wrong = "x".repeat(43);
    for (verifier, redirect) in [(wrong.as_str(), REDIRECT), (VERIFIER, "http://127.0.0.1:9/other")] {
        let code = press(&provider).await["code"].clone();
        refused_with(&exchange(&provider, &code, verifier, redirect).await, "invalid_grant");
        refused_with(&exchange(&provider, &code, VERIFIER, REDIRECT).await, "invalid_grant");
    }
    let code = press(&provider).await["code"].clone();
    refused_with(&exchange(&provider, &code, "short", REDIRECT).await, "invalid_request");
}

#[tokio::test]
async fn a_code_used_twice_ends_its_session() {
    let provider = Provider::start().await.unwrap();
    let code = press(&provider).await["code"].clone();
    let tokens = exchange(&provider, &code, VERIFIER, REDIRECT).await;
    assert_eq!(tokens.status, StatusCode::OK);
    refused_with(&exchange(&provider, &code, VERIFIER, REDIRECT).await, "invalid_grant");
    refused_with(&renew(&provider, &tokens.field("refresh_token").unwrap()).await, "invalid_grant");
}

#[tokio::test]
async fn refresh_tokens_rotate_and_an_old_one_ends_the_session() {
    let provider = Provider::start().await.unwrap();
    let first = signed_in(&provider).await.field("refresh_token").unwrap();
    let second = renew(&provider, &first).await.field("refresh_token").unwrap();
    assert_ne!(first, second);
    let third = renew(&provider, &second).await.field("refresh_token").unwrap();
    assert_eq!(provider.renewals(), 2);
    refused_with(&renew(&provider, &first).await, "invalid_grant");
    refused_with(&renew(&provider, &third).await, "invalid_grant");
}

#[tokio::test]
async fn revoking_either_token_ends_the_session() {
    let provider = Provider::start().await.unwrap();
    for which in ["access_token", "refresh_token"] {
        let tokens = signed_in(&provider).await;
        let (token, url) = (tokens.field(which).unwrap(), endpoint(&provider, "revoke"));
        for form in [[("token", token.as_str())], [("token", "unknown.token")]] {
            assert_eq!(post(&url, &form).await.unwrap().status, StatusCode::OK);
        }
        refused_with(&renew(&provider, &tokens.field("refresh_token").unwrap()).await, "invalid_grant");
    }
}

#[tokio::test]
async fn an_access_token_dies_of_age() {
    let provider = Provider::start_with(Duration::from_millis(50)).await.unwrap();
    let access = Secret::new(signed_in(&provider).await.field("access_token").unwrap());
    tokio::time::sleep(Duration::from_millis(60)).await;
    let who = get(&endpoint(&provider, "userinfo"), Some(&access)).await.unwrap();
    assert_eq!(who.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn nobody_is_sent_elsewhere() {
    let provider = Provider::start().await.unwrap();
    let bad = [
        ("redirect_uri", "https://evil.test/cb"),
        ("redirect_uri", "http://127.0.0.1.evil.test/cb"),
        ("redirect_uri", "javascript:alert(1)"),
        ("client_id", "another"),
    ];
    for change in bad {
        let answer = get(&authorize_url(&provider, &[change]), None).await.unwrap();
        assert_eq!((answer.status, answer.location), (StatusCode::BAD_REQUEST, None), "{change:?}");
    }
    for change in [("code_challenge_method", "plain"), ("response_type", "token"), ("code_challenge", "")] {
        let answer = get(&authorize_url(&provider, &[change]), None).await.unwrap();
        assert!(answer.location.unwrap().contains("error=invalid_request"), "{change:?}");
    }
}
