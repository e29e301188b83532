//! Answers that arrived and were not captured: what a socket received from a server, held against the
//! messages that were seen on their way to it.

use std::{collections::VecDeque, net::SocketAddr};

use lru::LruCache;
use socket_common::{Flow, PROTO_UDP};

use super::claims::{PORT, is_shared};
use crate::address;

/// Receivers of messages that are remembered.
const RECEIVERS: usize = 16_384;
/// Closed sockets that wait to be compared.
const CLOSED: usize = 65_536;
/// How long they do, nanoseconds: packets that have arrived are read many times a second.
const PATIENCE: u64 = 2_000_000_000;

/// An address that asks, with its namespace where it could mean somebody else in another.
type Receiver = (SocketAddr, Option<u32>);

#[derive(Debug)]
struct Closed {
    receiver: Receiver,
    packets: u64,
    /// Boottime nanoseconds.
    due: u64,
}

#[derive(Debug)]
pub(super) struct Unseen {
    seen: LruCache<Receiver, u64>,
    closed: VecDeque<Closed>,
    /// Packets from servers, beyond the messages that were seen.
    pub(super) count: u64,
}

impl Unseen {
    pub(super) fn new() -> Self {
        Self { seen: LruCache::unbounded(), closed: VecDeque::new(), count: 0 }
    }

    /// A message from a server over UDP was captured, for the first time.
    pub(super) fn message(&mut self, to: SocketAddr, netns: u32) {
        *self.seen.get_or_insert_mut(receiver(to, netns), || 0) += 1;
        if self.seen.len() > RECEIVERS {
            self.seen.pop_lru();
        }
    }

    /// A socket was closed.
    pub(super) fn closed(&mut self, flow: &Flow) {
        let tuple = &flow.tuple;
        let packets = flow.traffic.packets_in;
        if tuple.protocol != PROTO_UDP || tuple.remote_port != PORT || packets == 0 {
            return;
        }
        let address = SocketAddr::new(address(tuple, tuple.local), tuple.local_port);
        let due = flow.ended.max(flow.last).saturating_add(PATIENCE);
        if self.closed.len() >= CLOSED {
            self.compare_first();
        }
        self.closed.push_back(Closed { receiver: receiver(address, tuple.netns), packets, due });
    }

    /// Compares what has waited for long enough.
    pub(super) fn compare(&mut self, now: u64) {
        while self.closed.front().is_some_and(|closed| closed.due <= now) {
            self.compare_first();
        }
        if self.closed.is_empty() && self.closed.capacity() > 1024 {
            self.closed = VecDeque::new();
        }
    }

    fn compare_first(&mut self) {
        let Some(Closed { receiver, packets, .. }) = self.closed.pop_front() else { return };
        let seen = self.seen.pop(&receiver).unwrap_or(0);
        self.count += packets.saturating_sub(seen);
    }
}

fn receiver(address: SocketAddr, netns: u32) -> Receiver {
    (address, (!is_shared(address.ip())).then_some(netns))
}

#[cfg(test)]
mod tests {
    use socket_common::{FAMILY_IPV4, Traffic, Tuple};

    use super::*;

    const SECOND: u64 = 1_000_000_000;

    fn flow(local: [u8; 4], packets_in: u64) -> Flow {
        let mut tuple = Tuple {
            local_port: 4000,
            remote_port: PORT,
            netns: 5,
            family: FAMILY_IPV4,
            protocol: PROTO_UDP,
            ..Tuple::default()
        };
        tuple.local[0] = u32::from_ne_bytes(local);
        let traffic = Traffic { packets_in, ..Traffic::default() };
        Flow { tuple, traffic, ended: SECOND, ..Flow::default() }
    }

    #[test]
    fn what_was_received_and_not_seen_is_counted_after_a_while() {
        let mut unseen = Unseen::new();
        unseen.closed(&flow([10, 0, 0, 1], 3));
        // Read after the socket was closed, and in another namespace on the way.
        unseen.message(([10, 0, 0, 1], 4000).into(), 1);
        unseen.compare(2 * SECOND);
        assert_eq!(unseen.count, 0);
        unseen.compare(3 * SECOND);
        assert_eq!(unseen.count, 2);
    }

    #[test]
    fn loopback_is_another_in_each_namespace() {
        let mut unseen = Unseen::new();
        unseen.message(([127, 0, 0, 1], 4000).into(), 1);
        unseen.closed(&flow([127, 0, 0, 1], 1));
        unseen.compare(u64::MAX);
        assert_eq!(unseen.count, 1);
        unseen.message(([127, 0, 0, 1], 4000).into(), 5);
        unseen.closed(&flow([127, 0, 0, 1], 1));
        unseen.compare(u64::MAX);
        assert_eq!(unseen.count, 1);
    }

    #[test]
    fn other_flows_do_not_count() {
        let mut unseen = Unseen::new();
        let mut other = flow([10, 0, 0, 1], 3);
        other.tuple.remote_port = 5353;
        unseen.closed(&other);
        unseen.compare(u64::MAX);
        assert_eq!(unseen.count, 0);
    }
}
