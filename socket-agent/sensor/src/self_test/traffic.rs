//! What the agent does to be seen: one connection and one exchange of datagrams per address family, over
//! loopback. Nothing leaves the host.

use std::{
    fs,
    io::{self, Read as _, Write as _},
    net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream, UdpSocket},
    os::{
        fd::{AsRawFd as _, FromRawFd as _, OwnedFd},
        unix::fs::MetadataExt as _,
    },
    thread,
    time::Duration,
};

use nix::{
    sched::{CloneFlags, unshare},
    sys::socket::{setsockopt, sockopt},
};
use socket_common::{FAMILY_IPV4, FAMILY_IPV6, PROTO_TCP, PROTO_UDP, Tuple};

use linux::clock::Clock;

/// Bytes that the client sends and that the server answers with, of each exchange.
pub(super) const PAYLOAD: [usize; 2] = [100, 50];
/// Nothing on this way takes longer, unless something drops it.
const PATIENCE: Duration = Duration::from_secs(1);

/// A transport protocol over one address family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Exchange {
    /// `PROTO_TCP` or `PROTO_UDP`.
    pub(super) protocol: u8,
    pub(super) client: SocketAddr,
    pub(super) server: SocketAddr,
}

/// The traffic of the test.
#[derive(Clone, Debug, Default)]
pub(super) struct Traffic {
    pub(super) exchanges: Vec<Exchange>,
    /// Network namespace that it was done in; 0 on kernels that do not number them.
    pub(super) netns: u32,
    /// Boottime nanoseconds before and after it.
    pub(super) time: [u64; 2],
    /// Why there was none over IPv6, if it was wanted.
    pub(super) without_ipv6: Option<String>,
}

// === impl Exchange ===

impl Exchange {
    /// Both ends as the kernel's tables have them: the client's, then the server's.
    pub(super) fn ends(&self, netns: u32) -> [Tuple; 2] {
        let end = |local: SocketAddr, remote: SocketAddr| Tuple {
            local: words(local),
            remote: words(remote),
            local_port: local.port(),
            remote_port: remote.port(),
            netns,
            family: if local.is_ipv4() { FAMILY_IPV4 } else { FAMILY_IPV6 },
            protocol: self.protocol,
            reserved: 0,
            reserved2: 0,
        };
        [end(self.client, self.server), end(self.server, self.client)]
    }

    /// Name of the exchange, for messages.
    pub(super) fn name(&self) -> &'static str {
        match (self.protocol, self.client.is_ipv4()) {
            (PROTO_TCP, true) => "TCP connection over IPv4",
            (PROTO_TCP, false) => "TCP connection over IPv6",
            (_, true) => "datagrams over IPv4",
            (_, false) => "datagrams over IPv6",
        }
    }
}

fn words(address: SocketAddr) -> [u32; 4] {
    match address {
        SocketAddr::V4(address) => [u32::from_ne_bytes(address.ip().octets()), 0, 0, 0],
        SocketAddr::V6(address) => Tuple::address_words(address.ip().octets()),
    }
}

// === impl Traffic ===

impl Traffic {
    /// Makes it, on a thread of its own and, where this process may make one, in a network namespace of its own: no
    /// packet filter stands in the way there, and nobody else talks.
    ///
    /// # Errors
    ///
    /// There is no loopback interface, or something drops what goes over it.
    pub(super) fn make(ipv6: bool) -> io::Result<Self> {
        let thread =
            thread::Builder::new().name("self-test".into()).spawn(move || exchange(ipv6))?;
        thread.join().unwrap_or_else(|_| Err(io::Error::other("a panic")))
    }
}

fn exchange(ipv6: bool) -> io::Result<Traffic> {
    if unshare(CloneFlags::CLONE_NEWNET).is_ok() {
        loopback_up()?;
    }
    let mut traffic = Traffic { netns: netns(), ..Traffic::default() };
    traffic.time[0] = Clock::boottime();
    traffic.exchanges.push(connection(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))?);
    traffic.exchanges.push(datagrams(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))?);
    if ipv6 {
        let address = SocketAddr::from((Ipv6Addr::LOCALHOST, 0));
        match connection(address).and_then(|first| Ok([first, datagrams(address)?])) {
            Ok(both) => traffic.exchanges.extend(both),
            Err(error) => traffic.without_ipv6 = Some(error.to_string()),
        }
    }
    traffic.time[1] = Clock::boottime();
    Ok(traffic)
}

/// The network namespace of this thread.
fn netns() -> u32 {
    // SAFETY: no preconditions.
    let thread = unsafe { libc::syscall(libc::SYS_gettid) };
    let inode = fs::metadata(format!("/proc/self/task/{thread}/ns/net"));
    inode.ok().and_then(|file| u32::try_from(file.ino()).ok()).unwrap_or(0)
}

/// Switches the loopback interface of this thread's namespace on: of a new one it is off.
fn loopback_up() -> io::Result<()> {
    // SAFETY: no preconditions; the result is checked.
    let socket = unsafe { libc::socket(libc::AF_INET, libc::SOCK_DGRAM | libc::SOCK_CLOEXEC, 0) };
    if socket < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: a descriptor that was just opened.
    let socket = unsafe { OwnedFd::from_raw_fd(socket) };
    // SAFETY: a structure of plain numbers, for which zeroes are valid.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    for (to, from) in request.ifr_name.iter_mut().zip(b"lo") {
        *to = from.cast_signed();
    }
    request.ifr_ifru.ifru_flags = (libc::IFF_UP | libc::IFF_RUNNING) as i16;
    // SAFETY: the kernel reads the structure, which outlives the call.
    let result =
        unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCSIFFLAGS as _, &raw mut request) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// A connection that carries data both ways and that the client resets: no packet comes after its end.
fn connection(address: SocketAddr) -> io::Result<Exchange> {
    let listener = TcpListener::bind(address)?;
    let server = listener.local_addr()?;
    let mut near = TcpStream::connect_timeout(&server, PATIENCE)?;
    let client = near.local_addr()?;
    near.set_read_timeout(Some(PATIENCE))?;
    let (mut far, _) = listener.accept()?;
    far.set_read_timeout(Some(PATIENCE))?;
    let (asked, answered) = ([b'q'; PAYLOAD[0]], [b'a'; PAYLOAD[1]]);
    near.write_all(&asked)?;
    far.read_exact(&mut [0; PAYLOAD[0]])?;
    far.write_all(&answered)?;
    near.read_exact(&mut [0; PAYLOAD[1]])?;
    setsockopt(&near, sockopt::Linger, &libc::linger { l_onoff: 1, l_linger: 0 })?;
    drop(near);
    match far.read(&mut [0]) {
        Err(error) if error.kind() == io::ErrorKind::ConnectionReset => {}
        Err(error) => return Err(error),
        Ok(_) => return Err(io::Error::other("a connection was not reset")),
    }
    Ok(Exchange { protocol: PROTO_TCP, client, server })
}

/// A datagram and its answer.
fn datagrams(address: SocketAddr) -> io::Result<Exchange> {
    let (far, near) = (UdpSocket::bind(address)?, UdpSocket::bind(address)?);
    let server = far.local_addr()?;
    near.connect(server)?;
    let client = near.local_addr()?;
    far.set_read_timeout(Some(PATIENCE))?;
    near.set_read_timeout(Some(PATIENCE))?;
    let mut buffer = [0; PAYLOAD[0] + 1];
    near.send(&[b'q'; PAYLOAD[0]])?;
    let (_, from) = far.recv_from(&mut buffer)?;
    far.send_to(&[b'a'; PAYLOAD[1]], from)?;
    near.recv(&mut buffer)?;
    Ok(Exchange { protocol: PROTO_UDP, client, server })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_protocols_over_loopback() {
        let traffic = Traffic::make(true).unwrap();
        let names: Vec<_> = traffic.exchanges.iter().map(Exchange::name).collect();
        assert_eq!(names[..2], ["TCP connection over IPv4", "datagrams over IPv4"]);
        assert_eq!(names.len(), if traffic.without_ipv6.is_none() { 4 } else { 2 });
        assert!(traffic.time[0] <= traffic.time[1]);
        let [client, server] = traffic.exchanges[0].ends(7);
        assert_eq!((client.local, client.remote_port), (server.remote, server.local_port));
        assert_eq!(client.local[0].to_ne_bytes(), [127, 0, 0, 1]);
    }
}
