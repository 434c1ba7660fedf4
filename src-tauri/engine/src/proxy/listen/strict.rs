//! Strict HTTP/1.1 request framing (RFC 9112), before the HTTP library sees a byte.
//!
//! Request smuggling lives on two parsers that read one byte stream differently. hyper is lenient
//! in places where RFC 9112 lets a recipient be so (it drops `Content-Length` when there is a
//! `Transfer-Encoding`, accepts a bare LF, merges equal lengths, …); a tool has no reason to send
//! any of that, so here it is refused instead of interpreted.
//!
//! [`StrictFraming`] stands between the accepted socket and hyper. It follows the request stream
//! (head, body, head, body, …) and hands on only heads that are complete and unambiguous, byte for
//! byte. A head that isn't is never handed on; in its place hyper gets one request of our own, with
//! a method that no caller can send, and [`StrictHandle::refusal`] tells the service what to
//! answer. The refusal thus takes its turn behind the responses still owed to earlier pipelined
//! requests, and hyper's own `Connection: close` logic ends the connection. (The two simpler ways
//! fail: hyper abandons the response under way when it reads an end of file or an error, and a
//! response written around hyper could land in the middle of one of its own.)
//!
//! ```text
//! let io = StrictFraming::new(tcp_stream);
//! let framing = io.handle();
//! let service = service_fn(move |request| {
//!     let framing = framing.clone();
//!     async move {
//!         let response = match framing.refusal(&request) {
//!             Some(refused) => refused.response().map(Full::from),
//!             None => proxy.handle(request).await,
//!         };
//!         framing.answered(response.status());
//!         Ok::<_, Infallible>(response)
//!     }
//! });
//! http1::Builder::new().serve_connection(TokioIo::new(io), service).with_upgrades().await
//! ```

mod chunked;
mod handle;
mod head;
mod octets;
mod refused;

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf, BytesMut};
use http::StatusCode;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Sleep;

use self::chunked::Chunked;
pub use self::handle::StrictHandle;
use self::head::{Body, Head};
use self::octets::skip;
pub use self::refused::Refused;

/// Longest request line, without its CRLF. RFC 9112 section 3 asks for at least 8,000 octets.
pub const REQUEST_LINE_LIMIT: usize = 16 * 1024;
/// Largest header section: all field lines with the empty line that ends them.
pub const FIELD_SECTION_LIMIT: usize = 64 * 1024;
/// Most field lines. It is hyper's own limit, so that the answer is ours.
pub const FIELD_COUNT_LIMIT: usize = 100;

/// Longest chunk-size line. Extensions are unused in practice; hyper limits their sum in a body.
const CHUNK_LINE_LIMIT: usize = 256;
/// Largest trailer section, which is hyper's own limit.
const TRAILER_SECTION_LIMIT: usize = 16 * 1024;
/// Largest body length in either framing: 2^63 - 1, so that signed arithmetic elsewhere is safe.
const BODY_LIMIT: u64 = u64::MAX >> 1;
/// What is kept of the bytes that follow an `Upgrade` before its answer; more stays in the socket.
const HELD_LIMIT: usize = 64 * 1024;
const READ_STEP: usize = 8 * 1024;

/// A head that was begun must be whole within this time, and the first of a connection must come at all.
/// Between two requests a connection may rest as long as it likes.
const HEAD_DEADLINE: Duration = Duration::from_secs(10);

/// How long, and how much, a closing connection is read on, so that the kernel doesn't answer
/// unread bytes with a reset that destroys our response (RFC 9112 section 9.6).
const LINGER_TIME: Duration = Duration::from_secs(1);
const LINGER_BYTES: usize = 8 * 1024 * 1024;

/// The method of the request that stands in for a refused one. A caller that sends it is refused.
const REFUSED_METHOD: &str = "SIGNBELL-REFUSED";
const REFUSED_HEAD: &[u8] = b"SIGNBELL-REFUSED / HTTP/1.1\r\nConnection: close\r\n\r\n";

/// A server-side connection whose request stream is checked on its way to hyper.
///
/// Writes go straight through.
pub struct StrictFraming<S> {
    inner: S,
    position: Position,
    /// How many heads were found good. hyper answers them in order.
    delivered: u64,
    /// Switching protocols is asked for by the request whose body is being read.
    upgrade: Option<Upgrade>,
    /// Bytes not delivered yet: `ready` good ones, then the beginning of a head.
    held: BytesMut,
    ready: usize,
    handle: StrictHandle,
    end_of_file: bool,
    /// Runs while a head is waited for. Most come in one piece and are never waited for, so there is no timer
    /// for them: to set one for each request costs as much as to read it.
    deadline: Option<Pin<Box<Sleep>>>,
    closing: Closing,
}

/// Where the next byte of the request stream stands.
enum Position {
    Head(Head),
    Length(u64),
    Chunked(Chunked),
    /// After a request with `Upgrade` or `CONNECT` that has no answer yet.
    Undecided(Upgrade),
    /// After a 101, or a 2xx to `CONNECT`: no longer HTTP/1.1.
    Raw,
    /// A head was refused; what follows has no meaning.
    RefusedHead,
    /// A body was refused, while its request is under way.
    RefusedBody(Refused),
}

#[derive(Clone, Copy)]
enum Upgrade {
    Protocol,
    Connect,
}

enum Closing {
    No,
    Lingering { until: Pin<Box<Sleep>>, bytes: usize },
    Done,
}

impl<S> StrictFraming<S> {
    /// Wraps an accepted connection.
    #[must_use]
    pub fn new(inner: S) -> Self {
        Self {
            inner,
            position: Position::Head(Head::default()),
            delivered: 0,
            upgrade: None,
            held: BytesMut::new(),
            ready: 0,
            handle: StrictHandle::default(),
            end_of_file: false,
            deadline: None,
            closing: Closing::No,
        }
    }

    /// The handle for the service of this connection.
    #[must_use]
    pub fn handle(&self) -> StrictHandle {
        self.handle.clone()
    }

    /// How many of these bytes may be delivered. The rest begins at a head, or is meaningless.
    fn judge(&mut self, bytes: &[u8]) -> usize {
        let mut good = 0;
        while let Some(rest) = bytes.get(good..).filter(|rest| !rest.is_empty()) {
            match &mut self.position {
                Position::Head(head) => match head.scan(rest) {
                    Ok(None) => break,
                    Ok(Some(length)) => {
                        good += length;
                        self.delivered += 1;
                        self.deadline = None;
                        self.upgrade = head.upgrade();
                        let body = head.body();
                        self.position = match body {
                            Body::None => self.next_head(),
                            Body::Length(length) => Position::Length(length),
                            Body::Chunked => Position::Chunked(Chunked::default()),
                        };
                    }
                    Err(refused) => {
                        self.refuse(refused);
                        break;
                    }
                },
                Position::Length(left) => {
                    good += skip(left, rest);
                    if *left == 0 {
                        self.position = self.next_head();
                    }
                }
                Position::Chunked(chunked) => {
                    let (read, outcome) = chunked.scan(rest);
                    good += read;
                    match outcome {
                        Ok(false) => {}
                        Ok(true) => self.position = self.next_head(),
                        Err(refused) => self.position = Position::RefusedBody(refused),
                    }
                }
                Position::Raw => good = bytes.len(),
                Position::Undecided(_) | Position::RefusedHead | Position::RefusedBody(_) => break,
            }
        }
        good
    }

    fn refuse(&mut self, refused: Refused) {
        self.handle.refuse(refused);
        self.position = Position::RefusedHead;
    }

    fn next_head(&mut self) -> Position {
        self.upgrade.take().map_or_else(|| Position::Head(Head::default()), Position::Undecided)
    }

    fn judge_held(&mut self) {
        let held = std::mem::take(&mut self.held);
        self.ready = self.judge(&held);
        self.held = held;
        self.stand_in();
    }

    /// Puts our own request in the place of a head that was just refused.
    fn stand_in(&mut self) {
        match self.position {
            Position::RefusedHead => {
                self.held.truncate(self.ready);
                self.held.extend_from_slice(REFUSED_HEAD);
                self.ready = self.held.len();
            }
            Position::RefusedBody(_) => self.held.truncate(self.ready),
            _ => {}
        }
    }

    fn deliver(&mut self, buffer: &mut ReadBuf<'_>) {
        let amount = self.ready.min(buffer.remaining());
        buffer.put_slice(&self.held[..amount]);
        self.held.advance(amount);
        self.ready -= amount;
        if self.held.is_empty() {
            // An idle connection keeps no buffer.
            self.held = BytesMut::new();
        }
    }

    /// Whether the caller may still be sending what nobody will read.
    fn ends_early(&self) -> bool {
        !self.end_of_file
            && match self.position {
                Position::Length(_) | Position::Chunked(_) | Position::RefusedHead | Position::RefusedBody(_) => true,
                Position::Head(_) | Position::Undecided(_) => !self.held.is_empty(),
                Position::Raw => false,
            }
    }
}

impl<S: AsyncRead + Unpin> StrictFraming<S> {
    /// Reads behind what is held; `Ready(Ok(0))` is the end of the stream.
    fn poll_fill(&mut self, context: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let before = self.held.len();
        self.held.resize(before + READ_STEP, 0);
        let mut buffer = ReadBuf::new(&mut self.held[before..]);
        let outcome = Pin::new(&mut self.inner).poll_read(context, &mut buffer);
        let read = buffer.filled().len();
        self.held.truncate(before + read);
        ready!(outcome)?;
        self.end_of_file |= read == 0;
        Poll::Ready(Ok(read))
    }

    /// The usual way: bytes go into hyper's buffer and are judged there. What can't be delivered
    /// yet (a head that isn't whole) is taken out again.
    fn poll_direct(&mut self, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<usize>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.inner).poll_read(context, buffer))?;
        let fresh = buffer.filled().get(before..).unwrap_or_default();
        let read = fresh.len();
        self.end_of_file |= read == 0;
        let good = self.judge(fresh);
        self.held.extend_from_slice(&fresh[good..]);
        buffer.set_filled(before + good);
        self.stand_in();
        Poll::Ready(Ok(read))
    }
}

impl<S: AsyncRead + Unpin> StrictFraming<S> {
    /// Delivers what is good, reading where there is nothing of that.
    fn poll_deliver(&mut self, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        loop {
            if self.ready > 0 {
                self.deliver(buffer);
            }
            if buffer.filled().len() > before || buffer.remaining() == 0 {
                return Poll::Ready(Ok(()));
            }
            match self.position {
                Position::RefusedBody(refused) => return Poll::Ready(Err(refused.into())),
                // hyper has the stand-in and answers it at once or in its turn; an end of file now
                // would make it drop that answer, so there is nothing to report, nor to wake for.
                Position::RefusedHead => return Poll::Pending,
                Position::Undecided(upgrade) => {
                    if let Some(status) = self.handle.answer_to(self.delivered, context.waker()) {
                        let raw = match upgrade {
                            Upgrade::Protocol => status == StatusCode::SWITCHING_PROTOCOLS,
                            Upgrade::Connect => status.is_success(),
                        };
                        self.position = if raw { Position::Raw } else { Position::Head(Head::default()) };
                        self.judge_held();
                        continue;
                    }
                    if self.held.len() >= HELD_LIMIT {
                        return Poll::Pending;
                    }
                    if ready!(self.poll_fill(context))? == 0 {
                        return Poll::Ready(Ok(()));
                    }
                }
                _ if self.held.is_empty() => {
                    if ready!(self.poll_direct(context, buffer))? == 0 {
                        return Poll::Ready(Ok(()));
                    }
                }
                _ => {
                    if ready!(self.poll_fill(context))? == 0 {
                        return Poll::Ready(Ok(()));
                    }
                    self.judge_held();
                }
            }
        }
    }

    /// Whether a head is due: the first of the connection, or the rest of one that was begun.
    fn awaits_head(&self) -> bool {
        matches!(self.position, Position::Head(_)) && (self.delivered == 0 || !self.held.is_empty())
    }

    /// Waits for the head to be too late; the refusal then takes its turn. Where nothing was sent at all,
    /// nothing is answered.
    fn poll_too_late(&mut self, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let deadline = self.deadline.get_or_insert_with(|| Box::pin(tokio::time::sleep(HEAD_DEADLINE)));
        ready!(deadline.as_mut().poll(context));
        self.deadline = None;
        if self.held.is_empty() {
            self.end_of_file = true;
        } else {
            self.refuse(Refused::HeadTooLate);
            self.stand_in();
            self.deliver(buffer);
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for StrictFraming<S> {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        match this.poll_deliver(context, buffer) {
            Poll::Pending if this.awaits_head() => this.poll_too_late(context, buffer),
            polled => polled,
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for StrictFraming<S> {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().inner).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().inner).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().inner).poll_flush(context)
    }

    /// Closes the sending side; where the caller may still be sending, reads on for a moment.
    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        loop {
            match &mut this.closing {
                Closing::No => {
                    ready!(Pin::new(&mut this.inner).poll_shutdown(context))?;
                    this.closing = if this.ends_early() {
                        Closing::Lingering { until: Box::pin(tokio::time::sleep(LINGER_TIME)), bytes: LINGER_BYTES }
                    } else {
                        Closing::Done
                    };
                }
                Closing::Lingering { until, bytes } => {
                    let mut scrap = [0; READ_STEP];
                    let mut buffer = ReadBuf::new(&mut scrap);
                    match Pin::new(&mut this.inner).poll_read(context, &mut buffer) {
                        Poll::Ready(Ok(())) if !buffer.filled().is_empty() && *bytes > 0 => {
                            *bytes = bytes.saturating_sub(buffer.filled().len());
                        }
                        Poll::Ready(_) => this.closing = Closing::Done,
                        Poll::Pending => {
                            ready!(until.as_mut().poll(context));
                            this.closing = Closing::Done;
                        }
                    }
                }
                Closing::Done => return Poll::Ready(Ok(())),
            }
        }
    }
}

/// How long the head is that these bytes begin with, read in pieces of `step`; the refusal's name where it is
/// refused.
#[cfg(fuzzing)]
pub(crate) fn scan_head(bytes: &[u8], step: usize) -> Result<Option<usize>, String> {
    let mut head = head::Head::default();
    let ends = (step..bytes.len()).step_by(step).chain([bytes.len()]);
    for end in ends {
        match head.scan(bytes.get(..end).unwrap_or_default()) {
            Ok(None) => {}
            Ok(whole) => return Ok(whole),
            Err(why) => return Err(format!("{why:?}")),
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests;
