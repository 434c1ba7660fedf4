//! The demo's API: one greeting, for a living token of the demo's provider.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};

use http::header::WWW_AUTHENTICATE;
use http::{HeaderValue, Method, StatusCode};
use serde_json::json;
use url::Url;

use crate::http::{Asked, Port, Reply, Server, json, text};
use crate::provider::{Ledger, PERSON, Provider, as_url};

/// The API; it ends when this is dropped.
#[derive(Debug)]
pub struct Api {
    url: Url,
    _server: Server,
}

impl Api {
    /// Starts it on a free port of 127.0.0.1, for `provider`'s tokens.
    ///
    /// # Errors
    /// Where no port can be had.
    pub async fn start(provider: &Provider) -> io::Result<Self> {
        let port = Port::bind().await?;
        let url = as_url(&port.origin())?;
        let (ledger, calls) = (provider.ledger(), AtomicU64::new(0));
        let server = port.serve(move |asked| answer(asked, &ledger, &calls));
        Ok(Self { url, _server: server })
    }

    /// Its base URL.
    #[must_use]
    pub fn url(&self) -> &Url {
        &self.url
    }
}

fn answer(asked: &Asked, ledger: &Ledger, calls: &AtomicU64) -> Reply {
    if asked.path != "/hello" {
        return text(StatusCode::NOT_FOUND, "only /hello is here");
    }
    if asked.method != Method::GET {
        return text(StatusCode::METHOD_NOT_ALLOWED, "only GET");
    }
    // RFC 6750 section 3.1: no error code for a request that brought no token.
    let challenge = match &asked.bearer {
        None => "Bearer realm=\"signbell-demo\"",
        Some(token) if ledger.book().accepts(token) => {
            let count = calls.fetch_add(1, Ordering::Relaxed) + 1;
            let message = format!("Hello {PERSON}, this is call {count}");
            return json(StatusCode::OK, &json!({ "message": message, "count": count }));
        }
        Some(_) => {
            "Bearer realm=\"signbell-demo\", error=\"invalid_token\", error_description=\"The access token ended or was revoked\""
        }
    };
    let mut reply = json(StatusCode::UNAUTHORIZED, &json!({ "error": "invalid_token" }));
    reply.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
    reply
}
