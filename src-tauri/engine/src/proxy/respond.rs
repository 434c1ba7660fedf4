//! The only place that turns a refusal into HTTP, and that passes an upstream's response on.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::header::{
    CACHE_CONTROL, CONNECTION, CONTENT_TYPE, LINK, LOCATION, PROXY_AUTHENTICATE, RETRY_AFTER, UPGRADE, WWW_AUTHENTICATE,
};
use http::{HeaderMap, HeaderValue, Response, StatusCode};
use http_body::{Frame, SizeHint};
use hyper::body::Incoming;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};

use super::addresses::{self, Rewritten};
use super::forward::UpstreamError;
use super::forward_proxy::ForwardRefusal;
use super::json_rpc::Caller;
use super::location::{Addresses, LocationError};
use super::recognise::Seen;
use super::{Exchange, hop_by_hop};
use crate::challenge;
use crate::confirm::Wish;
use crate::model::{AccountName, ExpiredAnswer, Scopes, ServiceName, ToolName};
use crate::session::state::Unready;
use crate::wording;

/// Why Signbell itself answers.
#[derive(Debug, Clone)]
pub enum Refusal {
    /// No tool key.
    NoKey,
    /// A key that nobody has.
    UnknownKey,
    /// The same unknown key again and again.
    TooManyGuesses(Duration),
    /// A good key, and a service that its tool may not use.
    NotGranted {
        /// Whose key.
        tool: ToolName,
        /// What it wanted.
        service: ServiceName,
    },
    /// A `Host` that is not ours.
    ForeignHost,
    /// A web page asks.
    WebPage,
    /// Another user's process asks.
    ForeignUser,
    /// No such service.
    UnknownService(String),
    /// Where OAuth clients look for an authorization server.
    Reserved,
    /// A target that could lead elsewhere.
    BadTarget(String),
    /// TRACE would show what we put in.
    Trace,
    /// The person paused us.
    Paused,
    /// The service's upstream is this proxy.
    PointsAtUs(ServiceName),
    /// The session has no token to give.
    Session {
        /// What the account is called in a sentence.
        account: String,
        /// Its name, for commands.
        name: AccountName,
        /// Why.
        why: Unready,
        /// What the tool wants then.
        answer: ExpiredAnswer,
    },
    /// The upstream wants scopes that the person did not give.
    Scopes {
        /// What the account is called in a sentence.
        account: String,
        /// Its name, for commands.
        name: AccountName,
        /// Which, where the upstream says.
        scopes: Scopes,
        /// What the tool wants then.
        answer: ExpiredAnswer,
    },
    /// The upstream wants a new sign-in, and nobody came.
    SignInWanted {
        /// What the account is called in a sentence.
        account: String,
        /// Its name, for commands.
        name: AccountName,
        /// What the tool wants then.
        answer: ExpiredAnswer,
    },
    /// The upstream refused the token, which is renewed; the request may not be sent twice by us.
    Renewed {
        /// What the account is called in a sentence.
        account: String,
    },
    /// The upstream gave no answer.
    Upstream {
        /// Which.
        service: ServiceName,
        /// Why.
        trouble: UpstreamError,
    },
    /// The upstream's answer leads where it must not.
    BadLocation(ServiceName),
    /// The token can't be a header.
    UnusableToken,
    /// Several services of the tool are where the request goes, and nothing tells them apart.
    SeveralServices {
        /// Where.
        host: String,
        /// Which.
        services: Vec<ServiceName>,
    },
    /// The forward proxy's own reasons.
    Forward(ForwardRefusal),
    /// The person said that this program may not.
    NotConfirmed {
        /// What the program is called.
        program: String,
        /// What it wanted.
        wish: Wish,
    },
    /// The person has not said yet whether this program may.
    ConfirmationNeeded {
        /// What the program is called.
        program: String,
        /// What it wants.
        wish: Wish,
    },
}

impl Refusal {
    /// The stable code of the answer.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::NoKey => "no_key",
            Self::UnknownKey => "unknown_key",
            Self::TooManyGuesses(_) => "too_many_unknown_keys",
            Self::NotGranted { .. } => "service_not_granted",
            Self::ForeignHost => "foreign_host",
            Self::WebPage => "web_page",
            Self::ForeignUser => "foreign_user",
            Self::UnknownService(_) => "unknown_service",
            Self::Reserved => "no_authorization_server",
            Self::BadTarget(_) => "bad_target",
            Self::Trace => "trace",
            Self::Paused => "paused",
            Self::PointsAtUs(_) => "loop",
            Self::Session { why, .. } => match why {
                Unready::NeedsPerson(_) => "sign_in_needed",
                Unready::SignedOut => "signed_out",
                Unready::Vault(_) => "vault_unavailable",
                Unready::Provider { .. } => "provider_unavailable",
                Unready::RefreshDidNotHelp => "token_refused",
            },
            Self::Scopes { .. } => "scopes_needed",
            Self::SignInWanted { .. } => "sign_in_needed",
            Self::Renewed { .. } => "token_renewed",
            Self::Upstream { trouble, .. } => upstream_code(trouble),
            Self::BadLocation(_) => "bad_location",
            Self::UnusableToken => "unusable_token",
            Self::SeveralServices { .. } => "several_services",
            Self::Forward(why) => why.code(),
            Self::NotConfirmed { .. } => "not_confirmed",
            Self::ConfirmationNeeded { .. } => "confirmation_needed",
        }
    }

    /// Whether the other end is no program that may ask at all.
    pub(super) fn is_to_a_stranger(&self) -> bool {
        matches!(
            self,
            Self::TooManyGuesses(_)
                | Self::ForeignHost
                | Self::WebPage
                | Self::ForeignUser
                | Self::Forward(ForwardRefusal::Off)
        )
    }

    fn status(&self, caller: &Caller) -> StatusCode {
        let status = self.plain_status(caller.signs_in_by_itself());
        match (caller, status) {
            // A client that asks what the server speaks shows nobody's words for a 503. After this it
            // begins in the older way, and shows what that is told.
            (Caller::Rpc { probes: true, .. }, StatusCode::SERVICE_UNAVAILABLE) => StatusCode::FAILED_DEPENDENCY,
            (_, status) => status,
        }
    }

    fn plain_status(&self, rpc: bool) -> StatusCode {
        match self {
            Self::NoKey | Self::UnknownKey => StatusCode::UNAUTHORIZED,
            Self::TooManyGuesses(_) => StatusCode::TOO_MANY_REQUESTS,
            Self::NotGranted { .. }
            | Self::NotConfirmed { .. }
            | Self::ForeignHost
            | Self::WebPage
            | Self::ForeignUser => StatusCode::FORBIDDEN,
            Self::UnknownService(_) | Self::Reserved => StatusCode::NOT_FOUND,
            Self::BadTarget(_) => StatusCode::BAD_REQUEST,
            Self::Trace => StatusCode::METHOD_NOT_ALLOWED,
            Self::Paused | Self::ConfirmationNeeded { .. } => StatusCode::SERVICE_UNAVAILABLE,
            Self::PointsAtUs(_) => StatusCode::LOOP_DETECTED,
            Self::SeveralServices { .. } => StatusCode::CONFLICT,
            Self::Forward(why) => why.status(),
            Self::Session {
                why: Unready::NeedsPerson(_) | Unready::SignedOut | Unready::RefreshDidNotHelp,
                answer,
                ..
            } => match answer {
                ExpiredAnswer::Unauthorized => StatusCode::UNAUTHORIZED,
                ExpiredAnswer::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
                // A 401 makes MCP clients start a sign-in of their own against us.
                ExpiredAnswer::Automatic if rpc => StatusCode::SERVICE_UNAVAILABLE,
                ExpiredAnswer::Automatic => StatusCode::UNAUTHORIZED,
            },
            Self::Scopes { answer: ExpiredAnswer::Unauthorized, .. }
            | Self::SignInWanted { answer: ExpiredAnswer::Unauthorized, .. } => StatusCode::UNAUTHORIZED,
            Self::Session { .. } | Self::Scopes { .. } | Self::SignInWanted { .. } | Self::Renewed { .. } => {
                StatusCode::SERVICE_UNAVAILABLE
            }
            Self::Upstream { trouble, .. } => upstream_status(trouble),
            Self::BadLocation(_) | Self::UnusableToken => StatusCode::BAD_GATEWAY,
        }
    }

    fn retry_after(&self) -> Option<u64> {
        match self {
            Self::TooManyGuesses(wait) => Some(wait.as_secs().max(1)),
            Self::Session { why: Unready::Provider { retry_after, .. }, .. } => Some(retry_after.as_secs().max(1)),
            Self::Session { why: Unready::Vault(_), .. } | Self::Forward(ForwardRefusal::NoAuthority(_)) => Some(5),
            Self::Renewed { .. } => Some(1),
            Self::ConfirmationNeeded { .. } => Some(30),
            Self::Session { .. } | Self::Scopes { .. } | Self::SignInWanted { .. } | Self::Paused => Some(30),
            _ => None,
        }
    }

    /// RFC 6750 section 3. A client was once broken by a `scope` here, so there is none.
    fn challenges(&self, status: StatusCode) -> Vec<String> {
        if status != StatusCode::UNAUTHORIZED {
            return vec![];
        }
        match self {
            // git sends nothing before it has seen a Basic challenge.
            Self::NoKey => vec!["Bearer realm=\"signbell\"".into(), "Basic realm=\"signbell\"".into()],
            Self::UnknownKey => {
                vec!["Bearer realm=\"signbell\", error=\"invalid_token\"".into(), "Basic realm=\"signbell\"".into()]
            }
            _ => vec![format!(
                "Bearer realm=\"signbell\", error=\"invalid_token\", error_description=\"{}\"",
                quotable(&wording::refusal(self).detail)
            )],
        }
    }
}

/// The stable code of an upstream's silence.
pub(super) fn upstream_code(trouble: &UpstreamError) -> &'static str {
    match trouble {
        UpstreamError::Unreachable(_) => "upstream_unreachable",
        UpstreamError::Broken(_) => "upstream_broken",
        UpstreamError::Silent => "upstream_silent",
        UpstreamError::Tool(_) => "bad_body",
    }
}

pub(super) fn upstream_status(trouble: &UpstreamError) -> StatusCode {
    match trouble {
        UpstreamError::Silent => StatusCode::GATEWAY_TIMEOUT,
        UpstreamError::Tool(_) => StatusCode::BAD_REQUEST,
        UpstreamError::Unreachable(_) | UpstreamError::Broken(_) => StatusCode::BAD_GATEWAY,
    }
}

/// What may stand in a quoted string (RFC 9110 section 5.6.4) and in a header at all.
fn quotable(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_ascii_graphic() || c == ' ' { c } else { '?' })
        .filter(|c| !matches!(c, '"' | '\\'))
        .collect()
}

/// Our own answer: `application/problem+json` (RFC 9457), or a JSON-RPC error under the request's id.
pub(super) fn refuse(refusal: &Refusal, caller: &Caller) -> Response<Body> {
    let status = refusal.status(caller);
    let words = wording::refusal(refusal);
    let (content_type, body) = match caller {
        Caller::Rpc { ids, .. } => {
            let data = json!({"code": refusal.code(), "remedy": words.remedy});
            let message = format!("{} {}", words.detail, words.remedy).trim().to_owned();
            ("application/json", ids.error(json_rpc_code(status), &message, &data))
        }
        Caller::Plain | Caller::Mcp => ("application/problem+json", problem(refusal, status, &words)),
    };
    let mut response = Response::new(Body::Full(Some(Bytes::from(body.to_string()))));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Some(seconds) = refusal.retry_after().filter(|_| status != StatusCode::UNAUTHORIZED) {
        headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    if refusal.is_to_a_stranger() {
        // Whoever may not ask keeps no descriptor of ours either (I11).
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
    }
    if status == StatusCode::METHOD_NOT_ALLOWED {
        headers.insert(http::header::ALLOW, HeaderValue::from_static("GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"));
    }
    if status == StatusCode::PROXY_AUTHENTICATION_REQUIRED {
        headers.insert(PROXY_AUTHENTICATE, HeaderValue::from_static("Basic realm=\"signbell\""));
    }
    for challenge in refusal.challenges(status) {
        if let Ok(value) = HeaderValue::try_from(challenge) {
            headers.append(WWW_AUTHENTICATE, value);
        }
    }
    response
}

fn problem(refusal: &Refusal, status: StatusCode, words: &wording::Refused) -> Value {
    let mut problem = json!({
        "type": "about:blank",
        "title": words.title,
        "status": status.as_u16(),
        "detail": words.detail,
        "code": refusal.code(),
    });
    if !words.remedy.is_empty() {
        problem["remedy"] = words.remedy.clone().into();
    }
    if let Refusal::Reserved = refusal {
        // RFC 6749 section 5.2: what an OAuth client reads and shows.
        problem["error"] = "invalid_request".into();
        problem["error_description"] = format!("{} {}", words.detail, words.remedy).into();
    }
    problem
}

/// JSON-RPC 2.0 section 5.1 leaves -32000 to -32099 to servers; MCP servers use -32001 for a refused
/// credential and -32603 for trouble of their own.
fn json_rpc_code(status: StatusCode) -> i64 {
    match status.as_u16() {
        401 | 403 | 429 => -32001,
        400 | 404 | 405 => -32600,
        _ => -32603,
    }
}

/// Passes an upstream's response on: as it came, less what is hop-by-hop, with its addresses made
/// the tool's.
///
/// # Errors
/// [`Refusal::BadLocation`].
pub(super) fn relay(
    mut response: Response<Body>,
    client: Option<OnUpgrade>,
    exchange: &Exchange<'_>,
) -> Result<Response<Body>, Refusal> {
    if response.status() == StatusCode::SWITCHING_PROTOCOLS {
        let protocol = response.headers().get(UPGRADE).cloned();
        if let Some(client) = client {
            join(client, hyper::upgrade::on(&mut response));
        }
        hop_by_hop::strip(response.headers_mut());
        if let Some(protocol) = protocol {
            response.headers_mut().insert(CONNECTION, HeaderValue::from_static("upgrade"));
            response.headers_mut().insert(UPGRADE, protocol);
        }
        return Ok(response.map(|_| Body::Empty));
    }
    let headers = response.headers_mut();
    hop_by_hop::strip(headers);
    rewrite_addresses(headers, exchange).map_err(|_| Refusal::BadLocation(exchange.route.name.clone()))?;
    if headers.contains_key(WWW_AUTHENTICATE) {
        let cleaned: Vec<_> =
            headers.get_all(WWW_AUTHENTICATE).iter().map(challenge::without_resource_metadata).collect();
        headers.remove(WWW_AUTHENTICATE);
        for value in cleaned {
            headers.append(WWW_AUTHENTICATE, value);
        }
    }
    if exchange.route.rewrite_addresses
        && let Some(finder) = addresses::finder(response.status(), response.headers(), exchange)
    {
        response.headers_mut().remove(http::header::CONTENT_LENGTH);
        return Ok(response.map(|body| Body::Rewritten(Box::new(Rewritten::new(body, finder)))));
    }
    Ok(response)
}

fn rewrite_addresses(headers: &mut HeaderMap, exchange: &Exchange<'_>) -> Result<(), LocationError> {
    if !headers.contains_key(LOCATION) && !headers.contains_key(LINK) {
        return Ok(());
    }
    let Some(request) = exchange.upstream_url() else { return Err(LocationError::Unparsable) };
    let addresses = Addresses {
        request: &request,
        base: &exchange.route.base,
        tool_base: &exchange.tool_base,
        own_port: exchange.proxy.address().port(),
    };
    if let Some(location) = headers.get(LOCATION) {
        let rewritten = addresses.location(location)?;
        headers.insert(LOCATION, rewritten);
    }
    let mut links = Vec::new();
    for link in headers.get_all(LINK) {
        match addresses.link(link) {
            Ok(rewritten) => links.push(rewritten),
            Err(LocationError::PointsAtUs) => return Err(LocationError::PointsAtUs),
            // The response makes sense without a link that nobody can read.
            Err(LocationError::Unparsable) => {}
        }
    }
    headers.remove(LINK);
    for link in links {
        headers.append(LINK, link);
    }
    Ok(())
}

/// From here on raw bytes go both ways until either side ends.
pub(super) fn join(client: OnUpgrade, upstream: OnUpgrade) {
    tokio::spawn(async move {
        let Ok((client, upstream)) = tokio::try_join!(client, upstream) else { return };
        let (mut client, mut upstream) = (TokioIo::new(client), TokioIo::new(upstream));
        if let Err(e) = tokio::io::copy_bidirectional(&mut client, &mut upstream).await {
            tracing::debug!("switched connection: {e}");
        }
    });
}

/// A response's body: the upstream's own, frame by frame, or ours.
pub enum Body {
    /// Nothing is copied: each frame goes on as it came, trailers too.
    Upstream(Incoming),
    /// The same, of which the beginning was looked at.
    Seen(Box<Seen>),
    /// The same, with the upstream's own addresses made the tool's.
    Rewritten(Box<Rewritten>),
    /// Ours.
    Full(Option<Bytes>),
    /// None.
    Empty,
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        match self.get_mut() {
            Self::Upstream(body) => Pin::new(body).poll_frame(context),
            Self::Seen(body) => Pin::new(body).poll_frame(context),
            Self::Rewritten(body) => body.poll_frame(context),
            Self::Full(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Self::Empty => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Upstream(body) => body.is_end_stream(),
            Self::Seen(body) => body.is_end_stream(),
            Self::Rewritten(body) => body.is_end_stream(),
            Self::Full(bytes) => bytes.is_none(),
            Self::Empty => true,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Upstream(body) => body.size_hint(),
            Self::Seen(body) => body.size_hint(),
            Self::Rewritten(_) => SizeHint::new(),
            Self::Full(bytes) => SizeHint::with_exact(bytes.as_ref().map_or(0, |b| b.len() as u64)),
            Self::Empty => SizeHint::with_exact(0),
        }
    }
}
