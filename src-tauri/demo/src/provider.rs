//! The demo's OAuth authorization server: authorization code with PKCE, rotating refresh tokens that
//! give short-lived access tokens, revocation, and a session that can be ended at will.
//!
//! It tells who signed in by `userinfo` and issues no id_token: an unsigned one is not acceptable,
//! and a signature would prove nothing here.

mod book;
mod page;

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http::header::{LOCATION, WWW_AUTHENTICATE};
use http::{HeaderValue, Method, StatusCode};
use serde_json::json;
use signbell_engine::browser;
use url::Url;

use crate::http::{Asked, Port, Reply, Server, json, reply, text};
use book::{Asking, Book, InvalidGrant, Tokens};

pub(crate) use page::TICKET;

/// The one client that it knows; public, so without a secret.
pub const CLIENT_ID: &str = "signbell-demo";
/// The one scope that it grants.
pub const SCOPE: &str = "hello";
/// How long an access token lives: long enough to see, short enough to wait for.
pub const TOKEN_LIFE: Duration = Duration::from_secs(12);
/// Where below its origin the provider lives. An issuer without a path is one text as an identifier
/// (RFC 8414 section 3.3 compares letter by letter) and another as a parsed URL, which adds a `/`.
const PATH: &str = "/demo";
/// Who signs in.
pub(crate) const PERSON: &str = "Ada";
const EMAIL: &str = "ada@example.com";

/// The provider's memory, shared with the API that takes its tokens.
#[derive(Debug, Clone)]
pub(crate) struct Ledger(Arc<Mutex<Book>>);

impl Ledger {
    pub(crate) fn book(&self) -> MutexGuard<'_, Book> {
        // A panic in between leaves at worst a demo session behind.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The provider; it ends when this is dropped.
#[derive(Debug)]
pub struct Provider {
    issuer: Url,
    ledger: Ledger,
    _server: Server,
}

impl Provider {
    /// Starts it on a free port of 127.0.0.1.
    ///
    /// # Errors
    /// Where no port can be had.
    pub async fn start() -> io::Result<Self> {
        Self::start_with(TOKEN_LIFE).await
    }

    pub(crate) async fn start_with(token_life: Duration) -> io::Result<Self> {
        let port = Port::bind().await?;
        let issuer = as_url(&format!("{}{PATH}", port.origin()))?;
        let ledger = Ledger(Arc::new(Mutex::new(Book::new(token_life))));
        let routes = Routes { issuer: issuer.clone(), ledger: ledger.clone() };
        let server = port.serve(move |asked| routes.answer(asked));
        Ok(Self { issuer, ledger, _server: server })
    }

    /// Its issuer identifier.
    #[must_use]
    pub fn issuer(&self) -> &Url {
        &self.issuer
    }

    /// Ends every session: access and refresh tokens are dead from now on.
    pub fn end_session(&self) {
        self.ledger.book().end_all();
    }

    /// How many times a session was renewed.
    #[must_use]
    pub fn renewals(&self) -> u64 {
        self.ledger.book().renewals()
    }

    pub(crate) fn ledger(&self) -> Ledger {
        self.ledger.clone()
    }
}

pub(crate) fn as_url(origin: &str) -> io::Result<Url> {
    origin.parse().map_err(|_| io::Error::other("an address that is no URL"))
}

struct Routes {
    issuer: Url,
    ledger: Ledger,
}

impl Routes {
    fn answer(&self, asked: &Asked) -> Reply {
        match (&asked.method, asked.path.as_str()) {
            // RFC 8414 section 3.1 puts the issuer's path last, OpenID Connect Discovery first.
            (
                &Method::GET,
                "/.well-known/oauth-authorization-server/demo" | "/demo/.well-known/openid-configuration",
            ) => self.metadata(),
            (&Method::GET, "/demo/authorize") => self.authorize(asked),
            (&Method::POST, "/demo/authorize") => self.approve(asked),
            (&Method::POST, "/demo/token") => self.token(asked),
            (&Method::POST, "/demo/revoke") => self.revoke(asked),
            (&Method::GET, "/demo/userinfo") => self.userinfo(asked),
            _ => text(StatusCode::NOT_FOUND, "not found"),
        }
    }

    fn metadata(&self) -> Reply {
        let issuer = &self.issuer;
        json(
            StatusCode::OK,
            &json!({
                "issuer": issuer,
                "authorization_endpoint": format!("{issuer}/authorize"),
                "token_endpoint": format!("{issuer}/token"),
                "revocation_endpoint": format!("{issuer}/revoke"),
                "userinfo_endpoint": format!("{issuer}/userinfo"),
                "scopes_supported": [SCOPE],
                "response_types_supported": ["code"],
                "response_modes_supported": ["query"],
                "grant_types_supported": ["authorization_code", "refresh_token"],
                "code_challenge_methods_supported": ["S256"],
                "token_endpoint_auth_methods_supported": ["none"],
                "revocation_endpoint_auth_methods_supported": ["none"],
                "authorization_response_iss_parameter_supported": true,
            }),
        )
    }

    fn authorize(&self, asked: &Asked) -> Reply {
        // RFC 6749 section 4.1.2.1: with a bad client or redirect nobody is sent anywhere.
        let Some(redirect) = asked.field("redirect_uri").and_then(redirect_to_this_machine) else {
            return page::stale();
        };
        if asked.field("client_id") != Some(CLIENT_ID) {
            return page::stale();
        }
        let challenge = asked.field("code_challenge").filter(|c| c.len() == 43);
        let (Some("code"), Some("S256"), Some(challenge)) =
            (asked.field("response_type"), asked.field("code_challenge_method"), challenge)
        else {
            return self.redirect(&redirect, asked.field("state"), ("error", "invalid_request"));
        };
        let ticket = self.ledger.book().ask(Asking {
            redirect_uri: asked.field("redirect_uri").unwrap_or_default().to_owned(),
            state: asked.field("state").map(str::to_owned),
            challenge: challenge.to_owned(),
            scope: SCOPE.to_owned(),
        });
        page::ask(&ticket, &asked.path, &redirect.origin().ascii_serialization())
    }

    fn approve(&self, asked: &Asked) -> Reply {
        let approved = asked.field(TICKET).and_then(|ticket| self.ledger.book().approve(ticket));
        let Some((asking, code)) = approved else { return page::stale() };
        match redirect_to_this_machine(&asking.redirect_uri) {
            Some(redirect) => self.redirect(&redirect, asking.state.as_deref(), ("code", &code)),
            None => page::stale(),
        }
    }

    /// Back to the client, with our `iss` (RFC 9207).
    fn redirect(&self, to: &Url, state: Option<&str>, outcome: (&str, &str)) -> Reply {
        let mut to = to.clone();
        to.query_pairs_mut().append_pair(outcome.0, outcome.1).append_pair("iss", self.issuer.as_str());
        if let Some(state) = state {
            to.query_pairs_mut().append_pair("state", state);
        }
        let mut reply = reply(StatusCode::SEE_OTHER, "text/plain; charset=utf-8", "");
        match HeaderValue::from_str(to.as_str()) {
            Ok(location) => {
                reply.headers_mut().insert(LOCATION, location);
                reply
            }
            Err(_) => page::stale(),
        }
    }

    fn token(&self, asked: &Asked) -> Reply {
        if asked.field("client_id") != Some(CLIENT_ID) {
            return refuse(StatusCode::UNAUTHORIZED, "invalid_client");
        }
        let outcome = match asked.field("grant_type") {
            Some("authorization_code") => {
                let (Some(code), Some(redirect_uri), Some(verifier)) = (
                    asked.field("code"),
                    asked.field("redirect_uri"),
                    // RFC 7636 section 4.1.
                    asked.field("code_verifier").filter(|v| (43..=128).contains(&v.len())),
                ) else {
                    return refuse(StatusCode::BAD_REQUEST, "invalid_request");
                };
                self.ledger.book().redeem(code, redirect_uri, verifier)
            }
            Some("refresh_token") => match asked.field("refresh_token") {
                Some(token) => self.ledger.book().refresh(token),
                None => return refuse(StatusCode::BAD_REQUEST, "invalid_request"),
            },
            _ => return refuse(StatusCode::BAD_REQUEST, "unsupported_grant_type"),
        };
        match outcome {
            Ok(tokens) => issued(&tokens),
            Err(InvalidGrant) => refuse(StatusCode::BAD_REQUEST, "invalid_grant"),
        }
    }

    /// RFC 7009 section 2.2: 200 also for a token that is unknown.
    fn revoke(&self, asked: &Asked) -> Reply {
        match asked.field("token") {
            Some(token) => {
                self.ledger.book().revoke(token);
                text(StatusCode::OK, "")
            }
            None => refuse(StatusCode::BAD_REQUEST, "invalid_request"),
        }
    }

    fn userinfo(&self, asked: &Asked) -> Reply {
        match &asked.bearer {
            Some(token) if self.ledger.book().accepts(token) => {
                json(StatusCode::OK, &json!({ "sub": "ada", "name": PERSON, "email": EMAIL, "email_verified": true }))
            }
            _ => {
                let mut reply = refuse(StatusCode::UNAUTHORIZED, "invalid_token");
                let challenge = HeaderValue::from_static("Bearer error=\"invalid_token\"");
                reply.headers_mut().insert(WWW_AUTHENTICATE, challenge);
                reply
            }
        }
    }
}

fn issued(tokens: &Tokens) -> Reply {
    json(
        StatusCode::OK,
        &json!({
            "access_token": tokens.access,
            "token_type": "Bearer",
            "expires_in": tokens.expires_in,
            "refresh_token": tokens.refresh,
            "scope": tokens.scope,
        }),
    )
}

fn refuse(status: StatusCode, error: &str) -> Reply {
    json(status, &json!({ "error": error }))
}

/// RFC 8252 section 7.3: any port of a loopback address, and nothing else.
fn redirect_to_this_machine(uri: &str) -> Option<Url> {
    let url: Url = uri.parse().ok()?;
    (url.scheme() == "http" && browser::is_loopback(&url) && url.fragment().is_none()).then_some(url)
}

#[cfg(test)]
mod tests;
