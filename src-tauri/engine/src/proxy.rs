//! One request, top to bottom.
//!
//! listen -> identify -> route -> session -> inject -> replay -> forward -> recognise -> decide ->
//! recover -> respond. [`Proxy::handle`] is that story; each step is a module of that name. What takes us for
//! a forward proxy comes in by [`forward_proxy`] and goes the same way from `session` on.

mod addresses;
mod at_socket;
mod by_host;
mod confirmed;
mod decide;
mod exchange;
mod forward;
pub mod forward_proxy;
mod hop_by_hop;
mod identify;
mod inject;
mod json_rpc;
pub mod listen;
mod location;
mod recognise;
mod recover;
mod replay;
mod respond;
mod route;
mod told;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use hyper::body::Incoming;
use hyper::{Request, Response};
use tokio::sync::{Notify, broadcast};

use self::by_host::Meant;
pub use self::decide::Decision;
use self::exchange::{Trail, millis, refused, session_is_good};
pub use self::forward::{OutgoingSettings, Pool, Pools, UpstreamError};
pub use self::forward_proxy::ForwardProxy;
use self::forward_proxy::ForwardRefusal;
#[cfg(test)]
pub(crate) use self::identify::Asker;
use self::identify::Guesses;
pub(crate) use self::identify::program_of;
pub use self::identify::{KEY_PREFIX, Program};
use self::json_rpc::Caller;
use self::listen::conversation::{Conversation, Entrance};
use self::recognise::Asked;
use self::recover::{End, Seen, invites, passed_as};
use self::respond::Body;
pub use self::respond::Refusal;
pub use self::route::{Limits, Route, Routes, Tool};
use self::told::Told;
use crate::activity::Activity;
use crate::ask::Asks;
use crate::bell::Bell;
use crate::confirm::Confirms;
use crate::control::Notice;
use crate::model::ServiceName;
use crate::usage::Usage;

/// What every request of one engine shares.
pub struct Proxy {
    /// Where we listen; it moves when the person chooses another port.
    address: std::sync::RwLock<SocketAddr>,
    /// Who may use what; replaced as a whole when the configuration changes.
    pub routes: std::sync::RwLock<Arc<Routes>>,
    /// The person paused us.
    pub paused: AtomicBool,
    /// Who waits for the person.
    pub bell: Bell,
    /// What happened.
    pub activity: Activity,
    /// Who used what when.
    pub usage: Usage,
    /// Told when the snapshot shows something that is no longer so.
    pub changed: Arc<Notify>,
    /// What is kept of all bodies together.
    pub budget: Arc<replay::Budget>,
    /// What servers asked the person for.
    pub asks: Asks,
    /// What programs may do, by the person's word.
    pub confirms: Confirms,
    /// What must be said once.
    pub notices: broadcast::Sender<Notice>,
    /// Services that refuse tokens which were just renewed: they may belong to another server by now (D7).
    pub suspects: broadcast::Sender<ServiceName>,
    /// For programs that can't change their base URL.
    pub forwarding: ForwardProxy,
    guesses: Guesses,
    told: Arc<Told>,
}

pub use self::replay::Budget;

/// How often one request has gone upstream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Attempt {
    /// For the first time.
    First,
    /// Replayed.
    Replay,
    /// Replayed once more, after the person came; there is no further time.
    Last,
}

impl Attempt {
    fn next(self) -> Self {
        match self {
            Self::First => Self::Replay,
            Self::Replay | Self::Last => Self::Last,
        }
    }
}

impl Proxy {
    /// A proxy that knows nobody yet.
    #[must_use]
    #[expect(clippy::too_many_arguments, reason = "each is a part of its own, made in one place")]
    pub fn new(
        address: SocketAddr,
        bell: Bell,
        activity: Activity,
        usage: Usage,
        changed: Arc<Notify>,
        budget: Arc<Budget>,
        notices: broadcast::Sender<Notice>,
        forwarding: ForwardProxy,
    ) -> Self {
        Self {
            address: address.into(),
            routes: std::sync::RwLock::default(),
            paused: AtomicBool::new(false),
            bell,
            activity,
            usage,
            changed,
            budget,
            asks: Asks::default(),
            confirms: Confirms::default(),
            notices,
            forwarding,
            guesses: Guesses::default(),
            suspects: broadcast::channel(16).0,
            told: Arc::default(),
        }
    }

    /// Where we listen.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        *self.address.read().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// We listen there from now on.
    pub fn set_address(&self, address: SocketAddr) {
        *self.address.write().unwrap_or_else(std::sync::PoisonError::into_inner) = address;
    }

    /// The routes in force.
    #[must_use]
    pub fn routes(&self) -> Arc<Routes> {
        Arc::clone(&self.routes.read().unwrap_or_else(std::sync::PoisonError::into_inner))
    }

    /// Puts other routes in force; requests under way keep theirs.
    pub fn set_routes(&self, routes: Routes) {
        *self.routes.write().unwrap_or_else(std::sync::PoisonError::into_inner) = Arc::new(routes);
    }

    /// Answers one request of a connection.
    async fn handle(&self, conversation: &Conversation, request: Request<Incoming>) -> Response<Body> {
        let (parts, incoming) = request.into_parts();
        let mut call = Call { parts, body: replay::Source::new(incoming), caller: conversation.caller.clone() };
        match self.run(conversation, &mut call).await {
            Ok(response) => response,
            Err(refusal) => {
                tracing::debug!(refusal = refusal.code(), "refused");
                // Who may not ask at all does not make us read a body.
                let caller = match refusal.is_to_a_stranger() {
                    true => Caller::Plain,
                    false => json_rpc::caller(&call.parts, &mut call.body, &self.budget).await,
                };
                respond::refuse(&refusal, &caller)
            }
        }
    }

    async fn run(&self, conversation: &Conversation, call: &mut Call) -> Result<Response<Body>, Refusal> {
        let here = self.address();
        let routes = self.routes();
        match &conversation.entrance {
            Entrance::Opened(opened) => return forward_proxy::inside(self, opened, call).await,
            Entrance::Port if self.forwarding.is_asked(&call.parts) => {
                return forward_proxy::answer(conversation, call).await;
            }
            // A connection to a port that we had before keeps that.
            Entrance::Port => {
                let port = conversation.port.unwrap_or(here.port());
                identify::check_origin(conversation.peer, &call.parts, port).map_err(|refusal| match refusal {
                    // Another's host, for who asks takes us for a proxy (`curl -x`): that is what is to be told.
                    Refusal::ForeignHost if forward_proxy::takes_us_for_a_proxy(&call.parts) => {
                        ForwardRefusal::Off.into()
                    }
                    refusal => refusal,
                })?;
            }
            Entrance::Socket => {
                identify::check_peer(conversation.peer)?;
                identify::check_program(&call.parts)?;
                if !at_socket::is_ours(&call.parts, &routes, here.port()) {
                    let tool = identify::tool(&call.parts, None, &routes, &self.guesses)?;
                    let meant = at_socket::meant(&call.parts, &routes, tool)?;
                    return self.exchange(tool, meant, call).await;
                }
            }
        }
        let target = route::target(&call.parts)?;
        let tool = identify::tool(&call.parts, target.key(), &routes, &self.guesses)?;
        let route =
            routes.service(target.service()).ok_or_else(|| Refusal::UnknownService(target.service().to_owned()))?;
        let upstream = target.upstream(&route.base)?;
        let tool_base = target.tool_base(&call.parts, here);
        self.exchange(tool, Meant { route, upstream, tool_base }, call).await
    }

    /// Carries out a request of which it is known who asks and what is meant.
    async fn exchange(&self, tool: &Tool, meant: Meant<'_>, call: &mut Call) -> Result<Response<Body>, Refusal> {
        let Meant { route, upstream, tool_base } = meant;
        if !tool.services.contains(&route.name) {
            return Err(Refusal::NotGranted { tool: tool.name.clone(), service: route.name.clone() });
        }
        if self.paused.load(Ordering::Relaxed) {
            return Err(Refusal::Paused);
        }
        if route.points_at(self.address()) {
            return Err(Refusal::PointsAtUs(route.name.clone()));
        }
        let caller = call.caller.clone();
        Exchange { proxy: self, caller, tool, route, upstream, tool_base }.run(call).await
    }
}

/// A request as it came.
struct Call {
    parts: http::request::Parts,
    body: replay::Source,
    caller: identify::Caller,
}

/// One identified, routed request on its way to an upstream and back.
struct Exchange<'a> {
    proxy: &'a Proxy,
    caller: identify::Caller,
    tool: &'a Tool,
    route: &'a Route,
    upstream: http::Uri,
    tool_base: String,
}

impl Exchange<'_> {
    async fn run(&self, call: &mut Call) -> Result<Response<Body>, Refusal> {
        self.confirmed(call).await?;
        let began = Instant::now();
        let session = &self.route.session;
        session.used();
        self.note_use().await;
        let mut attempt = Attempt::First;
        let mut trail = Trail { began, refusal: None, waited: false };
        let mut lease = self.lease(call, &mut trail).await?;
        let mut nonce_given = false;
        loop {
            let (response, upgrade) = self.forward(call, &lease, attempt).await?;
            if self.note_nonce(&lease, &response) {
                // Nothing is wrong with the token: the server only wants its nonce in the proof.
                if !nonce_given && call.body.begin_replay() {
                    forward::discard(response.map(Body::Upstream));
                    nonce_given = true;
                    continue;
                }
                call.body.keep_no_more();
                return respond::relay(response.map(Body::Upstream), upgrade, self);
            }
            let asked = Asked { method: &call.parts.method, path: self.upstream.path(), headers: &call.parts.headers };
            let (response, found) =
                recognise::read(&self.route.rules, &asked, &lease, response, &self.proxy.budget).await;
            let Some(mut found) = found else {
                if response.status().as_u16() < 400 {
                    self.accepted(&lease, &trail).await;
                }
                call.body.keep_no_more();
                return respond::relay(response, upgrade, self);
            };
            if found.nothing_done && found.answers.is_some() {
                // One answer tells nothing of the other calls of a batch.
                found.nothing_done = self.calls(call).await <= found.answers.unwrap_or(0);
            }
            let decision = decide::decide(self.facts(call, &lease, attempt, &found));
            let invites = invites(response.status(), &found);
            let refusal = Seen { status: response.status(), invites, found, decision };
            let end = match self.recover(call, &lease, attempt, &refusal, &mut trail).await {
                Ok(newer) if call.body.begin_replay() => {
                    forward::discard(response);
                    lease = newer;
                    // Another sign-in has another key, which knows no nonce yet.
                    nonce_given = false;
                    attempt = attempt.next();
                    trail.refusal.get_or_insert(refusal);
                    continue;
                }
                Ok(_) => End::Renewed,
                Err(end) => end,
            };
            self.note(&lease, &refusal, &end);
            call.body.keep_no_more();
            return match self.answer(call, &refusal, &end).await {
                Some(answer) => {
                    forward::discard(response);
                    Err(answer)
                }
                None => respond::relay(passed_as(response, &end, &refusal.found), upgrade, self),
            };
        }
    }
}
