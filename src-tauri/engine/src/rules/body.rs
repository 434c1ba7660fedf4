//! A response's body as the rules read it: decoded, and of a stream only its first event.

use std::io::Read;

use http::HeaderMap;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE};

use super::Text;

/// So much is read of a body, before and after decoding.
pub const LARGEST: usize = 1024 * 1024;

/// Whether a body of this kind is a stream of events.
#[must_use]
pub fn is_events(headers: &HeaderMap) -> bool {
    headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|kind| kind.trim_start().to_ascii_lowercase().starts_with("text/event-stream"))
}

/// Whether a body of this kind may be JSON. Servers call it many things; a stream of values, and what is
/// something else by its own word, is not looked into.
fn may_be_json(headers: &HeaderMap) -> bool {
    let Some(kind) = headers.get(CONTENT_TYPE) else { return true };
    let kind = String::from_utf8_lossy(kind.as_bytes()).to_ascii_lowercase();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    let json = kind.ends_with("json") || kind.ends_with("javascript") || kind == "text/plain";
    json && !["ndjson", "jsonl", "json-seq"].iter().any(|stream| kind.contains(stream))
}

/// Whether the rules can make anything of a body of this kind: JSON or events, or text for those that say
/// which.
#[must_use]
pub fn is_readable(headers: &HeaderMap, as_text: bool) -> bool {
    as_text || is_events(headers) || may_be_json(headers)
}

/// Looks for the first event in what comes, without going over the same bytes again and again.
#[derive(Debug)]
pub struct FirstEvent {
    headers: HeaderMap,
    encoded: bool,
    looked: usize,
    decoded: usize,
    /// Not decoded again before so much is here.
    next: usize,
}

/// What comes encoded is decoded anew so often at each piece, then each time that half as much more came.
const EAGER_LOOKS: usize = 16;

impl FirstEvent {
    /// For a body with these headers.
    #[must_use]
    pub fn new(headers: &HeaderMap) -> Self {
        let encoded = headers.get(CONTENT_ENCODING).is_some_and(|coding| coding.as_bytes() != b"identity");
        Self { encoded, headers: headers.clone(), looked: 0, decoded: 0, next: 0 }
    }

    /// Whether it is complete in `came`, all that came so far.
    pub fn is_in(&mut self, came: &[u8]) -> bool {
        // An event ends with an empty line, of which three bytes may have been looked at before.
        let fresh = came.get(self.looked.saturating_sub(3)..).unwrap_or_default();
        self.looked = came.len();
        let ends = |end: &&[u8]| fresh.windows(end.len()).any(|window| window == *end);
        let look = match self.encoded {
            false => [&b"\n\n"[..], b"\r\r", b"\r\n\r\n"].iter().any(ends),
            true => came.len() >= self.next,
        };
        if !look {
            return false;
        }
        self.decoded += 1;
        if self.decoded > EAGER_LOOKS {
            self.next = came.len() + came.len() / 2;
        }
        self.is_there(came)
    }

    /// The same at the end of the wait, whatever was looked at before.
    #[must_use]
    pub fn is_there(&self, came: &[u8]) -> bool {
        decode(&self.headers, came).is_some_and(|bytes| first_event(&String::from_utf8_lossy(&bytes)).is_some())
    }
}

/// Reads a body; nothing where it can't be decoded.
#[must_use]
pub fn read(headers: &HeaderMap, body: &[u8]) -> Option<Text> {
    let text = String::from_utf8_lossy(&decode(headers, body)?).into_owned();
    let json = match is_events(headers) {
        true => first_event(&text).and_then(|data| serde_json::from_str(&data).ok()),
        false if may_be_json(headers) => serde_json::from_str(text.trim_start_matches('\u{feff}')).ok(),
        false => None,
    };
    Some(Text { text, json, is_first_of_many: is_events(headers) })
}

/// The data of the first event that has any (WHATWG HTML section 9.2.6). Comments and events without
/// data, by which servers keep a connection open, are none.
fn first_event(text: &str) -> Option<String> {
    let text = text.trim_start_matches('\u{feff}').replace("\r\n", "\n").replace('\r', "\n");
    let (complete, _) = text.rsplit_once("\n\n")?;
    complete.split("\n\n").find_map(|event| {
        let data: Vec<&str> = event
            .lines()
            .filter_map(|line| line.strip_prefix("data:"))
            .map(|data| data.strip_prefix(' ').unwrap_or(data))
            .collect();
        (!data.concat().is_empty()).then(|| data.join("\n"))
    })
}

/// Undoes the `Content-Encoding` (RFC 9110 section 8.4) as far as the bytes go: a stream is cut short
/// where we stopped reading. Nothing where an encoding is not known or the bytes are not of it.
fn decode(headers: &HeaderMap, body: &[u8]) -> Option<Vec<u8>> {
    let mut bytes = body.to_vec();
    let codings: Vec<String> = headers
        .get_all(CONTENT_ENCODING)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(|coding| coding.trim().to_ascii_lowercase())
        .collect();
    // Each costs a pass; no server puts on more.
    if codings.len() > 2 {
        return None;
    }
    // The last that is named was put on last.
    for coding in codings.iter().rev() {
        bytes = match coding.as_str() {
            "" | "identity" => bytes,
            "gzip" | "x-gzip" => all_of(flate2::read::MultiGzDecoder::new(bytes.as_slice()))?,
            // RFC 9110 section 8.4.1.2 means zlib; some servers send the bare stream.
            "deflate" if bytes.first().is_some_and(|byte| byte & 0x0f == 8) => {
                all_of(flate2::read::ZlibDecoder::new(bytes.as_slice()))?
            }
            "deflate" => all_of(flate2::read::DeflateDecoder::new(bytes.as_slice()))?,
            "br" => all_of(brotli_decompressor::Decompressor::new(bytes.as_slice(), 4096))?,
            "zstd" => all_of(ruzstd::decoding::StreamingDecoder::new(bytes.as_slice()).ok()?)?,
            _ => return None,
        };
    }
    Some(bytes)
}

/// Reads on until the end, an error (which is where the bytes were cut off) or the largest size.
fn all_of(mut decoder: impl Read) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut part = [0; 8192];
    while bytes.len() < LARGEST {
        match decoder.read(&mut part) {
            Ok(0) => break,
            Ok(n) => bytes.extend_from_slice(part.get(..n).unwrap_or_default()),
            Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
            Err(_) if bytes.is_empty() => return None,
            Err(_) => break,
        }
    }
    bytes.truncate(LARGEST);
    Some(bytes)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::io::Write as _;

    use http::HeaderValue;

    use super::*;

    fn headers(kind: &'static str, coding: &'static str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static(coding));
        headers
    }

    const JSON: &[u8] = br#"{"ok":false,"error":"token_expired"}"#;

    fn packed(coding: &str) -> Vec<u8> {
        use flate2::Compression;
        use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};
        macro_rules! with {
            ($encoder:ident) => {{
                let mut encoder = $encoder::new(Vec::new(), Compression::default());
                encoder.write_all(JSON).unwrap();
                encoder.finish().unwrap()
            }};
        }
        match coding {
            "gzip" | "x-gzip" => with!(GzEncoder),
            "deflate" => with!(ZlibEncoder),
            "raw deflate" => with!(DeflateEncoder),
            // An uncompressed block of each, written out by hand from RFC 7932 and RFC 8878.
            "br" => {
                let length = u8::try_from(JSON.len() - 1).unwrap();
                // WBITS = 16 (one 0 bit), ISLAST 0, MNIBBLES 4, MLEN - 1 in 16 bits, ISUNCOMPRESSED 1.
                let head = (u32::from(length) << 4) | (1 << 20);
                let mut bytes: Vec<u8> = head.to_le_bytes().into_iter().take(3).collect();
                bytes.extend_from_slice(JSON);
                bytes.push(0x03);
                bytes
            }
            "zstd" => {
                let mut bytes = vec![0x28, 0xb5, 0x2f, 0xfd, 0x20, u8::try_from(JSON.len()).unwrap()];
                let block = 1 | (u32::try_from(JSON.len()).unwrap() << 3);
                bytes.extend(block.to_le_bytes().iter().take(3));
                bytes.extend_from_slice(JSON);
                bytes
            }
            _ => JSON.to_vec(),
        }
    }

    #[test]
    fn every_coding_is_read() {
        for (coding, bytes) in [
            ("identity", packed("identity")),
            ("gzip", packed("gzip")),
            ("X-GZip", packed("gzip")),
            ("deflate", packed("deflate")),
            ("deflate", packed("raw deflate")),
            ("br", packed("br")),
            ("zstd", packed("zstd")),
        ] {
            let text = read(&headers("application/json", coding), &bytes).unwrap();
            assert_eq!(text.text.as_bytes(), JSON, "{coding}");
            assert_eq!(text.json.unwrap()["error"], "token_expired", "{coding}");
        }
        for (coding, bytes) in [("gzip", JSON), ("compress", JSON), ("br", b"\xff\xff\xff"), ("zstd", JSON)] {
            assert!(read(&headers("application/json", coding), bytes).is_none(), "{coding}");
        }
    }

    #[test]
    fn a_bomb_stops_at_the_largest_size() {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        let zeros = vec![b' '; 1024 * 1024];
        for _ in 0..200 {
            encoder.write_all(&zeros).unwrap();
        }
        let bomb = encoder.finish().unwrap();
        assert!(bomb.len() < LARGEST);
        assert_eq!(read(&headers("application/json", "gzip"), &bomb).unwrap().text.len(), LARGEST);
    }

    #[test]
    fn the_first_event_with_data_counts() {
        let events = headers("text/event-stream; charset=utf-8", "identity");
        for (stream, data) in [
            ("data: {\"a\":1}\n\ndata: {\"a\":2}\n\n", Some("{\"a\":1}")),
            (
                ": ping\n\nid: 1\ndata:\n\nevent: message\ndata: {\"a\":1,\ndata: \"b\":2}\n\n",
                Some("{\"a\":1,\n\"b\":2}"),
            ),
            ("\u{feff}data:1\r\n\r\n", Some("1")),
            ("data: 1\r\r", Some("1")),
            ("data: {\"a\":1}\n", None),
            (": only\n\n", None),
            ("", None),
        ] {
            assert_eq!(first_event(stream).as_deref(), data, "{stream:?}");
            assert_eq!(FirstEvent::new(&events).is_in(stream.as_bytes()), data.is_some(), "{stream:?}");
            // The same where it comes byte by byte.
            let mut first = FirstEvent::new(&events);
            let bytes = stream.as_bytes();
            assert_eq!((1..=bytes.len()).any(|n| first.is_in(&bytes[..n])), data.is_some(), "{stream:?}");
        }
        let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        packed.write_all(b"data: 1\n\n").unwrap();
        packed.flush().unwrap();
        // The stream goes on, and so far there is this.
        assert!(FirstEvent::new(&headers("text/event-stream", "gzip")).is_in(packed.get_ref()));
    }

    #[test]
    fn what_is_no_json_by_its_own_word_is_not_read_as_such() {
        for (kind, json) in [
            ("application/json; charset=utf-8", true),
            ("application/problem+json", true),
            ("text/javascript", true),
            ("text/plain", true),
            ("application/octet-stream", false),
            ("application/x-ndjson", false),
            ("multipart/mixed; boundary=x", false),
            ("text/html", false),
        ] {
            assert_eq!(read(&headers(kind, "identity"), JSON).unwrap().json.is_some(), json, "{kind}");
            assert_eq!(is_readable(&headers(kind, "identity"), false), json, "{kind}");
        }
    }
}
