//! One request, top to bottom.
//!
//! listen -> identify -> route -> session -> inject -> replay -> forward -> recognise -> decide ->
//! respond. [`Proxy::handle`] is that story; each step is a module of that name.

mod challenge;
mod decide;
mod forward;
mod hop_by_hop;
mod identify;
mod inject;
mod json_rpc;
pub mod listen;
mod location;
mod recognise;
mod replay;
mod respond;
mod route;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use hyper::body::Incoming;
use hyper::{Request, Response};
use tokio::sync::Notify;
use url::Url;

use self::decide::{Decision, Policy};
pub use self::forward::{Pool, Pools, UpstreamError};
use self::identify::Guesses;
pub use self::identify::KEY_PREFIX;
use self::recognise::Verdict;
use self::respond::Body;
pub use self::respond::Refusal;
pub use self::route::{Limits, Route, Routes, Tool};
use crate::activity::{Activity, Kind};
use crate::bell::Bell;
use crate::clock;
use crate::session::state::{State, Unready, Want};
use crate::session::{Lease, SessionHandle};
use crate::usage::{Novelty, Usage};
use crate::wording;

/// What every request of one engine shares.
pub struct Proxy {
    /// Where we listen.
    pub address: SocketAddr,
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
    guesses: Guesses,
}

pub use self::replay::Budget;

/// How often one request has gone upstream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Attempt {
    /// For the first time.
    First,
    /// Replayed; there is no third time.
    Replay,
}

impl Proxy {
    /// A proxy that knows nobody yet.
    #[must_use]
    pub fn new(
        address: SocketAddr,
        bell: Bell,
        activity: Activity,
        usage: Usage,
        changed: Arc<Notify>,
        budget: Arc<Budget>,
    ) -> Self {
        Self {
            address,
            routes: std::sync::RwLock::default(),
            paused: AtomicBool::new(false),
            bell,
            activity,
            usage,
            changed,
            budget,
            guesses: Guesses::default(),
        }
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

    /// Answers one request of a connection whose peer is `peer`.
    pub(crate) async fn handle(&self, peer: identify::Peer, request: Request<Incoming>) -> Response<Body> {
        let (parts, incoming) = request.into_parts();
        let mut call = Call { parts, body: replay::Source::new(incoming) };
        match self.run(peer, &mut call).await {
            Ok(response) => response,
            Err(refusal) => {
                tracing::debug!(refusal = refusal.code(), "refused");
                // Who may not ask at all does not make us read a body.
                let rpc = match refusal.is_to_a_stranger() {
                    true => None,
                    false => json_rpc::ids(&call.parts, &mut call.body, &self.budget).await,
                };
                respond::refuse(&refusal, rpc.as_ref())
            }
        }
    }

    async fn run(&self, peer: identify::Peer, call: &mut Call) -> Result<Response<Body>, Refusal> {
        identify::check_origin(peer, &call.parts, self.address.port())?;
        let target = route::target(&call.parts)?;
        let routes = self.routes();
        let tool = identify::tool(&call.parts, target.key(), &routes, &self.guesses)?;
        let route =
            routes.service(target.service()).ok_or_else(|| Refusal::UnknownService(target.service().to_owned()))?;
        if !tool.services.contains(&route.name) {
            return Err(Refusal::NotGranted { tool: tool.name.clone(), service: route.name.clone() });
        }
        if self.paused.load(Ordering::Relaxed) {
            return Err(Refusal::Paused);
        }
        if route.points_at(self.address) {
            return Err(Refusal::PointsAtUs(route.name.clone()));
        }
        let exchange = Exchange {
            proxy: self,
            tool,
            route,
            upstream: target.upstream(&route.base)?,
            tool_base: target.tool_base(&call.parts, self.address),
        };
        exchange.run(call).await
    }
}

/// A request as it came.
struct Call {
    parts: http::request::Parts,
    body: replay::Source,
}

/// One identified, routed request on its way to an upstream and back.
struct Exchange<'a> {
    proxy: &'a Proxy,
    tool: &'a Tool,
    route: &'a Route,
    upstream: http::Uri,
    tool_base: String,
}

impl Exchange<'_> {
    async fn run(&self, call: &mut Call) -> Result<Response<Body>, Refusal> {
        let began = Instant::now();
        let session = &self.route.session;
        session.used();
        self.note_use();
        let mut attempt = Attempt::First;
        let (mut lease, mut waited) = self.lease(call, Want::default()).await?;
        loop {
            let (response, upgrade) = self.forward(call, &lease, attempt).await?;
            let verdict = recognise::verdict(&response);
            let policy = Policy { replay_unsafe: self.route.replay_unsafe };
            match decide::decide(verdict, attempt, call.body.is_replayable(), call.parts.method.is_safe(), policy) {
                Decision::Relay => {
                    if verdict == Verdict::Accepted {
                        session.accepted(lease.generation);
                        match (attempt, waited) {
                            (Attempt::Replay, false) => {
                                self.record(Kind::Recovered, &wording::recovered(self), Some(began.elapsed()));
                            }
                            (_, true) => {
                                self.record(Kind::Recovered, &wording::waited(self), Some(began.elapsed()));
                            }
                            (Attempt::First, false) => {}
                        }
                    }
                    call.body.keep_no_more();
                    return respond::relay(response, upgrade, self);
                }
                Decision::RefreshOnly => {
                    let (session, want) = (session.clone(), refused(&lease));
                    // On its own, so that a caller that leaves does not end it.
                    tokio::spawn(async move { session.lease(want).await.map(drop) });
                    return respond::relay(response, upgrade, self);
                }
                Decision::RefreshAndReplay => match self.after_refusal(call, &lease).await {
                    Ok(_) if !call.body.begin_replay() => return respond::relay(response, upgrade, self),
                    Ok((newer, held)) => {
                        forward::discard(response);
                        lease = newer;
                        waited |= held;
                        attempt = Attempt::Replay;
                    }
                    Err(Recovery::Impossible) => return respond::relay(response, upgrade, self),
                    Err(Recovery::Answer(refusal)) => return Err(refusal),
                },
            }
        }
    }

    /// A token to begin with, and whether the request had to wait for it: where only the person can
    /// help, it waits here, unsent.
    async fn lease(&self, call: &mut Call, want: Want) -> Result<(Lease, bool), Refusal> {
        match self.route.session.lease(want).await {
            Ok(lease) => Ok((lease, false)),
            Err(Unready::NeedsPerson(_)) => {
                self.hold(call).await;
                self.route.session.lease(want).await.map(|lease| (lease, true)).map_err(|e| self.refusal(e))
            }
            Err(e) => Err(self.refusal(e)),
        }
    }

    /// A newer token after a server refused `lease`'s, and whether the person had to be waited for.
    async fn after_refusal(&self, call: &mut Call, lease: &Lease) -> Result<(Lease, bool), Recovery> {
        let want = refused(lease);
        let first = self.route.session.lease(want).await;
        let (outcome, waited) = match first {
            Err(Unready::NeedsPerson(_)) => {
                self.hold(call).await;
                (self.route.session.lease(want).await, true)
            }
            other => (other, false),
        };
        match outcome {
            Ok(newer) => Ok((newer, waited)),
            Err(Unready::RefreshDidNotHelp | Unready::SignedOut) => Err(Recovery::Impossible),
            Err(Unready::NeedsPerson(reason)) => {
                // The upstream's own answer goes through, where the tool would not take it for an
                // invitation to sign in by itself.
                let refusal = self.refusal(Unready::NeedsPerson(reason));
                let is_rpc = self.is_json_rpc(call).await;
                let relays = match self.expired_answer() {
                    crate::model::ExpiredAnswer::Automatic => !is_rpc,
                    crate::model::ExpiredAnswer::Unauthorized => true,
                    crate::model::ExpiredAnswer::Unavailable => false,
                };
                Err(if relays { Recovery::Impossible } else { Recovery::Answer(refusal) })
            }
            Err(e) => Err(Recovery::Answer(self.refusal(e))),
        }
    }

    /// Waits until the person signed in, or until the wait is over.
    async fn hold(&self, call: &mut Call) {
        let is_rpc = self.is_json_rpc(call).await;
        let limit = if is_rpc { self.route.limits.hold_json_rpc } else { self.route.limits.hold };
        if limit.is_zero() {
            return;
        }
        let Some(mut hold) = self.proxy.bell.hold(&self.route.account, &self.tool.name, &self.route.name) else {
            return;
        };
        self.record(Kind::Held, &wording::held(self), None);
        let began = Instant::now();
        let came = tokio::select! {
            () = session_is_good(&self.route.session) => true,
            () = hold.over(limit) => false,
            () = call.body.keep_reading(&self.proxy.budget) => false,
        };
        if !came {
            self.record(Kind::HoldOver, &wording::hold_over(self), Some(began.elapsed()));
        }
    }

    async fn is_json_rpc(&self, call: &mut Call) -> bool {
        json_rpc::ids(&call.parts, &mut call.body, &self.proxy.budget).await.is_some()
    }

    async fn forward(
        &self,
        call: &mut Call,
        lease: &Lease,
        attempt: Attempt,
    ) -> Result<(Response<Incoming>, Option<hyper::upgrade::OnUpgrade>), Refusal> {
        let request = inject::request(&call.parts, &self.upstream, lease, &mut call.body, self)?;
        let upgrade = inject::upgrade_of(&call.parts);
        if attempt == Attempt::Replay {
            tracing::debug!(service = %self.route.name, "replaying with generation {}", lease.generation.0);
        }
        let response = self.route.pool.send(request, upgrade.is_some(), &call.body, self.route.limits.answer).await;
        let response = response.map_err(|e| Refusal::Upstream { service: self.route.name.clone(), trouble: e })?;
        let switched = response.status() == http::StatusCode::SWITCHING_PROTOCOLS;
        let client = upgrade.filter(|_| switched).and_then(|()| call.parts.extensions.remove());
        Ok((response, client))
    }

    /// Why the tool gets no answer of its upstream.
    fn refusal(&self, unready: Unready) -> Refusal {
        Refusal::Session {
            account: self.route.title.clone(),
            name: self.route.account.clone(),
            why: unready,
            answer: self.expired_answer(),
        }
    }

    fn expired_answer(&self) -> crate::model::ExpiredAnswer {
        match self.tool.expired {
            crate::model::ExpiredAnswer::Automatic => self.route.expired,
            own => own,
        }
    }

    fn note_use(&self) {
        let novelty = self.proxy.usage.note(&self.route.name, &self.tool.name, clock::now().unix());
        if novelty == Novelty::News {
            self.record(Kind::Used, &wording::used(self), None);
        }
        if novelty != Novelty::Known {
            self.proxy.changed.notify_one();
        }
    }

    fn record(&self, kind: Kind, text: &str, took: Option<Duration>) {
        self.proxy.activity.record(kind, |record| {
            record.account = Some(self.route.account.clone());
            record.service = Some(self.route.name.clone());
            record.tool = Some(self.tool.name.clone());
            record.text = text.to_owned();
            record.took_ms = took.map(|t| u64::try_from(t.as_millis()).unwrap_or(u64::MAX));
        });
    }

    /// The upstream address as a URL, for references to be resolved against.
    fn upstream_url(&self) -> Option<Url> {
        self.upstream.to_string().parse().ok()
    }
}

/// Who and what, for sentences.
impl wording::Names for Exchange<'_> {
    fn tool(&self) -> &str {
        self.tool.name.as_str()
    }

    fn service(&self) -> &str {
        self.route.name.as_str()
    }

    fn account(&self) -> &str {
        &self.route.title
    }
}

/// Why a refused request isn't replayed.
enum Recovery {
    /// The upstream's own answer is the best there is.
    Impossible,
    /// Ours is.
    Answer(Refusal),
}

fn refused(lease: &Lease) -> Want {
    Want { refused: Some(lease.generation), ..Want::default() }
}

/// Waits until the session no longer needs the person.
async fn session_is_good(session: &SessionHandle) {
    let mut state = session.watch();
    let good = state.wait_for(|state| !matches!(state, State::NeedsSignIn { .. })).await.is_ok();
    if !good {
        std::future::pending::<()>().await;
    }
}
