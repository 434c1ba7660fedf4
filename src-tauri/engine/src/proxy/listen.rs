//! The port on loopback, and the socket beside it.

pub(super) mod conversation;
pub(super) mod lanes;
mod socket;
mod strict;

#[cfg(fuzzing)]
pub(crate) use self::strict::scan_head;

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use self::conversation::{Conversation, Entrance};
use self::lanes::Lanes;
use self::socket::Socket;
use super::Proxy;
use super::identify::{From, Peer, PeerError, PeerLookup, Programs};

/// The listening sockets: `127.0.0.1`, `[::1]` where the machine has it, and a Unix socket.
pub struct Port {
    v4: TcpListener,
    v6: Option<TcpListener>,
    socket: Option<Socket>,
}

impl Port {
    /// Takes the port; 0 takes any free one.
    ///
    /// # Errors
    /// Where `127.0.0.1` can't be bound. A machine without IPv6 is no error; a port that somebody
    /// else holds on `[::1]` is, for tools that try it first would reach them.
    pub async fn bind(port: u16) -> io::Result<Self> {
        let v4 = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
        let port = v4.local_addr()?.port();
        let v6 = match TcpListener::bind((Ipv6Addr::LOCALHOST, port)).await {
            Ok(listener) => Some(listener),
            Err(e) if e.kind() == io::ErrorKind::AddrInUse => return Err(e),
            Err(e) => {
                tracing::info!("not listening on [::1]: {e}");
                None
            }
        };
        Ok(Self { v4, v6, socket: None })
    }

    /// Listens at this path too; one that is there already was left by a process that is gone.
    ///
    /// # Errors
    /// Where the path can't be used.
    pub fn with_socket(mut self, path: &Path) -> io::Result<Self> {
        self.socket = Some(Socket::bind(path)?);
        Ok(self)
    }

    /// The address on `127.0.0.1`.
    ///
    /// # Errors
    /// Where the system does not tell.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.v4.local_addr()
    }
}

/// What serves connections, on whatever port they come.
#[derive(Clone)]
pub struct Door {
    proxy: Arc<Proxy>,
    peers: Arc<PeerLookup>,
    programs: Programs,
    lanes: Arc<Lanes>,
    tasks: TaskTracker,
}

impl Door {
    /// Connections run on `tasks`, on threads that live until `end`.
    ///
    /// # Errors
    /// Where no thread can be had.
    pub fn new(proxy: Arc<Proxy>, tasks: &TaskTracker, end: &CancellationToken) -> io::Result<Self> {
        let (peers, lanes) = (Arc::new(PeerLookup::new()), Arc::new(Lanes::start(end)?));
        Ok(Self { proxy, peers, programs: Programs::start(), lanes, tasks: tasks.clone() })
    }

    /// Serves those that come to `port` until `here`, and to its socket until `stop`; requests under way end
    /// then as they began.
    pub fn serve(&self, port: Port, here: &CancellationToken, stop: &CancellationToken) {
        if let Some(socket) = port.socket {
            let (door, stop) = (self.clone(), stop.clone());
            self.tasks.spawn(socket.serve(door, stop));
        }
        for listener in [Some(port.v4), port.v6].into_iter().flatten() {
            let (proxy, peers, tracker) = (Arc::clone(&self.proxy), Arc::clone(&self.peers), self.tasks.clone());
            let (lanes, programs, stop) = (Arc::clone(&self.lanes), self.programs.clone(), here.clone());
            self.tasks.spawn(async move {
                loop {
                    let accepted = tokio::select! {
                        accepted = listener.accept() => accepted,
                        () = stop.cancelled() => return,
                    };
                    match accepted {
                        Ok((stream, address)) => {
                            let connection = Connection {
                                proxy: Arc::clone(&proxy),
                                peers: Arc::clone(&peers),
                                programs: programs.clone(),
                                stop: stop.clone(),
                                tasks: tracker.clone(),
                            };
                            // A socket belongs to the runtime that it was made on; it moves once, here.
                            match stream.into_std() {
                                Ok(stream) => drop(tracker.spawn_on(connection.serve(stream, address), lanes.next())),
                                Err(e) => tracing::warn!("accepted connection: {e}"),
                            }
                        }
                        // No descriptors left: the next may work, and trying at once would only spin.
                        Err(e) => {
                            tracing::warn!("accept: {e}");
                            tokio::time::sleep(Duration::from_millis(100)).await;
                        }
                    }
                }
            });
        }
    }
}

struct Connection {
    proxy: Arc<Proxy>,
    peers: Arc<PeerLookup>,
    programs: Programs,
    stop: CancellationToken,
    tasks: TaskTracker,
}

impl Connection {
    async fn serve(self, stream: std::net::TcpStream, address: SocketAddr) {
        let stream = match TcpStream::from_std(stream) {
            Ok(stream) => stream,
            Err(e) => return tracing::warn!("accepted connection: {e}"),
        };
        let Some((peer, from)) = self.peer(&stream, address) else { return };
        let caller = self.programs.caller(from);
        let port = stream.local_addr().map(|own| own.port()).ok();
        if let Err(e) = stream.set_nodelay(true) {
            tracing::debug!("nodelay: {e}");
        }
        let Self { proxy, stop, tasks, .. } = self;
        Conversation { proxy, entrance: Entrance::Port, peer, port, caller, stop, tasks }.serve(stream).await;
    }

    /// Nothing where the other end is gone already.
    fn peer(&self, stream: &TcpStream, address: SocketAddr) -> Option<(Peer, From)> {
        let own = stream.local_addr().ok()?;
        match self.peers.owner(own, address) {
            Ok(None) => Some((Peer::of(None), From::Nowhere)),
            Ok(Some(owner)) => Some((Peer::of(Some(owner.uid)), From::Socket(owner.inode))),
            Err(PeerError::Gone) => None,
            Err(e) => {
                // Whom we can't identify we do not serve.
                tracing::warn!("peer look-up: {e}");
                Some((Peer::Foreign, From::Nowhere))
            }
        }
    }
}
