//! Which user owns the other end of a loopback TCP connection.
//!
//! On Linux the kernel is asked for the client's own socket through `NETLINK_SOCK_DIAG`
//! (sock_diag(7)). That is the user who created the socket: a descriptor handed to another process,
//! or a process that changed its user later, still counts as the creator's.

use std::io;

pub use system::PeerLookup;

/// Why the owner of the other end isn't known.
#[derive(Debug, thiserror::Error)]
pub enum PeerError {
    /// The client has closed its socket: there is nobody left to answer, and no owner to check.
    #[error("the other end of the connection is gone")]
    Gone,
    /// The kernel can't be asked, or its answer isn't what was asked for.
    #[error("the owner of the connection can't be looked up")]
    Lookup(#[source] io::Error),
}

/// Whose the other end is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Owner {
    /// The user's number.
    pub uid: u32,
    /// The socket's own number, by which its process can be found.
    pub inode: u32,
}

/// The user that this process runs as, in the sense in which sockets are owned (effective, which is
/// what the file-system user follows). `None` where users have no number.
#[must_use]
pub fn own_uid() -> Option<u32> {
    #[cfg(unix)]
    {
        Some(rustix::process::geteuid().as_raw())
    }
    #[cfg(not(unix))]
    {
        None
    }
}

#[cfg(target_os = "linux")]
mod system {
    use std::io;
    use std::net::{IpAddr, SocketAddr};
    use std::sync::{Mutex, PoisonError};

    use netlink_packet_core::{NLM_F_REQUEST, NetlinkHeader, NetlinkMessage, NetlinkPayload};
    use netlink_packet_sock_diag::constants::{AF_INET, AF_INET6, IPPROTO_TCP};
    use netlink_packet_sock_diag::inet::{ExtensionFlags, InetRequest, InetResponseHeader, SocketId, StateFlags};
    use netlink_packet_sock_diag::{SockDiagMessage, TCP_LISTEN, TCP_TIME_WAIT};
    use netlink_sys::protocols::NETLINK_SOCK_DIAG;
    use netlink_sys::{Socket, SocketAddr as NetlinkAddr};

    use super::{Owner, PeerError};

    /// One header and a socket's `inet_diag_msg` take 88 octets; attributes were not asked for.
    const REPLY_LIMIT: usize = 1024;
    /// `INET_DIAG_NOCOOKIE`: any socket with these addresses.
    const NO_COOKIE: [u8; 8] = [0xff; 8];

    /// Asks the kernel, over one netlink socket that is kept.
    #[derive(Default)]
    pub struct PeerLookup(Mutex<Option<Netlink>>);

    struct Netlink {
        socket: Socket,
        sequence: u32,
    }

    impl PeerLookup {
        /// Opens nothing yet.
        #[must_use]
        pub fn new() -> Self {
            Self::default()
        }

        /// Who owns the socket at `peer` that is connected to ours at `local`. `Ok(None)`
        /// means that this system can't tell, which is never so on Linux.
        ///
        /// It takes some microseconds and doesn't block: the kernel answers within `send`.
        ///
        /// # Errors
        ///
        /// [`PeerError::Gone`] if the client has closed its socket meanwhile, and
        /// [`PeerError::Lookup`] if netlink can't be used here.
        pub fn owner(&self, local: SocketAddr, peer: SocketAddr) -> Result<Option<Owner>, PeerError> {
            let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            let id = client_socket(local, peer);
            if let Some(netlink) = kept.as_mut() {
                match netlink.owner(&id) {
                    Err(PeerError::Lookup(_)) => *kept = None,
                    answer => return answer.map(Some),
                }
            }
            // There was none, or it has stopped working (descriptors closed by a sandbox, a lost
            // message): one attempt with a new one.
            let mut netlink = Netlink::open().map_err(PeerError::Lookup)?;
            let owner = netlink.owner(&id);
            if !matches!(owner, Err(PeerError::Lookup(_))) {
                *kept = Some(netlink);
            }
            owner.map(Some)
        }
    }

    /// The client's socket: its source is our peer. Addresses mapped to IPv6 become IPv4, since the
    /// kernel files such sockets with the IPv4 ones.
    fn client_socket(local: SocketAddr, peer: SocketAddr) -> SocketId {
        SocketId {
            source_port: peer.port(),
            destination_port: local.port(),
            source_address: peer.ip().to_canonical(),
            destination_address: local.ip().to_canonical(),
            interface_id: 0,
            cookie: NO_COOKIE,
        }
    }

    impl Netlink {
        fn open() -> io::Result<Self> {
            let mut socket = Socket::new(NETLINK_SOCK_DIAG)?;
            socket.bind_auto()?;
            // Connected to the kernel, so that no process can answer in its place.
            socket.connect(&NetlinkAddr::new(0, 0))?;
            socket.set_non_blocking(true)?;
            Ok(Self { socket, sequence: 0 })
        }

        fn owner(&mut self, id: &SocketId) -> Result<Owner, PeerError> {
            self.ask(id).map_err(PeerError::Lookup)?;
            let found = self.reply()?;
            // When the connection isn't there, the kernel goes on to look for a listener on the
            // same port, which may be anyone's.
            let ours = found.state != TCP_LISTEN
                && found.socket_id.source_port == id.source_port
                && found.socket_id.destination_port == id.destination_port
                && found.socket_id.source_address.to_canonical() == id.source_address
                && found.socket_id.destination_address.to_canonical() == id.destination_address;
            // A socket that no process holds any more has no inode, and user 0 instead of its own.
            let held = found.state != TCP_TIME_WAIT && found.inode != 0;
            if ours && held { Ok(Owner { uid: found.uid, inode: found.inode }) } else { Err(PeerError::Gone) }
        }

        fn ask(&mut self, id: &SocketId) -> io::Result<()> {
            self.sequence = self.sequence.wrapping_add(1);
            let mut header = NetlinkHeader::default();
            header.flags = NLM_F_REQUEST;
            header.sequence_number = self.sequence;
            let request = InetRequest {
                family: match id.source_address {
                    IpAddr::V4(_) => AF_INET,
                    IpAddr::V6(_) => AF_INET6,
                },
                protocol: IPPROTO_TCP,
                extensions: ExtensionFlags::empty(),
                states: StateFlags::all(),
                socket_id: id.clone(),
            };
            let mut message = NetlinkMessage::new(header, SockDiagMessage::InetRequest(request).into());
            message.finalize();
            let mut bytes = vec![0; message.buffer_len()];
            message.serialize(&mut bytes);
            self.socket.send(&bytes, 0).map(drop)
        }

        fn reply(&mut self) -> Result<InetResponseHeader, PeerError> {
            loop {
                let mut bytes = Vec::with_capacity(REPLY_LIMIT);
                self.socket.recv(&mut bytes, 0).map_err(PeerError::Lookup)?;
                let message = NetlinkMessage::<SockDiagMessage>::deserialize(&bytes)
                    .map_err(|error| PeerError::Lookup(io::Error::other(error)))?;
                if message.header.sequence_number != self.sequence {
                    // The late answer to a question that was given up.
                    continue;
                }
                return match message.payload {
                    NetlinkPayload::InnerMessage(SockDiagMessage::InetResponse(response)) => Ok(response.header),
                    NetlinkPayload::Error(error) => match error.to_io() {
                        error if error.kind() == io::ErrorKind::NotFound => Err(PeerError::Gone),
                        error => Err(PeerError::Lookup(error)),
                    },
                    _ => Err(PeerError::Lookup(io::ErrorKind::InvalidData.into())),
                };
            }
        }
    }

    #[cfg(test)]
    impl PeerLookup {
        pub(super) fn break_socket(&self) {
            let unconnected = Socket::new(netlink_sys::protocols::NETLINK_ROUTE);
            *self.0.lock().unwrap_or_else(PoisonError::into_inner) =
                unconnected.ok().map(|socket| Netlink { socket, sequence: 0 });
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod system {
    use std::net::SocketAddr;

    use super::{Owner, PeerError};

    /// Can't tell here: no interface that names the owner of a loopback connection to an ordinary
    /// process is used on this system.
    #[derive(Default)]
    pub struct PeerLookup;

    impl PeerLookup {
        /// Opens nothing.
        #[must_use]
        pub fn new() -> Self {
            Self
        }

        /// Always `Ok(None)`: this system can't tell.
        ///
        /// # Errors
        ///
        /// None here.
        pub fn owner(&self, _local: SocketAddr, _peer: SocketAddr) -> Result<Option<Owner>, PeerError> {
            Ok(None)
        }
    }
}

#[cfg(all(test, target_os = "linux"))]
#[allow(clippy::expect_used, clippy::print_stderr)]
mod tests {
    use std::net::{SocketAddr, TcpListener, TcpStream};
    use std::process::{Child, Command};

    use super::*;

    fn connected(listen: &str, connect: &str) -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind(listen).expect("bind");
        let port = listener.local_addr().expect("address").port();
        let client = TcpStream::connect(format!("{connect}:{port}")).expect("connect");
        (client, listener.accept().expect("accept").0)
    }

    fn ends(server: &TcpStream) -> (SocketAddr, SocketAddr) {
        (server.local_addr().expect("local"), server.peer_addr().expect("peer"))
    }

    #[test]
    fn own_connection_is_ours_in_every_family() {
        let lookup = PeerLookup::new();
        for (listen, connect) in [
            ("127.0.0.1:0", "127.0.0.1"),
            ("127.0.0.2:0", "127.0.0.2"),
            ("[::1]:0", "[::1]"),
            // A dual-stack listener sees the IPv4 client as mapped …
            ("[::]:0", "127.0.0.1"),
            // … and an IPv6 socket may speak IPv4.
            ("127.0.0.1:0", "[::ffff:127.0.0.1]"),
            ("[::]:0", "[::ffff:127.0.0.1]"),
        ] {
            let (_client, server) = connected(listen, connect);
            let (local, peer) = ends(&server);
            let uid = lookup.owner(local, peer).expect(listen).map(|owner| owner.uid);
            assert_eq!(uid, own_uid(), "{listen} from {connect}");
        }
    }

    #[test]
    fn i6_process_of_another_user() {
        if own_uid() != Some(0) {
            eprintln!("skipped: takes root to start a process of another user");
            return;
        }
        let listener = TcpListener::bind("127.0.0.1:0").expect("bind");
        let port = listener.local_addr().expect("address").port();
        struct Kill(Child);
        impl Drop for Kill {
            fn drop(&mut self) {
                self.0.kill().ok();
                self.0.wait().ok();
            }
        }
        let _child = Kill(
            Command::new("setpriv")
                .args(["--reuid", "65534", "--clear-groups", "bash", "-c"])
                .arg(format!("exec 3<>/dev/tcp/127.0.0.1/{port}; read -u 3"))
                .spawn()
                .expect("setpriv"),
        );
        let (server, peer) = listener.accept().expect("accept");
        let local = server.local_addr().expect("local");
        let uid = PeerLookup::new().owner(local, peer).expect("lookup").map(|owner| owner.uid);
        assert_eq!(uid, Some(65534));
    }

    #[test]
    fn a_client_that_left_is_gone() {
        let lookup = PeerLookup::new();
        let (client, server) = connected("127.0.0.1:0", "127.0.0.1");
        let (local, peer) = ends(&server);
        drop(client);
        // FIN-WAIT-2: the kernel still has the socket, but no process does.
        assert!(matches!(lookup.owner(local, peer), Err(PeerError::Gone)));
        drop(server);
        // TIME-WAIT, where the user would be reported as 0.
        assert!(matches!(lookup.owner(local, peer), Err(PeerError::Gone)));
    }

    #[test]
    fn a_client_that_only_finished_sending_is_still_there() {
        let (client, server) = connected("127.0.0.1:0", "127.0.0.1");
        client.shutdown(std::net::Shutdown::Write).expect("shutdown");
        let (local, peer) = ends(&server);
        let uid = PeerLookup::new().owner(local, peer).expect("lookup").map(|owner| owner.uid);
        assert_eq!(uid, own_uid());
    }

    #[test]
    fn a_listener_on_the_clients_port_is_not_the_client() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("bind");
        let listening = listener.local_addr().expect("address");
        let nobody = SocketAddr::from(([127, 0, 0, 1], 9));
        assert!(matches!(PeerLookup::new().owner(nobody, listening), Err(PeerError::Gone)));
    }

    #[test]
    fn a_broken_netlink_socket_is_reopened() {
        let lookup = PeerLookup::new();
        lookup.break_socket();
        let (_client, server) = connected("127.0.0.1:0", "127.0.0.1");
        let (local, peer) = ends(&server);
        assert_eq!(lookup.owner(local, peer).expect("lookup").map(|owner| owner.uid), own_uid());
    }
}
