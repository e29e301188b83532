//! Handshakes: packets of connections that have no socket yet.

use socket_common::{Counter, FLAG_HANDSHAKE, Flow, Pending, Traffic, Tuple};

use super::{Aggregator, Packet, Tasks, Way, account, add};

/// TCP SYN.
const SYN: u8 = 2;
/// TCP RST.
const RST: u8 = 4;
/// Shorter than TCP waits before it sends again, nanoseconds.
const SOON: u64 = 100_000_000;

impl<T: Tasks> Aggregator<T> {
    /// A packet that a listener or a request socket handles. False if it belongs to no handshake.
    pub(super) fn handshake(
        &mut self,
        packet: &Packet,
        tuple: &Tuple,
        listener: u64,
        way: Way,
        now: u64,
    ) -> bool {
        let opens = way == Way::In && packet.flags & (SYN | RST) == SYN;
        let child = self.pending.peek(tuple).map(|pending| pending.child);
        if opens && child != Some(0) {
            // The first SYN, or that of a connection after one between the same ends.
            let fresh = Pending { listener, first: now, ..Pending::default() };
            // In a full table it takes the place of the one that was looked at least recently.
            let gone = self.pending.push(*tuple, fresh);
            if gone.is_some_and(|(other, gone)| other != *tuple && gone.child == 0) {
                self.count(Counter::PendingFull);
            }
        } else if let Some(child) = child.filter(|child| *child != 0) {
            return self.of_child(packet, tuple, child, way, now);
        }
        let Some(pending) = self.pending.get_mut(tuple) else { return false };
        pending.last = now;
        add(&mut pending.traffic, way, packet.packets, packet.bytes);
        true
    }

    /// A packet that reached the listener although the child is made: it is the child's.
    fn of_child(&mut self, packet: &Packet, tuple: &Tuple, child: u64, way: Way, now: u64) -> bool {
        let idle = self.idle_ns;
        match self.flows.get_mut(&child) {
            Some(flow) if flow.ended == 0 && flow.tuple == *tuple => {
                account(flow, way, packet.packets, packet.bytes, now, idle);
                true
            }
            _ => false,
        }
    }

    /// The handshake of a flow is over, or the connection is: takes what was still counted for it, and forgets it.
    pub(super) fn finish_handshake(&mut self, sock: u64) {
        let Some(flow) = self.flows.get_mut(&sock) else { return };
        let tuple = flow.tuple;
        if let Some(handshake) = self.pending.peek_mut(&tuple)
            && handshake.child == sock
        {
            take(handshake, flow);
            self.pending.pop(&tuple);
        }
        flow.flags &= !FLAG_HANDSHAKE;
    }
}

/// Whether a connection has been established for so long that no packet comes any more which was taken for one of
/// the handshake.
pub(super) fn is_over(flow: &Flow, now: u64) -> bool {
    let since = flow.first + flow.tcp.connect_ns;
    flow.tcp.connect_ns != 0 && now > since + SOON
}

/// Adds to the child's flow what the handshake has counted and no flow has taken yet.
pub(super) fn take(handshake: &mut Pending, flow: &mut Flow) {
    let Traffic { packets_out, bytes_out, packets_in, bytes_in } = handshake.traffic;
    let before = std::mem::replace(&mut handshake.taken, handshake.traffic);
    let traffic = &mut flow.traffic;
    add(traffic, Way::Out, packets_out - before.packets_out, bytes_out - before.bytes_out);
    add(traffic, Way::In, packets_in - before.packets_in, bytes_in - before.bytes_in);
    flow.flags |= FLAG_HANDSHAKE;
}
