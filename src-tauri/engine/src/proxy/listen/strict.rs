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
//! ```ignore
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

use std::error::Error;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use http::header::{CACHE_CONTROL, CONNECTION, CONTENT_TYPE};
use http::{HeaderValue, Request, Response, StatusCode, Uri};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Sleep;

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

/// How long, and how much, a closing connection is read on, so that the kernel doesn't answer
/// unread bytes with a reset that destroys our response (RFC 9112 section 9.6).
const LINGER_TIME: Duration = Duration::from_secs(1);
const LINGER_BYTES: usize = 8 * 1024 * 1024;

/// The method of the request that stands in for a refused one. A caller that sends it is refused.
const REFUSED_METHOD: &str = "SIGNBELL-REFUSED";
const REFUSED_HEAD: &[u8] = b"SIGNBELL-REFUSED / HTTP/1.1\r\nConnection: close\r\n\r\n";

/// Why a request's framing is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// Not `method SP request-target SP HTTP-version` (RFC 9112 section 3).
    #[error("the request line is malformed")]
    RequestLine,
    /// HTTP-version is well-formed but neither 1.0 nor 1.1 (RFC 9110 section 15.6.6).
    #[error("only HTTP/1.0 and HTTP/1.1 are spoken here")]
    Version,
    /// The request line is over [`REQUEST_LINE_LIMIT`] (RFC 9110 section 15.5.15).
    #[error("the request line is too long")]
    RequestLineTooLong,
    /// The header section is over its limits (RFC 6585 section 5).
    #[error("the header section is too large")]
    FieldsTooLarge,
    /// LF without CR (RFC 9112 section 2.2).
    #[error("a line ends with a bare LF")]
    BareLineFeed,
    /// CR without LF (RFC 9112 section 2.2).
    #[error("there is a bare CR")]
    BareCarriageReturn,
    /// NUL or another control character (RFC 9110 section 5.5).
    #[error("there is a control character")]
    ControlCharacter,
    /// A line that begins with white space: obs-fold, or white space before the first field (RFC
    /// 9112 sections 2.2 and 5.2).
    #[error("a field line begins with white space")]
    LineFolding,
    /// White space between field name and colon (RFC 9112 section 5.1).
    #[error("there is white space before a colon")]
    WhitespaceBeforeColon,
    /// A field name that is no token (RFC 9110 section 5.1).
    #[error("a field name is malformed")]
    FieldName,
    /// No `Host` in HTTP/1.1 (RFC 9112 section 3.2).
    #[error("the Host field is missing")]
    HostMissing,
    /// More than one `Host` (RFC 9112 section 3.2).
    #[error("there is more than one Host field")]
    HostRepeated,
    /// `Content-Length` that isn't `1*DIGIT`, or too large a number (RFC 9112 section 6.3).
    #[error("Content-Length is malformed")]
    ContentLength,
    /// More than one `Content-Length`, equal or not (RFC 9112 section 6.3).
    #[error("there is more than one Content-Length")]
    ContentLengthRepeated,
    /// `Transfer-Encoding` other than one `chunked` (RFC 9112 section 6.1).
    #[error("Transfer-Encoding is other than exactly chunked")]
    TransferEncoding,
    /// `Transfer-Encoding` in HTTP/1.0 (RFC 9112 section 6.1).
    #[error("there is a Transfer-Encoding in HTTP/1.0")]
    TransferEncodingInHttp10,
    /// `Content-Length` together with `Transfer-Encoding` (RFC 9112 section 6.1).
    #[error("there is both a Content-Length and a Transfer-Encoding")]
    ContentLengthAndTransferEncoding,
    /// A chunk-size line that is malformed, or too large a number (RFC 9112 section 7.1).
    #[error("a chunk size is malformed")]
    ChunkSize,
    /// A malformed or overlong chunk extension (RFC 9112 section 7.1.1).
    #[error("a chunk extension is malformed")]
    ChunkExtension,
    /// Chunk data without CRLF after it (RFC 9112 section 7.1).
    #[error("chunk data does not end where its size says")]
    ChunkData,
    /// Too large a trailer section (RFC 9112 section 7.1.2).
    #[error("the trailer section is too large")]
    TrailersTooLarge,
}

impl Refused {
    /// The status to answer with (RFC 9110 section 15.5, RFC 6585 section 5).
    #[must_use]
    pub fn status(self) -> StatusCode {
        match self {
            Self::RequestLineTooLong => StatusCode::URI_TOO_LONG,
            Self::FieldsTooLarge => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            Self::Version => StatusCode::HTTP_VERSION_NOT_SUPPORTED,
            _ => StatusCode::BAD_REQUEST,
        }
    }

    /// The whole answer: problem details (RFC 9457) on a connection that closes.
    #[must_use]
    pub fn response(self) -> Response<Bytes> {
        let status = self.status();
        let title = status.canonical_reason().unwrap_or_default();
        let body = format!(
            r#"{{"type":"about:blank","title":"{title}","status":{},"code":"bad_request_framing","detail":"{self}"}}"#,
            status.as_u16()
        );
        let mut response = Response::new(Bytes::from(body));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        response
    }

    /// The refusal behind an error that a request body ended with, if that is what it was. A body
    /// is refused while it streams, so this is how its reader learns the reason.
    #[must_use]
    pub fn in_chain(error: &(dyn Error + 'static)) -> Option<Self> {
        let mut link = Some(error);
        while let Some(error) = link {
            if let Some(refused) = error.downcast_ref::<Self>() {
                return Some(*refused);
            }
            // `io::Error::source` skips the very error it wraps.
            let wrapped = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
            if let Some(refused) = wrapped.and_then(|error| error.downcast_ref::<Self>()) {
                return Some(*refused);
            }
            link = error.source();
        }
        None
    }
}

impl From<Refused> for io::Error {
    fn from(refused: Refused) -> Self {
        Self::new(io::ErrorKind::InvalidData, refused)
    }
}

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
        (request.method().as_str() == REFUSED_METHOD).then(|| self.shared().refused).flatten()
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
    fn answer_to(&self, nth: u64, reader: &Waker) -> Option<StatusCode> {
        let mut shared = self.shared();
        if shared.answered == nth {
            return Some(shared.last);
        }
        shared.reader = Some(reader.clone());
        None
    }

    fn shared(&self) -> MutexGuard<'_, Shared> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

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
                        self.upgrade = head.upgrade();
                        let body = head.body();
                        self.position = match body {
                            Body::None => self.next_head(),
                            Body::Length(length) => Position::Length(length),
                            Body::Chunked => Position::Chunked(Chunked::default()),
                        };
                    }
                    Err(refused) => {
                        self.handle.shared().refused = Some(refused);
                        self.position = Position::RefusedHead;
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

impl<S: AsyncRead + Unpin> AsyncRead for StrictFraming<S> {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buffer.filled().len();
        loop {
            if this.ready > 0 {
                this.deliver(buffer);
            }
            if buffer.filled().len() > before || buffer.remaining() == 0 {
                return Poll::Ready(Ok(()));
            }
            match this.position {
                Position::RefusedBody(refused) => return Poll::Ready(Err(refused.into())),
                // hyper has the stand-in and answers it at once or in its turn; an end of file now
                // would make it drop that answer, so there is nothing to report, nor to wake for.
                Position::RefusedHead => return Poll::Pending,
                Position::Undecided(upgrade) => {
                    if let Some(status) = this.handle.answer_to(this.delivered, context.waker()) {
                        let raw = match upgrade {
                            Upgrade::Protocol => status == StatusCode::SWITCHING_PROTOCOLS,
                            Upgrade::Connect => status.is_success(),
                        };
                        this.position = if raw { Position::Raw } else { Position::Head(Head::default()) };
                        this.judge_held();
                        continue;
                    }
                    if this.held.len() >= HELD_LIMIT {
                        return Poll::Pending;
                    }
                    if ready!(this.poll_fill(context))? == 0 {
                        return Poll::Ready(Ok(()));
                    }
                }
                _ if this.held.is_empty() => {
                    if ready!(this.poll_direct(context, buffer))? == 0 {
                        return Poll::Ready(Ok(()));
                    }
                }
                _ => {
                    if ready!(this.poll_fill(context))? == 0 {
                        return Poll::Ready(Ok(()));
                    }
                    this.judge_held();
                }
            }
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

/// A request head (RFC 9112 sections 2 to 6), judged line by line as it arrives.
struct Head {
    scanned: usize,
    line_start: usize,
    after_carriage_return: bool,
    /// How far this part of the head, request line or fields, may reach.
    reach: usize,
    empty_line_skipped: bool,
    request_line: Option<RequestLine>,
    fields: usize,
    host: bool,
    content_length: Option<u64>,
    chunked: bool,
    upgrade: bool,
}

struct RequestLine {
    http_11: bool,
    connect: bool,
}

enum Body {
    None,
    Length(u64),
    Chunked,
}

impl Default for Head {
    fn default() -> Self {
        Self {
            scanned: 0,
            line_start: 0,
            after_carriage_return: false,
            reach: REQUEST_LINE_LIMIT + 2,
            empty_line_skipped: false,
            request_line: None,
            fields: 0,
            host: false,
            content_length: None,
            chunked: false,
            upgrade: false,
        }
    }
}

impl Head {
    /// Goes on where it stopped. `bytes` begins where the head begins, each time; the answer is the
    /// head's length once it is whole.
    fn scan(&mut self, bytes: &[u8]) -> Result<Option<usize>, Refused> {
        while let Some(&byte) = bytes.get(self.scanned) {
            let after_carriage_return = std::mem::take(&mut self.after_carriage_return);
            match byte {
                b'\n' if after_carriage_return => {
                    let line = bytes.get(self.line_start..self.scanned - 1).unwrap_or_default();
                    self.scanned += 1;
                    self.line_start = self.scanned;
                    if self.line(line)? {
                        return Ok(Some(self.scanned));
                    }
                    continue;
                }
                _ if after_carriage_return => return Err(Refused::BareCarriageReturn),
                b'\n' => return Err(Refused::BareLineFeed),
                b'\r' => self.after_carriage_return = true,
                _ if is_field_byte(byte) => {}
                _ => return Err(Refused::ControlCharacter),
            }
            self.scanned += 1;
            if self.scanned >= self.reach {
                return Err(match self.request_line {
                    None => Refused::RequestLineTooLong,
                    Some(_) => Refused::FieldsTooLarge,
                });
            }
        }
        Ok(None)
    }

    /// Takes a line without its CRLF; true if it was the last.
    fn line(&mut self, line: &[u8]) -> Result<bool, Refused> {
        match (&self.request_line, line) {
            // RFC 9112 section 2.2: one empty line before the request line is forgiven.
            (None, []) if !self.empty_line_skipped => {
                self.empty_line_skipped = true;
                self.reach += 2;
            }
            (None, line) => {
                self.request_line = Some(RequestLine::parse(line)?);
                self.reach = self.scanned + FIELD_SECTION_LIMIT;
            }
            (Some(request_line), []) => {
                if self.chunked && self.content_length.is_some() {
                    return Err(Refused::ContentLengthAndTransferEncoding);
                }
                if self.chunked && !request_line.http_11 {
                    return Err(Refused::TransferEncodingInHttp10);
                }
                if request_line.http_11 && !self.host {
                    return Err(Refused::HostMissing);
                }
                return Ok(true);
            }
            (Some(_), line) => self.field(line)?,
        }
        Ok(false)
    }

    fn field(&mut self, line: &[u8]) -> Result<(), Refused> {
        self.fields += 1;
        if self.fields > FIELD_COUNT_LIMIT {
            return Err(Refused::FieldsTooLarge);
        }
        if line.first().is_some_and(|&byte| is_white_space(byte)) {
            return Err(Refused::LineFolding);
        }
        let colon = line.iter().position(|&byte| byte == b':');
        let (name, value) = line.split_at(colon.ok_or(Refused::FieldName)?);
        if name.last().is_some_and(|&byte| is_white_space(byte)) {
            return Err(Refused::WhitespaceBeforeColon);
        }
        if !is_token(name) {
            return Err(Refused::FieldName);
        }
        let value = value.get(1..).unwrap_or_default();
        self.framing_field(name, trim_white_space(value))
    }

    /// Notes what decides the body's length, the host and the protocol.
    fn framing_field(&mut self, name: &[u8], value: &[u8]) -> Result<(), Refused> {
        if name.eq_ignore_ascii_case(b"content-length") {
            if self.content_length.is_some() {
                return Err(Refused::ContentLengthRepeated);
            }
            self.content_length = Some(decimal(value).ok_or(Refused::ContentLength)?);
        } else if name.eq_ignore_ascii_case(b"transfer-encoding") {
            if self.chunked || !value.eq_ignore_ascii_case(b"chunked") {
                return Err(Refused::TransferEncoding);
            }
            self.chunked = true;
        } else if name.eq_ignore_ascii_case(b"host") {
            if self.host {
                return Err(Refused::HostRepeated);
            }
            self.host = true;
        } else if name.eq_ignore_ascii_case(b"upgrade") {
            self.upgrade = true;
        } else if name.eq_ignore_ascii_case(b"content_length") || name.eq_ignore_ascii_case(b"transfer_encoding") {
            // CGI and WSGI make the same variable of both spellings (RFC 3875 section 4.1.18), so
            // an upstream could take this for the real one.
            return Err(Refused::FieldName);
        }
        Ok(())
    }

    fn body(&self) -> Body {
        match self.content_length {
            _ if self.chunked => Body::Chunked,
            None | Some(0) => Body::None,
            Some(length) => Body::Length(length),
        }
    }

    fn upgrade(&self) -> Option<Upgrade> {
        match &self.request_line {
            Some(line) if line.connect => Some(Upgrade::Connect),
            // RFC 9110 section 7.8: a server ignores Upgrade in HTTP/1.0.
            Some(line) if line.http_11 && self.upgrade => Some(Upgrade::Protocol),
            _ => None,
        }
    }
}

impl RequestLine {
    /// RFC 9112 section 3, without the leniency about white space.
    fn parse(line: &[u8]) -> Result<Self, Refused> {
        let mut parts = line.split(|&byte| byte == b' ');
        let (Some(method), Some(target), Some(version), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(Refused::RequestLine);
        };
        // A fragment is never sent (RFC 9110 section 4.2.5), and the `http` crate drops it silently;
        // what that crate refuses, hyper would answer with a 400 of its own.
        let in_target = |byte: &u8| byte.is_ascii_graphic() && *byte != b'#';
        if !is_token(method)
            || method == REFUSED_METHOD.as_bytes()
            || !target.iter().all(in_target)
            || Uri::try_from(target).is_err()
        {
            return Err(Refused::RequestLine);
        }
        let http_11 = match version {
            b"HTTP/1.1" => true,
            b"HTTP/1.0" => false,
            [b'H', b'T', b'T', b'P', b'/', major, b'.', minor] if major.is_ascii_digit() && minor.is_ascii_digit() => {
                return Err(Refused::Version);
            }
            _ => return Err(Refused::RequestLine),
        };
        Ok(Self { http_11, connect: method == b"CONNECT" })
    }
}

/// A chunked body (RFC 9112 section 7.1), followed byte by byte outside its data.
#[derive(Default)]
struct Chunked {
    place: Place,
    size: u64,
    /// Octets of the chunk-size line, or of the trailer section.
    line: usize,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Place {
    #[default]
    SizeStart,
    Size,
    ExtensionNameStart,
    ExtensionName,
    ExtensionValueStart,
    ExtensionValue,
    Quoted,
    QuotedPair,
    QuotedEnd,
    SizeLineFeed,
    Data,
    DataEnd,
    DataLineFeed,
    TrailerStart,
    TrailerName,
    TrailerValue,
    TrailerLineFeed,
    LastLineFeed,
}

impl Chunked {
    /// How many bytes were good, and whether the body ended with them.
    fn scan(&mut self, bytes: &[u8]) -> (usize, Result<bool, Refused>) {
        let mut read = 0;
        while let Some(&byte) = bytes.get(read) {
            if self.place == Place::Data {
                read += skip(&mut self.size, bytes.get(read..).unwrap_or_default());
                if self.size == 0 {
                    self.place = Place::DataEnd;
                }
                continue;
            }
            let last = self.place == Place::LastLineFeed;
            match self.step(byte) {
                Ok(place) => self.place = place,
                Err(refused) => return (read, Err(refused)),
            }
            read += 1;
            if last {
                return (read, Ok(true));
            }
        }
        (read, Ok(false))
    }

    fn step(&mut self, byte: u8) -> Result<Place, Refused> {
        self.line += 1;
        Ok(match (self.place, byte) {
            (Place::SizeStart | Place::Size, byte) if byte.is_ascii_hexdigit() => {
                self.add_digit(byte)?;
                Place::Size
            }
            (Place::Size | Place::ExtensionName | Place::ExtensionValue | Place::QuotedEnd, b'\r') => {
                Place::SizeLineFeed
            }
            (Place::Size | Place::ExtensionName | Place::ExtensionValue | Place::QuotedEnd, b';') => {
                Place::ExtensionNameStart
            }
            (Place::SizeStart | Place::Size, b'\n') => return Err(Refused::BareLineFeed),
            (Place::SizeStart | Place::Size, _) => return Err(Refused::ChunkSize),

            (place, _) if place.in_extension() && self.line > CHUNK_LINE_LIMIT => {
                return Err(Refused::ChunkExtension);
            }
            (Place::ExtensionNameStart | Place::ExtensionName, byte) if is_token_byte(byte) => Place::ExtensionName,
            (Place::ExtensionName, b'=') => Place::ExtensionValueStart,
            (Place::ExtensionValueStart, b'"') => Place::Quoted,
            (Place::ExtensionValueStart | Place::ExtensionValue, byte) if is_token_byte(byte) => Place::ExtensionValue,
            (Place::Quoted, b'"') => Place::QuotedEnd,
            (Place::Quoted, b'\\') => Place::QuotedPair,
            (Place::Quoted | Place::QuotedPair, byte) if is_field_byte(byte) => Place::Quoted,
            (place, b'\n') if place.in_extension() => return Err(Refused::BareLineFeed),
            (place, _) if place.in_extension() => return Err(Refused::ChunkExtension),

            (Place::SizeLineFeed, b'\n') => {
                self.line = 0;
                match self.size {
                    0 => Place::TrailerStart,
                    _ => Place::Data,
                }
            }
            (Place::DataEnd, b'\r') => Place::DataLineFeed,
            (Place::DataLineFeed, b'\n') => {
                self.line = 0;
                Place::SizeStart
            }
            (Place::Data | Place::DataEnd | Place::DataLineFeed, _) => {
                return Err(Refused::ChunkData);
            }

            (Place::LastLineFeed, b'\n') => Place::LastLineFeed,
            (Place::TrailerLineFeed, b'\n') => Place::TrailerStart,
            (Place::SizeLineFeed | Place::TrailerLineFeed | Place::LastLineFeed, _) => {
                return Err(Refused::BareCarriageReturn);
            }
            (_, _) if self.line > TRAILER_SECTION_LIMIT => return Err(Refused::TrailersTooLarge),
            (Place::TrailerStart, b'\r') => Place::LastLineFeed,
            (Place::TrailerStart, byte) if is_white_space(byte) => {
                return Err(Refused::LineFolding);
            }
            (Place::TrailerStart | Place::TrailerName, byte) if is_token_byte(byte) => Place::TrailerName,
            (Place::TrailerName, b':') => Place::TrailerValue,
            (Place::TrailerName, byte) if is_white_space(byte) => {
                return Err(Refused::WhitespaceBeforeColon);
            }
            (Place::TrailerValue, b'\r') => Place::TrailerLineFeed,
            (_, b'\n') => return Err(Refused::BareLineFeed),
            (Place::TrailerValue, byte) if is_field_byte(byte) => Place::TrailerValue,
            (Place::TrailerValue, _) => return Err(Refused::ControlCharacter),
            (_, _) => return Err(Refused::FieldName),
        })
    }

    fn add_digit(&mut self, digit: u8) -> Result<(), Refused> {
        // Leading zeros mean nothing, but nobody needs more digits than the number can have.
        if self.line > 16 {
            return Err(Refused::ChunkSize);
        }
        let digit = char::from(digit).to_digit(16).ok_or(Refused::ChunkSize)?;
        self.size = (self.size << 4) | u64::from(digit);
        if self.size > BODY_LIMIT {
            return Err(Refused::ChunkSize);
        }
        Ok(())
    }
}

impl Place {
    fn in_extension(self) -> bool {
        matches!(
            self,
            Self::ExtensionNameStart
                | Self::ExtensionName
                | Self::ExtensionValueStart
                | Self::ExtensionValue
                | Self::Quoted
                | Self::QuotedPair
                | Self::QuotedEnd
        )
    }
}

/// Passes over as many of `bytes` as are `left`, and says how many.
fn skip(left: &mut u64, bytes: &[u8]) -> usize {
    let amount = usize::try_from(*left).map_or(bytes.len(), |left| left.min(bytes.len()));
    *left -= amount as u64;
    amount
}

/// `1*DIGIT` up to [`BODY_LIMIT`] (RFC 9110 section 8.6).
fn decimal(value: &[u8]) -> Option<u64> {
    let add = |number: u64, byte: &u8| {
        let digit = byte.is_ascii_digit().then(|| u64::from(byte - b'0'))?;
        number.checked_mul(10)?.checked_add(digit)
    };
    let number = value.iter().try_fold(0, add)?;
    (!value.is_empty() && number <= BODY_LIMIT).then_some(number)
}

fn trim_white_space(mut value: &[u8]) -> &[u8] {
    while let [first, rest @ ..] = value
        && is_white_space(*first)
    {
        value = rest;
    }
    while let [rest @ .., last] = value
        && is_white_space(*last)
    {
        value = rest;
    }
    value
}

/// `SP` or `HTAB` (RFC 9110 section 5.6.3).
fn is_white_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

/// `HTAB`, `SP`, `VCHAR` or `obs-text` (RFC 9110 section 5.5).
fn is_field_byte(byte: u8) -> bool {
    matches!(byte, b'\t' | b' '..=b'~' | 0x80..)
}

fn is_token(name: &[u8]) -> bool {
    !name.is_empty() && name.iter().all(|&byte| is_token_byte(byte))
}

/// `tchar` (RFC 9110 section 5.6.2).
fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr)]
mod tests {
    use std::convert::Infallible;
    use std::time::Instant;

    use futures_util::FutureExt;
    use http_body_util::{BodyExt, Empty, Full};
    use hyper::body::Incoming;
    use hyper::server::conn::http1;
    use hyper::service::service_fn;
    use hyper_util::rt::TokioIo;
    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
    use tokio::net::{TcpListener, TcpStream};

    use super::*;

    /// Input, and the bodies of its requests.
    const GOOD: &[(&str, &[&str])] = &[
        ("GET / HTTP/1.1\r\nHost: a\r\n\r\n", &[""]),
        ("GET / HTTP/1.0\r\n\r\n", &[""]),
        ("GET / HTTP/1.0\r\nHost: a\r\n\r\n", &[""]),
        ("\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", &[""]),
        ("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", &[""]),
        ("GET http://a/b HTTP/1.1\r\nHost: a\r\n\r\n", &[""]),
        ("M-SEARCH /x HTTP/1.1\r\nHost: a\r\n\r\n", &[""]),
        ("GET /?a=b&c=%20|{} HTTP/1.1\r\nhOsT:a\r\n\r\n", &[""]),
        ("GET / HTTP/1.1\r\nHost:\r\n\r\n", &[""]),
        ("GET / HTTP/1.1\r\nHost: a\r\nX: \t a\tb  c \t \r\nY:\r\nZ: \u{fc}\r\n\r\n", &[""]),
        ("GET / HTTP/1.1\r\nHost: a\r\n!#$%&'*+-.^_`|~09aZ: x\r\n\r\n", &[""]),
        ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello", &["hello"]),
        ("POST / HTTP/1.0\r\nContent-Length: 5\r\n\r\nhello", &["hello"]),
        ("POST / HTTP/1.1\r\nHost: a\r\ncontent-LENGTH:\t 0005 \t\r\n\r\nhello", &["hello"]),
        ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n", &[""]),
        ("GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\n\r\n\r\n", &["\r\n\r\n"]),
        ("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", &["hello"]),
        (
            "POST / HTTP/1.1\r\nHost: a\r\nTRANSFER-ENCODING: ChUnKeD \r\n\r\n3\r\nabc\r\n0002\r\nde\r\n000\r\n\r\n",
            &["abcde"],
        ),
        ("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", &[""]),
        (
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nA;x\r\n0123456789\r\na;x=y;z=\"a;\\\"b\"\r\n0123456789\r\n0;last\r\n\r\n",
            &["01234567890123456789"],
        ),
        (
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n\r\n\r\n0\r\nA: b\r\nC:\r\n\r\n",
            &["\r\n"],
        ),
        // Pipelining, with each kind of body before each.
        ("GET /1 HTTP/1.1\r\nHost: a\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\n", &["", ""]),
        (
            "POST /1 HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabcPOST /2 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nd\r\n0\r\nT: u\r\n\r\n\r\nGET /3 HTTP/1.1\r\nHost: a\r\n\r\nPOST /4 HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nef",
            &["abc", "d", "", "ef"],
        ),
        // A body that looks like a request is still a body.
        (
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 29\r\n\r\nGET /x HTTP/1.1\r\nHost: b\r\n\r\n!",
            &["GET /x HTTP/1.1\r\nHost: b\r\n\r\n!"],
        ),
    ];

    const H: &str = "GET / HTTP/1.1\r\nHost: a\r\n";
    const P: &str = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";

    /// A head, or for a body what comes after a good chunked head, and why it is refused.
    #[rustfmt::skip]
    fn bad() -> Vec<(&'static str, String, Refused)> {
        let all = [
            // Request line
            ("", "GET  / HTTP/1.1\r\nHost: a\r\n\r\n", Refused::RequestLine),
            ("", "GET /  HTTP/1.1\r\nHost: a\r\n\r\n", Refused::RequestLine),
            ("", " GET / HTTP/1.1\r\nHost: a\r\n\r\n", Refused::RequestLine),
            ("", "GET / HTTP/1.1 \r\nHost: a\r\n\r\n", Refused::RequestLine),
            ("", "GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n", Refused::RequestLine),
            ("", "GET /\tHTTP/1.1\r\nHost: a\r\n\r\n", Refused::RequestLine),
            ("", "GET /a b HTTP/1.1\r\nHost: a\r\n\r\n", Refused::RequestLine),
            ("", "GET /\r\nHost: a\r\n\r\n", Refused::RequestLine),
            ("", "GET\r\nHost: a\r\n\r\n", Refused::RequestLine),
            ("", "GET HTTP/1.1\r\nHost: a\r\n\r\n", Refused::RequestLine),
            ("", "G@T / HTTP/1.1\r\nHost: a\r\n\r\n", Refused::RequestLine),
            ("", "GET: / HTTP/1.1\r\nHost: a\r\n\r\n", Refused::RequestLine),
            ("", "GET /#f HTTP/1.1\r\nHost: a\r\n\r\n", Refused::RequestLine),
            ("", "GET /<x> HTTP/1.1\r\nHost: a\r\n\r\n", Refused::RequestLine),
            ("", "GET /\u{e4} HTTP/1.1\r\nHost: a\r\n\r\n", Refused::RequestLine),
            ("", "GET / http/1.1\r\nHost: a\r\n\r\n", Refused::RequestLine),
            ("", "GET / HTTP/1.1x\r\nHost: a\r\n\r\n", Refused::RequestLine),
            ("", "GET / HTTP/11\r\nHost: a\r\n\r\n", Refused::RequestLine),
            ("", "GET / HTTP/1.\r\nHost: a\r\n\r\n", Refused::RequestLine),
            ("", "\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", Refused::RequestLine),
            ("", "SIGNBELL-REFUSED / HTTP/1.1\r\nHost: a\r\n\r\n", Refused::RequestLine),
            ("", "GET / HTTP/1.2\r\nHost: a\r\n\r\n", Refused::Version),
            ("", "GET / HTTP/0.9\r\n\r\n", Refused::Version),
            ("", "GET / HTTP/2.0\r\nHost: a\r\n\r\n", Refused::Version),
            ("", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", Refused::Version),
            // Line ends and control characters
            ("", "GET / HTTP/1.1\nHost: a\n\n", Refused::BareLineFeed),
            ("", "\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", Refused::BareLineFeed),
            ("", "GET / HTTP/1.1\r\nHost: a\n\r\n", Refused::BareLineFeed),
            ("", "GET / HTTP/1.1\r\nHost: a\r\n\n", Refused::BareLineFeed),
            ("", "GET / HTTP/1.1\r\nHost: a\nX: y\r\n\r\n", Refused::BareLineFeed),
            ("", "GET / HTTP/1.1\rHost: a\r\r", Refused::BareCarriageReturn),
            ("", "GET / HTTP/1.1\r\nHost: a\rX: y\r\n\r\n", Refused::BareCarriageReturn),
            ("", "GET / HTTP/1.1\r\nHost: a\r\r\n\r\n", Refused::BareCarriageReturn),
            ("", "GET / HTTP/1.1\r\nHost: a\r\n\rX: y\r\n\r\n", Refused::BareCarriageReturn),
            ("", "GET /\0 HTTP/1.1\r\nHost: a\r\n\r\n", Refused::ControlCharacter),
            ("", "GET / HTTP/1.1\r\nHost: a\0\r\n\r\n", Refused::ControlCharacter),
            ("", "GET / HTTP/1.1\r\nHost: a\r\nX\0: y\r\n\r\n", Refused::ControlCharacter),
            ("", "GET / HTTP/1.1\r\nHost: a\r\nX: \x0b\r\n\r\n", Refused::ControlCharacter),
            ("", "GET / HTTP/1.1\r\nHost: a\r\nX: \x7f\r\n\r\n", Refused::ControlCharacter),
            ("", "\x16\x03\x01\x02\x00", Refused::ControlCharacter),
            // Field lines
            (H, "X: y\r\n z\r\n\r\n", Refused::LineFolding),
            (H, "X: y\r\n\tz\r\n\r\n", Refused::LineFolding),
            (H, "X: y\r\n \r\n\r\n", Refused::LineFolding),
            ("", "GET / HTTP/1.1\r\n Host: a\r\n\r\n", Refused::LineFolding),
            (H, "X : y\r\n\r\n", Refused::WhitespaceBeforeColon),
            (H, "Content-Length : 5\r\n\r\n", Refused::WhitespaceBeforeColon),
            (H, "Transfer-Encoding\t: chunked\r\n\r\n", Refused::WhitespaceBeforeColon),
            (H, ": y\r\n\r\n", Refused::FieldName),
            (H, "X\r\n\r\n", Refused::FieldName),
            (H, "X y: z\r\n\r\n", Refused::FieldName),
            (H, "X(y): z\r\n\r\n", Refused::FieldName),
            (H, "\u{fc}: z\r\n\r\n", Refused::FieldName),
            (H, "\"X\": z\r\n\r\n", Refused::FieldName),
            (H, "Transfer_Encoding: chunked\r\n\r\n", Refused::FieldName),
            (H, "Content_Length: 5\r\n\r\n", Refused::FieldName),
            // Host
            ("", "GET / HTTP/1.1\r\n\r\n", Refused::HostMissing),
            ("", "GET / HTTP/1.1\r\nX: y\r\n\r\n", Refused::HostMissing),
            (H, "Host: a\r\n\r\n", Refused::HostRepeated),
            (H, "hOST: b\r\n\r\n", Refused::HostRepeated),
            ("", "GET / HTTP/1.0\r\nHost: a\r\nHost: a\r\n\r\n", Refused::HostRepeated),
            // Content-Length
            (H, "Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello", Refused::ContentLengthRepeated),
            (H, "Content-Length: 5\r\ncontent-length: 6\r\n\r\nhello", Refused::ContentLengthRepeated),
            (H, "Content-Length: 5, 5\r\n\r\nhello", Refused::ContentLength),
            (H, "Content-Length: 5 5\r\n\r\nhello", Refused::ContentLength),
            (H, "Content-Length: +5\r\n\r\nhello", Refused::ContentLength),
            (H, "Content-Length: -5\r\n\r\nhello", Refused::ContentLength),
            (H, "Content-Length: 5.0\r\n\r\nhello", Refused::ContentLength),
            (H, "Content-Length: 0x5\r\n\r\nhello", Refused::ContentLength),
            (H, "Content-Length: 1e1\r\n\r\nhello", Refused::ContentLength),
            (H, "Content-Length: 5;\r\n\r\nhello", Refused::ContentLength),
            (H, "Content-Length: \"5\"\r\n\r\nhello", Refused::ContentLength),
            (H, "Content-Length:\r\n\r\nhello", Refused::ContentLength),
            (H, "Content-Length: \t\r\n\r\nhello", Refused::ContentLength),
            (H, "Content-Length: \u{665}\r\n\r\nhello", Refused::ContentLength),
            (H, "Content-Length: 9223372036854775808\r\n\r\n", Refused::ContentLength),
            (H, "Content-Length: 18446744073709551616\r\n\r\n", Refused::ContentLength),
            (H, "Content-Length: 18446744073709551621\r\n\r\nhello", Refused::ContentLength),
            // Transfer-Encoding
            (H, "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", Refused::ContentLengthAndTransferEncoding),
            (H, "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n", Refused::ContentLengthAndTransferEncoding),
            (H, "Transfer-Encoding: chunked\r\nContent-Length: 0\r\n\r\n0\r\n\r\n", Refused::ContentLengthAndTransferEncoding),
            (H, "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n", Refused::TransferEncoding),
            (H, "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n", Refused::TransferEncoding),
            (H, "Transfer-Encoding: identity\r\n\r\n", Refused::TransferEncoding),
            (H, "Transfer-Encoding: gzip, chunked\r\n\r\n", Refused::TransferEncoding),
            (H, "Transfer-Encoding: chunked, chunked\r\n\r\n", Refused::TransferEncoding),
            (H, "Transfer-Encoding: chunked,\r\n\r\n", Refused::TransferEncoding),
            (H, "Transfer-Encoding: chunked;q=1\r\n\r\n", Refused::TransferEncoding),
            (H, "Transfer-Encoding: \"chunked\"\r\n\r\n", Refused::TransferEncoding),
            (H, "Transfer-Encoding: xchunked\r\n\r\n", Refused::TransferEncoding),
            (H, "Transfer-Encoding: chun\u{212a}ed\r\n\r\n", Refused::TransferEncoding),
            (H, "Transfer-Encoding:\r\n\r\n", Refused::TransferEncoding),
            (H, "Transfer-Encoding: \x0bchunked\r\n\r\n", Refused::ControlCharacter),
            ("", "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", Refused::TransferEncodingInHttp10),
            // Chunks: the head is good, and so is what stands before the bad byte.
            (P, "|+5\r\nhello", Refused::ChunkSize),
            (P, "|-1\r\n", Refused::ChunkSize),
            (P, "| 5\r\nhello", Refused::ChunkSize),
            (P, "5| \r\nhello", Refused::ChunkSize),
            (P, "5|\t;x\r\nhello", Refused::ChunkSize),
            (P, "0|x5\r\nhello", Refused::ChunkSize),
            (P, "|\r\nhello", Refused::ChunkSize),
            (P, "|;x\r\nhello", Refused::ChunkSize),
            (P, "|g\r\n", Refused::ChunkSize),
            (P, "5|_0\r\n", Refused::ChunkSize),
            (P, "800000000000000|0\r\n", Refused::ChunkSize),
            (P, "fffffffffffffff|f\r\n", Refused::ChunkSize),
            (P, "1000000000000000|0\r\n", Refused::ChunkSize),
            (P, "0000000000000000|5\r\nhello", Refused::ChunkSize),
            (P, "5|\nhello\r\n0\r\n\r\n", Refused::BareLineFeed),
            (P, "5\r|hello\r\n0\r\n\r\n", Refused::BareCarriageReturn),
            (P, "5\r|\r\nhello", Refused::BareCarriageReturn),
            (P, "5;x|\nhello\r\n0\r\n\r\n", Refused::BareLineFeed),
            (P, "5;|\r\nhello", Refused::ChunkExtension),
            (P, "5;x=|\r\nhello", Refused::ChunkExtension),
            (P, "5;| x\r\nhello", Refused::ChunkExtension),
            (P, "5;x=\"a|\r\nhello", Refused::ChunkExtension),
            (P, "5;x=\"a\"|b\r\nhello", Refused::ChunkExtension),
            (P, "5;x=\"|\0\"\r\nhello", Refused::ChunkExtension),
            (P, "5;x|(\r\nhello", Refused::ChunkExtension),
            (P, "5\r\nhello|0\r\n\r\n", Refused::ChunkData),
            (P, "5\r\nhello|\n0\r\n\r\n", Refused::ChunkData),
            (P, "5\r\nhello\r|0\r\n\r\n", Refused::ChunkData),
            (P, "5\r\nhello|world\r\n0\r\n\r\n", Refused::ChunkData),
            (P, "5\r\nhell\r|\n0\r\n\r\n", Refused::ChunkData),
            (P, "0\r\n|\n", Refused::BareLineFeed),
            (P, "0\r\n\r|X", Refused::BareCarriageReturn),
            (P, "0\r\nX: y|\n\r\n", Refused::BareLineFeed),
            (P, "0\r\nX: y\r|Z: a\r\n\r\n", Refused::BareCarriageReturn),
            (P, "0\r\nX: y\r\n| z\r\n\r\n", Refused::LineFolding),
            (P, "0\r\nX| : y\r\n\r\n", Refused::WhitespaceBeforeColon),
            (P, "0\r\nX|\r\n\r\n", Refused::FieldName),
            (P, "0\r\n|: y\r\n\r\n", Refused::FieldName),
            (P, "0\r\nX: |\0\r\n\r\n", Refused::ControlCharacter),
            (P, "0\r\n|GET / HTTP/1.1\r\nHost: a\r\n\r\n", Refused::WhitespaceBeforeColon),
        ];
        all.into_iter()
            .map(|(start, rest, reason)| match reason {
                // The colon is seen late here: "GET" is a good name until the space.
                _ if start == P && rest.ends_with("|GET / HTTP/1.1\r\nHost: a\r\n\r\n") => {
                    (start, rest.replace("|GET", "GET|"), reason)
                }
                _ => (start, rest.to_owned(), reason),
            })
            .collect()
    }

    /// What came through, and how it ended: by a refused head, or by the refused body's error.
    struct Outcome {
        bytes: Vec<u8>,
        head: Option<Refused>,
        body: Option<Refused>,
        requests: u64,
    }

    /// Feeds the pieces one after the other, and reads with a buffer of `step` bytes all there is
    /// after each.
    fn feed(pieces: &[&[u8]], step: usize) -> Outcome {
        let (mut client, server) = duplex(1 << 21);
        let mut framing = StrictFraming::new(server);
        let mut outcome = Outcome { bytes: Vec::new(), head: None, body: None, requests: 0 };
        for piece in pieces {
            client.write_all(piece).now_or_never().unwrap().unwrap();
            drain(&mut framing, step, &mut outcome);
        }
        drop(client);
        drain(&mut framing, step, &mut outcome);
        outcome.requests = framing.delivered;
        outcome.head = framing.handle.shared().refused;
        if outcome.head.is_some() {
            assert!(outcome.bytes.ends_with(REFUSED_HEAD));
            let end = outcome.bytes.len() - REFUSED_HEAD.len();
            outcome.bytes.truncate(end);
        }
        outcome
    }

    fn drain(framing: &mut StrictFraming<DuplexStream>, step: usize, outcome: &mut Outcome) {
        let mut buffer = vec![0; step];
        loop {
            match framing.read(&mut buffer).now_or_never() {
                None | Some(Ok(0)) => return,
                Some(Ok(read)) => outcome.bytes.extend_from_slice(&buffer[..read]),
                Some(Err(error)) => {
                    outcome.body = Refused::in_chain(&error);
                    assert!(outcome.body.is_some(), "{error:?}");
                    return;
                }
            }
        }
    }

    /// The input whole, byte by byte, and cut in two at every place.
    fn feeds(input: &[u8]) -> impl Iterator<Item = Outcome> {
        let single: Vec<&[u8]> = input.chunks(1).collect();
        let all = [feed(&[input], 4096), feed(&[input], 1), feed(&single, 4096), feed(&single, 1)];
        all.into_iter().chain((0..=input.len()).flat_map(|at| {
            let (left, right) = input.split_at(at);
            [feed(&[left, right], 4096), feed(&[left, right], 7)]
        }))
    }

    #[test]
    fn i8_good_input_is_delivered_byte_for_byte() {
        for (input, bodies) in GOOD {
            for outcome in feeds(input.as_bytes()) {
                assert_eq!(outcome.bytes, input.as_bytes(), "{input:?}");
                assert_eq!(outcome.requests, bodies.len() as u64, "{input:?}");
                assert_eq!((outcome.head, outcome.body), (None, None), "{input:?}");
            }
        }
    }

    #[test]
    fn i8_i9_i12_bad_input_is_refused() {
        let before = "POST /before HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc";
        assert!(GOOD.len() + bad().len() > 60);
        for (start, rest, reason) in bad() {
            let in_body = start == P;
            let good = match rest.split_once('|') {
                Some((good, _)) if in_body => format!("{start}{good}"),
                _ => String::new(),
            };
            let input = format!("{start}{}", rest.replacen('|', "", usize::from(in_body)));
            for prefix in ["", before] {
                let input = format!("{prefix}{input}");
                let good = format!("{prefix}{good}");
                for outcome in feeds(input.as_bytes()) {
                    let refused = if in_body { outcome.body } else { outcome.head };
                    assert_eq!(refused, Some(reason), "{input:?}");
                    let bytes = String::from_utf8_lossy(&outcome.bytes);
                    assert_eq!(bytes, good, "{input:?}");
                }
            }
        }
    }

    #[test]
    fn i12_limits() {
        let refused = |input: String| {
            let outcome = feed(&[input.as_bytes()], 8192);
            assert!(outcome.head.is_some() || outcome.bytes == input.as_bytes());
            outcome.head.map(Refused::status)
        };
        let line = |length: usize| {
            let path = "a".repeat(length - "GET / HTTP/1.1".len());
            format!("GET /{path} HTTP/1.1\r\nHost: a\r\n\r\n")
        };
        assert_eq!(refused(line(REQUEST_LINE_LIMIT)), None);
        assert_eq!(refused(format!("\r\n{}", line(REQUEST_LINE_LIMIT))), None);
        assert_eq!(refused(line(REQUEST_LINE_LIMIT + 1)), Some(StatusCode::URI_TOO_LONG));
        assert_eq!(refused(format!("GET /{}", "a".repeat(1 << 20))), Some(StatusCode::URI_TOO_LONG));
        let fields = |size: usize| {
            let value = "a".repeat(size - "Host: a\r\nX: \r\n\r\n".len());
            format!("GET / HTTP/1.1\r\nHost: a\r\nX: {value}\r\n\r\n")
        };
        assert_eq!(refused(fields(FIELD_SECTION_LIMIT)), None);
        assert_eq!(refused(fields(FIELD_SECTION_LIMIT + 1)), Some(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE));
        assert_eq!(refused(fields(1 << 20)), Some(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE));
        let many = |count: usize| format!("{H}{}\r\n", "X: y\r\n".repeat(count - 1));
        assert_eq!(refused(many(FIELD_COUNT_LIMIT)), None);
        assert_eq!(refused(many(FIELD_COUNT_LIMIT + 1)), Some(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE));
        let body = |body: String| feed(&[P.as_bytes(), body.as_bytes()], 8192).body;
        let extension = |length: usize| format!("1;{}\r\na\r\n0\r\n\r\n", "x".repeat(length));
        assert_eq!(body(extension(200)), None);
        assert_eq!(body(extension(300)), Some(Refused::ChunkExtension));
        let trailers = |length: usize| format!("0\r\nX: {}\r\n\r\n", "x".repeat(length));
        assert_eq!(body(trailers(16_000)), None);
        assert_eq!(body(trailers(17_000)), Some(Refused::TrailersTooLarge));
    }

    /// What `judge` takes for bodies, one byte at a time.
    fn our_bodies(input: &[u8]) -> Option<Vec<Vec<u8>>> {
        let mut framing = StrictFraming::new(());
        let mut bodies = Vec::new();
        let mut held = Vec::new();
        for &byte in input {
            let data = match &framing.position {
                Position::Length(_) => true,
                Position::Chunked(chunked) => chunked.place == Place::Data,
                _ => false,
            };
            held.push(byte);
            let good = framing.judge(&held);
            if good > 0 {
                assert_eq!(good, held.len());
                held.clear();
            }
            if bodies.len() < usize::try_from(framing.delivered).unwrap() {
                bodies.push(Vec::new());
            }
            if data {
                bodies.last_mut().unwrap().push(byte);
            }
        }
        matches!(framing.position, Position::Head(_) if held.is_empty()).then_some(bodies)
    }

    /// The bodies that hyper reads from this connection, up to the first error.
    async fn hyper_bodies<S>(io: S) -> Vec<Vec<u8>>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let bodies = Mutex::new(Vec::new());
        let service = service_fn(async |request: Request<Incoming>| {
            if request.method().as_str() != REFUSED_METHOD
                && let Ok(body) = request.into_body().collect().await
            {
                bodies.lock().unwrap().push(body.to_bytes().to_vec());
            }
            Ok::<_, Infallible>(Response::new(Empty::<Bytes>::new()))
        });
        http1::Builder::new().half_close(true).serve_connection(TokioIo::new(io), service).await.ok();
        bodies.into_inner().unwrap()
    }

    async fn both_ways(input: &[u8]) -> (Vec<Vec<u8>>, Vec<Vec<u8>>) {
        let mut seen = Vec::new();
        for strict in [false, true] {
            let (mut client, server) = duplex(1 << 20);
            client.write_all(input).await.unwrap();
            client.shutdown().await.unwrap();
            seen.push(match strict {
                false => hyper_bodies(server).await,
                true => hyper_bodies(StrictFraming::new(server)).await,
            });
        }
        (seen.remove(0), seen.remove(0))
    }

    #[tokio::test]
    async fn i8_hyper_reads_what_we_read() {
        for (input, bodies) in GOOD {
            let bodies: Vec<_> = bodies.iter().map(|body| body.as_bytes().to_vec()).collect();
            assert_eq!(our_bodies(input.as_bytes()).as_ref(), Some(&bodies), "{input:?}");
            let (bare, strict) = both_ways(input.as_bytes()).await;
            assert_eq!(bare, bodies, "{input:?}");
            assert_eq!(strict, bodies, "{input:?}");
        }
    }

    /// Good and bad inputs, cut up and mixed: whatever passes is read alike by hyper.
    #[tokio::test]
    async fn i8_hyper_reads_what_we_read_of_mutations() {
        let corpus: Vec<String> = GOOD
            .iter()
            .map(|(input, _)| (*input).to_owned())
            .chain(bad().into_iter().map(|(start, rest, _)| format!("{start}{}", rest.replace('|', ""))))
            .collect();
        let pieces = [
            "\r\n",
            "\n",
            "\r",
            " ",
            "\t",
            "0",
            "5",
            "a",
            ":",
            ";",
            ",",
            "\0",
            "\r\n\r\n",
            "+",
            "0\r\n\r\n",
            "Content-Length: 3\r\n",
            "Transfer-Encoding: chunked\r\n",
            "X: y\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
            "chunked",
            "HTTP/1.0",
            "\u{fc}",
            "%",
            "/",
        ];
        let mut random = 0x9e37_79b9_7f4a_7c15_u64;
        let mut next = |below: usize| {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            (random >> 33) as usize % below
        };
        let (mut accepted, mut refused) = (0, 0);
        for _ in 0..20_000 {
            // Mostly from a good one, which is where the narrow differences are.
            let from = [GOOD.len(), GOOD.len(), GOOD.len(), corpus.len()][next(4)];
            let mut input = corpus[next(from)].clone().into_bytes();
            for _ in 0..=next(3) {
                let at = next(input.len() + 1);
                match next(4) {
                    0 => {
                        input.splice(at..at, pieces[next(pieces.len())].bytes());
                    }
                    1 => {
                        let end = (at + 1 + next(4)).min(input.len());
                        input.drain(at..end);
                    }
                    2 => input.extend_from_slice(corpus[next(from)].as_bytes()),
                    _ if at < input.len() => input[at] = (next(256)) as u8,
                    _ => {}
                }
            }
            let Some(ours) = our_bodies(&input) else {
                refused += 1;
                let fed = tokio::task::unconstrained(async { feed(&[&input], 4096) });
                let outcome = fed.await;
                let (_, strict) = both_ways(&input).await;
                assert!(strict.len() <= usize::try_from(outcome.requests).unwrap());
                continue;
            };
            accepted += 1;
            let (bare, strict) = both_ways(&input).await;
            let text = String::from_utf8_lossy(&input);
            assert_eq!(bare, strict, "{text:?}");
            // hyper stops after HTTP/1.0 or `Connection: close`; up to there it reads the same.
            assert!(ours.starts_with(&bare), "{text:?}: {ours:?} {bare:?}");
            if !text.contains("HTTP/1.0") && !text.to_lowercase().contains("connection") {
                assert_eq!(ours, bare, "{text:?}");
            }
        }
        assert!(accepted > 1_000 && refused > 1_000, "{accepted} {refused}");
    }

    /// Not a test of ours: what hyper alone would have let through.
    #[tokio::test]
    #[ignore = "a survey"]
    async fn survey_of_hyper() {
        for (start, rest, reason) in bad() {
            let rest = match start {
                P => rest.replacen('|', "", 1),
                _ => rest,
            };
            let input = format!("{start}{rest}");
            let (mut client, server) = duplex(1 << 20);
            client.write_all(input.as_bytes()).await.unwrap();
            client.shutdown().await.unwrap();
            let seen = hyper_bodies(server).await;
            if !seen.is_empty() {
                let bodies: Vec<_> = seen.iter().map(|body| String::from_utf8_lossy(body)).collect();
                eprintln!("{reason:?}: {input:?} -> {bodies:?}");
            }
        }
    }

    type Answer = Response<Full<Bytes>>;

    /// The service as the proxy has it: slow on `/slow`, without reading the body on `/early`, and
    /// an echo behind the upgrade on `/upgrade`.
    async fn serve<S>(io: S)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let io = StrictFraming::new(io);
        let framing = io.handle();
        let service = service_fn(move |request: Request<Incoming>| {
            let framing = framing.clone();
            async move {
                let answer = match framing.refusal(&request) {
                    Some(refused) => refused.response().map(Full::from),
                    None => answer(request).await,
                };
                framing.answered(answer.status());
                Ok::<_, Infallible>(answer)
            }
        });
        http1::Builder::new().serve_connection(TokioIo::new(io), service).with_upgrades().await.ok();
    }

    async fn answer(mut request: Request<Incoming>) -> Answer {
        let text = |text: String| Response::new(Full::from(text));
        match request.uri().path() {
            "/early" => text("early".to_owned()),
            "/upgrade" => {
                tokio::time::sleep(Duration::from_millis(50)).await;
                let upgrade = hyper::upgrade::on(&mut request);
                tokio::spawn(async move {
                    let mut io = TokioIo::new(upgrade.await.unwrap());
                    let mut buffer = [0; 64];
                    while let Ok(read @ 1..) = io.read(&mut buffer).await {
                        io.write_all(&buffer[..read]).await.unwrap();
                    }
                });
                let mut response = text(String::new());
                *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
                let headers = response.headers_mut();
                headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
                headers.insert("upgrade", HeaderValue::from_static("echo"));
                response
            }
            path => {
                if path == "/slow" {
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
                let path = path.to_owned();
                match request.into_body().collect().await {
                    Ok(body) => text(format!("{path}:{}", body.to_bytes().len())),
                    Err(error) => Refused::in_chain(&error).expect("a refusal").response().map(Full::from),
                }
            }
        }
    }

    async fn over_tcp(accept: impl AsyncFnOnce(TcpStream)) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = tokio::spawn(async move { serve(listener.accept().await.unwrap().0).await });
        accept(TcpStream::connect(address).await.unwrap()).await;
        tokio::time::timeout(Duration::from_secs(5), server).await.unwrap().unwrap();
    }

    async fn read_all(stream: &mut TcpStream) -> String {
        let mut all = Vec::new();
        let reading = stream.read_to_end(&mut all);
        tokio::time::timeout(Duration::from_secs(5), reading).await.expect("in time").expect("no reset");
        String::from_utf8(all).unwrap()
    }

    async fn read_until(stream: &mut TcpStream, end: &str) -> String {
        let mut all = String::new();
        let mut buffer = [0; 1024];
        while !all.contains(end) {
            let read =
                tokio::time::timeout(Duration::from_secs(5), stream.read(&mut buffer)).await.expect("in time").unwrap();
            assert!(read > 0, "ended: {all}");
            all.push_str(str::from_utf8(&buffer[..read]).unwrap());
        }
        all
    }

    #[tokio::test]
    async fn i8_the_refusal_is_a_whole_response() {
        for half_close in [false, true] {
            over_tcp(async |mut tcp| {
                let input = format!("{H}Content-Length: +5\r\n\r\nhello");
                tcp.write_all(input.as_bytes()).await.unwrap();
                if half_close {
                    tcp.shutdown().await.unwrap();
                }
                let response = read_all(&mut tcp).await;
                let (head, body) = response.split_once("\r\n\r\n").unwrap();
                assert!(head.starts_with("HTTP/1.1 400 Bad Request\r\n"), "{head}");
                for field in [
                    "connection: close",
                    "content-type: application/problem+json",
                    "cache-control: no-store",
                    &format!("content-length: {}", body.len()),
                ] {
                    assert_eq!(head.matches(field).count(), 1, "{field} in {head}");
                }
                assert_eq!(
                    body,
                    r#"{"type":"about:blank","title":"Bad Request","status":400,"code":"bad_request_framing","detail":"Content-Length is malformed"}"#
                );
            })
            .await;
        }
    }

    #[tokio::test]
    async fn i8_earlier_pipelined_requests_are_answered_first() {
        over_tcp(async |mut tcp| {
            let slow = "POST /slow HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc";
            let input = format!("{slow}{slow}{H}X: y\n\r\n{slow}");
            tcp.write_all(input.as_bytes()).await.unwrap();
            let all = read_all(&mut tcp).await;
            let statuses: Vec<_> = all.match_indices("HTTP/1.1 ").map(|(at, _)| &all[at + 9..at + 12]).collect();
            assert_eq!(statuses, ["200", "200", "400"], "{all}");
            assert_eq!(all.matches("/slow:3").count(), 2, "{all}");
            assert!(all.contains("bare LF"), "{all}");
        })
        .await;
    }

    #[tokio::test]
    async fn i8_nothing_follows_a_close() {
        over_tcp(async |mut tcp| {
            let input = format!("{H}Connection: close\r\n\r\n{H}X: y\n\r\n");
            tcp.write_all(input.as_bytes()).await.unwrap();
            let all = read_all(&mut tcp).await;
            assert_eq!(all.matches("HTTP/1.1 ").count(), 1, "{all}");
            assert!(all.starts_with("HTTP/1.1 200"), "{all}");
        })
        .await;
    }

    #[tokio::test]
    async fn i8_a_bad_chunk_ends_the_request_with_its_reason() {
        over_tcp(async |mut tcp| {
            tcp.write_all(P.as_bytes()).await.unwrap();
            tcp.write_all(b"5\r\nhello\r\n+5\r\nworld\r\n0\r\n\r\n").await.unwrap();
            let all = read_all(&mut tcp).await;
            assert_eq!(all.matches("HTTP/1.1 ").count(), 1, "{all}");
            assert!(all.starts_with("HTTP/1.1 400"), "{all}");
            assert!(all.contains("a chunk size is malformed"), "{all}");
        })
        .await;
    }

    #[tokio::test]
    async fn i12_the_sender_of_too_much_can_read_the_answer() {
        for (input, status) in
            [(format!("GET /{}", "a".repeat(1 << 20)), "414"), (format!("{H}X: {}", "a".repeat(1 << 20)), "431")]
        {
            over_tcp(async |mut tcp| {
                tcp.write_all(input.as_bytes()).await.unwrap();
                let all = read_all(&mut tcp).await;
                assert!(all.starts_with(&format!("HTTP/1.1 {status} ")), "{all}");
            })
            .await;
        }
    }

    #[tokio::test]
    async fn an_early_answer_survives_an_unread_body() {
        over_tcp(async |mut tcp| {
            let body = vec![b'a'; 4 << 20];
            let head = "POST /early HTTP/1.1\r\nHost: a\r\nContent-Length: 4194304\r\n\r\n";
            tcp.write_all(head.as_bytes()).await.unwrap();
            tcp.write_all(&body).await.unwrap();
            let all = read_all(&mut tcp).await;
            assert!(all.ends_with("early"), "{all}");
        })
        .await;
    }

    const UPGRADE: &str = "HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n";

    #[tokio::test]
    async fn i10_bytes_before_the_101_are_held() {
        over_tcp(async |mut tcp| {
            // Neither HTTP nor text, and sent far too early.
            let input = format!("{H}\r\nGET /upgrade {UPGRADE}\0\n\x01raw");
            tcp.write_all(input.as_bytes()).await.unwrap();
            let all = read_until(&mut tcp, "raw").await;
            let (head, raw) = all.split_once("echo\r\n").unwrap();
            assert!(head.contains("HTTP/1.1 101"), "{head}");
            assert!(raw.ends_with("\r\n\r\n\0\n\x01raw"), "{raw:?}");
            tcp.write_all(b"\0more\n").await.unwrap();
            read_until(&mut tcp, "\0more\n").await;
        })
        .await;
    }

    #[tokio::test]
    async fn i10_a_declined_upgrade_is_followed_by_requests() {
        for (next, status) in [
            (format!("{H}\r\n"), "200"),
            ("\0raw".to_owned(), "400"),
            (format!("{H}Content-Length: +5\r\n\r\n"), "400"),
        ] {
            for early in [true, false] {
                over_tcp(async |mut tcp| {
                    let first = format!("GET /slow {UPGRADE}");
                    tcp.write_all(first.as_bytes()).await.unwrap();
                    let mut all = String::new();
                    if early {
                        tcp.write_all(next.as_bytes()).await.unwrap();
                        all += &read_until(&mut tcp, "/slow:0").await;
                    } else {
                        all += &read_until(&mut tcp, "/slow:0").await;
                        tcp.write_all(next.as_bytes()).await.unwrap();
                    }
                    tcp.shutdown().await.unwrap();
                    all += &read_all(&mut tcp).await;
                    // A good request from a caller that hung up is hyper's to drop.
                    if status == "400" {
                        assert!(all.contains("HTTP/1.1 400"), "{next:?} {early}: {all}");
                    }
                })
                .await;
            }
        }
    }

    #[tokio::test]
    async fn i10_a_connection_goes_on_after_a_declined_upgrade() {
        over_tcp(async |mut tcp| {
            for _ in 0..3 {
                let first = format!("GET /slow {UPGRADE}");
                tcp.write_all(first.as_bytes()).await.unwrap();
                read_until(&mut tcp, "/slow:0").await;
                // Two at once: the second waits for the answer to the first.
                let both = format!("GET /slow {UPGRADE}{H}\r\n");
                tcp.write_all(both.as_bytes()).await.unwrap();
                read_until(&mut tcp, "/:0").await;
            }
        })
        .await;
    }

    #[test]
    fn i10_what_is_held_is_limited() {
        let (mut client, server) = duplex(1 << 21);
        let mut framing = StrictFraming::new(server);
        let input = format!("GET / {UPGRADE}{}", "a".repeat(1 << 20));
        client.write_all(input.as_bytes()).now_or_never().unwrap().unwrap();
        let mut buffer = vec![0; 1 << 16];
        while framing.read(&mut buffer).now_or_never().is_some() {}
        assert!(framing.held.len() < HELD_LIMIT + READ_STEP);
        framing.handle().answered(StatusCode::SWITCHING_PROTOCOLS);
        let mut raw = 0;
        while raw < 1 << 20 {
            raw += framing.read(&mut buffer).now_or_never().unwrap().unwrap();
        }
        assert_eq!(raw, 1 << 20);
    }

    #[test]
    fn an_answer_to_an_earlier_request_decides_nothing() {
        let (mut client, server) = duplex(1 << 16);
        let mut framing = StrictFraming::new(server);
        let input = format!("{H}\r\nGET / {UPGRADE}\0raw");
        client.write_all(input.as_bytes()).now_or_never().unwrap().unwrap();
        let mut buffer = vec![0; 1 << 16];
        assert!(framing.read(&mut buffer).now_or_never().is_some());
        framing.handle().answered(StatusCode::OK);
        assert!(framing.read(&mut buffer).now_or_never().is_none());
        framing.handle().answered(StatusCode::SWITCHING_PROTOCOLS);
        let read = framing.read(&mut buffer).now_or_never().unwrap().unwrap();
        assert_eq!(&buffer[..read], b"\0raw");
    }

    #[test]
    fn connect_is_raw_after_success_only() {
        for (status, raw) in [(StatusCode::OK, true), (StatusCode::FORBIDDEN, false)] {
            let (mut client, server) = duplex(1 << 16);
            let mut framing = StrictFraming::new(server);
            client.write_all(b"CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n\x16\x03").now_or_never().unwrap().unwrap();
            let mut buffer = vec![0; 1 << 16];
            assert!(framing.read(&mut buffer).now_or_never().is_some());
            assert!(framing.read(&mut buffer).now_or_never().is_none());
            framing.handle().answered(status);
            let read = framing.read(&mut buffer).now_or_never().unwrap().unwrap();
            assert_eq!(&buffer[..read] == b"\x16\x03", raw);
            assert_eq!(&buffer[..read] == REFUSED_HEAD, !raw);
        }
    }

    #[test]
    fn an_idle_connection_keeps_no_buffer() {
        let (mut client, server) = duplex(1 << 16);
        let mut framing = StrictFraming::new(server);
        let mut buffer = [0; 1024];
        for piece in [H, "\r\n"] {
            client.write_all(piece.as_bytes()).now_or_never().unwrap().unwrap();
            framing.read(&mut buffer).now_or_never();
        }
        assert_eq!((framing.held.capacity(), framing.ready), (0, 0));
    }

    #[test]
    #[ignore = "a measurement"]
    fn measure() {
        let field = "X-Some-Header: a value of the usual length, more or less\r\n";
        let head = format!("{H}{}\r\n", field.repeat(10));
        let mut framing = StrictFraming::new(());
        let rounds = 200_000;
        let start = Instant::now();
        for _ in 0..rounds {
            assert_eq!(framing.judge(head.as_bytes()), head.len());
        }
        let each = start.elapsed() / rounds;
        eprintln!("head of {} bytes: {each:?}", head.len());
        let chunk = format!("4000\r\n{}\r\n", "a".repeat(0x4000));
        framing.judge(P.as_bytes());
        let start = Instant::now();
        for _ in 0..rounds {
            assert_eq!(framing.judge(chunk.as_bytes()), chunk.len());
        }
        eprintln!("chunk of 16 KiB: {:?}", start.elapsed() / rounds);
    }
}
