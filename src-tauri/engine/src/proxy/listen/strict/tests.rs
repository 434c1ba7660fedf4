#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr)]
//! The corpus of request smuggling, whole, byte by byte and split at every position.

use std::convert::Infallible;
use std::sync::{LazyLock, Mutex};

use futures_util::FutureExt;
use http_body_util::{BodyExt, Empty, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, EnterGuard, Runtime};

use bytes::Bytes;
use http::header::CONNECTION;
use http::{HeaderValue, Request, Response};

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
    ("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n\r\n\r\n0\r\nA: b\r\nC:\r\n\r\n", &["\r\n"]),
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

/// What waits for a head asks a runtime for the time.
fn clock() -> EnterGuard<'static> {
    static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| Builder::new_current_thread().enable_time().build().unwrap());
    RUNTIME.enter()
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
    let _clock = clock();
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
    outcome.head = framing.handle.refused();
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
            Position::Chunked(chunked) => chunked.is_in_data(),
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
    for (next, status) in
        [(format!("{H}\r\n"), "200"), ("\0raw".to_owned(), "400"), (format!("{H}Content-Length: +5\r\n\r\n"), "400")]
    {
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
    let _clock = clock();
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
    let _clock = clock();
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
    let _clock = clock();
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
    let _clock = clock();
    let (mut client, server) = duplex(1 << 16);
    let mut framing = StrictFraming::new(server);
    let mut buffer = [0; 1024];
    for piece in [H, "\r\n"] {
        client.write_all(piece.as_bytes()).now_or_never().unwrap().unwrap();
        framing.read(&mut buffer).now_or_never();
    }
    assert_eq!((framing.held.capacity(), framing.ready), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn i11_a_head_has_a_deadline_and_a_rest_between_two_requests_has_none() {
    let an_hour = Duration::from_secs(3600);
    let mut buffer = [0; 1024];

    let (_silent, server) = duplex(1 << 10);
    let mut framing = StrictFraming::new(server);
    assert_eq!(framing.read(&mut buffer).await.unwrap(), 0, "who sends nothing is answered nothing");

    let (mut client, server) = duplex(1 << 10);
    let mut framing = StrictFraming::new(server);
    client.write_all(format!("{H}\r\n").as_bytes()).await.unwrap();
    assert_eq!(framing.read(&mut buffer).await.unwrap(), H.len() + 2);
    assert!(tokio::time::timeout(an_hour, framing.read(&mut buffer)).await.is_err(), "a rest has no end");
    for piece in ["GET / HT", "TP/1.1\r\nHost"] {
        client.write_all(piece.as_bytes()).await.unwrap();
        assert!(tokio::time::timeout(HEAD_DEADLINE / 3, framing.read(&mut buffer)).await.is_err());
    }
    let read = framing.read(&mut buffer).await.unwrap();
    assert_eq!((&buffer[..read], framing.handle.refused()), (REFUSED_HEAD, Some(Refused::HeadTooLate)));
}
