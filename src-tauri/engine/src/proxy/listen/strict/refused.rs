//! Why a request's framing is refused, and what the caller is told.

use std::error::Error;
use std::io;

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONNECTION, CONTENT_TYPE};
use http::{HeaderValue, Response, StatusCode};

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
    /// The head was begun and did not end in time (RFC 9110 section 15.5.9).
    #[error("the request's head did not come in time")]
    HeadTooLate,
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
            Self::HeadTooLate => StatusCode::REQUEST_TIMEOUT,
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
