//! `struct sock` and the request and timewait sockets that share its beginning.

use socket_common::{FAMILY_IPV4, FAMILY_IPV6, PROTO_TCP, Tuple};

use super::{core_offsets as at, field, mptcp::Connection};

/// `TCP_SYN_SENT`.
pub const SYN_SENT: u8 = 2;
/// `TCP_SYN_RECV`.
pub const SYN_RECV: u8 = 3;
/// `TCP_ESTABLISHED`.
pub const ESTABLISHED: u8 = 1;
/// `TCP_TIME_WAIT`: a timewait socket.
pub const TIME_WAIT: u8 = 6;
/// `TCP_CLOSE`.
pub const CLOSE: u8 = 7;
/// `TCP_LISTEN`.
pub const LISTEN: u8 = 10;
/// `TCP_NEW_SYN_RECV`: a request socket.
pub const NEW_SYN_RECV: u8 = 12;

/// `SOCK_STREAM`.
pub const STREAM: u16 = 1;
/// `SOCK_DGRAM`.
pub const DATAGRAM: u16 = 2;
/// `SOCK_RAW`.
pub const RAW: u16 = 3;

const AF_INET: u16 = 2;
const AF_INET6: u16 = 10;

/// Address of a `struct sock`; 0 is no socket.
#[derive(Clone, Copy)]
pub struct Sock(pub usize);

/// One end of a socket or packet, as in [`Tuple`].
#[repr(C, align(8))]
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct Peer {
    pub address: [u32; 4],
    pub port: u16,
    pub family: u8,
}

impl Sock {
    #[inline(always)]
    pub fn key(self) -> u64 {
        self.0 as u64
    }

    #[inline(always)]
    pub fn state(self) -> u8 {
        field(self.0, at::sock_common_skc_state())
    }

    #[inline(always)]
    pub fn is_inet(self) -> bool {
        is_inet(field::<u16>(self.0, at::sock_common_skc_family()) as u32)
    }

    #[inline(always)]
    pub fn is_ipv6(self) -> bool {
        field::<u16>(self.0, at::sock_common_skc_family()) == AF_INET6
    }

    /// `sk_protocol`: IPPROTO_TCP, IPPROTO_MPTCP (262) and so on. Full sockets only.
    ///
    /// Before 5.6 it is eight bits of a bit field, with those of `sk_type` right behind it.
    #[inline(always)]
    pub fn protocol(self) -> u16 {
        let (protocol, kind) = (at::sock_sk_protocol(), at::sock_sk_type());
        match (protocol, kind) {
            (Some(protocol), Some(kind)) if kind == protocol + 1 => {
                field::<u8>(self.0, Some(protocol)).into()
            }
            _ => field(self.0, protocol),
        }
    }

    /// `sk_type`: [`STREAM`], [`DATAGRAM`], or that of a raw socket, which sees the packets of others.
    /// Full sockets only.
    #[inline(always)]
    pub fn kind(self) -> u16 {
        field(self.0, at::sock_sk_type())
    }

    /// Whether a process holds the socket's lock. While one does, softirq work for the socket is
    /// queued, so code that runs for it runs in the context of that process.
    #[inline(always)]
    pub fn locked_by_process(self) -> bool {
        field::<u32>(self.0, at::sock_sk_lock_owned()) != 0
    }

    /// Whether a file descriptor once named it. Sockets of the kernel itself have none.
    #[inline(always)]
    pub fn has_file(self) -> bool {
        let socket: usize = field(self.0, at::sock_sk_socket());
        field::<usize>(socket, at::socket_file()) != 0
    }

    /// Inode number of the socket's file, 0 without one. A subflow of MPTCP has that of its connection.
    #[inline(always)]
    pub fn inode(self) -> u64 {
        let connection = Connection::of(self);
        let owned = if connection.is_some() { connection.0 } else { self.0 };
        let socket: usize = field(owned, at::sock_sk_socket());
        let file: usize = field(socket, at::socket_file());
        field(field(file, at::file_f_inode()), at::inode_i_ino())
    }

    /// Datagrams that the socket has dropped: no room, wrong checksum, refused by its filter. UDP
    /// sockets have counters of their own since 6.18.
    #[inline(always)]
    pub fn drops(self) -> u32 {
        let own: usize = field(self.0, at::sock_sk_drop_counters());
        if own != 0 {
            let halves: [u32; 2] = [
                field(own, at::numa_drop_counters_drops0_counter()),
                field(own, at::numa_drop_counters_drops1_counter()),
            ];
            return halves[0].wrapping_add(halves[1]);
        }
        field(self.0, at::sock_sk_drops_counter())
    }

    #[inline(always)]
    pub fn netns(self) -> u32 {
        netns_inode(field(self.0, at::sock_common_skc_net()))
    }

    /// Port in host byte order. At the end of a connection `skc_num` is already 0, so full sockets
    /// answer from `inet_sport`.
    #[inline(always)]
    fn local_port(self, full: bool) -> u16 {
        if full {
            u16::from_be(field(self.0, at::inet_sock_inet_sport()))
        } else {
            field(self.0, at::sock_common_skc_num())
        }
    }

    /// Local port of a full socket; 0 if it has none.
    #[inline(always)]
    pub fn port(self) -> u16 {
        self.local_port(true)
    }

    #[inline(always)]
    pub fn remote_port(self) -> u16 {
        u16::from_be(field(self.0, at::sock_common_skc_dport()))
    }

    #[inline(always)]
    fn addresses(self, v4: Option<usize>, v6: Option<usize>) -> ([u32; 4], u8) {
        if self.is_ipv6() {
            let v6: [u32; 4] = field(self.0, v6);
            if is_mapped(v6) {
                return ([v6[3], 0, 0, 0], FAMILY_IPV4);
            }
            return (v6, FAMILY_IPV6);
        }
        ([field(self.0, v4), 0, 0, 0], FAMILY_IPV4)
    }

    #[inline(always)]
    pub fn peer(self) -> Peer {
        let (address, family) =
            self.addresses(at::sock_common_skc_daddr(), at::sock_common_skc_v6_daddr());
        Peer { address, port: self.remote_port(), family }
    }

    /// Addresses and ports of a connected socket; `full` for anything but request and timewait
    /// sockets.
    #[inline(always)]
    pub fn tuple(self, protocol: u8, full: bool) -> Tuple {
        let (local, local_family) =
            self.addresses(at::sock_common_skc_rcv_saddr(), at::sock_common_skc_v6_rcv_saddr());
        let peer = self.peer();
        // The remote end decides: a mapped connection may still have the wildcard on this side.
        let local =
            if local_family == peer.family || local_family == FAMILY_IPV6 { local } else { [0; 4] };
        Tuple {
            local,
            remote: peer.address,
            local_port: self.local_port(full),
            remote_port: peer.port,
            netns: self.netns(),
            family: peer.family,
            protocol,
            reserved: 0,
            reserved2: 0,
        }
    }

    /// As `tuple`, for a TCP socket in any state.
    #[inline(always)]
    pub fn tcp_tuple(self, state: u8) -> Tuple {
        self.tuple(PROTO_TCP, state != TIME_WAIT && state != NEW_SYN_RECV)
    }
}

/// Whether an address family is one of the internet's.
#[inline(always)]
pub fn is_inet(family: u32) -> bool {
    family == AF_INET as u32 || family == AF_INET6 as u32
}

#[inline(always)]
fn is_mapped(v6: [u32; 4]) -> bool {
    v6[0] == 0 && v6[1] == 0 && v6[2] == 0xffff_u32.to_be()
}

/// Inode number of a `struct net` (whose pointer is all that a `possible_net_t` holds).
#[inline(always)]
pub fn netns_inode(net: usize) -> u32 {
    field(net, at::net_ns_inum())
}
