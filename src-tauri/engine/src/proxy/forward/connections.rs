//! The connections to the upstreams of one grant, on one lane.
//!
//! hyper speaks HTTP on a connection; here is decided which one a request takes. An HTTP/1.1 connection
//! carries one request at a time and rests here between two; one of HTTP/2 carries all of its origin's.
//! `hyper_util`'s client does the same for every case that there is, and each request paid for that: it was
//! a fifth of what Signbell itself did for one.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use http::header::HOST;
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{HeaderValue, Request, Response, Uri};
use hyper::body::Incoming;
use hyper::client::conn::{TrySendError, http1, http2};
use hyper::rt::{Read, Write};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::{Connected, Connection};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::ClientConfig;
use tower_service::Service;

use super::{UpstreamError, deepest, is_the_tools};
use crate::proxy::replay::Outgoing;

/// What makes a connection, HTTPS or not, and `C` below it.
pub(super) trait Connector:
    Service<Uri, Response: Read + Write + Connection + Send + Unpin, Future: Send, Error: Into<BoxError>>
    + Clone
    + Send
    + Sync
    + 'static
{
}

impl<C> Connector for C where
    C: Service<Uri, Response: Read + Write + Connection + Send + Unpin, Future: Send, Error: Into<BoxError>>
        + Clone
        + Send
        + Sync
        + 'static
{
}

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// So often an HTTP/2 connection with requests under way is asked whether it lives (RFC 9113 section 6.7), and so
/// long it has to answer.
const PING_EVERY: Duration = Duration::from_secs(20);
const PING_WAIT: Duration = Duration::from_secs(10);

/// Makes connections, and keeps those that can be used again.
pub(super) struct Connections<C> {
    /// HTTP/2 where the upstream offers it.
    any: HttpsConnector<C>,
    /// HTTP/1.1 alone, for what can be switched to another protocol.
    http1: HttpsConnector<C>,
    /// How long an idle connection is kept; nothing where none is.
    idle: Option<Duration>,
    kept: Arc<Mutex<Kept>>,
}

/// Where a connection leads.
#[derive(Clone, PartialEq, Eq)]
struct Origin {
    scheme: Scheme,
    authority: Authority,
}

/// The connections that wait for the next request.
#[derive(Default)]
struct Kept {
    /// One a request; the one used last comes last.
    http1: Vec<(Http1, Instant)>,
    /// One an origin, for any number of requests.
    http2: Vec<(Http2, Instant)>,
    /// Somebody looks for those that idle too long.
    swept: bool,
}

struct Http1 {
    origin: Origin,
    /// What its requests have as `Host` (RFC 9110 section 7.2).
    host: HeaderValue,
    sender: http1::SendRequest<Outgoing>,
}

#[derive(Clone)]
struct Http2 {
    origin: Origin,
    sender: http2::SendRequest<Outgoing>,
}

/// A connection for one request.
enum Taken {
    Http1(Http1),
    Http2(Http2),
}

impl<C: Connector> Connections<C>
where
    HttpsConnector<C>: Connector,
{
    pub(super) fn new(tls: &ClientConfig, connector: C, idle: Option<Duration>) -> Self {
        let builder = || HttpsConnectorBuilder::new().with_tls_config(tls.clone()).https_or_http().enable_http1();
        Self {
            any: builder().enable_http2().wrap_connector(connector.clone()),
            http1: builder().wrap_connector(connector),
            idle,
            kept: Arc::default(),
        }
    }

    /// Sends a request and waits for the head of its response. `upgrade`: it asks for another protocol,
    /// which HTTP/2 has no way for.
    ///
    /// # Errors
    /// [`UpstreamError`]. A kept connection that turns out to be closed before anything of the request was
    /// sent is none: the next one is tried.
    pub(super) async fn send(
        &self,
        mut request: Request<Outgoing>,
        upgrade: bool,
    ) -> Result<Response<Incoming>, UpstreamError> {
        let parts = std::mem::take(request.uri_mut()).into_parts();
        let (Some(scheme), Some(authority), Some(path)) = (parts.scheme, parts.authority, parts.path_and_query) else {
            return Err(UpstreamError::Unreachable("no address".into()));
        };
        let origin = Origin { scheme, authority };
        loop {
            let kept = self.take(&origin, upgrade);
            let reused = kept.is_some();
            let taken = match kept {
                Some(taken) => taken,
                // On the heap: it is large, rare, and every request would carry the room for it.
                None => Box::pin(self.connect(&origin, upgrade)).await?,
            };
            let sent = match taken {
                Taken::Http1(connection) => self.send_http1(connection, request, &path).await,
                Taken::Http2(connection) => connection.send(request, &path).await,
            };
            request = match sent {
                Ok(response) => return Ok(response),
                Err(mut failed) => match failed.take_message().filter(|_| reused) {
                    Some(unsent) => unsent,
                    None => return Err(broken(&failed.into_error())),
                },
            };
        }
    }

    async fn send_http1(
        &self,
        mut connection: Http1,
        mut request: Request<Outgoing>,
        path: &PathAndQuery,
    ) -> Result<Response<Incoming>, TrySendError<Request<Outgoing>>> {
        *request.uri_mut() = Uri::from(path.clone());
        request.headers_mut().insert(HOST, connection.host.clone());
        let response = connection.sender.try_send_request(request).await?;
        if self.idle.is_some() {
            self.put_back(connection);
        }
        Ok(response)
    }

    /// Keeps a connection from the moment on at which it can take another request: its response may still
    /// be under way.
    fn put_back(&self, mut connection: Http1) {
        if connection.sender.is_ready() {
            return keep(&self.kept, self.idle, |kept| kept.rest(connection));
        }
        let (kept, idle) = (Arc::downgrade(&self.kept), self.idle);
        tokio::spawn(async move {
            if connection.sender.ready().await.is_ok()
                && let Some(kept) = kept.upgrade()
            {
                keep(&kept, idle, |kept| kept.rest(connection));
            }
        });
    }

    /// A kept connection to this origin that is still open, and has not idled too long.
    fn take(&self, origin: &Origin, upgrade: bool) -> Option<Taken> {
        let idle = self.idle?;
        let mut kept = lock(&self.kept);
        while let Some(at) = kept.http1.iter().rposition(|(one, _)| one.origin == *origin) {
            let (connection, since) = kept.http1.remove(at);
            if connection.sender.is_ready() && since.elapsed() < idle {
                return Some(Taken::Http1(connection));
            }
        }
        if upgrade {
            return None;
        }
        let (connection, used) = kept.http2.iter_mut().find(|(one, _)| one.origin == *origin && one.is_open())?;
        *used = Instant::now();
        Some(Taken::Http2(connection.clone()))
    }

    async fn connect(&self, origin: &Origin, upgrade: bool) -> Result<Taken, UpstreamError> {
        let mut connector = if upgrade { self.http1.clone() } else { self.any.clone() };
        let unreachable = |e: BoxError| UpstreamError::Unreachable(deepest(&*e));
        let address = origin.address(PathAndQuery::from_static("/")).map_err(|e| unreachable(e.into()))?;
        std::future::poll_fn(|context| connector.poll_ready(context)).await.map_err(|e| unreachable(e.into()))?;
        let stream = connector.call(address).await.map_err(|e| unreachable(e.into()))?;
        let connected: Connected = stream.connected();
        if !connected.is_negotiated_h2() {
            let (sender, connection) =
                http1::Builder::new().writev(false).handshake(stream).await.map_err(|e| broken(&e))?;
            drive(connection.with_upgrades());
            return Ok(Taken::Http1(Http1 { origin: origin.clone(), host: origin.host()?, sender }));
        }
        let mut builder = http2::Builder::new(TokioExecutor::new());
        // All requests of an origin share it: one that died in our sleep must not be waited for by each of them.
        builder.timer(TokioTimer::new()).keep_alive_interval(PING_EVERY).keep_alive_timeout(PING_WAIT);
        let (sender, connection) = builder.handshake(stream).await.map_err(|e| broken(&e))?;
        drive(connection);
        let made = Http2 { origin: origin.clone(), sender };
        if self.idle.is_some() {
            keep(&self.kept, self.idle, |kept| {
                // Several may have been made at once; the later ones end with the requests that made them.
                if !kept.http2.iter().any(|(one, _)| one.origin == *origin && one.is_open()) {
                    kept.http2.push((made.clone(), Instant::now()));
                }
            });
        }
        Ok(Taken::Http2(made))
    }
}

impl Kept {
    fn rest(&mut self, connection: Http1) {
        self.http1.push((connection, Instant::now()));
    }
}

impl Http2 {
    fn is_open(&self) -> bool {
        !self.sender.is_closed()
    }

    async fn send(
        mut self,
        mut request: Request<Outgoing>,
        path: &PathAndQuery,
    ) -> Result<Response<Incoming>, TrySendError<Request<Outgoing>>> {
        // It was taken apart from an address of this origin, so it makes one again.
        *request.uri_mut() = self.origin.address(path.clone()).unwrap_or_default();
        self.sender.try_send_request(request).await
    }
}

impl Origin {
    fn address(&self, path: PathAndQuery) -> Result<Uri, http::Error> {
        let Self { scheme, authority } = self.clone();
        Uri::builder().scheme(scheme).authority(authority).path_and_query(path).build()
    }

    /// The authority without a port that goes without saying.
    fn host(&self) -> Result<HeaderValue, UpstreamError> {
        let usual = if self.scheme == Scheme::HTTPS { 443 } else { 80 };
        let host = match self.authority.port_u16().filter(|port| *port != usual) {
            Some(port) => HeaderValue::try_from(format!("{}:{port}", self.authority.host())),
            None => HeaderValue::try_from(self.authority.host()),
        };
        host.map_err(|e| UpstreamError::Unreachable(e.to_string()))
    }
}

/// Puts a connection among the kept ones, and sees to it that somebody looks for those that idle too long.
fn keep(kept: &Arc<Mutex<Kept>>, idle: Option<Duration>, put: impl FnOnce(&mut Kept)) {
    let mut inner = lock(kept);
    put(&mut inner);
    if let Some(idle) = idle
        && !std::mem::replace(&mut inner.swept, true)
    {
        tokio::spawn(sweep(Arc::downgrade(kept), idle));
    }
}

/// Closes what idled for so long, for as long as something idles. It holds nothing: who lets go of a grant's
/// connections closes them.
async fn sweep(kept: Weak<Mutex<Kept>>, idle: Duration) {
    loop {
        tokio::time::sleep(idle).await;
        let Some(kept) = kept.upgrade() else { return };
        let mut kept = lock(&kept);
        kept.http1.retain(|(one, since)| one.sender.is_ready() && since.elapsed() < idle);
        kept.http2.retain(|(one, used)| one.is_open() && used.elapsed() < idle);
        if kept.http1.is_empty() && kept.http2.is_empty() {
            kept.swept = false;
            return;
        }
    }
}

fn lock(kept: &Mutex<Kept>) -> MutexGuard<'_, Kept> {
    kept.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Lets hyper do its part, on this thread, until the connection ends.
fn drive(connection: impl Future<Output = hyper::Result<()>> + Send + 'static) {
    tokio::spawn(async move {
        if let Err(e) = connection.await {
            tracing::debug!("upstream connection: {e}");
        }
    });
}

fn broken(error: &hyper::Error) -> UpstreamError {
    let why = deepest(error);
    if is_the_tools(error) { UpstreamError::Tool(why) } else { UpstreamError::Broken(why) }
}
