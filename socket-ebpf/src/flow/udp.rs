//! UDP: one flow per peer. The first peer of a socket is found by the socket, further ones by the
//! socket's id and the peer.

use socket_common::{
    Began, Counter, Flow, PROTO_UDP, PeerKey, Rank,
    kernel::socket_type::DATAGRAM,
    rules::{
        Peer, Way,
        udp::{began, local_port},
    },
};

use super::{
    entry::{account, create_with},
    owner::{self, Seen},
    submit,
};
#[cfg(feature = "perf")]
use crate::maps::TUPLE;
use crate::{
    kernel::{copy, now, packet::Packet, sock::Sock, task::Task},
    maps::{FLOWS, PEERS, count},
};
#[cfg(not(feature = "perf"))]
use socket_common::Tuple;

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

/// The tuple of a new flow, `$tuple` by reference: on the stack, or, for kernels before 5.8, in a table.
macro_rules! new_tuple {
    ($tuple:ident, $packet:expr, $sock:expr, $way:expr, $local_port:expr) => {
        #[cfg(not(feature = "perf"))]
        let $tuple = &Tuple { local_port: $local_port, ..$packet.tuple($way, $sock.netns()) };
        #[cfg(feature = "perf")]
        let $tuple = {
            let place = TUPLE.get_ptr_mut(0)?;
            // SAFETY: a valid element of this CPU.
            let tuple = unsafe { &mut *place };
            $packet.write_tuple(tuple, $way, $sock.netns());
            tuple.local_port = $local_port;
            &*tuple
        };
    };
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
            if flow.is_with(&kept_or_read!(peer, packet, way), packet.local_port(way))
                && (way == Way::In || flow.has_final_owner()) =>
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
fn of_peer(
    packet: &Packet,
    peer: &Peer,
    sock: Sock,
    key: &u64,
    way: Way,
    now: u64,
) -> Option<&'static mut Flow> {
    let port = local_port(sock.port(), || packet.local_port(way));
    let began = began(way);
    let first = match FLOWS.get_ptr_mut(key) {
        // SAFETY: entries stay readable for the run of a program.
        Some(flow) => unsafe { &mut *flow },
        None => {
            if sock.kind() != DATAGRAM {
                return None;
            }
            new_tuple!(tuple, packet, sock, way, port);
            let full = Counter::FlowTableFull;
            let flow = create_with(&FLOWS, key, *key, tuple, began, now, full)?;
            owner::inherit(flow, *key, Rank::Creator);
            flow.note_existing();
            flow.drops = sock.drops();
            flow
        }
    };
    // Sending runs in the system call of the sender.
    if way == Way::Out && !first.has_final_owner() && sock.has_file() {
        owner::claim(first, Rank::FirstIo);
    }
    if first.is_with(&kept_or_read!(peer, packet, way), port) {
        return Some(first);
    }
    further(packet, peer, sock, way, port, first, began, now)
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
    let key = PeerKey::new(first.socket_id, peer, local_port);
    let flow = match PEERS.get_ptr_mut(&key) {
        // SAFETY: entries stay readable for the run of a program.
        Some(flow) => unsafe { &mut *flow },
        None => {
            new_tuple!(tuple, packet, sock, way, local_port);
            let full = Counter::PeerTableFull;
            let flow = create_with(&PEERS, &key, sock.key(), tuple, began, now, full)?;
            flow.begin_peer(first);
            flow
        }
    };
    flow.give_owner(first.rank, |owner| copy(owner, &raw const first.owner));
    Some(flow)
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
