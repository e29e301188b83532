//! The sockets that are open at a moment, in all network namespaces of this host.
//!
//! The kernel lists them by `sock_diag` (TCP 3.3, UDP 3.3), a network namespace at a time; `/proc`
//! tells who holds them.

mod diag;
mod holders;

use std::{collections::HashSet, io};

use socket_common::{Owner, PROTO_TCP, PROTO_UDP, Tuple};

pub use holders::Ids;

use flow::{SocketRole, state};
use linux::{
    netns::{self, Namespace},
    threads,
};

/// Network namespaces that are looked into at most.
const NAMESPACES: usize = 4096;

/// One open socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpenSocket {
    /// Addresses and network namespace; the remote end is zero without a peer.
    pub tuple: Tuple,
    /// Role of the socket.
    pub role: SocketRole,
    /// TCP state; of UDP `ESTABLISHED` with and `CLOSE` without a peer.
    pub state: u8,
    /// Inode number, 0 for a socket that no descriptor names.
    pub inode: u64,
    /// User that owns the socket, in the initial user namespace.
    pub uid: u32,
    /// Of the processes that hold it, the one that started first.
    pub holder: Option<Holder>,
}

impl OpenSocket {
    /// Who holds it, as far as `/proc` shows; without a holder only the socket's own user.
    pub fn owner(&self) -> Owner {
        let Some(holder) = self.holder else {
            return Owner { uid: self.uid, ..Owner::default() };
        };
        let Ids { uid, euid, gid, egid } = holder.ids;
        Owner { pid: holder.pid, uid, euid, gid, egid, ..Owner::default() }
    }
}

/// A process that holds a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Holder {
    /// Process id.
    pub pid: u32,
    /// Start in clock ticks after boot.
    pub start_ticks: u64,
    /// User and group ids at that moment.
    pub ids: Ids,
}

/// Open sockets that were found.
#[derive(Clone, Debug, Default)]
pub struct Listing {
    /// The sockets, by network namespace, role, protocol and local port.
    pub sockets: Vec<OpenSocket>,
    /// Network namespaces that were looked into.
    pub namespaces: usize,
    /// Network namespaces that could not be looked into.
    pub missed: u64,
    /// Why, for the first.
    pub problem: Option<String>,
}

/// Lists all open TCP and UDP sockets. Takes a thread of its own, which visits the namespaces.
///
/// # Errors
///
/// `/proc` cannot be listed, or there is no thread to be had.
pub fn list() -> io::Result<Listing> {
    let thread = threads::spawn("sockets", list_here)?;
    thread.join().unwrap_or_else(|_| Err(io::Error::other("the thread that lists them panicked")))
}

/// As [`list`], on this thread, which must end afterwards: it is left in another namespace.
pub fn list_here() -> io::Result<Listing> {
    let mut listing = Listing::default();
    let mut known = netns::all()?;
    // Which of too many are left out is the same every time.
    known.sort_unstable_by_key(|namespace| namespace.inode);
    if known.len() > NAMESPACES {
        listing.missed += (known.len() - NAMESPACES) as u64;
        listing.problem = Some(format!("there are more than {NAMESPACES} network namespaces"));
        known.truncate(NAMESPACES);
    }
    for namespace in known {
        match namespace.enter().and_then(|()| diag::dump(namespace.inode)) {
            Ok(sockets) => {
                listing.sockets.extend(sockets);
                listing.namespaces += 1;
            }
            // Nobody lives there any more.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => {
                listing.missed += 1;
                listing.problem.get_or_insert(format!(
                    "network namespace {} of {}: {error}",
                    namespace.inode,
                    namespace.path.display()
                ));
            }
        }
    }
    find_roles(&mut listing.sockets);
    holders::find(&mut listing.sockets)?;
    listing.sockets.sort_unstable_by_key(|socket| {
        (socket.tuple.netns, socket.role, socket.tuple.protocol, socket.tuple.local_port)
    });
    Ok(listing)
}

/// The local port that a listener has that never called bind: the kernel gives it one only after it
/// has told that it listens. `pid` is of a process in its network namespace.
///
/// # Errors
///
/// The process is gone, its namespace may not be entered, or the kernel refuses the dump.
pub fn port_of_listener(pid: u32, netns: u32, inode: u64) -> io::Result<Option<u16>> {
    let look = move || {
        Namespace::of_process(pid, netns).enter()?;
        let sockets = diag::dump(netns)?;
        let found = sockets.into_iter().find(|socket| socket.inode == inode && inode != 0);
        Ok(found.map(|socket| socket.tuple.local_port))
    };
    let thread = threads::spawn("sockets", look)?;
    thread.join().unwrap_or_else(|_| Err(io::Error::other("the thread that looks panicked")))
}

/// A connection whose local port is listened on came in through that listener.
fn find_roles(sockets: &mut [OpenSocket]) {
    let listens = |socket: &OpenSocket| match socket.tuple.protocol {
        PROTO_TCP => socket.state == state::LISTEN,
        _ => socket.tuple.remote_port == 0,
    };
    let port = |tuple: &Tuple| (tuple.netns, tuple.protocol, tuple.local_port);
    let listening: HashSet<_> =
        sockets.iter().filter(|socket| listens(socket)).map(|socket| port(&socket.tuple)).collect();
    for socket in sockets {
        socket.role = if listens(socket) {
            SocketRole::Listening
        } else if socket.tuple.protocol != PROTO_UDP && listening.contains(&port(&socket.tuple)) {
            SocketRole::Inbound
        } else {
            SocketRole::Outbound
        };
    }
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream, UdpSocket};

    use super::*;

    #[test]
    fn own_sockets_are_found_with_their_roles() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let client = TcpStream::connect(address).unwrap();
        let (_server, _) = listener.accept().unwrap();
        let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
        let listing = match list() {
            Ok(listing) if listing.namespaces > 0 => listing,
            Ok(Listing { problem, .. }) => {
                let why = problem.unwrap_or_default();
                println!("skipped: no network namespace can be entered: {why}; run as root");
                return;
            }
            Err(error) => panic!("{error}"),
        };
        let role = |local: u16, remote: u16, protocol: u8| {
            let found = listing.sockets.iter().find(|socket| {
                let tuple = &socket.tuple;
                (tuple.local_port, tuple.remote_port, tuple.protocol) == (local, remote, protocol)
                    && socket.holder.is_some_and(|holder| holder.pid == std::process::id())
            });
            found.map(|socket| socket.role)
        };
        let (server, client) = (address.port(), client.local_addr().unwrap().port());
        let udp = udp.local_addr().unwrap().port();
        assert_eq!(role(server, 0, PROTO_TCP), Some(SocketRole::Listening));
        assert_eq!(role(server, client, PROTO_TCP), Some(SocketRole::Inbound));
        assert_eq!(role(client, server, PROTO_TCP), Some(SocketRole::Outbound));
        assert_eq!(role(udp, 0, PROTO_UDP), Some(SocketRole::Listening));
    }
}
