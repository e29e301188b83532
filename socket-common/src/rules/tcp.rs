//! TCP: one flow per connection.

use super::Way;
use crate::{
    Flow, Tcp,
    kernel::{
        socket_type::{RAW, STREAM},
        tcp_state::{CLOSE, ESTABLISHED, LISTEN, NEW_SYN_RECV, SYN_RECV, SYN_SENT, TIME_WAIT},
    },
};

/// A change of state that says something of a connection or a listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// connect(2) was called.
    Opened,
    /// The handshake is complete.
    Established,
    /// The socket listens.
    Listening,
    /// The connection, or the listener, is over.
    Closed,
}

impl Change {
    /// The change from one state to another; `None` for those that say nothing, which half of all are.
    #[inline(always)]
    #[must_use]
    pub fn between(old: u8, new: u8) -> Option<Self> {
        if old == new {
            return None;
        }
        match new {
            SYN_SENT => Some(Self::Opened),
            ESTABLISHED => Some(Self::Established),
            LISTEN => Some(Self::Listening),
            CLOSE => Some(Self::Closed),
            _ => None,
        }
    }
}

/// Whether a socket knows both ends of its connection. A listener, a closed socket or one of the kernel's own
/// control sockets does not say whose packet it is; the packet does. `remote_port` reads the socket's.
#[inline(always)]
#[must_use]
pub fn is_connected(state: u8, remote_port: impl FnOnce() -> u16) -> bool {
    state != LISTEN && state != CLOSE && remote_port() != 0
}

/// Whether a full socket answers for a connection in this state; else it is a request or a timewait socket.
#[inline(always)]
#[must_use]
pub fn is_full(state: u8) -> bool {
    state != TIME_WAIT && state != NEW_SYN_RECV
}

/// Whether a socket in this state is the connection's own: none that stands for it before or after it, and connected.
#[inline(always)]
#[must_use]
pub fn is_of_connection(state: u8) -> bool {
    is_full(state) && state != LISTEN && state != CLOSE
}

/// Whether a packet is another's than that of the socket that is shown it, which knows no remote end: a raw socket
/// is shown copies of what others receive, and what it sends says that it is of others. Those of the kernel, which
/// send its resets, have no file. `kind` and `has_file` read the socket.
#[inline(always)]
#[must_use]
pub fn is_foreign(
    state: u8,
    is_connected: bool,
    way: Way,
    kind: impl FnOnce() -> u16,
    has_file: impl FnOnce() -> bool,
) -> bool {
    !is_connected && state != LISTEN && kind() == RAW && (matches!(way, Way::In) || has_file())
}

/// What a packet is whose socket has no open flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WithoutFlow {
    /// Part of a handshake, or of what follows the end of a connection.
    SocketLess,
    /// The first of a connection that came in through a listener.
    Accepted,
    /// One of a connection whose beginning was not seen.
    Midway,
    /// Nobody's: the socket is none of a connection.
    Other,
}

/// Decides by the socket what a packet without an open flow is. `kind` reads the socket's type.
#[inline(always)]
#[must_use]
pub fn without_flow(state: u8, is_connected: bool, kind: impl FnOnce() -> u16) -> WithoutFlow {
    if !is_connected || !is_full(state) {
        WithoutFlow::SocketLess
    } else if kind() != STREAM {
        WithoutFlow::Other
    } else if state == SYN_RECV {
        WithoutFlow::Accepted
    } else {
        WithoutFlow::Midway
    }
}

impl Flow {
    /// Whether the ends of the connection are known: ports are chosen after connect(2) has begun, so that the tuple
    /// comes with the first packet.
    #[inline(always)]
    #[must_use]
    pub fn has_ends(&self) -> bool {
        self.tuple.local_port != 0
    }

    /// Notes that the handshake is complete; false if that was known.
    #[inline(always)]
    pub fn note_established(&mut self, now: u64) -> bool {
        if self.tcp.connect_ns != 0 {
            return false;
        }
        self.tcp.connect_ns = now.saturating_sub(self.first);
        true
    }
}

impl Tcp {
    /// Fills in what the socket says when the connection ends in the state `old`. `retransmits` is `None` where the
    /// member of the kernel's structure is not known; `srtt` is as the kernel holds it.
    #[inline(always)]
    pub fn close(&mut self, old: u8, error: u32, retransmits: Option<u32>, srtt: u32) {
        self.state = old;
        self.error = error;
        self.retransmits = retransmits.unwrap_or_default();
        self.counted = retransmits.is_some() as u8;
        self.srtt_us = smoothed_rtt_us(srtt);
    }
}

/// Microseconds of `tcp_sock.srtt_us`, which holds eighths of them.
#[inline(always)]
#[must_use]
pub fn smoothed_rtt_us(srtt: u32) -> u32 {
    srtt >> 3
}

/// Whether packets may still come that are of a connection which ended in the state `old`. One that was never
/// answered leaves none.
#[inline(always)]
#[must_use]
pub fn leaves_late_packets(old: u8) -> bool {
    old != SYN_SENT
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::socket_type::DATAGRAM;

    #[test]
    fn a_change_is_told_by_the_state_that_it_leads_to() {
        assert_eq!(Change::between(CLOSE, SYN_SENT), Some(Change::Opened));
        assert_eq!(Change::between(SYN_RECV, ESTABLISHED), Some(Change::Established));
        assert_eq!(Change::between(CLOSE, LISTEN), Some(Change::Listening));
        assert_eq!(Change::between(LISTEN, CLOSE), Some(Change::Closed));
        assert_eq!(Change::between(CLOSE, CLOSE), None);
        assert_eq!(Change::between(ESTABLISHED, 4), None);
    }

    #[test]
    fn a_packet_without_a_flow_is_what_its_socket_is() {
        let of = |state, port, kind| without_flow(state, is_connected(state, || port), || kind);
        for state in [LISTEN, CLOSE] {
            assert_eq!(of(state, 80, STREAM), WithoutFlow::SocketLess);
        }
        for state in [NEW_SYN_RECV, TIME_WAIT] {
            assert_eq!(of(state, 80, 0), WithoutFlow::SocketLess);
        }
        assert_eq!(of(ESTABLISHED, 0, STREAM), WithoutFlow::SocketLess);
        assert_eq!(of(SYN_RECV, 80, STREAM), WithoutFlow::Accepted);
        assert_eq!(of(ESTABLISHED, 80, STREAM), WithoutFlow::Midway);
        assert_eq!(of(ESTABLISHED, 80, DATAGRAM), WithoutFlow::Other);
    }

    #[test]
    fn packets_of_others_are_those_that_a_raw_socket_overhears_or_makes_up() {
        let foreign =
            |state, connected, way, kind, file| is_foreign(state, connected, way, || kind, || file);
        assert!(foreign(CLOSE, false, Way::In, RAW, false));
        assert!(foreign(CLOSE, false, Way::Out, RAW, true));
        assert!(!foreign(CLOSE, false, Way::Out, RAW, false), "the kernel's own sends resets");
        assert!(!foreign(CLOSE, false, Way::In, STREAM, true));
        assert!(!foreign(LISTEN, false, Way::In, RAW, true));
        assert!(!foreign(ESTABLISHED, true, Way::In, RAW, true));
    }

    #[test]
    fn only_full_sockets_that_are_connected_are_the_connections_own() {
        for state in [ESTABLISHED, SYN_SENT, SYN_RECV, 4] {
            assert!(is_of_connection(state), "{state}");
        }
        for state in [NEW_SYN_RECV, TIME_WAIT, LISTEN, CLOSE] {
            assert!(!is_of_connection(state), "{state}");
        }
    }

    #[test]
    fn a_connection_is_established_once() {
        let mut flow = Flow { first: 10, ..Flow::default() };
        assert!(flow.note_established(13));
        assert!(!flow.note_established(20));
        assert_eq!(flow.tcp.connect_ns, 3);
    }

    #[test]
    fn an_end_says_whether_retransmissions_were_counted() {
        let mut tcp = Tcp::default();
        tcp.close(ESTABLISHED, 104, Some(0), 81);
        assert_eq!((tcp.state, tcp.error, tcp.retransmits, tcp.counted), (1, 104, 0, 1));
        assert_eq!(tcp.srtt_us, 10);
        tcp.close(ESTABLISHED, 0, None, 0);
        assert_eq!((tcp.retransmits, tcp.counted), (0, 0));
        assert!(leaves_late_packets(ESTABLISHED) && !leaves_late_packets(SYN_SENT));
    }
}
