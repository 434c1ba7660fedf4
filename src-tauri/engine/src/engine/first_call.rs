//! The first call: one request that changes nothing, so that the person sees the service work.

use http::header::{ACCEPT, CONTENT_TYPE};
use http::{Method, Request, Response};
use serde_json::{Value, json};
use url::Url;

use super::core::{Core, grant_of};
use crate::clock;
use crate::config::ServiceConfig;
use crate::control::{Failure, FirstCall, Outcome, Step};
use crate::model::ServiceName;
use crate::provider::FetchError;
use crate::provider::dpop::Proof;
use crate::rules::saved::Saved;
use crate::rules::{Verdict, body};
use crate::session::Lease;
use crate::session::state::Want;
use crate::wording;

/// The newest version of the Model Context Protocol that is offered; a server answers with its own.
const PROTOCOL: &str = "2025-06-18";

/// Ends an MCP session (Streamable HTTP, "Session Management").
const SESSION: &str = "mcp-session-id";

/// What was asked, and what came.
struct Exchange {
    asked: &'static str,
    came: Result<Response<Vec<u8>>, FetchError>,
}

impl Core {
    /// Asks the service once, with its token: a GET of its base, or `initialize` where it is an MCP server.
    /// Nothing is renewed or recovered, so that the answer is the service's own.
    pub(crate) async fn first_call(&self, service: &ServiceName) -> Result<FirstCall, Failure> {
        let config = self.config();
        let settings = config.services.get(service).ok_or_else(|| wording::unknown_service(service))?;
        let title = self.titles(&config, &settings.account).1;
        let session = self.sessions_of(&settings.account).remove(&grant_of(settings));
        let session = session.ok_or_else(|| wording::account_without_service(&settings.account))?;
        let unready = |why| wording::unready(&title, &settings.account, &why).at(Step::FirstCall);
        let lease = session.lease(Want::default()).await.map_err(unready)?;
        let mut exchange = if is_mcp(settings) {
            self.initialize(settings, &lease).await
        } else {
            Exchange { asked: "GET", came: self.ask(settings, &lease, Method::GET, None, None).await }
        };
        // Some MCP servers are known by nothing but their answer.
        if exchange.asked == "GET" && exchange.came.as_ref().is_ok_and(speaks_json_rpc) {
            exchange = self.initialize(settings, &lease).await;
        }
        Ok(read(service, settings, &lease, exchange))
    }

    /// `initialize` changes nothing but that there is a session then, which is ended at once.
    async fn initialize(&self, settings: &ServiceConfig, lease: &Lease) -> Exchange {
        let request = json!({
            "jsonrpc": "2.0",
            "id": 1,
            "method": "initialize",
            "params": {
                "protocolVersion": PROTOCOL,
                "capabilities": {},
                "clientInfo": { "name": "Signbell", "version": env!("CARGO_PKG_VERSION") },
            },
        });
        let came = self.ask(settings, lease, Method::POST, Some(&request), None).await;
        let opened = came.as_ref().ok().and_then(|response| response.headers().get(SESSION)?.to_str().ok());
        if let Some(id) = opened
            && let Err(e) = self.ask(settings, lease, Method::DELETE, None, Some(id)).await
        {
            tracing::debug!("the session of the first call was not ended: {e}");
        }
        Exchange { asked: "initialize", came }
    }

    pub(super) async fn ask(
        &self,
        settings: &ServiceConfig,
        lease: &Lease,
        method: Method,
        document: Option<&Value>,
        session: Option<&str>,
    ) -> Result<Response<Vec<u8>>, FetchError> {
        let not_sent = |why: String| FetchError::NotSent { host: host_of(&settings.url).to_owned(), why };
        let mut request = Request::builder().method(method).uri(settings.url.as_str());
        if document.is_some() {
            request = request.header(ACCEPT, "application/json, text/event-stream");
            request = request.header(CONTENT_TYPE, "application/json");
        } else {
            // No event stream: that would have no end.
            request = request.header(ACCEPT, "application/json, */*;q=0.5");
        }
        if let Some(id) = session {
            request = request.header(SESSION, id);
        }
        let body = document.map(|document| document.to_string().into_bytes()).unwrap_or_default();
        let plain = request.body(body).map_err(|e| not_sent(e.to_string()))?;
        let mut request = plain.clone();
        put_token(settings, lease, &mut request).map_err(|why| not_sent(why.into()))?;
        let response = self.http.send(request).await?;
        // RFC 9449 section 9: a nonce that is asked for is no refusal.
        let wants_nonce = lease.dpop().is_some_and(|key| key.note(plain.uri(), response.headers()));
        if response.status() != http::StatusCode::UNAUTHORIZED || !wants_nonce {
            return Ok(response);
        }
        let mut request = plain;
        put_token(settings, lease, &mut request).map_err(|why| not_sent(why.into()))?;
        self.http.send(request).await
    }
}

/// Puts the token in as the service takes it, with a proof of its key where it is bound to one (RFC 9449).
fn put_token(settings: &ServiceConfig, lease: &Lease, request: &mut Request<Vec<u8>>) -> Result<(), &'static str> {
    const UNUSABLE: &str = "the token can't be a header";
    let (method, uri) = (request.method().clone(), request.uri().clone());
    let headers = request.headers_mut();
    if let Some(key) = lease.dpop() {
        let unix = lease.provider_unix(clock::now());
        let what = Proof { method: method.as_str(), uri: &uri, access: Some(lease.access()), unix };
        return key.put(headers, what).map_err(|_| UNUSABLE);
    }
    let inject = settings.injection();
    headers.insert(inject.header.clone(), inject.value(lease.access()).ok_or(UNUSABLE)?);
    Ok(())
}

/// Whether it is an MCP server by its preset or by where such servers usually are.
fn is_mcp(settings: &ServiceConfig) -> bool {
    let preset = settings.preset.as_deref().is_some_and(|preset| preset == "mcp" || preset.ends_with("-mcp"));
    preset || settings.url.path().trim_end_matches('/').ends_with("/mcp")
}

/// Whether the answer to a GET is a JSON-RPC one.
fn speaks_json_rpc(response: &Response<Vec<u8>>) -> bool {
    json_of(response).is_some_and(|body| body.get("jsonrpc").is_some_and(|version| version == "2.0"))
}

fn json_of(response: &Response<Vec<u8>>) -> Option<Value> {
    body::read(response.headers(), response.body())?.json
}

/// What the answer means.
fn read(service: &ServiceName, settings: &ServiceConfig, lease: &Lease, exchange: Exchange) -> FirstCall {
    let host = host_of(&settings.url);
    let Exchange { asked, came } = exchange;
    let mut call = FirstCall {
        service: service.clone(),
        outcome: Outcome::Unreachable,
        status: None,
        asked: asked.to_owned(),
        rule: None,
        words: String::new(),
    };
    let response = match came {
        Ok(response) => response,
        Err(e) => return FirstCall { words: wording::first_call_unreachable(host, &e), ..call },
    };
    let body = json_of(&response);
    let (parts, bytes) = response.into_parts();
    let status = parts.status.as_u16();
    call.status = Some(status);
    let saved = Saved {
        method: if asked == "GET" { Method::GET } else { Method::POST },
        path: settings.url.path().to_owned(),
        request: http::HeaderMap::new(),
        status: parts.status,
        headers: parts.headers,
        body: bytes,
        stale: lease.is_stale(),
    };
    let rule = saved.judge(&settings.rule_set()).map(|found| found.rule);
    let refusal = rule.filter(|rule| rule.verdict != Verdict::NotOurs);
    let failed = body.as_ref().is_some_and(|body| body.get("error").is_some() && body.get("jsonrpc").is_some());
    (call.outcome, call.words) = match refusal {
        Some(rule) => {
            call.rule = Some(rule.name.clone());
            (Outcome::Refused, wording::first_call_refused(host, status, Some(&rule.why)))
        }
        None if status == 401 => (Outcome::Refused, wording::first_call_refused(host, status, None)),
        None if parts.status.is_success() && !failed => {
            let who = body.as_ref().and_then(|body| body.pointer("/result/serverInfo/name")?.as_str());
            (Outcome::Works, wording::first_call_works(host, who.map(short).as_deref()))
        }
        None => (Outcome::Answers, wording::first_call_answers(host, status)),
    };
    call
}

/// A server chooses its name, and a name can be a book.
fn short(name: &str) -> String {
    name.chars().filter(|c| !c.is_control()).take(60).collect()
}

fn host_of(url: &Url) -> &str {
    url.host_str().unwrap_or_default()
}
