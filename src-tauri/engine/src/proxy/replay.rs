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
    per_request: usize,
    left: AtomicUsize,
}

impl Budget {
    /// In bytes: of one request, of all together.
    #[must_use]
    pub fn new(per_request: usize, in_all: usize) -> Self {
        Self { per_request, left: AtomicUsize::new(in_all) }
    }

    fn take(&self, bytes: usize) -> bool {
        self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(bytes)).is_ok()
    }

    fn give_back(&self, bytes: usize) {
        self.left.fetch_add(bytes, Ordering::Relaxed);
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
    /// From where it is kept; nothing is before the first attempt.
    budget: Option<Arc<Budget>>,
    attempt: u32,
    /// How many bytes passed, so that a long upload is told from a silent upstream.
    passed: u64,
    reader: Option<Waker>,
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
                budget: None,
                attempt: 0,
                passed: 0,
                reader: None,
            }))),
        }
    }

    /// The body for the next attempt; the one before sees an error if it still reads.
    pub(super) fn next_attempt(&mut self, budget: &Arc<Budget>) -> Outgoing {
        let Some(shared) = &self.shared else { return Outgoing { shared: None, attempt: 0, next: 0 } };
        let mut inner = lock(shared);
        inner.attempt += 1;
        inner.budget.get_or_insert_with(|| Arc::clone(budget));
        let attempt = inner.attempt;
        if let Some(reader) = inner.reader.take() {
            reader.wake();
        }
        drop(inner);
        Outgoing { shared: Some(Arc::clone(shared)), attempt, next: 0 }
    }

    /// Whether all that was read is still here.
    pub(super) fn is_replayable(&self) -> bool {
        self.shared.as_ref().is_none_or(|shared| !lock(shared).lost)
    }

    /// The answer is decided: nothing is replayed any more, so nothing is kept.
    pub(super) fn keep_no_more(&mut self) {
        if let Some(shared) = &self.shared {
            lock(shared).lose();
        }
    }

    /// How much passed so far.
    pub(super) fn passed(&self) -> u64 {
        self.shared.as_ref().map_or(0, |shared| lock(shared).passed)
    }

    /// The whole body as bytes, if it has no more than `most`. What is read for this is kept.
    pub(super) async fn peek(&mut self, most: usize) -> Option<Bytes> {
        let shared = self.shared.as_ref()?;
        std::future::poll_fn(|context| {
            let mut inner = lock(shared);
            if inner.budget.is_none() {
                inner.budget = Some(Arc::new(Budget::new(most, most)));
            }
            while !inner.complete && !inner.lost {
                match inner.poll_rest(context) {
                    Poll::Ready(Ok(_)) => {}
                    Poll::Ready(Err(_)) => return Poll::Ready(None),
                    Poll::Pending => return Poll::Pending,
                }
            }
            if inner.lost || inner.kept_bytes > most {
                return Poll::Ready(None);
            }
            let mut whole = Vec::with_capacity(inner.kept_bytes);
            for kept in &inner.kept {
                if let Kept::Data(data) = kept {
                    whole.extend_from_slice(data);
                }
            }
            Poll::Ready(Some(Bytes::from(whole)))
        })
        .await
    }
}

fn lock(shared: &Mutex<Shared>) -> MutexGuard<'_, Shared> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    /// Reads the next frame from the tool and keeps it if it may.
    fn poll_rest(&mut self, context: &mut Context<'_>) -> Poll<Result<Option<Kept>, hyper::Error>> {
        match std::task::ready!(Pin::new(&mut self.rest).poll_frame(context)) {
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
                self.keep(&kept);
                Poll::Ready(Ok(Some(kept)))
            }
        }
    }

    fn keep(&mut self, frame: &Kept) {
        let bytes = match frame {
            Kept::Data(data) => data.len(),
            Kept::Trailers(trailers) => trailers.iter().map(|(n, v)| n.as_str().len() + v.len()).sum(),
        };
        self.passed += bytes as u64;
        if self.lost {
            return;
        }
        let fits = self.budget.as_ref().is_some_and(|budget| {
            let data = matches!(frame, Kept::Data(_));
            (!data || self.kept_bytes + bytes <= budget.per_request) && budget.take(bytes)
        });
        if fits {
            self.kept_bytes += bytes;
            self.kept.push(frame.clone());
        } else {
            self.lose();
        }
    }

    fn lose(&mut self) {
        if !self.complete || !self.kept.is_empty() {
            self.lost = true;
        }
        self.kept = Vec::new();
        if let Some(budget) = &self.budget {
            budget.give_back(std::mem::take(&mut self.kept_bytes));
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
        match std::task::ready!(inner.poll_rest(context)) {
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

impl From<Kept> for Frame<Bytes> {
    fn from(kept: Kept) -> Self {
        match kept {
            Kept::Data(data) => Self::data(data),
            Kept::Trailers(trailers) => Self::trailers(trailers),
        }
    }
}
