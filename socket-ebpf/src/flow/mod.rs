//! The flow core: takes facts about sockets, keeps the tables. Knows nothing of hook types.
//!
//! | fact | function |
//! |---|---|
//! | a packet passed between a socket and the wire | [`packet`] |
//! | a TCP socket changes state | [`tcp::state_changed`] |
//! | a process accepted, or received data | [`owner::touched`] |
//! | a UDP socket took a port, or was closed | [`udp::bound`], [`udp::closed`] |
//! | an open socket is to be looked at | [`sample::take`] |
//! | a packet without a live socket | [`late::orphan`] |

mod entry;
pub mod existing;
pub mod late;
pub mod owner;
mod pending;
pub mod sample;
pub mod submit;
pub mod tcp;
pub mod udp;

#[cfg(not(feature = "perf"))]
pub use entry::atomic_add;

use socket_common::{Counter, Flow, PROTO_TCP, Tuple, rules::Way};

use crate::{
    kernel::{packet::Packet, sock::Sock},
    maps::{count, settings},
};

/// A packet on its way between `sock` and the wire.
///
/// `sock` is the socket the kernel handles the packet for: a full socket, or a request, timewait or
/// control socket.
#[inline(always)]
pub fn packet(skb: usize, sock: Sock, way: Way) {
    if !sock.is_inet() {
        return;
    }
    #[cfg(not(feature = "perf"))]
    let packet = &mut Packet::of(skb, way);
    #[cfg(feature = "perf")]
    let packet = &mut Packet::in_table(skb, way);
    if let Some(packet) = packet {
        of_socket(packet, sock, way);
    }
}

/// As [`packet`], when its headers have been read; `sock` is one of the internet's families. Returns the
/// flow that the packet is of, if there is one.
#[inline(always)]
pub fn of_socket(packet: &mut Packet, sock: Sock, way: Way) -> Option<&'static Flow> {
    if packet.family == socket_common::FAMILY_IPV6 && !ipv6_enabled() {
        return None;
    }
    // What carries data of TCP is a full socket's, which knows both ends.
    if way == Way::Out && (packet.protocol != PROTO_TCP || !packet.is_payload()) {
        packet.undo_translation();
    }
    if packet.protocol == PROTO_TCP {
        tcp::packet(packet, sock, way)
    } else {
        udp::packet(packet, sock, way)
    }
}

/// A TCP packet that the kernel sends without a socket: part of a handshake, or the end of a closed
/// connection. Others, such as the refusal of a connect, are nobody's.
#[inline(always)]
pub fn reply(packet: &Packet, tuple: &mut Tuple, now: u64) {
    if !pending::packet(packet, tuple, Sock(0), Way::Out, now) {
        late::packet(packet, tuple, Way::Out, now);
    }
}

#[inline(always)]
fn ipv6_enabled() -> bool {
    match settings() {
        Some(settings) => settings.ipv6 != 0,
        None => {
            count(Counter::Unparsed);
            false
        }
    }
}
