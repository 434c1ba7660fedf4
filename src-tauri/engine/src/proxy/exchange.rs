//! What the steps of one exchange have in common: a token to begin with, the wait for the person, one sending,
//! and what is noted of it all.

use std::sync::Arc;
use std::time::{Duration, Instant};

use hyper::Response;
use hyper::body::Incoming;
use url::Url;

use super::identify::Program;
use super::recover::Seen;
use super::{Attempt, Call, Exchange, Refusal, inject, json_rpc};
use crate::activity::{Kind, Record};
use crate::bell::Waiting;
use crate::clock;
use crate::model::ExpiredAnswer;
use crate::provider::dpop;
use crate::session::state::{State, Unready, Want};
use crate::session::{Lease, SessionHandle};
use crate::usage::Novelty;
use crate::wording;

impl Exchange<'_> {
    /// Keeps the nonce that the server gives out for proofs (RFC 9449 section 9); returns whether it wants
    /// the request again with it.
    pub(super) fn note_nonce(&self, lease: &Lease, response: &Response<Incoming>) -> bool {
        let Some(key) = lease.dpop() else { return false };
        key.note(&self.upstream, response.headers());
        response.status() == http::StatusCode::UNAUTHORIZED && dpop::wants_nonce(response.headers())
    }

    /// A token to begin with: where only the person can help, the request waits here, unsent.
    pub(super) async fn lease(&self, call: &mut Call, trail: &mut Trail) -> Result<Lease, Refusal> {
        let session = &self.route.session;
        match session.lease(Want::default()).await {
            Ok(lease) => Ok(lease),
            Err(Unready::NeedsPerson(_)) => {
                self.hold(call, session_is_good(session), trail).await;
                session.lease(Want::default()).await.map_err(|e| self.refusal(e))
            }
            Err(e) => Err(self.refusal(e)),
        }
    }

    /// Waits until the person came, or until the wait is over.
    pub(super) async fn hold(&self, call: &mut Call, came: impl Future<Output = ()>, trail: &mut Trail) {
        let is_rpc = self.is_rpc(call).await;
        let limit = if is_rpc { self.route.limits.hold_json_rpc } else { self.route.limits.hold };
        if limit.is_zero() {
            return;
        }
        let waiting =
            Waiting { tool: self.tool.name.clone(), service: self.route.name.clone(), program: self.program().await };
        let Some(mut hold) = self.proxy.bell.hold(&self.route.account, waiting) else {
            return;
        };
        let who = hold.who().to_owned();
        self.record(Kind::Held, &wording::held(&who, self), |_| ());
        let began = Instant::now();
        trail.waited |= tokio::select! {
            () = came => true,
            () = hold.over(limit) => false,
            () = call.body.keep_reading(&self.proxy.budget) => false,
        };
        if !trail.waited {
            self.record(Kind::HoldOver, &wording::hold_over(&who, self), |record| {
                record.took_ms = millis(began.elapsed())
            });
        }
    }

    /// A server took the token: what there was to rescue is rescued.
    pub(super) async fn accepted(&self, lease: &Lease, trail: &Trail) {
        self.route.session.accepted(lease.generation);
        let text = match (&trail.refusal, trail.waited) {
            (None, false) => return,
            (_, true) => wording::waited(self),
            (Some(_), false) => wording::recovered(self),
        };
        self.program().await;
        self.record(Kind::Recovered, &text, |record| {
            record.took_ms = millis(trail.began.elapsed());
            record.by_person = trail.waited;
            record.refusal = trail.refusal.as_ref().map(|seen| seen.explained(wording::decision(seen.decision)));
        });
        self.proxy.changed.notify_one();
    }

    /// How many JSON-RPC calls the request holds; one where it is no batch.
    pub(super) async fn calls(&self, call: &mut Call) -> usize {
        json_rpc::members(&call.parts, &mut call.body, &self.proxy.budget).await
    }

    /// Whether the tool is one that would sign in by itself, and that gives up early.
    pub(super) async fn is_rpc(&self, call: &mut Call) -> bool {
        json_rpc::caller(&call.parts, &mut call.body, &self.proxy.budget).await.signs_in_by_itself()
    }

    pub(super) async fn forward(
        &self,
        call: &mut Call,
        lease: &Lease,
        attempt: Attempt,
    ) -> Result<(Response<Incoming>, Option<hyper::upgrade::OnUpgrade>), Refusal> {
        let request = inject::request(&call.parts, &self.upstream, lease, &mut call.body, self)?;
        let upgrade = inject::upgrade_of(&call.parts);
        if attempt != Attempt::First {
            tracing::debug!(service = %self.route.name, "replaying with generation {}", lease.generation.0);
        }
        let response = self.route.pool.send(request, upgrade.is_some(), &call.body, self.route.limits.answer).await;
        let response = response.map_err(|e| Refusal::Upstream { service: self.route.name.clone(), trouble: e })?;
        let switched = response.status() == http::StatusCode::SWITCHING_PROTOCOLS;
        let client = upgrade.filter(|_| switched).and_then(|()| call.parts.extensions.remove());
        Ok((response, client))
    }

    /// Why the tool gets no answer of its upstream.
    pub(super) fn refusal(&self, unready: Unready) -> Refusal {
        Refusal::Session {
            account: self.route.title.clone(),
            name: self.route.account.clone(),
            why: unready,
            answer: self.expired_answer(),
        }
    }

    pub(super) fn expired_answer(&self) -> ExpiredAnswer {
        match self.tool.expired {
            ExpiredAnswer::Automatic => self.route.expired,
            own => own,
        }
    }

    pub(super) async fn note_use(&self) {
        let novelty = self.proxy.usage.note(&self.route.name, &self.tool.name, clock::now().unix());
        if novelty == Novelty::News {
            // Once an hour at most, and some milliseconds: nobody notices.
            self.program().await;
            self.record(Kind::Used, &wording::used(self), |_| ());
        }
        if novelty != Novelty::Known {
            self.proxy.changed.notify_one();
        }
    }

    /// Which program asks; looked for where it isn't known yet.
    pub(super) async fn program(&self) -> Option<Arc<Program>> {
        self.caller.program().await
    }

    pub(super) fn record(&self, kind: Kind, text: &str, more: impl FnOnce(&mut Record)) {
        self.proxy.activity.record(kind, |record| {
            if let Some(program) = self.caller.seen() {
                record.program = Some(program.name.clone());
                record.pid = Some(program.pid);
                record.parent.clone_from(&program.parent);
            }
            record.account = Some(self.route.account.clone());
            record.service = Some(self.route.name.clone());
            record.tool = Some(self.tool.name.clone());
            record.text = text.to_owned();
            more(record);
        });
    }

    /// The upstream address as a URL, for references to be resolved against.
    pub(super) fn upstream_url(&self) -> Option<Url> {
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

/// What one request has been through.
pub(super) struct Trail {
    pub(super) began: Instant,
    /// The first refusal that was recovered from.
    pub(super) refusal: Option<Seen>,
    /// It waited, and the person came.
    pub(super) waited: bool,
}

pub(super) fn millis(took: Duration) -> Option<u64> {
    Some(u64::try_from(took.as_millis()).unwrap_or(u64::MAX))
}

pub(super) fn refused(lease: &Lease) -> Want {
    Want { refused: Some(lease.generation), ..Want::default() }
}

/// Waits until the session no longer needs the person.
pub(super) async fn session_is_good(session: &SessionHandle) {
    let mut state = session.watch();
    let good = state.wait_for(|state| !matches!(state, State::NeedsSignIn { .. })).await.is_ok();
    if !good {
        std::future::pending::<()>().await;
    }
}
