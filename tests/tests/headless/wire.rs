//! HTTP/1.1 by hand, for what no well-behaved client would send, and for reading while writing.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

use crate::SOON;

/// Names in lower case with their values, in order.
pub type Fields = Vec<(String, String)>;

/// A connection.
pub struct Wire {
    stream: TcpStream,
    got: Vec<u8>,
}

/// One response, its body without chunk framing.
#[derive(Debug, Clone)]
pub struct Reply {
    pub status: u16,
    pub headers: Fields,
    pub body: Vec<u8>,
    /// What came behind the last chunk.
    pub trailers: Fields,
    /// How many responses came, this one being the first.
    pub responses: usize,
}

impl Wire {
    /// Connects to `http://host:port`.
    pub fn open(address: &str) -> Result<Self> {
        let host = address.trim_start_matches("http://");
        let stream = TcpStream::connect(host).with_context(|| format!("connecting to {host}"))?;
        stream.set_read_timeout(Some(SOON))?;
        stream.set_write_timeout(Some(SOON))?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, got: Vec::new() })
    }

    /// Sends these bytes as they are.
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) -> Result<()> {
        self.stream.write_all(bytes.as_ref()).context("writing")
    }

    /// Sends one chunk of a chunked body.
    pub fn chunk(&mut self, data: &[u8]) -> Result<()> {
        self.send([format!("{:x}\r\n", data.len()).as_bytes(), data, b"\r\n"].concat())
    }

    /// Reads until `text` has come.
    pub fn wait_for(&mut self, text: &str) -> Result<()> {
        while !self.text().contains(text) {
            let mut part = [0; 8192];
            match self.stream.read(&mut part) {
                Ok(0) => bail!("closed before {text:?}: {:?}", self.text()),
                Ok(n) => self.got.extend_from_slice(part.get(..n).unwrap_or_default()),
                Err(e) => bail!("{e} before {text:?}: {:?}", self.text()),
            }
        }
        Ok(())
    }

    /// What has arrived at this moment.
    pub fn arrived(&mut self) -> Result<String> {
        self.stream.set_nonblocking(true)?;
        let mut part = [0; 8192];
        while let Ok(n @ 1..) = self.stream.read(&mut part) {
            self.got.extend_from_slice(part.get(..n).unwrap_or_default());
        }
        self.stream.set_nonblocking(false)?;
        Ok(self.text())
    }

    /// What came so far.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.got).into_owned()
    }

    /// Reads until the other end closes, and takes what came for one response.
    pub fn reply(mut self) -> Result<Reply> {
        let mut rest = Vec::new();
        // A reset after a refusal is an end too: what came before it counts.
        if let Err(e) = self.stream.read_to_end(&mut rest)
            && e.kind() != std::io::ErrorKind::ConnectionReset
        {
            bail!("{e} after {:?}", self.text() + &String::from_utf8_lossy(&rest));
        }
        self.got.extend(rest);
        Reply::parse(&self.got)
    }
}

/// Sends a whole request, which should ask for `Connection: close`, and reads its response.
pub fn exchange(address: &str, request: impl AsRef<[u8]>) -> Result<Reply> {
    let mut wire = Wire::open(address)?;
    // A server that has seen enough may close before everything is written.
    let _ = wire.send(request);
    wire.reply()
}

impl Reply {
    fn parse(bytes: &[u8]) -> Result<Self> {
        let text = String::from_utf8_lossy(bytes);
        // By their status lines: an error's own words may name a version too.
        let responses = text
            .match_indices("HTTP/1.")
            .filter(|(at, _)| text.get(at + 8..at + 12).is_some_and(|status| status.trim().parse::<u16>().is_ok()))
            .count();
        let mut rest = bytes;
        loop {
            let end = find(rest, b"\r\n\r\n").with_context(|| format!("no head in {text:?}"))?;
            let (head, body) = rest.split_at(end + 4);
            // A character for each byte.
            let head: String = head.iter().map(|byte| char::from(*byte)).collect();
            let status = head.split(' ').nth(1).and_then(|s| s.parse().ok()).with_context(|| format!("{head:?}"))?;
            if status == 100 {
                rest = body;
                continue;
            }
            let headers: Vec<(String, String)> = head
                .lines()
                .skip(1)
                .filter_map(|line| line.split_once(':'))
                .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
                .collect();
            let chunked = headers.iter().any(|(n, v)| n == "transfer-encoding" && v == "chunked");
            let (body, trailers) = if chunked { unchunked(body)? } else { (body.to_vec(), vec![]) };
            return Ok(Self { status, headers, body, trailers, responses });
        }
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub fn json(&self) -> Result<Value> {
        serde_json::from_slice(&self.body).with_context(|| format!("{} {}", self.status, self.text()))
    }
}

/// A chunked body, and its trailers.
fn unchunked(mut rest: &[u8]) -> Result<(Vec<u8>, Fields)> {
    let mut body = Vec::new();
    loop {
        let end = find(rest, b"\r\n").context("a chunked body was cut off")?;
        let size = usize::from_str_radix(String::from_utf8_lossy(rest.get(..end).unwrap_or_default()).trim(), 16)?;
        if size == 0 {
            let trailers = String::from_utf8_lossy(rest.get(end + 2..).unwrap_or_default()).into_owned();
            let fields = trailers.lines().filter_map(|line| line.split_once(':'));
            return Ok((body, fields.map(|(n, v)| (n.to_ascii_lowercase(), v.trim().to_owned())).collect()));
        }
        let from = end + 2;
        body.extend_from_slice(rest.get(from..from + size).context("a chunk was cut off")?);
        rest = rest.get(from + size + 2..).context("a chunk was cut off")?;
    }
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|window| window == wanted)
}
