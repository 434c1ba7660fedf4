//! What a response says of the token, by the service's rules.
//!
//! Nearly every response is passed by after one look at its status. Where a rule asks for the body, as
//! much of it is read as the rule needs, and given back: what goes to the tool is what came.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method, Response};
use http_body::{Body as _, Frame, SizeHint};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use tokio::time::Instant;

use super::replay::Budget;
use super::respond::Body;
use crate::rules::{Found, Head, OnHead, RuleSet, body};
use crate::session::Lease;

/// How long a body is waited for before it is passed on unread.
const PATIENCE: Duration = Duration::from_secs(10);

/// The same for a stream of events once its first bytes are here: they may be a server's sign of life, and a
/// client may need that before it does anything.
const AFTER_FIRST_BYTES: Duration = Duration::from_millis(500);

/// What the request was, as far as rules ask.
pub(super) struct Asked<'a> {
    pub(super) method: &'a Method,
    pub(super) path: &'a str,
    pub(super) headers: &'a HeaderMap,
}

/// Finds the rule that matches; the response comes back whole.
pub(super) async fn read(
    rules: &RuleSet,
    asked: &Asked<'_>,
    lease: &Lease,
    response: Response<Incoming>,
    budget: &Arc<Budget>,
) -> (Response<Body>, Option<Found>) {
    if !rules.concerns(response.status()) {
        return (response.map(Body::Upstream), None);
    }
    let (parts, incoming) = response.into_parts();
    let head = Head {
        method: asked.method,
        path: asked.path,
        request: asked.headers,
        status: parts.status,
        headers: &parts.headers,
        stale: lease.is_stale(),
    };
    match rules.on_head(&head) {
        OnHead::Nothing => (Response::from_parts(parts, Body::Upstream(incoming)), None),
        OnHead::Found(found) => (Response::from_parts(parts, Body::Upstream(incoming)), Some(found)),
        OnHead::AskBody => {
            let mut seen = Seen::new(incoming, Arc::clone(budget));
            let whole = seen.look(&parts.headers).await;
            let text = whole.then(|| body::read(&parts.headers, &seen.came)).flatten().unwrap_or_default();
            let found = rules.on_body(&head, &text);
            (Response::from_parts(parts, Body::Seen(Box::new(seen))), found)
        }
    }
}

/// A body of which the beginning was read: it yields that again, then the rest.
pub struct Seen {
    /// What was read, in one piece: a sender that cuts it small costs us no more for that.
    came: Vec<u8>,
    trailers: Option<HeaderMap>,
    rest: Incoming,
    /// What it was before anybody read from it: how the response is framed must not change.
    hint: SizeHint,
    ended: bool,
    broken: Option<hyper::Error>,
    budget: Arc<Budget>,
    taken: usize,
}

impl Seen {
    fn new(rest: Incoming, budget: Arc<Budget>) -> Self {
        let (hint, ended) = (rest.size_hint(), rest.is_end_stream());
        Self { came: Vec::new(), trailers: None, rest, hint, ended, broken: None, budget, taken: 0 }
    }

    /// Reads what the rules need: all of it, or of a stream of events the first. Returns whether that is
    /// here; it may be too long, or take too long, and is passed on unread then.
    async fn look(&mut self, headers: &HeaderMap) -> bool {
        if self.hint.lower() > body::LARGEST as u64 {
            return false;
        }
        let mut first_event = body::is_events(headers).then(|| body::FirstEvent::new(headers));
        let mut until = Instant::now() + PATIENCE;
        while !self.ended {
            let Ok(frame) = tokio::time::timeout_at(until, self.rest.frame()).await else {
                return first_event.is_some_and(|first| first.is_there(&self.came));
            };
            match frame.map(|frame| frame.map(Frame::into_data)) {
                None => self.ended = true,
                Some(Err(e)) => {
                    (self.broken, self.ended) = (Some(e), true);
                    return false;
                }
                Some(Ok(Err(trailers))) => self.trailers = trailers.into_trailers().ok(),
                Some(Ok(Ok(data))) => {
                    if self.came.is_empty() && first_event.is_some() {
                        until = Instant::now() + AFTER_FIRST_BYTES;
                    }
                    self.came.extend_from_slice(&data);
                    if !self.budget.take(data.len()) {
                        return false;
                    }
                    self.taken += data.len();
                }
            }
            if self.came.len() > body::LARGEST {
                return false;
            }
            if first_event.as_mut().is_some_and(|first| first.is_in(&self.came)) {
                return true;
            }
        }
        true
    }
}

impl Drop for Seen {
    fn drop(&mut self) {
        self.budget.give_back(self.taken);
    }
}

impl http_body::Body for Seen {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        if !self.came.is_empty() {
            let came = std::mem::take(&mut self.came);
            let taken = std::mem::take(&mut self.taken);
            self.budget.give_back(taken);
            return Poll::Ready(Some(Ok(Frame::data(came.into()))));
        }
        if let Some(trailers) = self.trailers.take() {
            return Poll::Ready(Some(Ok(Frame::trailers(trailers))));
        }
        if let Some(broken) = self.broken.take() {
            return Poll::Ready(Some(Err(broken)));
        }
        if self.ended {
            return Poll::Ready(None);
        }
        Pin::new(&mut self.rest).poll_frame(context)
    }

    /// Says so only where the length was known from the start: a chunked body stays one.
    fn is_end_stream(&self) -> bool {
        self.hint.exact() == Some(0)
    }

    fn size_hint(&self) -> SizeHint {
        self.hint
    }
}
