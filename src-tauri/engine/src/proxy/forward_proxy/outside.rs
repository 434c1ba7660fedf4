//! Requests that are below no service's base: they go on as they came, and without a token.

use http::header::{AUTHORIZATION, CONNECTION, EXPECT, HOST, PROXY_AUTHORIZATION, UPGRADE};
use http::{HeaderMap, HeaderValue, Request, StatusCode, Uri};
use hyper::Response;
use url::Url;

use super::ForwardRefusal;
use crate::browser::is_loopback;
use crate::proxy::respond::{self, Body, Refusal};
use crate::proxy::{Call, Proxy, hop_by_hop, identify, inject};

/// How long an upstream may take to begin its answer: as for services, unless set otherwise.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(600);

/// Sends the request to `uri`, which is `address`.
///
/// # Errors
/// [`ForwardRefusal::Outside`].
pub(super) async fn pass(proxy: &Proxy, call: &mut Call, uri: Uri, address: &Url) -> Result<Response<Body>, Refusal> {
    let upgrade = inject::upgrade_of(&call.parts);
    // Nothing is ever replayed here, so nothing is kept.
    call.body.keep_no_more();
    let mut request = Request::new(call.body.outgoing(&proxy.budget));
    *request.method_mut() = call.parts.method.clone();
    *request.uri_mut() = uri;
    *request.headers_mut() = headers(&call.parts.headers, upgrade.is_some());
    let way_out = proxy.forwarding.way_out();
    let pool = way_out.pool(is_loopback(address));
    let sent = pool.send(request, upgrade.is_some(), &call.body, PATIENCE).await;
    let mut response = sent.map_err(|trouble| ForwardRefusal::Outside {
        host: address.host_str().unwrap_or_default().to_owned(),
        trouble,
    })?;
    let switched = upgrade.is_some() && response.status() == StatusCode::SWITCHING_PROTOCOLS;
    let protocol = response.headers().get(UPGRADE).cloned().filter(|_| switched);
    hop_by_hop::strip(response.headers_mut());
    let Some(protocol) = protocol else { return Ok(response.map(Body::Upstream)) };
    if let Some(client) = call.parts.extensions.remove() {
        respond::join(client, hyper::upgrade::on(&mut response));
    }
    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("upgrade"));
    response.headers_mut().insert(UPGRADE, protocol);
    Ok(response.map(|_| Body::Empty))
}

/// The tool's own, less what is hop-by-hop, and less every key of ours (E4).
fn headers(asked: &HeaderMap, upgrade: bool) -> HeaderMap {
    let mut headers = asked.clone();
    hop_by_hop::strip(&mut headers);
    for name in [PROXY_AUTHORIZATION, HOST, EXPECT] {
        headers.remove(name);
    }
    headers.remove("x-signbell-key");
    if headers.get_all(AUTHORIZATION).iter().any(identify::holds_a_key) {
        headers.remove(AUTHORIZATION);
    }
    if upgrade && let Some(protocol) = asked.get(UPGRADE) {
        headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
        headers.insert(UPGRADE, protocol.clone());
    }
    headers
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn e4_what_goes_on_is_the_tool_s_own_but_no_key() {
        for (authorization, kept) in [
            ("Bearer its-own", true),
            ("Bearer sbk_x", false),
            ("token sbk_x", false),
            ("sbk_x", false),
            ("Basic c2JrX3g6", false),
        ] {
            let mut asked = HeaderMap::new();
            for (name, value) in [
                ("authorization", authorization),
                ("proxy-authorization", "Basic dTpzYmtfeA=="),
                ("x-signbell-key", "sbk_x"),
                ("proxy-connection", "keep-alive"),
                ("x-forwarded-for", "its own"),
                ("host", "api.test"),
            ] {
                asked.insert(name, value.parse().unwrap());
            }
            let headers = headers(&asked, false);
            let mut left: Vec<&str> = headers.keys().map(http::HeaderName::as_str).collect();
            left.sort_unstable();
            let expected: &[&str] = if kept { &["authorization", "x-forwarded-for"] } else { &["x-forwarded-for"] };
            assert_eq!(left, expected, "{authorization}");
        }
    }
}
