//! The Unix socket beside the port, for tools that can use one: `curl --unix-socket`, `gh config set
//! http_unix_socket`. No page and no other user reaches it: the folder, the file and the kernel's word on
//! who connected (SO_PEERCRED, unix(7)) each see to that.

use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{UnixListener, UnixStream};
use tokio_util::sync::CancellationToken;

use super::Door;
use super::conversation::{Conversation, Entrance};
use crate::proxy::identify::{From, Peer};

/// The listening socket.
pub(super) struct Socket(UnixListener);

impl Socket {
    /// Listens at `path`, in a folder that is open to this user alone.
    pub(super) fn bind(path: &Path) -> io::Result<Self> {
        match std::fs::remove_file(path) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
            _ => {}
        }
        let listener = UnixListener::bind(path)?;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))?;
        Ok(Self(listener))
    }

    /// Serves until `stop`.
    pub(super) async fn serve(self, door: Door, stop: CancellationToken) {
        let Door { proxy, programs, lanes, tasks, .. } = door;
        loop {
            let accepted = tokio::select! {
                accepted = self.0.accept() => accepted,
                () = stop.cancelled() => return,
            };
            // A socket belongs to the runtime that it was made on; it moves once, here.
            match accepted.and_then(|(stream, _)| Ok((peer(&stream), stream.into_std()?))) {
                Ok(((peer, from), stream)) => {
                    let conversation = Conversation {
                        proxy: Arc::clone(&proxy),
                        entrance: Entrance::Socket,
                        peer,
                        port: None,
                        caller: programs.caller(from),
                        stop: stop.clone(),
                        tasks: tasks.clone(),
                    };
                    tasks.spawn_on(serve(conversation, stream), lanes.next());
                }
                Err(e) => {
                    tracing::warn!("accept at the socket: {e}");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            }
        }
    }
}

async fn serve(conversation: Conversation, stream: std::os::unix::net::UnixStream) {
    match UnixStream::from_std(stream) {
        Ok(stream) => conversation.serve(stream).await,
        Err(e) => tracing::warn!("accepted connection: {e}"),
    }
}

/// Whom we can't identify we do not serve.
fn peer(stream: &UnixStream) -> (Peer, From) {
    let Ok(peer) = stream.peer_cred() else { return (Peer::Foreign, From::Nowhere) };
    let process = peer.pid().and_then(|pid| u32::try_from(pid).ok());
    (Peer::of(Some(peer.uid())), process.map_or(From::Nowhere, From::Process))
}
