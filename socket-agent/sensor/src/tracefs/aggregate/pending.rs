//! Handshakes: packets of connections that have no socket yet.

use socket_common::{
    Counter, Pending, Tuple,
    rules::{
        Way,
        handshake::{Step, step},
    },
};

use super::{Aggregator, Packet, Tasks, add};

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
        let known = self.pending.get_mut(tuple);
        let child = known.as_ref().map(|pending| pending.child);
        match (step(child, way, packet.flags), known) {
            (Step::Count, Some(pending)) => {
                pending.account(way, packet.packets, packet.bytes, now, add);
                true
            }
            (Step::Child(child), _) => self.of_child(packet, tuple, child, way, now),
            (Step::Begin, _) => {
                self.begun(packet, tuple, listener, now);
                true
            }
            _ => false,
        }
    }

    /// The first SYN, or that of a connection after one between the same ends.
    fn begun(&mut self, packet: &Packet, tuple: &Tuple, listener: u64, now: u64) {
        let mut fresh = Pending::default();
        fresh.begin(listener, packet.packets, packet.bytes, now);
        // In a full table it takes the place of the one that was looked at least recently.
        let gone = self.pending.push(*tuple, fresh);
        if gone.is_some_and(|(other, gone)| other != *tuple && gone.child == 0) {
            self.count(Counter::PendingFull);
        }
    }

    /// A packet that reached the listener although the child is made: it is the child's.
    fn of_child(&mut self, packet: &Packet, tuple: &Tuple, child: u64, way: Way, now: u64) -> bool {
        let idle = self.idle_ns;
        match self.flows.get_mut(&child) {
            Some(flow) if flow.tuple == *tuple => {
                flow.account(way, packet.packets, packet.bytes, now, idle, add)
            }
            _ => false,
        }
    }

    /// The handshake of a flow is over, or the connection is: takes what was still counted for it, and forgets it.
    pub(super) fn finish_handshake(&mut self, sock: u64) {
        let Some(flow) = self.flows.get_mut(&sock) else { return };
        let tuple = flow.tuple;
        if let Some(handshake) = self.pending.peek(&tuple)
            && handshake.child == sock
        {
            flow.traffic.account_both(&handshake.untaken(), add);
            self.pending.pop(&tuple);
        }
        flow.forget_handshake();
    }
}
