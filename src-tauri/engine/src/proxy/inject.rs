//! The request as the upstream gets it: exactly one credential, ours.

use std::borrow::Cow;

use http::header::{CONNECTION, UPGRADE};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Uri};

use super::Exchange;
use super::hop_by_hop;
use super::replay::{Outgoing, Source};
use super::respond::Refusal;
use crate::clock;
use crate::provider::dpop::Proof;
use crate::session::Lease;

/// How a key begins in a path: `/k/` and [`super::identify::KEY_PREFIX`].
const KEY_IN_PATH: &[u8] = b"/k/sbk_";

/// Builds one attempt's request.
///
/// # Errors
/// [`Refusal`] where the token can't be a header.
pub(super) fn request(
    parts: &Parts,
    upstream: &Uri,
    lease: &Lease,
    body: &mut Source,
    exchange: &Exchange<'_>,
) -> Result<Request<Outgoing>, Refusal> {
    let mut request = Request::new(body.outgoing(&exchange.proxy.budget));
    *request.method_mut() = parts.method.clone();
    *request.uri_mut() = upstream.clone();
    let headers = request.headers_mut();
    *headers = parts.headers.clone();
    // Before anything is injected, or `Connection: authorization` would take it out again
    // (CVE-2025-48865).
    strip(headers, &exchange.route.inject.header);
    if exchange.route.rewrite_addresses {
        // What is to be changed on its way back must be readable then.
        headers.insert(http::header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    }
    if upgrade_of(parts).is_some()
        && let Some(protocol) = parts.headers.get(UPGRADE)
    {
        headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
        headers.insert(UPGRADE, protocol.clone());
    }
    match lease.dpop() {
        // Bound to a key: only `Authorization` and a proof of it will do (RFC 9449 section 7.1).
        Some(key) => {
            let unix = lease.provider_unix(clock::now());
            let what = Proof { method: parts.method.as_str(), uri: upstream, access: Some(lease.access()), unix };
            key.put(headers, what).map_err(|_| Refusal::UnusableToken)?;
        }
        None => {
            let inject = &exchange.route.inject;
            headers.insert(inject.header.clone(), inject.value(lease.access()).ok_or(Refusal::UnusableToken)?);
        }
    }
    Ok(request)
}

/// Whether the tool asks for another protocol (RFC 9110 section 7.8).
pub(super) fn upgrade_of(parts: &Parts) -> Option<()> {
    let asked = parts.headers.contains_key(UPGRADE) && hop_by_hop::lists(&parts.headers, &CONNECTION, "upgrade");
    // An upgrade to HTTP/2 would take the connection past every check here.
    let h2c = parts.headers.get(UPGRADE).is_some_and(|p| p.as_bytes().to_ascii_lowercase().starts_with(b"h2c"));
    (asked && !h2c).then_some(())
}

/// Removes what is hop-by-hop (RFC 9110 section 7.6.1), the tool's credentials, and everything that
/// tells of a proxy or pretends to. A tool that has its key in the path may repeat it (`Referer`,
/// `Destination`); no header with it goes on.
fn strip(headers: &mut HeaderMap, inject: &HeaderName) {
    hop_by_hop::strip(headers);
    hop_by_hop::remove_where(headers, |name| {
        // Servers that speak CGI read `X_Forwarded_User` and `X-Forwarded-User` as one.
        let name = match name.as_str() {
            name if name.contains('_') => Cow::Owned(name.replace('_', "-")),
            name => Cow::Borrowed(name),
        };
        name.starts_with("x-forwarded-")
            || name == inject.as_str()
            || matches!(
                &*name,
                "authorization"
                    | "dpop"
                    | "proxy-authorization"
                    | "forwarded"
                    | "host"
                    | "expect"
                    | "x-signbell-key"
                    | "x-real-ip"
            )
    });
    let telling: Vec<HeaderName> = headers
        .iter()
        .filter(|(_, value)| value.as_bytes().windows(KEY_IN_PATH.len()).any(|part| part == KEY_IN_PATH))
        .map(|(name, _)| name.clone())
        .collect();
    for name in telling {
        headers.remove(name);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_key_in_a_path_begins_as_every_key() {
        assert_eq!(KEY_IN_PATH, format!("/k/{}", crate::proxy::KEY_PREFIX).as_bytes());
    }

    #[test]
    fn e2_e3_e4_e5_what_is_taken_out() {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("authorization", "Bearer sbk_x"),
            ("authorization", "Bearer two"),
            ("proxy-authorization", "Basic x"),
            ("x-signbell-key", "sbk_x"),
            ("dpop", "the tool's own proof"),
            ("x-shop-token", "mine"),
            ("x_shop_token", "mine"),
            ("x-forwarded-for", "1.2.3.4"),
            ("x_forwarded_user", "root"),
            ("forwarded", "for=x"),
            ("connection", "authorization, x-hop, keep-alive, content-length"),
            ("x-hop", "1"),
            ("keep-alive", "timeout=5"),
            ("te", "gzip, trailers"),
            ("transfer-encoding", "chunked"),
            ("host", "127.0.0.1:8401"),
            ("content-length", "3"),
            ("x-kept", "yes"),
            ("referer", "http://127.0.0.1:8401/k/sbk_x/linear/a"),
        ] {
            headers.append(name, value.parse().unwrap());
        }
        strip(&mut headers, &HeaderName::from_static("x-shop-token"));
        let mut left: Vec<_> = headers.keys().map(HeaderName::as_str).collect();
        left.sort_unstable();
        assert_eq!(left, ["content-length", "te", "x-kept"]);
        assert_eq!(headers["te"], "trailers");
    }
}
