//! Tunnels: blind ones, whose bytes go by unseen, and those that end here.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http::Uri;
use hyper::Response;
use hyper::upgrade::OnUpgrade;
use hyper_util::client::legacy::connect::proxy::Tunnel;
use hyper_util::rt::TokioIo;
use rustls::ServerConfig;
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tower_service::Service;
use url::Url;

use super::{ForwardRefusal, Opened};
use crate::browser::is_loopback;
use crate::proxy::forward::{CONNECT_DEADLINE, UpstreamError, WayOut, connector, deepest};
use crate::proxy::listen::conversation::{Conversation, Entrance};
use crate::proxy::respond::{Body, Refusal};

/// The tool's side of a TLS handshake takes no longer.
const HANDSHAKE_DEADLINE: Duration = Duration::from_secs(10);

/// Connects to a host that is none of the tool's services and leads bytes both ways: its TLS is its own, and
/// nothing is put in.
///
/// # Errors
/// [`Refusal`] where it can't be reached, or is us.
pub(super) async fn blind(
    conversation: &Conversation,
    address: &Url,
    client: OnUpgrade,
) -> Result<Response<Body>, Refusal> {
    let forwarding = &conversation.proxy.forwarding;
    // Taken before the way is found: it may be turned off meanwhile.
    let off = forwarding.until_off();
    let way_out = forwarding.way_out();
    let mut upstream = tokio::select! {
        upstream = dial(&way_out, address, conversation.proxy.address()) => upstream?,
        () = off.cancelled() => return Err(ForwardRefusal::Off.into()),
    };
    tokio::spawn(async move {
        let Ok(client) = client.await else { return };
        let mut client = TokioIo::new(client);
        tokio::select! {
            ended = tokio::io::copy_bidirectional(&mut client, &mut upstream) => if let Err(e) = ended {
                tracing::debug!("tunnel: {e}");
            },
            () = off.cancelled() => {}
        }
    });
    Ok(Response::new(Body::Empty))
}

/// Ends the tunnel here: with TLS where a configuration is given, and then HTTP.
pub(super) fn open(
    conversation: &Conversation,
    opened: Opened,
    config: Option<Arc<ServerConfig>>,
    client: OnUpgrade,
) -> Response<Body> {
    let off = conversation.proxy.forwarding.until_off();
    let inside = Conversation {
        proxy: Arc::clone(&conversation.proxy),
        entrance: Entrance::Opened(Arc::new(opened)),
        peer: conversation.peer,
        port: conversation.port,
        caller: conversation.caller.clone(),
        stop: conversation.stop.clone(),
        tasks: conversation.tasks.clone(),
    };
    conversation.tasks.spawn(async move {
        tokio::select! {
            () = serve(inside, config, client) => {}
            () = off.cancelled() => {}
        }
    });
    Response::new(Body::Empty)
}

async fn serve(inside: Conversation, config: Option<Arc<ServerConfig>>, client: OnUpgrade) {
    let Ok(client) = client.await else { return };
    let client = TokioIo::new(client);
    let Some(config) = config else { return inside.serve_inside(client).await };
    match tokio::time::timeout(HANDSHAKE_DEADLINE, TlsAcceptor::from(config).accept(client)).await {
        Ok(Ok(stream)) => inside.serve_inside(stream).await,
        // A tool that does not trust the authority ends it here, which is its right.
        Ok(Err(e)) => tracing::debug!("TLS inside a tunnel: {e}"),
        Err(_) => tracing::debug!("TLS inside a tunnel: too slow"),
    }
}

async fn dial(way_out: &WayOut, address: &Url, own: SocketAddr) -> Result<TcpStream, Refusal> {
    let host = address.host_str().unwrap_or_default().to_owned();
    let outside = |trouble| Refusal::from(ForwardRefusal::Outside { host: host.clone(), trouble });
    let unreachable = |e: &dyn std::error::Error| outside(UpstreamError::Unreachable(deepest(e)));
    let port = address.port_or_known_default().unwrap_or(443);
    let uri: Uri = format!("https://{host}:{port}").parse().map_err(|e| unreachable(&e))?;
    let proxy = way_out.proxy(is_loopback(address));
    let direct = proxy.is_none();
    let connecting = async {
        match proxy {
            None => call(connector(), uri).await.map_err(|e| unreachable(&e)),
            Some(proxy) => call(Tunnel::new(proxy, connector()), uri).await.map_err(|e| unreachable(&e)),
        }
    };
    let connected = tokio::time::timeout(CONNECT_DEADLINE, connecting).await;
    let stream = connected.map_err(|_| outside(UpstreamError::Silent))??.into_inner();
    // Whatever the name was, what is connected to is what counts.
    let peer = stream.peer_addr().map_err(|e| unreachable(&e))?;
    if direct && peer.port() == own.port() && peer.ip().to_canonical().is_loopback() {
        return Err(ForwardRefusal::Loop.into());
    }
    stream.set_nodelay(true).map_err(|e| unreachable(&e))?;
    Ok(stream)
}

async fn call<S: Service<Uri>>(mut service: S, uri: Uri) -> Result<S::Response, S::Error> {
    std::future::poll_fn(|context| service.poll_ready(context)).await?;
    service.call(uri).await
}
