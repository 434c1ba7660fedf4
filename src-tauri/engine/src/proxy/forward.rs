//! The way to an upstream: one connection pool a grant, no redirects, no ambient proxy.

mod connections;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use http::{Request, Response, Uri};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::proxy::Tunnel;
use rustls::ClientConfig;

use self::connections::Connections;
use super::listen::lanes;
use super::replay::{Outgoing, OutgoingError, Source};
use super::respond::Body;
use crate::model::GrantId;
use crate::provider::{NetworkError, NetworkSettings, tls_config};

pub(super) const CONNECT_DEADLINE: Duration = Duration::from_secs(10);

/// Shorter than the usual server's, so that a connection is seldom found closed.
const IDLE: Duration = Duration::from_secs(50);

/// Of a response that is thrown away, so much is read to keep the connection; then it is closed.
const LARGEST_DISCARDED: usize = 64 * 1024;

/// Why no answer came.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UpstreamError {
    /// No connection; nothing was sent.
    #[error("no connection: {0}")]
    Unreachable(String),
    /// The connection broke before an answer came.
    #[error("the connection broke: {0}")]
    Broken(String),
    /// No answer in time.
    #[error("no answer in time")]
    Silent,
    /// The tool's own body broke off or can't be read: nothing that the upstream did.
    #[error("{0}")]
    Tool(String),
}

/// The pools of all grants. Two accounts never share a connection (E9).
pub struct Pools {
    outgoing: Mutex<Arc<OutgoingSettings>>,
    /// A grant's way past the corporate proxy and its way through it are two.
    by_grant: Mutex<HashMap<(GrantId, bool), Arc<Pool>>>,
    way_out: Mutex<WayOut>,
}

impl Pools {
    /// No connection yet.
    ///
    /// # Errors
    /// [`NetworkError`].
    pub fn new(settings: &NetworkSettings) -> Result<Self, NetworkError> {
        let outgoing = Arc::new(OutgoingSettings::new(settings)?);
        let way_out = Mutex::new(WayOut::new(&outgoing));
        Ok(Self { outgoing: Mutex::new(outgoing), by_grant: Mutex::default(), way_out })
    }

    /// The way for what is nobody's service.
    #[must_use]
    pub fn way_out(&self) -> WayOut {
        self.way_out.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Other ways from now on; what goes by the old ones ends as it began.
    pub fn put(&self, outgoing: OutgoingSettings) {
        let outgoing = Arc::new(outgoing);
        let mut pools = self.by_grant.lock().unwrap_or_else(PoisonError::into_inner);
        *self.way_out.lock().unwrap_or_else(PoisonError::into_inner) = WayOut::new(&outgoing);
        *self.outgoing.lock().unwrap_or_else(PoisonError::into_inner) = outgoing;
        pools.clear();
    }

    /// The pool of `grant`. `direct`: the upstream is on this machine, past any corporate proxy.
    #[must_use]
    pub fn of(&self, grant: &GrantId, direct: bool) -> Arc<Pool> {
        let mut pools = self.by_grant.lock().unwrap_or_else(PoisonError::into_inner);
        let pool = pools.entry((grant.clone(), direct)).or_insert_with(|| {
            let outgoing = self.outgoing.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::new(Pool::new(&outgoing, direct, Some(IDLE)))
        });
        Arc::clone(pool)
    }

    /// Lets go of the pools of these grants. Their idle connections end with the last who knows the pool: a
    /// connection's buffer still holds the head that was sent last, and with it a token (T11).
    pub fn forget(&self, mut which: impl FnMut(&GrantId) -> bool) {
        self.by_grant.lock().unwrap_or_else(PoisonError::into_inner).retain(|(grant, _), _| !which(grant));
    }
}

pub(super) fn connector() -> HttpConnector {
    let mut connector = HttpConnector::new();
    connector.set_nodelay(true);
    connector.enforce_http(false);
    connector.set_connect_timeout(Some(CONNECT_DEADLINE));
    connector
}

/// How the network is reached.
pub struct OutgoingSettings {
    tls: ClientConfig,
    proxy: Option<Uri>,
}

impl OutgoingSettings {
    /// As the person set it.
    ///
    /// # Errors
    /// [`NetworkError`].
    pub fn new(settings: &NetworkSettings) -> Result<Self, NetworkError> {
        let proxy = match &settings.proxy {
            None => None,
            Some(url) => Some(url.as_str().parse().map_err(|_| NetworkError::Proxy(url.clone()))?),
        };
        Ok(Self { tls: tls_config(settings.extra_ca.as_deref())?, proxy })
    }
}

/// The way to hosts that are nobody's service, for the forward proxy: no token goes here, and no connection
/// is used twice, since somebody may have signed in on it (NTLM does that).
#[derive(Clone)]
pub struct WayOut {
    outgoing: Arc<OutgoingSettings>,
    straight: Arc<Pool>,
    proxied: Arc<Pool>,
}

impl WayOut {
    fn new(outgoing: &Arc<OutgoingSettings>) -> Self {
        let pool = |direct| Arc::new(Pool::new(outgoing, direct, None));
        Self { outgoing: Arc::clone(outgoing), straight: pool(true), proxied: pool(false) }
    }

    /// For whole requests. `direct`: to this machine, past any corporate proxy.
    pub(super) fn pool(&self, direct: bool) -> &Pool {
        if direct { &self.straight } else { &self.proxied }
    }

    /// The corporate proxy, if there is one for such a host.
    pub(super) fn proxy(&self, direct: bool) -> Option<Uri> {
        self.outgoing.proxy.clone().filter(|_| !direct)
    }
}

/// The connections of one grant, apart for each lane: they stay on the thread that uses them.
pub struct Pool {
    outgoing: Arc<OutgoingSettings>,
    direct: bool,
    /// How long an idle connection is kept; nothing where none is.
    idle: Option<Duration>,
    lanes: Box<[OnceLock<Way>]>,
}

/// The way to an upstream.
enum Way {
    /// Straight to the upstream.
    Direct(Box<Connections<HttpConnector>>),
    /// Through the person's corporate proxy.
    Tunnelled(Box<Connections<Tunnel<HttpConnector>>>),
}

impl Pool {
    fn new(outgoing: &Arc<OutgoingSettings>, direct: bool, idle: Option<Duration>) -> Self {
        let lanes = (0..lanes::count()).map(|_| OnceLock::new()).collect();
        Self { outgoing: Arc::clone(outgoing), direct, idle, lanes }
    }

    fn way(&self) -> Option<&Way> {
        let lane = self.lanes.get(lanes::current())?;
        Some(lane.get_or_init(|| {
            let OutgoingSettings { tls, proxy } = &*self.outgoing;
            match proxy.clone().filter(|_| !self.direct) {
                None => Way::Direct(Box::new(Connections::new(tls, connector(), self.idle))),
                Some(proxy) => {
                    Way::Tunnelled(Box::new(Connections::new(tls, Tunnel::new(proxy, connector()), self.idle)))
                }
            }
        }))
    }

    /// Sends one attempt and waits for the head of its response. `patience` counts from the last byte
    /// of the body that passed, so a long upload is no silence.
    pub(super) async fn send(
        &self,
        request: Request<Outgoing>,
        upgrade: bool,
        body: &Source,
        patience: Duration,
    ) -> Result<Response<Incoming>, UpstreamError> {
        let sending = async {
            match self.way() {
                None => Err(UpstreamError::Unreachable("no thread serves this".into())),
                Some(Way::Direct(connections)) => connections.send(request, upgrade).await,
                Some(Way::Tunnelled(connections)) => connections.send(request, upgrade).await,
            }
        };
        tokio::pin!(sending);
        let mut passed = body.passed();
        loop {
            if let Ok(outcome) = tokio::time::timeout(patience, &mut sending).await {
                return outcome;
            }
            let now = body.passed();
            if now == passed {
                return Err(UpstreamError::Silent);
            }
            passed = now;
        }
    }
}

/// Reads what is left of a response that nobody wants, so that its connection can be used again.
pub(super) fn discard(response: Response<Body>) {
    tokio::spawn(tokio::time::timeout(Duration::from_secs(2), async move {
        let mut body = response.into_body();
        let mut left = LARGEST_DISCARDED;
        while let Some(Ok(frame)) = body.frame().await {
            let Some(rest) = left.checked_sub(frame.data_ref().map_or(0, bytes::Bytes::len)) else { return };
            left = rest;
        }
    }));
}

/// Whether the tool's own body is what broke.
fn is_the_tools(error: &dyn std::error::Error) -> bool {
    let mut causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.any(|cause| matches!(cause.downcast_ref(), Some(OutgoingError::Tool(_))))
}

pub(super) fn deepest(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    cause.to_string()
}
