//! What the service of a connection and the reader under it tell each other.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;

use http::{Request, StatusCode};

use super::{REFUSED_METHOD, Refused};

/// What the service and the wrapper under it tell each other about one connection.
#[derive(Clone, Default)]
pub struct StrictHandle(Arc<Mutex<Shared>>);

#[derive(Default)]
struct Shared {
    answered: u64,
    last: StatusCode,
    reader: Option<Waker>,
    refused: Option<Refused>,
}

impl StrictHandle {
    /// The refusal to answer this request with, if it is the one that stands in for a refused one.
    #[must_use]
    pub fn refusal<B>(&self, request: &Request<B>) -> Option<Refused> {
        (request.method().as_str() == REFUSED_METHOD).then(|| self.refused()).flatten()
    }

    /// Why a head was refused, if one was.
    pub(super) fn refused(&self) -> Option<Refused> {
        self.shared().refused
    }

    /// To be called for every response, once, when its status is known and before hyper has it.
    ///
    /// After a request with `Upgrade` the bytes that follow are held until here it becomes clear
    /// what they are: raw once the status is 101 (or 2xx to `CONNECT`), the next request otherwise
    /// (RFC 9110 sections 7.8 and 9.3.6).
    pub fn answered(&self, status: StatusCode) {
        let mut shared = self.shared();
        shared.answered += 1;
        shared.last = status;
        let reader = shared.reader.take();
        drop(shared);
        if let Some(reader) = reader {
            reader.wake();
        }
    }

    /// The status that the `nth` request was answered with; nothing after it was delivered, so the
    /// count can't be further.
    pub(super) fn answer_to(&self, nth: u64, reader: &Waker) -> Option<StatusCode> {
        let mut shared = self.shared();
        if shared.answered == nth {
            return Some(shared.last);
        }
        shared.reader = Some(reader.clone());
        None
    }

    /// What the stand-in that is delivered next is answered with.
    pub(super) fn refuse(&self, refused: Refused) {
        self.shared().refused = Some(refused);
    }

    fn shared(&self) -> MutexGuard<'_, Shared> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
