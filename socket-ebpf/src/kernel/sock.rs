//! `struct sock` and the request and timewait sockets that share its beginning.

use socket_common::{
    FAMILY_IPV4, FAMILY_IPV6, PROTO_TCP, Tuple,
    kernel::{AF_INET6, is_inet},
    rules::{Peer, ends::unmapped, tcp::is_full},
};

use super::{core_offsets as at, field, mptcp::Connection};

/// Address of a `struct sock`; 0 is no socket.
#[derive(Clone, Copy)]
pub struct Sock(pub usize);

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
        is_inet(field(self.0, at::sock_common_skc_family()))
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

    /// `sk_type`, one of [`socket_type`](socket_common::kernel::socket_type). Full sockets only.
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
            return unmapped(field(self.0, v6));
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
        let mut tuple = Tuple::default();
        self.write_tuple(&mut tuple, protocol, full);
        tuple
    }

    /// As [`Sock::tuple`], written to a place: each part as soon as it is known, so that the stack need not hold
    /// them all beside it.
    #[inline(always)]
    fn write_tuple(self, to: &mut Tuple, protocol: u8, full: bool) {
        let peer = self.peer();
        to.remote = peer.address;
        to.remote_port = peer.port;
        to.family = peer.family;
        to.protocol = protocol;
        let (local, family) =
            self.addresses(at::sock_common_skc_rcv_saddr(), at::sock_common_skc_v6_rcv_saddr());
        // The remote end decides: a mapped connection may still have the wildcard on this side.
        to.local = if family == peer.family || family == FAMILY_IPV6 { local } else { [0; 4] };
        to.local_port = self.local_port(full);
        to.netns = self.netns();
        (to.reserved, to.reserved2) = (0, 0);
    }

    /// As `tuple`, for a TCP socket in any state.
    #[inline(always)]
    pub fn tcp_tuple(self, state: u8) -> Tuple {
        self.tuple(PROTO_TCP, is_full(state))
    }

    /// As [`Sock::tcp_tuple`], written to a place.
    #[cfg(feature = "perf")]
    #[inline(always)]
    pub fn write_tcp_tuple(self, to: &mut Tuple, state: u8) {
        self.write_tuple(to, PROTO_TCP, is_full(state));
    }
}

/// Inode number of a `struct net` (whose pointer is all that a `possible_net_t` holds).
#[inline(always)]
pub fn netns_inode(net: usize) -> u32 {
    field(net, at::net_ns_inum())
}
