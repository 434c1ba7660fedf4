//! A request's body, kept while it streams so that it can be sent once more.
//!
//! [`Source`] owns the body as it comes from the tool and what was kept of it. Each attempt reads
//! from it through an [`Outgoing`]: first what is kept, then what is still to come. Asking for the
//! next attempt ends the one before.

use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::HeaderMap;
use hyper::body::Incoming;

/// How much is kept of all bodies together.
#[derive(Debug)]
pub struct Budget {
    per_request: AtomicUsize,
    in_all: AtomicUsize,
    taken: AtomicUsize,
}

impl Budget {
    /// In bytes: of one request, of all together.
    #[must_use]
    pub fn new(per_request: usize, in_all: usize) -> Self {
        Self { per_request: per_request.into(), in_all: in_all.into(), taken: AtomicUsize::new(0) }
    }

    /// The same from now on; what is kept already stays.
    pub fn set(&self, per_request: usize, in_all: usize) {
        self.per_request.store(per_request, Ordering::Relaxed);
        self.in_all.store(in_all, Ordering::Relaxed);
    }

    fn per_request(&self) -> usize {
        self.per_request.load(Ordering::Relaxed)
    }

    /// Takes so much; nothing where it is not there.
    pub(super) fn take(&self, bytes: usize) -> bool {
        let in_all = self.in_all.load(Ordering::Relaxed);
        let fits = |taken: usize| taken.checked_add(bytes).filter(|taken| *taken <= in_all);
        self.taken.fetch_update(Ordering::Relaxed, Ordering::Relaxed, fits).is_ok()
    }

    pub(super) fn give_back(&self, bytes: usize) {
        self.taken.fetch_sub(bytes, Ordering::Relaxed);
    }
}

/// The body of one request.
pub(crate) struct Source {
    /// Absent for a request without a body, which is nearly every GET.
    shared: Option<Arc<Mutex<Shared>>>,
}

struct Shared {
    rest: Incoming,
    kept: Vec<Kept>,
    kept_bytes: usize,
    /// Everything was read.
    complete: bool,
    /// Not everything that was read was kept.
    lost: bool,
    /// More came than is kept, before anybody sent it on.
    too_long: bool,
    /// Nothing is replayed any more: what was sent on is forgotten.
    releasing: bool,
    /// From where it is kept; nothing is before somebody reads.
    budget: Option<Arc<Budget>>,
    attempt: u32,
    /// How many bytes passed, so that a long upload is told from a silent upstream.
    passed: u64,
    /// The attempt that waits for more.
    reader: Option<Waker>,
    /// Who looks ahead meanwhile. The body itself wakes only whoever asked last.
    peeker: Option<Waker>,
}

#[derive(Clone)]
enum Kept {
    Data(Bytes),
    Trailers(HeaderMap),
}

impl Source {
    pub(super) fn new(body: Incoming) -> Self {
        if body.is_end_stream() {
            return Self { shared: None };
        }
        Self {
            shared: Some(Arc::new(Mutex::new(Shared {
                rest: body,
                kept: Vec::new(),
                kept_bytes: 0,
                complete: false,
                lost: false,
                too_long: false,
                releasing: false,
                budget: None,
                attempt: 0,
                passed: 0,
                reader: None,
                peeker: None,
            }))),
        }
    }

    /// The body for the attempt that is under way.
    pub(super) fn outgoing(&mut self, budget: &Arc<Budget>) -> Outgoing {
        let Some(shared) = &self.shared else { return Outgoing { shared: None, attempt: 0, next: 0 } };
        let mut inner = lock(shared);
        inner.budget.get_or_insert_with(|| Arc::clone(budget));
        let attempt = inner.attempt;
        drop(inner);
        Outgoing { shared: Some(Arc::clone(shared)), attempt, next: 0 }
    }

    /// Ends the attempt before, which sees an error if it still reads. Returns whether the body is
    /// whole; under one lock, for that attempt may be reading at this moment.
    pub(super) fn begin_replay(&mut self) -> bool {
        let Some(shared) = &self.shared else { return true };
        let mut inner = lock(shared);
        if !inner.lost {
            inner.attempt += 1;
            inner.wake_all();
        }
        !inner.lost
    }

    /// Whether all that was read is still here.
    pub(super) fn is_replayable(&self) -> bool {
        self.shared.as_ref().is_none_or(|shared| !lock(shared).lost)
    }

    /// The answer is decided: nothing is replayed any more. The attempt under way may still be sending
    /// what was kept, so that goes as it is sent.
    pub(super) fn keep_no_more(&mut self) {
        if let Some(shared) = &self.shared {
            lock(shared).releasing = true;
        }
    }

    /// How much passed so far.
    pub(super) fn passed(&self) -> u64 {
        self.shared.as_ref().map_or(0, |shared| lock(shared).passed)
    }

    /// The whole body as bytes, if it is no longer than what is kept. All that is read for this is still
    /// sent on.
    pub(super) async fn peek(&mut self, budget: &Arc<Budget>) -> Option<Bytes> {
        let shared = self.shared.as_ref()?;
        let _reads_on = ReadsOn(shared);
        std::future::poll_fn(|context| {
            let mut inner = lock(shared);
            inner.budget.get_or_insert_with(|| Arc::clone(budget));
            loop {
                if inner.complete && !inner.lost {
                    return Poll::Ready(Some(inner.whole()));
                }
                let known = inner.rest.size_hint().lower().saturating_add(inner.kept_bytes as u64);
                if inner.lost || inner.too_long || known > budget.per_request() as u64 {
                    return Poll::Ready(None);
                }
                inner.peeker = Some(context.waker().clone());
                match inner.poll_rest(context, Reader::Ahead) {
                    Poll::Ready(Ok(_)) => {}
                    Poll::Ready(Err(_)) => return Poll::Ready(None),
                    Poll::Pending => return Poll::Pending,
                }
            }
        })
        .await
    }

    /// Goes on reading while a request waits, or nobody would notice that its tool has left. Never
    /// returns.
    pub(super) async fn keep_reading(&mut self, budget: &Arc<Budget>) {
        self.peek(budget).await;
        std::future::pending().await
    }
}

/// Lets the attempt under way ask for itself again once nobody looks ahead any more.
struct ReadsOn<'a>(&'a Arc<Mutex<Shared>>);

impl Drop for ReadsOn<'_> {
    fn drop(&mut self) {
        lock(self.0).wake_all();
    }
}

/// Who reads from the tool.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Reader {
    /// An attempt, which has sent all that is kept.
    Attempt,
    /// Somebody who looks ahead of it.
    Ahead,
}

fn lock(shared: &Mutex<Shared>) -> MutexGuard<'_, Shared> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    /// Reads the next frame from the tool and keeps it if it may.
    fn poll_rest(&mut self, context: &mut Context<'_>, reader: Reader) -> Poll<Result<Option<Kept>, hyper::Error>> {
        let frame = std::task::ready!(Pin::new(&mut self.rest).poll_frame(context));
        self.wake_all();
        match frame {
            None => {
                self.complete = true;
                Poll::Ready(Ok(None))
            }
            Some(Err(e)) => Poll::Ready(Err(e)),
            Some(Ok(frame)) => {
                let kept = match frame.into_data() {
                    Ok(data) => Kept::Data(data),
                    Err(frame) => Kept::Trailers(frame.into_trailers().unwrap_or_default()),
                };
                self.keep(&kept, reader);
                Poll::Ready(Ok(Some(kept)))
            }
        }
    }

    fn keep(&mut self, frame: &Kept, reader: Reader) {
        let bytes = match frame {
            Kept::Data(data) => data.len(),
            Kept::Trailers(trailers) => trailers.iter().map(|(n, v)| n.as_str().len() + v.len()).sum(),
        };
        self.passed += bytes as u64;
        let fits = !self.lost
            && !self.releasing
            && self.budget.as_ref().is_some_and(|budget| {
                let data = matches!(frame, Kept::Data(_));
                (!data || self.kept_bytes + bytes <= budget.per_request()) && budget.take(bytes)
            });
        if fits {
            self.kept_bytes += bytes;
            self.kept.push(frame.clone());
        } else if reader == Reader::Ahead {
            // No attempt has sent it: it must not get lost.
            self.kept.push(frame.clone());
            self.too_long = true;
        } else {
            self.lose();
        }
    }

    /// Forgets what is kept. Only for an attempt that has sent all of it.
    fn lose(&mut self) {
        self.lost = true;
        self.kept = Vec::new();
        if let Some(budget) = &self.budget {
            budget.give_back(std::mem::take(&mut self.kept_bytes));
        }
    }

    fn whole(&self) -> Bytes {
        let mut whole = Vec::with_capacity(self.kept_bytes);
        for kept in &self.kept {
            if let Kept::Data(data) = kept {
                whole.extend_from_slice(data);
            }
        }
        Bytes::from(whole)
    }

    fn wake_all(&mut self) {
        for waker in [self.reader.take(), self.peeker.take()].into_iter().flatten() {
            waker.wake();
        }
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        if let Some(budget) = &self.budget {
            budget.give_back(self.kept_bytes);
        }
    }
}

/// The body of one attempt.
pub(crate) struct Outgoing {
    shared: Option<Arc<Mutex<Shared>>>,
    attempt: u32,
    next: usize,
}

/// Why an attempt's body ends early.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OutgoingError {
    /// The next attempt has begun.
    #[error("superseded by the next attempt")]
    Superseded,
    /// The tool's own body broke off.
    #[error("the request's body broke off: {0}")]
    Tool(#[from] hyper::Error),
}

impl Body for Outgoing {
    type Data = Bytes;
    type Error = OutgoingError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, OutgoingError>>> {
        let Some(shared) = self.shared.clone() else { return Poll::Ready(None) };
        let mut inner = lock(&shared);
        if inner.attempt != self.attempt {
            return Poll::Ready(Some(Err(OutgoingError::Superseded)));
        }
        if let Some(kept) = inner.kept.get(self.next) {
            self.next += 1;
            return Poll::Ready(Some(Ok(kept.clone().into())));
        }
        if inner.complete {
            return Poll::Ready(None);
        }
        inner.reader = Some(context.waker().clone());
        match std::task::ready!(inner.poll_rest(context, Reader::Attempt)) {
            Ok(None) => Poll::Ready(None),
            Ok(Some(kept)) => {
                self.next = inner.kept.len();
                Poll::Ready(Some(Ok(kept.into())))
            }
            Err(e) => Poll::Ready(Some(Err(e.into()))),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.shared.as_ref().is_none_or(|shared| {
            let inner = lock(shared);
            inner.complete && inner.kept.len() <= self.next
        })
    }

    fn size_hint(&self) -> SizeHint {
        let Some(shared) = &self.shared else { return SizeHint::with_exact(0) };
        let inner = lock(shared);
        let ahead: usize = inner
            .kept
            .iter()
            .skip(self.next)
            .map(|kept| if let Kept::Data(data) = kept { data.len() } else { 0 })
            .sum();
        let rest = inner.rest.size_hint();
        let mut hint = SizeHint::new();
        hint.set_lower(rest.lower().saturating_add(ahead as u64));
        if let Some(upper) = rest.upper() {
            hint.set_upper(upper.saturating_add(ahead as u64));
        }
        hint
    }
}

impl Drop for Outgoing {
    /// The body wakes whoever asked last; if that was this attempt, who looks ahead must ask itself.
    fn drop(&mut self) {
        if let Some(shared) = &self.shared {
            lock(shared).wake_all();
        }
    }
}

impl From<Kept> for Frame<Bytes> {
    fn from(kept: Kept) -> Self {
        match kept {
            Kept::Data(data) => Self::data(data),
            Kept::Trailers(trailers) => Self::trailers(trailers),
        }
    }
}
