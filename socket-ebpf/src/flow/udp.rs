//! UDP: one flow per peer. The first peer of a socket is found by the socket, further ones by the
//! socket's id and the peer.

use socket_common::{
    Began, Counter, FLAG_EXISTING, FLAG_HAS_PEERS, Flow, PROTO_UDP, PeerKey, Rank, Tuple,
};

use super::{
    entry::{account, create},
    owner::{self, Seen},
    submit,
};
use crate::{
    kernel::{
        copy, now,
        packet::{Packet, Way},
        sock::{DATAGRAM, Peer, Sock},
        task::Task,
    },
    maps::{FLOWS, PEERS, count},
};

/// The peer of a packet: kept on the stack, or, for kernels before 5.8, whose programs have none to spare, read
/// anew.
macro_rules! kept_or_read {
    ($peer:expr, $packet:expr, $way:expr) => {{
        #[cfg(not(feature = "perf"))]
        let peer = *$peer;
        #[cfg(feature = "perf")]
        let peer = $packet.peer($way);
        peer
    }};
}

/// A UDP packet that `sock` sends or receives; returns its flow.
#[inline(always)]
pub fn packet(packet: &Packet, sock: Sock, way: Way) -> Option<&'static Flow> {
    let now = now();
    let key = &sock.key();
    let peer = &packet.peer(way);
    // SAFETY: entries stay readable for the run of a program.
    let first = FLOWS.get_ptr_mut(key).map(|flow| unsafe { &mut *flow });
    let flow = match first {
        // Most sockets have one peer and an owner: then nothing of the socket needs to be read.
        Some(flow)
            if is_with(flow, &kept_or_read!(peer, packet, way), packet.local_port(way))
                && (way == Way::In || flow.rank >= Rank::FirstIo as u8) =>
        {
            flow
        }
        _ => of_peer(packet, peer, sock, key, way, now)?,
    };
    if account(flow, way, packet.packets, packet.bytes, now) {
        return Some(flow);
    }
    // For a socket that another CPU has just closed.
    count(Counter::LateUnmatched);
    None
}

/// The flow with the peer that a packet is from or to. A socket that is connected may send to others as well.
#[inline(always)]
#[cfg_attr(feature = "perf", expect(unused_variables, reason = "read anew, off the stack"))]
fn of_peer(
    packet: &Packet,
    peer: &Peer,
    sock: Sock,
    key: &u64,
    way: Way,
    now: u64,
) -> Option<&'static mut Flow> {
    #[cfg(feature = "perf")]
    let peer = &packet.peer(way);
    // That of what is sent may have been translated by now.
    let own = sock.port();
    let port = if own != 0 { own } else { packet.local_port(way) };
    let began = if way == Way::Out { Began::Send } else { Began::Receive };
    let first = match FLOWS.get_ptr_mut(key) {
        // SAFETY: entries stay readable for the run of a program.
        Some(flow) => unsafe { &mut *flow },
        None => {
            if sock.kind() != DATAGRAM {
                return None;
            }
            let tuple = tuple(packet, sock, way, port);
            let made = create(&FLOWS, key, *key, &tuple, began, now, Counter::FlowTableFull);
            let flow = made?;
            owner::inherit(flow, *key, Rank::Creator);
            if flow.rank == Rank::Holder as u8 {
                flow.flags |= FLAG_EXISTING;
            }
            flow.drops = sock.drops();
            flow
        }
    };
    // Sending runs in the system call of the sender.
    if way == Way::Out && first.rank < Rank::FirstIo as u8 && sock.has_file() {
        owner::claim(first, Rank::FirstIo);
    }
    if is_with(first, peer, port) {
        return Some(first);
    }
    further(packet, peer, sock, way, port, first, began, now)
}

/// Whether a flow is the one with a peer. A socket that has been disconnected may have got another port.
#[inline(always)]
fn is_with(flow: &Flow, peer: &Peer, local_port: u16) -> bool {
    flow.tuple.remote_port == peer.port
        && flow.tuple.local_port == local_port
        && flow.tuple.remote == peer.address
        && flow.tuple.family == peer.family
}

#[inline(always)]
#[expect(clippy::too_many_arguments, reason = "all of one packet, and inlined")]
#[cfg_attr(feature = "perf", expect(unused_variables, reason = "read anew, off the stack"))]
fn further(
    packet: &Packet,
    peer: &Peer,
    sock: Sock,
    way: Way,
    local_port: u16,
    first: &mut Flow,
    began: Began,
    now: u64,
) -> Option<&'static mut Flow> {
    #[cfg(feature = "perf")]
    let peer = &packet.peer(way);
    let key = PeerKey {
        socket_id: first.socket_id,
        remote: peer.address,
        port: peer.port,
        family: peer.family,
        reserved: 0,
        local_port,
        reserved2: 0,
    };
    let flow = match PEERS.get_ptr_mut(&key) {
        // SAFETY: entries stay readable for the run of a program.
        Some(flow) => unsafe { &mut *flow },
        None => {
            first.flags |= FLAG_HAS_PEERS;
            let tuple = tuple(packet, sock, way, local_port);
            let flow =
                create(&PEERS, &key, sock.key(), &tuple, began, now, Counter::PeerTableFull)?;
            flow.socket_id = first.socket_id;
            flow.flags |= first.flags & FLAG_EXISTING;
            flow
        }
    };
    if flow.rank < first.rank {
        copy(&raw mut flow.owner, &raw const first.owner);
        flow.rank = first.rank;
    }
    Some(flow)
}

#[inline(always)]
fn tuple(packet: &Packet, sock: Sock, way: Way, local_port: u16) -> Tuple {
    let mut tuple = packet.tuple(way, sock.netns());
    tuple.local_port = local_port;
    tuple
}

/// The current task has bound the socket to a port.
#[inline(always)]
pub fn bound(sock: Sock) {
    owner::remember(sock, Task::current(), PROTO_UDP, Rank::Creator, Seen::Coming);
}

/// The current task is about to take a port for the socket.
#[inline(always)]
pub fn binding(sock: Sock) {
    owner::remember(sock, Task::current(), PROTO_UDP, Rank::Creator, Seen::Trying);
}

/// The last descriptor of the socket was closed.
#[inline(always)]
pub fn closed(sock: Sock) {
    owner::forget(sock);
    let Some(flow) = FLOWS.get_ptr_mut(&sock.key()) else { return };
    // SAFETY: entries stay readable for the run of a program.
    let flow = unsafe { &mut *flow };
    if flow.tuple.protocol != PROTO_UDP {
        return;
    }
    // Else it was handed over, and could not be taken out of the table.
    if flow.ended == 0 {
        flow.ended = now();
        flow.drops = sock.drops().wrapping_sub(flow.drops);
        submit::flow(flow);
    }
    let _ = FLOWS.remove(&sock.key());
}
