//! Which service a request means that names its upstream: at the Unix socket by the `Host`, in a tunnel by
//! the host that it leads to. The tool's own services are looked among, and the one with the longest base
//! path is meant.

use http::Uri;
use http::uri::Authority;
use url::Url;

use super::respond::Refusal;
use super::route::{self, Rest, Route, Routes, Tool};

/// A service, and the request's address there.
pub(super) struct Meant<'a> {
    pub(super) route: &'a Route,
    pub(super) upstream: Uri,
    /// The base's address as the tool used it.
    pub(super) tool_base: String,
}

/// An upstream's host as a request names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Origin {
    /// In lower case; an IPv6 address in brackets.
    pub(super) host: String,
    /// Nothing stands for the one that goes without saying.
    pub(super) port: Option<u16>,
    /// Whether by TLS; nothing where that can't be known.
    pub(super) tls: Option<bool>,
}

impl Origin {
    /// Reads `host` or `host:port` (RFC 3986 section 3.2); nothing where there is a user name or no host.
    pub(super) fn parse(text: &str, tls: Option<bool>) -> Option<Self> {
        let authority: Authority = text.parse().ok()?;
        let host = authority.host().to_ascii_lowercase();
        let port = match authority.port() {
            None => None,
            Some(port) => Some(port.as_str().parse().ok()?),
        };
        let whole = port.map_or_else(|| host.clone(), |port: u16| format!("{host}:{port}"));
        // What is left over (a user name, `+80`, an empty port) makes another text.
        (!host.is_empty() && whole.eq_ignore_ascii_case(text)).then_some(Self { host, port, tls })
    }

    /// Whether `base` is at this origin.
    pub(super) fn is_of(&self, base: &Url) -> bool {
        base.host_str() == Some(&*self.host)
            && self.port.map_or(base.port().is_none(), |port| base.port_or_known_default() == Some(port))
            && self.tls.is_none_or(|tls| tls == (base.scheme() == "https"))
    }
}

/// The tool's service that `target`, a path and query at `origin`, is below; nothing where it is below none.
///
/// # Errors
/// [`Refusal`] where several are meant alike, or where the target could lead out of its base.
pub(super) fn at<'a>(
    routes: &'a Routes,
    tool: &Tool,
    origin: &Origin,
    target: &str,
) -> Result<Option<Meant<'a>>, Refusal> {
    let here = routes.of_tool(tool).filter(|route| origin.is_of(&route.base));
    let meant = deepest(here.map(|route| (route, &route.base)), target);
    match meant.as_slice() {
        [] => Ok(None),
        [(route, rest)] => {
            let tool_base = route.base.as_str().trim_end_matches('/').to_owned();
            of(route, rest, tool_base).map(Some)
        }
        several => Err(Refusal::SeveralServices {
            host: origin.host.clone(),
            services: several.iter().map(|(route, _)| route.name.clone()).collect(),
        }),
    }
}

/// `target` below the base of `route`.
///
/// # Errors
/// [`Refusal`] where the target could lead out of the base.
pub(super) fn of<'a>(route: &'a Route, target: &str, tool_base: String) -> Result<Meant<'a>, Refusal> {
    let rest = Rest::parse(target).map_err(|e| Refusal::BadTarget(e.to_string()))?;
    route::not_oauth(rest)?;
    Ok(Meant { route, upstream: route::join(&route.base, rest)?, tool_base })
}

/// Those whose base `target` is below, if it is below none that is deeper; each with the rest. PURE.
fn deepest<'a, 't, S>(bases: impl Iterator<Item = (S, &'a Url)>, target: &'t str) -> Vec<(S, &'t str)> {
    let mut best = Vec::new();
    let mut shortest = usize::MAX;
    for (service, base) in bases {
        let Some(rest) = below(base, target) else { continue };
        if rest.len() < shortest {
            shortest = rest.len();
            best.clear();
        }
        if rest.len() == shortest {
            best.push((service, rest));
        }
    }
    best
}

/// What of `target` is below the base. Only as it is written: what a server would decode first is not ours.
fn below<'t>(base: &Url, target: &'t str) -> Option<&'t str> {
    let rest = target.strip_prefix(base.path().trim_end_matches('/'))?;
    (rest.is_empty() || rest.starts_with(['/', '?'])).then_some(rest)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_host_as_requests_write_it() {
        let origin = |text: &str| Origin::parse(text, None).map(|origin| (origin.host, origin.port));
        for (text, host, port) in [
            ("api.test", "api.test", None),
            ("API.test:443", "api.test", Some(443)),
            ("127.0.0.1:8080", "127.0.0.1", Some(8080)),
            ("[::1]:8080", "[::1]", Some(8080)),
            ("notes", "notes", None),
        ] {
            assert_eq!(origin(text), Some((host.to_owned(), port)), "{text}");
        }
        for bad in ["", ":80", "a:", "a:+80", "a:080", "a:99999", "user@a:80", "a/b", "a b", "[::1"] {
            assert_eq!(origin(bad), None, "{bad}");
        }
    }

    #[test]
    fn an_origin_is_scheme_host_and_port() {
        for (text, tls, base, expected) in [
            ("api.test", None, "https://api.test/v1", true),
            ("api.test:443", None, "https://api.test/v1", true),
            ("api.test:443", Some(true), "https://api.test/v1", true),
            ("api.test:443", Some(false), "https://api.test/v1", false),
            ("api.test:80", None, "https://api.test/v1", false),
            ("api.test", None, "https://api.test:8443", false),
            ("api.test:8443", None, "https://api.test:8443", true),
            ("api.test.", None, "https://api.test", false),
            ("sub.api.test", None, "https://api.test", false),
            ("127.0.0.1:3000", Some(false), "http://127.0.0.1:3000/x", true),
            ("[::1]:3000", None, "http://[::1]:3000/x", true),
        ] {
            let origin = Origin::parse(text, tls).unwrap();
            assert_eq!(origin.is_of(&base.parse().unwrap()), expected, "{text} {tls:?} {base}");
        }
    }

    #[test]
    fn the_deepest_base_is_meant() {
        let bases: Vec<(&str, Url)> = [
            ("all", "https://h"),
            ("v1", "https://h/v1"),
            ("notes", "https://h/v1/notes/"),
            ("again", "https://h/v1/notes"),
        ]
        .map(|(name, base)| (name, base.parse().unwrap()))
        .into();
        let meant = |target, without: &[&str]| {
            let bases = bases.iter().filter(|(name, _)| !without.contains(name));
            deepest(bases.map(|(name, base)| (*name, base)), target)
        };
        assert_eq!(meant("/x?a=/v1", &[]), [("all", "/x?a=/v1")]);
        assert_eq!(meant("/v1", &[]), [("v1", "")]);
        assert_eq!(meant("/v1?x", &[]), [("v1", "?x")]);
        assert_eq!(meant("/v10/x", &[]), [("all", "/v10/x")]);
        assert_eq!(meant("/v1/notes/7", &[]), [("notes", "/7"), ("again", "/7")]);
        assert_eq!(meant("/v1/notes/7", &["again"]), [("notes", "/7")]);
        assert_eq!(meant("/%76%31/x", &["all"]), [], "what is encoded otherwise gets no token");
        assert_eq!(meant("/x", &["all"]), []);
        assert_eq!(meant("*", &[]), []);
    }
}
