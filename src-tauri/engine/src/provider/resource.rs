//! What a service says of itself before anybody has signed in: protected resource metadata (RFC 9728),
//! found as the MCP authorization specification says.

use http::header::{ACCEPT, CONTENT_TYPE, WWW_AUTHENTICATE};
use http::{HeaderMap, Method, Request, StatusCode};
use serde::Deserialize;
use url::Url;

use super::http::{FetchError, Http};
use super::metadata::{at_path, named_at_root};
use crate::browser::may_open;
use crate::challenge::{self, Challenge};
use crate::control::FoundBy;
use crate::model::Scopes;

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resource {
    /// Who signs people in there.
    pub issuer: Url,
    /// All whom its metadata names (RFC 9728 section 7.6: the choice is the client's); none where it has no
    /// metadata of its own.
    pub servers: Vec<Url>,
    /// The value of the `resource` parameter (RFC 8707) that its tokens are for; nothing where the service
    /// has no metadata of its own.
    pub resource: Option<String>,
    /// What its challenge asks for, else what its metadata offers. Nothing where neither says.
    pub scopes: Option<Scopes>,
    /// Whether it takes tokens that are bound to a key alone (RFC 9449): as its metadata or its challenge
    /// says.
    pub bound: bool,
    /// How it was found.
    pub by: FoundBy,
    /// It wants a token and names nobody, so its own origin is asked, and may have no metadata either (MCP
    /// 2025-03-26).
    pub default_endpoints: bool,
}

impl Resource {
    /// Keeps to a server that `known` says we know, where its metadata names one.
    #[must_use]
    pub fn prefer(mut self, known: impl Fn(&Url) -> bool) -> Self {
        if let Some(server) = self.servers.iter().find(|server| known(server)) {
            self.issuer = server.clone();
        }
        self
    }
}

/// Why a service could not be understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ResourceError {
    /// It can't be asked.
    #[error(transparent)]
    Fetch(#[from] FetchError),
    /// Its metadata is another resource's (RFC 9728 section 3.3: must not be used).
    #[error("the metadata of {asked} is that of {named}")]
    OtherResource {
        /// Whom we asked.
        asked: Url,
        /// What it says that it is.
        named: String,
    },
    /// An address in its metadata is neither https nor on this machine.
    #[error("{0} is not a safe address")]
    Unsafe(String),
    /// It is not of the shape that RFC 9728 gives.
    #[error("{0}")]
    Malformed(String),
}

/// RFC 9728 section 2, as far as we use it.
#[derive(Debug, Deserialize)]
struct Metadata {
    resource: String,
    #[serde(default)]
    authorization_servers: Vec<String>,
    #[serde(default)]
    scopes_supported: Vec<String>,
    #[serde(default)]
    dpop_bound_access_tokens_required: bool,
}

/// Asks `service` without a token who signs people in there: by the `resource_metadata` of its 401, else
/// at the well-known place for its path, else at that for its root. Where there is none of these, the
/// service's own origin is the issuer, or whom the metadata there names, as before RFC 9728 (MCP
/// 2025-03-26, "Authorization Base URL").
///
/// # Errors
/// [`ResourceError`].
pub async fn discover(http: &Http, service: &Url) -> Result<Resource, ResourceError> {
    let (wants_token, challenge) = challenge_of(http, service).await?;
    let param = |name: &str| challenge.as_ref().and_then(|challenge| challenge.param(name));
    let bound = challenge.as_ref().is_some_and(|challenge| challenge.is("dpop"));
    let asked = param("scope").map(Scopes::parse).filter(|scopes| !scopes.is_empty());
    let mut places = well_known(service);
    let mut announced = None;
    if let Some(named) = param("resource_metadata") {
        let url: Url = named.parse().map_err(|_| ResourceError::Unsafe(named.chars().take(200).collect()))?;
        if !may_open(&url) {
            return Err(ResourceError::Unsafe(url.to_string()));
        }
        announced = Some(url.clone());
        places.insert(0, url);
    }
    for place in places {
        let document = match http.get_metadata(&place).await {
            Ok(document) => document,
            // Not there: look at the next place. An outage must not look like an absence.
            Err(FetchError::Status { status, .. }) if status < 500 && status != 429 => continue,
            Err(FetchError::NotJson { .. }) => continue,
            Err(e) => return Err(e.into()),
        };
        // Some servers answer anything with a page or an object of their own.
        if document.get("resource").is_none() {
            continue;
        }
        let metadata: Metadata =
            serde_json::from_value(document).map_err(|e| ResourceError::Malformed(format!("{place}: {e}")))?;
        let by = if announced.as_ref() == Some(&place) { FoundBy::Challenge } else { FoundBy::WellKnown };
        let read = read(service, metadata, asked)?;
        return Ok(Resource { bound: bound || read.bound, by, ..read });
    }
    let origin = at_path(service, "");
    match named_at_root(http, &origin).await {
        // A token of another server is for this service alone: it says so itself whose it wants, and that may
        // be a server where the person has more.
        Some(issuer) => Ok(Resource {
            servers: vec![issuer.clone()],
            issuer,
            resource: canonical(service.as_str().trim_end_matches('/')),
            scopes: asked,
            bound,
            default_endpoints: false,
            by: FoundBy::WellKnown,
        }),
        None => Ok(Resource {
            issuer: origin,
            servers: vec![],
            resource: None,
            scopes: asked,
            bound,
            default_endpoints: wants_token,
            by: FoundBy::Root,
        }),
    }
}

/// The `resource` parameter that a person gives: an absolute URI without a fragment (RFC 8707 section 2),
/// scheme and host in lower case, and no slash that was not there.
#[must_use]
pub fn canonical(text: &str) -> Option<String> {
    let url: Url = text.parse().ok().filter(|url: &Url| url.fragment().is_none())?;
    let bare = url.path() == "/" && url.query().is_none() && !text.ends_with('/');
    Some(if bare { url.as_str().trim_end_matches('/').to_owned() } else { url.into() })
}

fn read(service: &Url, metadata: Metadata, asked: Option<Scopes>) -> Result<Resource, ResourceError> {
    let named = metadata.resource.parse::<Url>().ok().filter(|named| covers(named, service));
    if named.is_none() {
        let named = metadata.resource.chars().take(200).collect();
        return Err(ResourceError::OtherResource { asked: service.clone(), named });
    }
    let Some(first) = metadata.authorization_servers.first() else {
        return Err(ResourceError::Malformed(format!("{service} names no authorization server")));
    };
    let servers: Vec<Url> =
        metadata.authorization_servers.iter().filter_map(|server| server.parse().ok()).filter(may_open).collect();
    let Some(issuer) = servers.first().cloned() else {
        return Err(ResourceError::Unsafe(first.chars().take(200).collect()));
    };
    let offered = Some(metadata.scopes_supported.into_iter().collect::<Scopes>()).filter(|scopes| !scopes.is_empty());
    Ok(Resource {
        issuer,
        servers,
        // To the letter: servers compare it with what they announce.
        resource: Some(metadata.resource),
        scopes: asked.or(offered),
        bound: metadata.dpop_bound_access_tokens_required,
        default_endpoints: false,
        by: FoundBy::WellKnown,
    })
}

/// Whether `resource` is the service or a part of its path from the root: a token for it is one for the
/// service, and for nobody else.
fn covers(resource: &Url, service: &Url) -> bool {
    let path = resource.path().trim_end_matches('/');
    resource.origin() == service.origin()
        // RFC 8707 section 2: no fragment.
        && resource.fragment().is_none()
        && service.path().strip_prefix(path).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// RFC 9728 section 3.1: the well-known name comes between host and path; then at the root.
fn well_known(service: &Url) -> Vec<Url> {
    let at =
        |path: &str| at_path(service, &format!("/.well-known/oauth-protected-resource{}", path.trim_end_matches('/')));
    let mut places = vec![at(service.path()), at("")];
    places.dedup();
    places
}

/// Whether the service answers 401, and its Bearer or DPoP challenge. An MCP server may answer a GET with
/// 405, and says 401 only to a POST: that is tried with a `ping`, which does nothing.
async fn challenge_of(http: &Http, service: &Url) -> Result<(bool, Option<Challenge>), ResourceError> {
    const PING: &[u8] = br#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#;
    for (method, body) in [(Method::GET, &b""[..]), (Method::POST, PING)] {
        let request = Request::builder()
            .method(method)
            .uri(service.as_str())
            .header(ACCEPT, "application/json, text/event-stream")
            .header(CONTENT_TYPE, "application/json")
            .body(body.to_vec())
            .map_err(|e| ResourceError::Malformed(e.to_string()))?;
        match http.head(request).await? {
            (StatusCode::UNAUTHORIZED, headers) => return Ok((true, bearer(&headers))),
            (StatusCode::METHOD_NOT_ALLOWED | StatusCode::NOT_ACCEPTABLE | StatusCode::BAD_REQUEST, _) => {}
            _ => return Ok((false, None)),
        }
    }
    Ok((false, None))
}

fn bearer(headers: &HeaderMap) -> Option<Challenge> {
    let challenges = headers.get_all(WWW_AUTHENTICATE).iter().flat_map(challenge::parse);
    let mut challenges: Vec<_> =
        challenges.filter(|challenge| challenge.is("bearer") || challenge.is("dpop")).collect();
    // Bearer first: DPoP alone means that nothing else is taken.
    challenges.sort_by_key(|challenge| challenge.is("dpop"));
    challenges.into_iter().next()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn url(text: &str) -> Url {
        text.parse().unwrap()
    }

    #[test]
    fn the_places_in_order() {
        let places = |service| well_known(&url(service)).iter().map(|u| u.path().to_owned()).collect::<Vec<_>>();
        let root = "/.well-known/oauth-protected-resource";
        assert_eq!(places("https://a.test"), [root]);
        assert_eq!(places("https://a.test/mcp/?x=1"), [&format!("{root}/mcp"), root]);
    }

    #[test]
    fn d5_another_resource_s_metadata_is_refused() {
        for (resource, service, good) in [
            ("https://a.test/mcp", "https://a.test/mcp", true),
            ("https://a.test/mcp/", "https://a.test/mcp", true),
            ("https://a.test", "https://a.test/mcp", true),
            ("https://A.test:443/", "https://a.test/mcp", true),
            ("https://a.test/mcp", "https://a.test", false),
            ("https://a.test/mc", "https://a.test/mcp", false),
            ("https://b.test/mcp", "https://a.test/mcp", false),
            ("http://a.test/mcp", "https://a.test/mcp", false),
            ("https://a.test:444/mcp", "https://a.test/mcp", false),
            ("mcp", "https://a.test/mcp", false),
            ("https://a.test/mcp#a", "https://a.test/mcp", false),
        ] {
            let metadata = Metadata {
                resource: resource.into(),
                authorization_servers: vec!["https://as.test".into()],
                scopes_supported: vec![],
                dpop_bound_access_tokens_required: false,
            };
            assert_eq!(read(&url(service), metadata, None).is_ok(), good, "{resource} for {service}");
        }
    }

    #[test]
    fn of_several_servers_one_that_is_known_counts() {
        let metadata = |servers: &[&str]| Metadata {
            resource: "https://a.test".into(),
            authorization_servers: servers.iter().map(|s| (*s).to_owned()).collect(),
            scopes_supported: vec![],
            dpop_bound_access_tokens_required: false,
        };
        let found = |servers: &[&str]| read(&url("https://a.test"), metadata(servers), None);
        let two = found(&["https://x.test", "https://y.test"]).unwrap();
        assert_eq!(two.issuer, url("https://x.test"));
        assert_eq!(two.clone().prefer(|issuer| *issuer == url("https://y.test")).issuer, url("https://y.test"));
        assert_eq!(two.prefer(|issuer| *issuer == url("https://z.test")).issuer, url("https://x.test"));
        // One that can't be used is passed over while there is another.
        assert_eq!(found(&["http://x.test", "https://y.test"]).unwrap().servers, [url("https://y.test")]);
        assert!(found(&["http://x.test"]).is_err());
    }

    #[test]
    fn what_a_resource_parameter_looks_like() {
        for (given, expected) in [
            ("https://mcp.example.com", Some("https://mcp.example.com")),
            ("https://mcp.example.com/", Some("https://mcp.example.com/")),
            ("HTTPS://MCP.Example.com/Server/mcp", Some("https://mcp.example.com/Server/mcp")),
            ("https://mcp.example.com:8443", Some("https://mcp.example.com:8443")),
            ("https://mcp.example.com:443/mcp", Some("https://mcp.example.com/mcp")),
            ("urn:example:mcp", Some("urn:example:mcp")),
            ("api://0000/x", Some("api://0000/x")),
            ("mcp.example.com", None),
            ("https://mcp.example.com#fragment", None),
            ("", None),
        ] {
            assert_eq!(canonical(given).as_deref(), expected, "{given}");
        }
    }

    #[test]
    fn d1_d3_what_its_metadata_may_lead_to() {
        for (server, good) in [
            ("https://as.test/t", true),
            ("http://127.0.0.1:9", true),
            ("http://as.test", false),
            ("file:///etc/passwd", false),
            ("a:$(calc)", false),
            ("", false),
        ] {
            let metadata = Metadata {
                resource: "https://a.test".into(),
                authorization_servers: vec![server.into()],
                scopes_supported: vec!["a".into(), "b".into()],
                dpop_bound_access_tokens_required: false,
            };
            let read = read(&url("https://a.test/mcp"), metadata, None);
            assert_eq!(read.is_ok(), good, "{server}");
            assert!(!good || read.unwrap().scopes == Some(Scopes::parse("a b")));
        }
        let none = Metadata {
            resource: "https://a.test".into(),
            authorization_servers: vec![],
            scopes_supported: vec![],
            dpop_bound_access_tokens_required: false,
        };
        assert!(matches!(read(&url("https://a.test/"), none, None), Err(ResourceError::Malformed(_))));
    }
}
