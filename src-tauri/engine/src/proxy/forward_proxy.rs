//! The forward proxy, for programs that can't change their base URL: at the same port, off until the person
//! turns it on, for who shows a tool's key.
//!
//! `CONNECT host:port` (RFC 9110 section 9.3.6) to a host of one of the tool's services is opened with a local
//! authority, and what is inside goes the usual way, under the same strict reader; every other host is
//! tunnelled blind and without a token. A request in absolute-form (RFC 9112 section 3.2.2) likewise.
//!
//! What a tunnel may reach is what its tool could reach by itself: whoever shows a key runs as the same user
//! on the same machine. So loopback and private addresses are no exception, and only the way back to
//! ourselves is closed, for it has no end.

mod authorities;
mod authority;
mod outside;
mod refusal;
mod tunnel;

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use http::Method;
use http::header::{CONTENT_LENGTH, HOST, TRANSFER_ENCODING};
use http::request::Parts;
use hyper::Response;
use tokio_util::sync::CancellationToken;
use url::Url;

pub use self::authorities::{AUTHORITY_ITEM, Authorities};
pub use self::authority::AuthorityError;
pub use self::refusal::ForwardRefusal;
use super::by_host::{self, Origin};
use super::forward::WayOut;
use super::listen::conversation::Conversation;
use super::respond::{Body, Refusal};
use super::route::{self, Routes, Tool};
use super::{Call, Proxy, identify, location};
use crate::config::KeyDigest;

/// What all of its requests share.
pub struct ForwardProxy {
    /// Who vouches for the hosts of services.
    pub authorities: Authorities,
    on: AtomicBool,
    /// Runs that the person started with it (`signbell run --forward`): they may use it while it is off, and
    /// nobody else may.
    runs: Mutex<HashSet<KeyDigest>>,
    /// Ends every tunnel when it is turned off.
    tunnels: Mutex<CancellationToken>,
    way_out: Mutex<WayOut>,
}

/// A tunnel to a service's host that ends here.
pub(super) struct Opened {
    /// Whose key it was opened with. The tool is looked up for each request: it may be gone by then.
    key: KeyDigest,
    origin: Origin,
}

impl ForwardProxy {
    /// Off.
    #[must_use]
    pub fn new(authorities: Authorities, way_out: WayOut) -> Self {
        Self {
            authorities,
            on: AtomicBool::new(false),
            runs: Mutex::default(),
            tunnels: Mutex::default(),
            way_out: Mutex::new(way_out),
        }
    }

    /// Turns it on, or off with all of its tunnels; returns whether it was otherwise.
    pub fn turn(&self, on: bool) -> bool {
        let differs = self.on.swap(on, Ordering::Relaxed) != on;
        // While it was off there are none but those of runs that may use it all the same.
        if differs && !on {
            std::mem::take(&mut *lock(&self.tunnels)).cancel();
        }
        differs
    }

    /// Whether it is on.
    #[must_use]
    pub fn is_on(&self) -> bool {
        self.on.load(Ordering::Relaxed)
    }

    /// The run with this key may use it, whether it is on or off.
    pub fn begin_run(&self, key: KeyDigest) {
        lock(&self.runs).insert(key);
    }

    /// The run is over: nothing of it is left.
    pub fn end_run(&self, key: &KeyDigest) {
        lock(&self.runs).remove(key);
        self.authorities.end_run(key);
    }

    /// Whether who shows this key may use it.
    fn serves(&self, key: &KeyDigest) -> bool {
        self.is_on() || lock(&self.runs).contains(key)
    }

    /// Hosts that are nobody's service are reached by this from now on.
    pub fn reach_by(&self, way_out: WayOut) {
        *lock(&self.way_out) = way_out;
    }

    /// Whether a request at the port is for it, and there is anybody whom it serves.
    pub(super) fn is_asked(&self, parts: &Parts) -> bool {
        takes_us_for_a_proxy(parts) && (self.is_on() || !lock(&self.runs).is_empty())
    }

    fn until_off(&self) -> CancellationToken {
        lock(&self.tunnels).clone()
    }

    fn way_out(&self) -> WayOut {
        lock(&self.way_out).clone()
    }
}

/// Whether a request has the form that only a proxy is sent (RFC 9112 sections 3.2.2 and 3.2.3).
pub(super) fn takes_us_for_a_proxy(parts: &Parts) -> bool {
    parts.method == Method::CONNECT || parts.uri.authority().is_some()
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Answers a request that takes us for a proxy.
///
/// # Errors
/// [`Refusal`]; without a tool's key always one.
pub(super) async fn answer(conversation: &Conversation, call: &mut Call) -> Result<Response<Body>, Refusal> {
    let proxy = &conversation.proxy;
    identify::check_peer(conversation.peer)?;
    let routes = proxy.routes();
    let tool = identify::tool_at_a_proxy(&call.parts, &routes, &proxy.guesses)?;
    if !proxy.forwarding.serves(&tool.key) {
        return Err(ForwardRefusal::Off.into());
    }
    if call.parts.method == Method::CONNECT {
        connect(conversation, call, &routes, tool).await
    } else {
        absolute(proxy, call, &routes, tool).await
    }
}

async fn connect(
    conversation: &Conversation,
    call: &mut Call,
    routes: &Routes,
    tool: &Tool,
) -> Result<Response<Body>, Refusal> {
    let parts = &mut call.parts;
    let proxy = &conversation.proxy;
    let asked = parts.uri.authority().and_then(|authority| Origin::parse(authority.as_str(), None));
    let Some((mut origin, port)) = asked.and_then(|origin| origin.port.map(|port| (origin, port))) else {
        return Err(bad("CONNECT needs a host and a port"));
    };
    // RFC 9110 section 9.3.6: it has no content, and what seems to be one would be read as TLS.
    if parts.headers.contains_key(CONTENT_LENGTH) || parts.headers.contains_key(TRANSFER_ENCODING) {
        return Err(bad("CONNECT has no body"));
    }
    let Ok(address) = Url::parse(&format!("http://{}:{port}", origin.host)) else {
        return Err(bad("the host can't be used"));
    };
    if location::is_ours(&address, proxy.address().port()) {
        return Err(ForwardRefusal::Loop.into());
    }
    let Some(client) = parts.extensions.remove() else { return Err(bad("the connection can't be taken over")) };
    let service = routes.of_tool(tool).find(|route| origin.is_of(&route.base));
    let config = match service {
        None => return tunnel::blind(conversation, &address, client).await,
        Some(route) if route.points_at(proxy.address()) => return Err(Refusal::PointsAtUs(route.name.clone())),
        Some(route) if route.base.scheme() == "https" => {
            let authority = proxy.forwarding.authorities.of(&tool.key).await.map_err(ForwardRefusal::NoAuthority)?;
            // A run's hosts are those it began with.
            if !authority.hosts().contains(&origin.host) {
                return tunnel::blind(conversation, &address, client).await;
            }
            Some(authority.server(&origin.host).map_err(ForwardRefusal::NoAuthority)?)
        }
        Some(_) => None,
    };
    origin.tls = Some(config.is_some());
    let opened = Opened { key: tool.key, origin };
    Ok(tunnel::open(conversation, opened, config, client))
}

/// `GET http://host/…`.
async fn absolute(proxy: &Proxy, call: &mut Call, routes: &Routes, tool: &Tool) -> Result<Response<Body>, Refusal> {
    if call.parts.method == Method::TRACE {
        return Err(Refusal::Trace);
    }
    let uri = call.parts.uri.clone();
    let origin = uri.authority().and_then(|authority| Origin::parse(authority.as_str(), Some(false)));
    let (Some(origin), Some("http")) = (origin, uri.scheme_str()) else {
        return Err(bad("only http:// is asked for so; what is by TLS goes through CONNECT"));
    };
    let address = Url::parse(&uri.to_string()).map_err(|_| bad("the address can't be used"))?;
    if location::is_ours(&address, proxy.address().port()) {
        return Err(ForwardRefusal::Loop.into());
    }
    let target = uri.path_and_query().map_or("/", http::uri::PathAndQuery::as_str);
    match by_host::at(routes, tool, &origin, target)? {
        Some(meant) => {
            identify::check_program(&call.parts)?;
            proxy.exchange(tool, meant, call).await
        }
        None => outside::pass(proxy, call, uri, &address).await,
    }
}

/// Answers a request inside a tunnel that was opened.
///
/// # Errors
/// [`Refusal`].
pub(super) async fn inside(proxy: &Proxy, opened: &Opened, call: &mut Call) -> Result<Response<Body>, Refusal> {
    if !proxy.forwarding.serves(&opened.key) {
        return Err(ForwardRefusal::Off.into());
    }
    let routes = proxy.routes();
    let Some(tool) = routes.tool(&opened.key) else { return Err(Refusal::UnknownKey) };
    route::origin_form(&call.parts)?;
    let tls = opened.origin.tls;
    let port_of = |origin: &Origin| origin.port.or(if tls == Some(true) { Some(443) } else { Some(80) });
    let host = call.parts.headers.get(HOST).map(|host| host.to_str().ok().and_then(|host| Origin::parse(host, tls)));
    // HTTP/1.0 may leave it out; the strict reader lets no more than one through.
    if let Some(host) = host
        && !host.is_some_and(|host| host.host == opened.origin.host && port_of(&host) == opened.origin.port)
    {
        return Err(ForwardRefusal::OtherHost.into());
    }
    let target = call.parts.uri.path_and_query().map_or("/", http::uri::PathAndQuery::as_str);
    if !target.starts_with('/') {
        return Err(bad("the request target is not a path"));
    }
    if let Some(meant) = by_host::at(&routes, tool, &opened.origin, target)? {
        // A browser may have been given the key. No page of it is to use the person's accounts.
        identify::check_program(&call.parts)?;
        return proxy.exchange(tool, meant, call).await;
    }
    let scheme = if tls == Some(true) { "https" } else { "http" };
    let port = opened.origin.port.map(|port| format!(":{port}")).unwrap_or_default();
    let text = format!("{scheme}://{}{port}{target}", opened.origin.host);
    let (Ok(uri), Ok(address)) = (text.parse(), Url::parse(&text)) else {
        return Err(bad("the address can't be used"));
    };
    outside::pass(proxy, call, uri, &address).await
}

fn bad(why: &str) -> Refusal {
    Refusal::BadTarget(why.to_owned())
}
