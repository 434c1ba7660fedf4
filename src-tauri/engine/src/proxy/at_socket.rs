//! A request at the Unix socket: the `Host` picks the service.

use http::header::HOST;
use http::request::Parts;

use super::by_host::{self, Meant, Origin};
use super::respond::Refusal;
use super::route::{self, Routes, Tool};

/// The service that the `Host` names: the upstream's own (`api.github.com`), or the service's name.
/// `localhost` is ours, as at the port: there the path names it.
///
/// # Errors
/// [`Refusal`].
pub(super) fn meant<'a>(parts: &Parts, routes: &'a Routes, tool: &Tool) -> Result<Meant<'a>, Refusal> {
    route::origin_form(parts)?;
    let host = parts.headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let origin = Origin::parse(host, None).ok_or_else(|| Refusal::UnknownService(host.to_owned()))?;
    let target = parts.uri.path_and_query().map_or("/", http::uri::PathAndQuery::as_str);
    if let Some(meant) = by_host::at(routes, tool, &origin, target)? {
        return Ok(meant);
    }
    let named = origin.host.strip_suffix(".localhost").unwrap_or(&origin.host);
    if let Some(route) = routes.service(named) {
        if !tool.services.contains(&route.name) {
            return Err(Refusal::NotGranted { tool: tool.name.clone(), service: route.name.clone() });
        }
        return by_host::of(route, target, format!("http://{host}"));
    }
    let mut others = routes.all().filter(|route| origin.is_of(&route.base) && !tool.services.contains(&route.name));
    match others.next() {
        Some(other) => Err(Refusal::NotGranted { tool: tool.name.clone(), service: other.name.clone() }),
        None => Err(Refusal::UnknownService(host.to_owned())),
    }
}

/// Whether the request names us, and the path names the service as it does at the port.
pub(super) fn is_ours(parts: &Parts, routes: &Routes, port: u16) -> bool {
    let Some(host) = parts.headers.get(HOST).and_then(|host| host.to_str().ok()) else { return true };
    let Some(origin) = Origin::parse(host, None) else { return false };
    matches!(&*origin.host, "localhost" | "127.0.0.1" | "[::1]")
        && origin.port.is_none_or(|named| named == port)
        && !routes.all().any(|route| origin.is_of(&route.base))
}
