//! An upstream that answers what a test says, to the byte.
//!
//! The servers whose refusals Signbell has to recognise can't be had here, so their saved responses
//! are played back by this double, over a real connection. What a test asks it about is what really
//! arrived: every request, in order, as it came.

use std::collections::HashMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};

/// How long a connection may be idle before its thread ends.
const IDLE: Duration = Duration::from_secs(90);

/// A request as it arrived.
#[derive(Debug, Clone, Default)]
pub struct Request {
    /// `GET`, …
    pub method: String,
    /// Path and query.
    pub target: String,
    /// Names in lower case, in the order in which they came.
    pub headers: Vec<(String, String)>,
    /// Without chunk framing.
    pub body: Vec<u8>,
}

impl Request {
    /// The first header of this name, given in lower case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }

    /// The token that it came with.
    #[must_use]
    pub fn token(&self) -> &str {
        self.header("authorization").and_then(|value| value.split_once(' ')).map_or("", |(_, token)| token)
    }
}

/// What the upstream does about a request.
pub enum Reply {
    /// Sends these bytes, a whole response, and waits for the next request.
    Bytes(Vec<u8>),
    /// Sends these bytes and closes.
    Last(Vec<u8>),
    /// Hands over the connection, from behind the request's body on.
    Take(Box<dyn FnOnce(TcpStream) + Send>),
}

type Answer = dyn Fn(&Request) -> Reply + Send + Sync;

/// A running upstream on a free loopback port; ends when it is dropped.
pub struct Upstream {
    address: String,
    seen: Arc<Mutex<Vec<Request>>>,
    open: Arc<Mutex<HashMap<usize, TcpStream>>>,
    stopped: Arc<AtomicBool>,
}

impl Upstream {
    /// Answers each request, on whichever connection it comes, with what `answer` says.
    pub fn start(answer: impl Fn(&Request) -> Reply + Send + Sync + 'static) -> Result<Self> {
        let seen = Arc::<Mutex<Vec<Request>>>::default();
        let kept = Arc::clone(&seen);
        Self::serving(seen, move |request| {
            lock(&kept).push(request.clone());
            answer(request)
        })
    }

    /// Keeps no request: for those that see a million.
    pub fn start_forgetful(answer: impl Fn(&Request) -> Reply + Send + Sync + 'static) -> Result<Self> {
        Self::serving(Arc::default(), answer)
    }

    fn serving(
        seen: Arc<Mutex<Vec<Request>>>,
        answer: impl Fn(&Request) -> Reply + Send + Sync + 'static,
    ) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").context("a port for the upstream")?;
        let address = format!("http://{}", listener.local_addr()?);
        let (open, stopped) = (Arc::<Mutex<HashMap<usize, TcpStream>>>::default(), Arc::<AtomicBool>::default());
        let upstream = Self { address, seen, open: Arc::clone(&open), stopped: Arc::clone(&stopped) };
        let answer: Arc<Answer> = Arc::new(answer);
        std::thread::spawn(move || {
            for (number, stream) in listener.incoming().map_while(Result::ok).enumerate() {
                if stopped.load(Ordering::Relaxed) {
                    return;
                }
                let (open, answer) = (Arc::clone(&open), Arc::clone(&answer));
                lock(&open).extend(stream.try_clone().map(|stream| (number, stream)));
                std::thread::spawn(move || {
                    // A connection that ends early is the other side's business; the test sees what it missed.
                    drop(serve(stream, &*answer));
                    lock(&open).remove(&number);
                });
            }
        });
        Ok(upstream)
    }

    /// `http://127.0.0.1:port`
    #[must_use]
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Every request so far.
    #[must_use]
    pub fn seen(&self) -> Vec<Request> {
        lock(&self.seen).clone()
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::Relaxed);
        let _ = TcpStream::connect(self.address.trim_start_matches("http://"));
        for (_, stream) in lock(&self.open).drain() {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn serve(stream: TcpStream, answer: &Answer) -> Result<()> {
    stream.set_read_timeout(Some(IDLE))?;
    stream.set_nodelay(true)?;
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut writer = stream;
    while let Some(request) = read(&mut reader)? {
        match answer(&request) {
            Reply::Bytes(bytes) => writer.write_all(&bytes)?,
            Reply::Last(bytes) => {
                writer.write_all(&bytes)?;
                writer.shutdown(Shutdown::Write)?;
                return Ok(());
            }
            Reply::Take(take) => {
                ensure!(reader.buffer().is_empty(), "bytes came behind the request before its answer");
                take(writer);
                return Ok(());
            }
        }
    }
    Ok(())
}

/// The next request; nothing where the connection ends.
fn read(reader: &mut BufReader<TcpStream>) -> Result<Option<Request>> {
    let first = line(reader)?;
    let mut words = first.split(' ');
    let (Some(method), Some(target), Some(_)) = (words.next(), words.next(), words.next()) else {
        return Ok(None);
    };
    let (method, target) = (method.to_owned(), target.to_owned());
    let headers = fields(reader)?;
    let mut request = Request { method, target, headers, body: Vec::new() };
    if request.header("transfer-encoding").is_some() {
        loop {
            let size = line(reader)?;
            let size = usize::from_str_radix(size.trim(), 16).with_context(|| format!("chunk size {size:?}"))?;
            if size == 0 {
                fields(reader)?;
                break;
            }
            let from = request.body.len();
            request.body.resize(from + size, 0);
            reader.read_exact(request.body.get_mut(from..).unwrap_or_default())?;
            line(reader)?;
        }
    } else if let Some(length) = request.header("content-length") {
        request.body = vec![0; length.parse().with_context(|| format!("content-length {length:?}"))?];
        reader.read_exact(&mut request.body)?;
    }
    Ok(Some(request))
}

fn fields(reader: &mut BufReader<TcpStream>) -> Result<Vec<(String, String)>> {
    let mut fields = Vec::new();
    loop {
        let line = line(reader)?;
        if line.is_empty() {
            return Ok(fields);
        }
        let (name, value) = line.split_once(':').with_context(|| format!("no field: {line:?}"))?;
        fields.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
}

fn line(reader: &mut BufReader<TcpStream>) -> Result<String> {
    let mut line = Vec::new();
    reader.read_until(b'\n', &mut line)?;
    match String::from_utf8(line) {
        Ok(line) => Ok(line.trim_end_matches(['\r', '\n']).to_owned()),
        Err(e) => bail!("a line that is no text: {e}"),
    }
}

/// A response with `Content-Length`.
#[must_use]
pub fn response(head: &str, body: &[u8]) -> Vec<u8> {
    [format!("HTTP/1.1 {head}\r\ncontent-length: {}\r\n\r\n", body.len()).as_bytes(), body].concat()
}

/// A 200 with this JSON.
#[must_use]
pub fn ok(body: &str) -> Vec<u8> {
    response("200 OK\r\ncontent-type: application/json", body.as_bytes())
}

/// The usual 401 of a server that takes bearer tokens (RFC 6750 section 3.1).
#[must_use]
pub fn invalid_token() -> Vec<u8> {
    response("401 Unauthorized\r\nwww-authenticate: Bearer error=\"invalid_token\"", b"dead")
}
