//! HTTP/1.1 over one connection, whichever way it came in.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::strict::StrictFraming;
use crate::proxy::Proxy;
use crate::proxy::forward_proxy::Opened;
use crate::proxy::identify::{Caller, Peer};
use crate::proxy::respond::Body;

/// By which way a connection came in, which decides how its requests name a service.
#[derive(Clone)]
pub(in crate::proxy) enum Entrance {
    /// The port: the path names it, or the forward proxy's forms do.
    Port,
    /// The Unix socket: the `Host` names it.
    Socket,
    /// A tunnel to a service's host that was opened here: the path names it, among those at that host.
    Opened(Arc<Opened>),
}

/// One connection and what its requests are answered with.
pub(in crate::proxy) struct Conversation {
    pub(in crate::proxy) proxy: Arc<Proxy>,
    pub(in crate::proxy) entrance: Entrance,
    pub(in crate::proxy) peer: Peer,
    /// The port that it came to, if to one.
    pub(in crate::proxy) port: Option<u16>,
    /// The program at its other end.
    pub(in crate::proxy) caller: Caller,
    pub(in crate::proxy) stop: CancellationToken,
    /// What an ending engine waits for.
    pub(in crate::proxy) tasks: TaskTracker,
}

impl Conversation {
    /// Serves the connection to its end.
    pub(in crate::proxy) async fn serve<S>(self, stream: S)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let stop = self.stop.clone();
        let conversation = Arc::new(self);
        let io = StrictFraming::new(stream);
        let framing = io.handle();
        let service = service_fn(move |request: hyper::Request<_>| {
            let (conversation, framing) = (Arc::clone(&conversation), framing.clone());
            async move {
                let response = match framing.refusal(&request) {
                    Some(refused) => refused.response().map(|body| Body::Full(Some(body))),
                    None => conversation.proxy.handle(&conversation, request).await,
                };
                framing.answered(response.status());
                Ok::<_, Infallible>(response)
            }
        });
        let connection = http1::Builder::new()
            // The reader below has a deadline for heads, and none between two requests.
            .header_read_timeout(None)
            // The upstream's own response goes through as it came.
            .auto_date_header(false)
            // Heads and small bodies in one plain write; measured, and no slower for large bodies.
            .writev(false)
            .serve_connection(TokioIo::new(io), service)
            .with_upgrades();
        tokio::pin!(connection);
        let ended = tokio::select! {
            ended = connection.as_mut() => ended,
            () = stop.cancelled() => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        };
        if let Err(e) = ended {
            tracing::debug!("connection: {e}");
        }
    }

    /// The same as a named type: a conversation may begin another one, inside a tunnel.
    pub(in crate::proxy) fn serve_inside<S>(self, stream: S) -> Pin<Box<dyn Future<Output = ()> + Send>>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        Box::pin(self.serve(stream))
    }
}
