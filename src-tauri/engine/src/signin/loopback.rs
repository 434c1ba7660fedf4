//! The redirect's other end (RFC 8252 section 7.3): one GET on the literal `127.0.0.1`.
//!
//! It listens on a free port for as long as one sign-in takes, and not a moment longer.

use std::convert::Infallible;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{ALLOW, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HOST, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, oneshot};
use url::Url;

use super::callback::{CallbackError, Check};
use super::{DEADLINE, SignInError, page};
use crate::model::Identity;
use crate::wording;

/// Where a redirect comes to.
pub(crate) const PATH: &str = "/callback";

/// A browser sends its whole head at once; who does not is not a browser.
const HEAD_DEADLINE: Duration = Duration::from_secs(10);

/// No provider's redirect is longer.
const LARGEST_HEAD: usize = 16 * 1024;

pub(super) struct Loopback {
    listener: TcpListener,
    address: SocketAddr,
    title: String,
}

/// A redirect that reached us, and the browser that waits for a page.
struct Hit {
    query: String,
    reply: oneshot::Sender<Page>,
}

struct Page {
    status: StatusCode,
    html: String,
}

/// What came: a code or a refusal, and who waits to hear how it ends.
pub(super) struct Came {
    code: Result<String, CallbackError>,
    browser: Browser,
}

/// The waiting browser; nobody where the redirect was pasted.
pub(super) struct Browser {
    reply: Option<oneshot::Sender<Page>>,
    title: String,
}

impl Loopback {
    /// Takes the registered port where there is one and it is free, else any: RFC 8252 section 7.3 has
    /// servers allow that.
    pub(super) async fn bind(title: String, port: Option<u16>) -> Result<Self, io::ErrorKind> {
        let listener = match port {
            Some(port) => TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await.ok(),
            None => None,
        };
        let listener = match listener {
            Some(listener) => listener,
            None => TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.map_err(|e| e.kind())?,
        };
        let address = listener.local_addr().map_err(|e| e.kind())?;
        Ok(Self { listener, address, title })
    }

    /// Takes this port and no other.
    pub(super) async fn bind_to(title: String, port: u16) -> Result<Self, io::ErrorKind> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await.map_err(|e| e.kind())?;
        let address = listener.local_addr().map_err(|e| e.kind())?;
        Ok(Self { listener, address, title })
    }

    pub(super) fn redirect_uri(&self) -> Url {
        let text = format!("http://{}{PATH}", self.address);
        // An address and a constant path always parse.
        text.parse().unwrap_or_else(|_| unreachable_url())
    }

    /// Waits for the redirect that belongs to this sign-in; whatever else comes is answered and
    /// forgotten.
    ///
    /// # Errors
    /// [`SignInError::Deadline`] after [`DEADLINE`]. Whatever comes afterwards finds the port closed.
    pub(super) async fn wait(self, check: &Check, pasted: mpsc::Receiver<String>) -> Result<Came, SignInError> {
        tokio::time::timeout(DEADLINE, self.first(check, pasted)).await.map_err(|_| SignInError::Deadline)
    }

    async fn first(self, check: &Check, mut pasted: mpsc::Receiver<String>) -> Came {
        let (hits, mut arrived) = mpsc::channel::<Hit>(16);
        let mut may_paste = true;
        loop {
            tokio::select! {
                accepted = self.listener.accept() => match accepted {
                    Ok((stream, _)) => drop(tokio::spawn(serve(stream, self.address, hits.clone()))),
                    // Out of descriptors: the next may work, and a busy loop would not help.
                    Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
                },
                Some(hit) = arrived.recv() => match check.read(&hit.query) {
                    Ok(code) => {
                        let browser = Browser { reply: Some(hit.reply), title: self.title };
                        return Came { code, browser };
                    }
                    Err(_) => {
                        let html = page::render(&wording::stray_redirect());
                        let _ = hit.reply.send(Page { status: StatusCode::BAD_REQUEST, html });
                    }
                },
                line = pasted.recv(), if may_paste => match line {
                    Some(line) => if let Some(Ok(code)) = query_of(&line).map(|query| check.read(&query)) {
                        return Came { code, browser: Browser { reply: None, title: self.title } };
                    },
                    None => may_paste = false,
                },
            }
        }
    }
}

impl Came {
    pub(super) fn into_parts(self) -> (Result<String, CallbackError>, Browser) {
        (self.code, self.browser)
    }
}

impl Browser {
    /// Shows the person how it ended.
    pub(super) async fn tell(self, outcome: &Result<Option<Identity>, SignInError>) {
        let Some(reply) = self.reply else { return };
        let (status, words) = match outcome {
            Ok(who) => (StatusCode::OK, wording::signed_in_page(&self.title, who.as_ref())),
            Err(error) => (StatusCode::BAD_REQUEST, wording::refused_page(&self.title, error)),
        };
        let _ = reply.send(Page { status, html: page::render(&words) });
    }
}

/// The query of a redirect that a person pasted: the whole address, or what follows its `?`.
fn query_of(line: &str) -> Option<String> {
    let line = line.trim();
    match Url::parse(line) {
        Ok(url) => url.query().map(str::to_owned),
        Err(_) => line.contains("state=").then(|| line.trim_start_matches('?').to_owned()),
    }
}

fn unreachable_url() -> Url {
    Url::from_directory_path("/").unwrap_or_else(|()| std::process::abort())
}

async fn serve(stream: TcpStream, address: SocketAddr, hits: mpsc::Sender<Hit>) {
    let service = service_fn(move |request| answer(request, address, hits.clone()));
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_DEADLINE)
        .max_buf_size(LARGEST_HEAD)
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), service)
        .await;
    if let Err(e) = served {
        tracing::debug!("loopback connection: {e}");
    }
}

async fn answer(
    request: Request<Incoming>,
    address: SocketAddr,
    hits: mpsc::Sender<Hit>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let plain = |status| response(status, page::render(&wording::stray_redirect()));
    // A rebound name reaches this port too (L7); the redirect itself always names the literal.
    let ours = address.to_string();
    if request.headers().get(HOST).is_none_or(|host| host.as_bytes() != ours.as_bytes()) {
        return Ok(plain(StatusCode::FORBIDDEN));
    }
    if request.uri().path() != PATH {
        return Ok(plain(StatusCode::NOT_FOUND));
    }
    if request.method() != Method::GET {
        let mut refusal = plain(StatusCode::METHOD_NOT_ALLOWED);
        refusal.headers_mut().insert(ALLOW, HeaderValue::from_static("GET"));
        return Ok(refusal);
    }
    let (reply, outcome) = oneshot::channel();
    let query = request.uri().query().unwrap_or_default().to_owned();
    if hits.send(Hit { query, reply }).await.is_err() {
        return Ok(plain(StatusCode::GONE));
    }
    Ok(match outcome.await {
        Ok(page) => response(page.status, page.html),
        Err(_) => plain(StatusCode::GONE),
    })
}

fn response(status: StatusCode, html: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(html)));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    for (name, value) in [
        (CONTENT_TYPE.as_str(), "text/html; charset=utf-8"),
        ("cache-control", "no-store"),
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "no-referrer"),
    ] {
        if let Ok(name) = hyper::header::HeaderName::from_bytes(name.as_bytes()) {
            headers.insert(name, HeaderValue::from_static(value));
        }
    }
    if let Ok(policy) = HeaderValue::try_from(page::content_security_policy()) {
        headers.insert(CONTENT_SECURITY_POLICY, policy);
    }
    response
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn l10_after_ten_minutes_nobody_listens() {
        let loopback = Loopback::bind("Linear".into(), None).await.unwrap();
        let address = loopback.address;
        let check = Check::new(oauth2::CsrfToken::new("s".into()), "https://as.test".into(), false);
        let (_keeps_open, pasted) = mpsc::channel(1);
        let began = tokio::time::Instant::now();
        // The clock of this test jumps whenever everybody waits.
        assert!(matches!(loopback.wait(&check, pasted).await, Err(SignInError::Deadline)));
        assert_eq!(began.elapsed().as_secs(), 600);
        assert_eq!(TcpStream::connect(address).await.unwrap_err().kind(), io::ErrorKind::ConnectionRefused);
    }
}
