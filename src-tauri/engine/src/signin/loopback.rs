//! The redirect's other end (RFC 8252 section 7.3): one GET on the literal `127.0.0.1`, unless the provider
//! takes another name, port or path.
//!
//! It listens on a free port for as long as one sign-in takes, and not a moment longer.

use std::convert::Infallible;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr};
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
use super::{AttemptError, DEADLINE, SignInError, page};
use crate::model::Identity;
use crate::provider::{LoopbackHost, Redirect};
use crate::wording;

/// A browser sends its whole head at once; who does not is not a browser.
const HEAD_DEADLINE: Duration = Duration::from_secs(10);

/// No provider's redirect is longer.
const LARGEST_HEAD: usize = 16 * 1024;

pub(super) struct Loopback {
    listener: TcpListener,
    /// The same port of `[::1]`, where the browser may come to that: nobody else must answer there.
    second: Option<TcpListener>,
    redirect: Redirect,
    title: String,
}

/// Ports that are free on one address and taken on the other are rare; so many in a row are none.
const TRIES: usize = 8;

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

/// A line that a person pasted.
pub(crate) struct Pasted {
    pub(crate) line: String,
    /// Told why it is not the redirect; the sign-in waits for another.
    pub(crate) refused: mpsc::UnboundedSender<String>,
}

/// The waiting browser; nobody where the redirect was pasted.
pub(super) struct Browser {
    reply: Option<oneshot::Sender<Page>>,
    title: String,
}

impl Loopback {
    /// Takes the registered port where there is one and it is free, else any: RFC 8252 section 7.3 has
    /// servers allow that. Where the provider's redirect fixes the port, another would be refused there.
    pub(super) async fn bind(title: String, redirect: Redirect, port: Option<u16>) -> Result<Self, AttemptError> {
        let wanted = port.or(redirect.port);
        let mut taken = io::ErrorKind::AddrInUse;
        for port in wanted.into_iter().chain(std::iter::repeat_n(0, TRIES)) {
            match listen(redirect.host, port).await {
                Ok((listener, second, port)) => {
                    let redirect = Redirect { port: Some(port), ..redirect };
                    return Ok(Self { listener, second, redirect, title });
                }
                Err(_) if port != 0 && redirect.port.is_some() => return Err(AttemptError::PortTaken(port)),
                Err(e) => taken = e.kind(),
            }
        }
        Err(AttemptError::Listen(taken))
    }

    /// Takes this port and no other.
    pub(super) async fn bind_to(title: String, redirect: Redirect, port: u16) -> Result<Self, io::ErrorKind> {
        let (listener, second, port) = listen(redirect.host, port).await.map_err(|e| e.kind())?;
        Ok(Self { listener, second, redirect: Redirect { port: Some(port), ..redirect }, title })
    }

    pub(super) fn redirect_uri(&self) -> Url {
        // A redirect was an address before, and a port keeps it one.
        self.redirect.to_string().parse().unwrap_or_else(|_| unreachable_url())
    }

    /// Waits for the redirect that belongs to this sign-in; whatever else comes is answered and
    /// forgotten.
    ///
    /// # Errors
    /// [`SignInError::Deadline`] after [`DEADLINE`]. Whatever comes afterwards finds the port closed.
    pub(super) async fn wait(self, check: &Check, pasted: mpsc::Receiver<Pasted>) -> Result<Came, SignInError> {
        tokio::time::timeout(DEADLINE, self.first(check, pasted)).await.map_err(|_| SignInError::Deadline)
    }

    async fn first(self, check: &Check, mut pasted: mpsc::Receiver<Pasted>) -> Came {
        let (hits, mut arrived) = mpsc::channel::<Hit>(16);
        let mut may_paste = true;
        loop {
            tokio::select! {
                accepted = accept(&self.listener, self.second.as_ref()) => match accepted {
                    Ok(stream) => drop(tokio::spawn(serve(stream, self.redirect.clone(), hits.clone()))),
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
                    Some(pasted) => match query_of(&pasted.line).map(|query| check.read(&query)) {
                        Some(Ok(code)) => return Came { code, browser: Browser { reply: None, title: self.title } },
                        // The sign-in goes on; whoever left does not hear it.
                        Some(Err(stray)) => drop(pasted.refused.send(wording::stray_paste(stray))),
                        None => drop(pasted.refused.send(wording::NO_REDIRECT.to_owned())),
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

/// Listens where a browser that follows the redirect can come to.
async fn listen(host: LoopbackHost, port: u16) -> io::Result<(TcpListener, Option<TcpListener>, u16)> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
    let port = listener.local_addr()?.port();
    let second = match host {
        LoopbackHost::Literal => None,
        // `localhost` may mean either: whoever held the other would be sent the code.
        LoopbackHost::Localhost => match TcpListener::bind((Ipv6Addr::LOCALHOST, port)).await {
            Ok(second) => Some(second),
            Err(e) if e.kind() == io::ErrorKind::AddrInUse => return Err(e),
            // A machine without IPv6.
            Err(_) => None,
        },
    };
    Ok((listener, second, port))
}

async fn accept(first: &TcpListener, second: Option<&TcpListener>) -> io::Result<TcpStream> {
    let accepted = match second {
        Some(second) => tokio::select! {
            accepted = first.accept() => accepted,
            accepted = second.accept() => accepted,
        },
        None => first.accept().await,
    };
    accepted.map(|(stream, _)| stream)
}

async fn serve(stream: TcpStream, redirect: Redirect, hits: mpsc::Sender<Hit>) {
    let service = service_fn(move |request| answer(request, redirect.clone(), hits.clone()));
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
    redirect: Redirect,
    hits: mpsc::Sender<Hit>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let plain = |status| response(status, page::render(&wording::stray_redirect()));
    // A rebound name reaches this port too (L7); the redirect itself always names this one.
    let ours = format!("{}:{}", redirect.host.as_str(), redirect.port.unwrap_or_default());
    if request.headers().get(HOST).is_none_or(|host| host.as_bytes() != ours.as_bytes()) {
        return Ok(plain(StatusCode::FORBIDDEN));
    }
    if request.uri().path() != redirect.path {
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
        let loopback = Loopback::bind("Linear".into(), Redirect::default(), None).await.unwrap();
        let address = loopback.listener.local_addr().unwrap();
        let check = super::super::callback::check("s", false);
        let (_keeps_open, pasted) = mpsc::channel(1);
        let began = tokio::time::Instant::now();
        // The clock of this test jumps whenever everybody waits.
        assert!(matches!(loopback.wait(&check, pasted).await, Err(SignInError::Deadline)));
        assert_eq!(began.elapsed().as_secs(), 600);
        assert_eq!(TcpStream::connect(address).await.unwrap_err().kind(), io::ErrorKind::ConnectionRefused);
    }

    #[tokio::test]
    async fn a_redirect_that_the_provider_fixes_is_that_and_no_other() {
        let fixed = |host, port| Redirect { host, port, path: "/x".into() };
        let held = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let port = held.local_addr().unwrap().port();
        // Another port would be refused by the provider, after the person has signed in.
        let taken = Loopback::bind("X".into(), fixed(LoopbackHost::Literal, Some(port)), None).await;
        assert!(matches!(taken, Err(AttemptError::PortTaken(p)) if p == port));
        // One that was only registered by ourselves may be another.
        let other = Loopback::bind("X".into(), fixed(LoopbackHost::Literal, None), Some(port)).await.unwrap();
        assert_ne!(other.redirect_uri().port(), Some(port));
        drop(held);
        let ours = Loopback::bind("X".into(), fixed(LoopbackHost::Localhost, Some(port)), None).await.unwrap();
        assert_eq!(ours.redirect_uri().as_str(), format!("http://localhost:{port}/x"));
        // Whoever sends the browser to `localhost` sends it to us, by whichever address.
        assert!(TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.is_ok());
        if ours.second.is_some() {
            assert!(TcpStream::connect((Ipv6Addr::LOCALHOST, port)).await.is_ok());
        }
    }
}
