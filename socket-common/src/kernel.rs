//! Numbers of the kernel's own interfaces that programs and agent compare with.
//!
//! Source: `include/net/tcp_states.h`, `include/linux/net.h`, `include/linux/socket.h`, RFC 9293.

/// States of a TCP socket, and of request and timewait sockets.
pub mod tcp_state {
    /// `TCP_ESTABLISHED`.
    pub const ESTABLISHED: u8 = 1;
    /// `TCP_SYN_SENT`.
    pub const SYN_SENT: u8 = 2;
    /// `TCP_SYN_RECV`.
    pub const SYN_RECV: u8 = 3;
    /// `TCP_TIME_WAIT`: a timewait socket.
    pub const TIME_WAIT: u8 = 6;
    /// `TCP_CLOSE`.
    pub const CLOSE: u8 = 7;
    /// `TCP_LISTEN`.
    pub const LISTEN: u8 = 10;
    /// `TCP_NEW_SYN_RECV`: a request socket.
    pub const NEW_SYN_RECV: u8 = 12;
}

/// Bits of the flags in a TCP header.
pub mod tcp_flag {
    /// The sender has no more data.
    pub const FIN: u8 = 1;
    /// Sequence numbers are synchronized: the first packet of each side.
    pub const SYN: u8 = 2;
    /// The connection is reset.
    pub const RST: u8 = 4;
}

/// Values of `sk_type`.
pub mod socket_type {
    /// `SOCK_STREAM`.
    pub const STREAM: u16 = 1;
    /// `SOCK_DGRAM`.
    pub const DATAGRAM: u16 = 2;
    /// `SOCK_RAW`: shown the packets of other sockets.
    pub const RAW: u16 = 3;
}

/// Address family of IPv4 sockets.
pub const AF_INET: u16 = 2;
/// Address family of IPv6 sockets, which may carry IPv4.
pub const AF_INET6: u16 = 10;

/// Whether an address family is one of the internet's.
#[inline(always)]
#[must_use]
pub fn is_inet(family: u16) -> bool {
    family == AF_INET || family == AF_INET6
}
