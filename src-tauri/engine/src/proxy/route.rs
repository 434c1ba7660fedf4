//! Which service a request means, and where that is.

mod path;

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http::Uri;
use http::header::HOST;
use http::request::Parts;
use subtle::ConstantTimeEq as _;
use url::Url;

use self::path::{PathKey, Reserved, Target as PathTarget};
pub(super) use self::path::{Rest, is_service_name};
use super::Pool;
use super::respond::Refusal;
use crate::browser::is_loopback;
use crate::config::KeyDigest;
use crate::model::{AccountName, ExpiredAnswer, Scopes, ServiceName, ToolName};
use crate::rules::{Injection, RuleSet};
use crate::session::SessionHandle;

/// Who may use what.
#[derive(Default)]
pub struct Routes {
    services: HashMap<ServiceName, Route>,
    tools: HashMap<KeyDigest, Tool>,
}

/// A service as a request meets it.
pub struct Route {
    /// Its name.
    pub name: ServiceName,
    /// The upstream base URL.
    pub base: Url,
    /// Whose tokens it gets.
    pub account: AccountName,
    /// What the account is called in a sentence.
    pub title: String,
    /// Its grant's session.
    pub session: SessionHandle,
    /// Its grant's connections.
    pub pool: Arc<Pool>,
    /// How long things may take.
    pub limits: Limits,
    /// How it says that a token is no good.
    pub rules: RuleSet,
    /// How the token is put in.
    pub inject: Injection,
    /// What the account asks for when it signs in.
    pub account_scopes: Scopes,
    /// The scopes that a click may add: those that the account, the service or its preset names.
    pub listed_scopes: Scopes,
    /// Whether unsafe methods are replayed.
    pub replay_unsafe: bool,
    /// Whether its own addresses in what it answers become the tool's.
    pub rewrite_addresses: bool,
    /// What its tools get when the person did not come.
    pub expired: ExpiredAnswer,
}

/// How long things may take.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// A request may wait so long for the person.
    pub hold: Duration,
    /// The same for a JSON-RPC request.
    pub hold_json_rpc: Duration,
    /// An upstream may take so long to begin its answer.
    pub answer: Duration,
}

/// A registered program as a request meets it.
#[derive(Debug, Clone)]
pub struct Tool {
    /// Its name.
    pub name: ToolName,
    /// The digest of its key.
    pub key: KeyDigest,
    /// What it may use.
    pub services: BTreeSet<ServiceName>,
    /// What it gets when the person did not come.
    pub expired: ExpiredAnswer,
    /// Whether its key may be in the path.
    pub key_in_path: bool,
    /// Whether the person is asked once for each program and service.
    pub confirm: bool,
    /// Which programs they let use what for good, by path.
    pub allowed: BTreeMap<ServiceName, Vec<String>>,
}

impl Routes {
    /// Routes of these services and tools.
    pub fn new(services: impl IntoIterator<Item = Route>, tools: impl IntoIterator<Item = Tool>) -> Self {
        Self {
            services: services.into_iter().map(|route| (route.name.clone(), route)).collect(),
            tools: tools.into_iter().map(|tool| (tool.key, tool)).collect(),
        }
    }

    pub(super) fn service(&self, name: &str) -> Option<&Route> {
        self.services.get(name)
    }

    /// Every service.
    pub(super) fn all(&self) -> impl Iterator<Item = &Route> {
        self.services.values()
    }

    /// The services that a tool may use.
    pub(super) fn of_tool(&self, tool: &Tool) -> impl Iterator<Item = &Route> {
        tool.services.iter().filter_map(|name| self.services.get(name))
    }

    pub(super) fn tool(&self, digest: &KeyDigest) -> Option<&Tool> {
        self.tools.get(digest).filter(|tool| bool::from(tool.key.0.ct_eq(&digest.0)))
    }
}

impl Route {
    /// Whether the upstream is this very proxy (E7).
    pub(super) fn points_at(&self, own: SocketAddr) -> bool {
        is_loopback(&self.base) && self.base.port_or_known_default() == Some(own.port())
    }
}

/// What a request asks for.
pub(super) struct Target<'a> {
    key: Option<PathKey<'a>>,
    service: &'a str,
    rest: Rest<'a>,
    /// The service was named by the host: `http://<service>.localhost:8401/rest`.
    by_host: bool,
}

/// Reads the service from the host or the path.
///
/// # Errors
/// [`Refusal`]: a reserved name, or a target that could lead elsewhere.
pub(super) fn target(parts: &Parts) -> Result<Target<'_>, Refusal> {
    origin_form(parts)?;
    if let Some(service) = service_of_host(parts) {
        let whole = parts.uri.path_and_query().map_or("/", http::uri::PathAndQuery::as_str);
        if let Some(reserved) = Reserved::of(whole.split(['/', '?']).nth(1).unwrap_or_default())
            && reserved != Reserved::Key
        {
            return Err(Refusal::Reserved);
        }
        let rest = Rest::parse(whole).map_err(|e| Refusal::BadTarget(e.to_string()))?;
        return Ok(Target { key: None, service, rest, by_host: true });
    }
    match path::of_request(&parts.uri).map_err(|e| Refusal::BadTarget(e.to_string()))? {
        PathTarget::Reserved(_) => Err(Refusal::Reserved),
        PathTarget::Service { key, service, rest } => {
            not_oauth(rest)?;
            Ok(Target { key, service, rest, by_host: false })
        }
    }
}

/// Only a path is asked for (RFC 9112 section 3.2.1), and not with TRACE.
///
/// # Errors
/// [`Refusal`] for any other form, which could name another upstream.
pub(super) fn origin_form(parts: &Parts) -> Result<(), Refusal> {
    if parts.method == http::Method::CONNECT || parts.uri.authority().is_some() {
        return Err(Refusal::BadTarget(path::TargetError::NotOriginForm.to_string()));
    }
    if parts.method == http::Method::TRACE {
        return Err(Refusal::Trace);
    }
    Ok(())
}

/// An MCP client that looks below the service for an authorization server finds none here (E10).
///
/// # Errors
/// [`Refusal::Reserved`].
pub(super) fn not_oauth(rest: Rest<'_>) -> Result<(), Refusal> {
    match rest.as_str().trim_start_matches('/').starts_with(".well-known/oauth-") {
        true => Err(Refusal::Reserved),
        false => Ok(()),
    }
}

/// The address of `rest` below `base`.
///
/// # Errors
/// [`Refusal::BadTarget`].
pub(super) fn join(base: &Url, rest: Rest<'_>) -> Result<Uri, Refusal> {
    path::join(base, rest).map_err(|e| Refusal::BadTarget(e.to_string()))
}

fn service_of_host(parts: &Parts) -> Option<&str> {
    let host = parts.headers.get(HOST)?.to_str().ok()?;
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    name.strip_suffix(".localhost")
}

impl<'a> Target<'a> {
    /// The key, if it came in the path.
    pub(super) fn key(&self) -> Option<&'a str> {
        self.key.map(PathKey::expose)
    }

    pub(super) fn service(&self) -> &'a str {
        self.service
    }

    /// The address at the upstream; always below `base`.
    pub(super) fn upstream(&self, base: &Url) -> Result<Uri, Refusal> {
        join(base, self.rest)
    }

    /// The base's address as the tool used it.
    pub(super) fn tool_base(&self, parts: &Parts, own: SocketAddr) -> String {
        let host = parts.headers.get(HOST).and_then(|h| h.to_str().ok());
        let host = host.map_or_else(|| own.to_string().into(), Cow::Borrowed);
        match (self.by_host, self.key) {
            (true, _) => ["http://", &host].concat(),
            (false, None) => ["http://", &host, "/", self.service].concat(),
            (false, Some(key)) => ["http://", &host, "/k/", key.expose(), "/", self.service].concat(),
        }
    }
}
