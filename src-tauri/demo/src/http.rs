//! A loopback HTTP/1.1 server and client, just large enough for the demo.

use std::collections::HashMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, HOST, LOCATION};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Body, Incoming};
use hyper::service::service_fn;
use hyper_util::client::legacy::Client;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use signbell_engine::secret::Secret;
use tokio::net::TcpListener;
use tokio::task::{JoinHandle, JoinSet};
use url::form_urlencoded;

const BODY_LIMIT: usize = 64 * 1024;
const PATIENCE: Duration = Duration::from_secs(10);

pub(crate) type Reply = Response<Full<Bytes>>;

/// A request as the demo's servers look at it.
pub(crate) struct Asked {
    pub(crate) method: Method,
    pub(crate) path: String,
    /// The query's fields, or the form's where there is a body; one that comes twice is left out.
    pub(crate) fields: HashMap<String, String>,
    pub(crate) bearer: Option<String>,
}

impl Asked {
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        self.fields.get(name).map(String::as_str)
    }
}

/// A port of 127.0.0.1 on which nobody answers yet: a server's answers may name its own address.
pub(crate) struct Port {
    listener: TcpListener,
    address: SocketAddr,
}

impl Port {
    pub(crate) async fn bind() -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        Ok(Self { listener, address })
    }

    pub(crate) fn origin(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn serve(self, handle: impl Fn(&Asked) -> Reply + Send + Sync + 'static) -> Server {
        Server(tokio::spawn(accept(self.listener, self.address.to_string(), Arc::new(handle))))
    }
}

/// A server that ends, with its connections, when this is dropped.
#[derive(Debug)]
pub(crate) struct Server(JoinHandle<()>);

impl Drop for Server {
    fn drop(&mut self) {
        self.0.abort();
    }
}

async fn accept<H>(listener: TcpListener, authority: String, handle: Arc<H>)
where
    H: Fn(&Asked) -> Reply + Send + Sync + 'static,
{
    let mut connections = JoinSet::new();
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            // Out of descriptors, most likely: those in use come back.
            tokio::time::sleep(Duration::from_millis(100)).await;
            continue;
        };
        while connections.try_join_next().is_some() {}
        let (handle, authority) = (Arc::clone(&handle), authority.clone());
        connections.spawn(async move {
            let service = service_fn(|request| answer(request, &authority, handle.as_ref()));
            // A connection's error is its client's business.
            let _ = hyper::server::conn::http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(PATIENCE)
                .serve_connection(TokioIo::new(stream), service)
                .await;
        });
    }
}

async fn answer<H>(request: Request<Incoming>, authority: &str, handle: &H) -> Result<Reply, http::Error>
where
    H: Fn(&Asked) -> Reply,
{
    // A web page that had its own name resolve to 127.0.0.1 still sends that name.
    if request.headers().get(HOST).is_none_or(|host| host.as_bytes() != authority.as_bytes()) {
        return Ok(text(StatusCode::FORBIDDEN, "unknown host"));
    }
    let (head, body) = request.into_parts();
    let fields = if head.method == Method::POST {
        match tokio::time::timeout(PATIENCE, Limited::new(body, BODY_LIMIT).collect()).await {
            Ok(Ok(body)) => fields(&body.to_bytes()),
            Ok(Err(_)) => return Ok(text(StatusCode::BAD_REQUEST, "bad body")),
            Err(_) => return Ok(text(StatusCode::REQUEST_TIMEOUT, "too slow")),
        }
    } else {
        fields(head.uri.query().unwrap_or_default().as_bytes())
    };
    let asked = Asked { method: head.method, path: head.uri.path().to_owned(), fields, bearer: bearer(&head.headers) };
    let mut reply = handle(&asked);
    reply.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    reply.headers_mut().insert("x-content-type-options", HeaderValue::from_static("nosniff"));
    Ok(reply)
}

/// RFC 6749 section 3.1: a parameter must not come twice, so one that does counts as absent.
fn fields(encoded: &[u8]) -> HashMap<String, String> {
    let mut seen: HashMap<String, Option<String>> = HashMap::new();
    for (name, value) in form_urlencoded::parse(encoded) {
        seen.entry(name.into_owned()).and_modify(|twice| *twice = None).or_insert(Some(value.into_owned()));
    }
    seen.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
}

fn bearer(headers: &HeaderMap) -> Option<String> {
    let (scheme, token) = headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim().to_owned())
}

pub(crate) fn reply(status: StatusCode, content_type: &'static str, body: impl Into<Bytes>) -> Reply {
    let mut reply = Response::new(Full::new(body.into()));
    *reply.status_mut() = status;
    reply.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    reply
}

pub(crate) fn text(status: StatusCode, body: &'static str) -> Reply {
    reply(status, "text/plain; charset=utf-8", body)
}

pub(crate) fn json(status: StatusCode, body: &serde_json::Value) -> Reply {
    reply(status, "application/json", body.to_string())
}

/// Why a call of the demo's own client came to nothing.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CallError {
    #[error("no request can be made of {0}")]
    Request(#[from] http::Error),
    #[error("no answer: {0}")]
    Send(#[from] hyper_util::client::legacy::Error),
    #[error("the answer was cut short or too long")]
    Body,
}

/// What the demo's own client got.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) location: Option<String>,
    pub(crate) text: String,
}

impl Answer {
    /// A field of the answer, if it is JSON and has it as text.
    pub(crate) fn field(&self, name: &str) -> Option<String> {
        let value: serde_json::Value = serde_json::from_str(&self.text).ok()?;
        value.get(name)?.as_str().map(str::to_owned)
    }
}

/// GET; follows no redirect and uses no proxy but the one that `url` names.
pub(crate) async fn get(url: &str, bearer: Option<&Secret>) -> Result<Answer, CallError> {
    let mut request = Request::get(url);
    if let Some(token) = bearer {
        request = request.header(AUTHORIZATION, format!("Bearer {}", token.expose()));
    }
    send(request.body(Full::default())?).await
}

/// POST of a form; follows no redirect.
pub(crate) async fn post(url: &str, form: &[(&str, &str)]) -> Result<Answer, CallError> {
    let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
    let request = Request::post(url).header(CONTENT_TYPE, "application/x-www-form-urlencoded");
    send(request.body(Full::new(body.into()))?).await
}

async fn send(request: Request<Full<Bytes>>) -> Result<Answer, CallError> {
    let client = Client::builder(TokioExecutor::new()).build_http();
    let response = client.request(request).await?;
    let location = response.headers().get(LOCATION).and_then(|v| v.to_str().ok()).map(str::to_owned);
    let status = response.status();
    let text = collect(response.into_body()).await?;
    Ok(Answer { status, location, text })
}

async fn collect<B>(body: B) -> Result<String, CallError>
where
    B: Body,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let body = Limited::new(body, BODY_LIMIT).collect().await.map_err(|_| CallError::Body)?;
    Ok(String::from_utf8_lossy(&body.to_bytes()).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_that_comes_twice_counts_as_absent() {
        let fields = fields(b"a=1&b=2&a=3");
        assert_eq!(fields.get("b").map(String::as_str), Some("2"));
        assert_eq!(fields.get("a"), None);
    }
}
