//! Flows, aggregated in user space by the rules that the eBPF programs follow.
//!
//! Takes [`Fact`]s in the order of their time, fills the same tables and makes the same records as the
//! programs do, by the same [`rules`](socket_common::rules). Owners are asked of [`Tasks`], by process and thread.

mod facts;
mod late;
mod owner;
mod pending;
mod tcp;
mod udp;

#[cfg(test)]
mod tcp_tests;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod udp_tests;

use std::{
    collections::{HashMap, VecDeque},
    hash::Hash,
    num::NonZeroUsize,
};

use lru::LruCache;
use metrics::Values;
use socket_common::{
    Began, COUNTERS, Counter, FAMILY_IPV6, Flow, Late, Owner, PROTO_TCP, PeerKey, Pending,
    SocketOwner, Tuple, rules::Way,
};

pub(super) use facts::{Context, Fact, Packet, Sock};

use crate::{Event, Tables};
use linux::shrink;

/// Who is behind a process id.
pub(super) trait Tasks {
    /// The owner that a flow is given; all zeroes but the ids if the process is not known any more.
    fn owner(&mut self, pid: u32, tid: u32) -> Owner;

    /// Whether a process id is that of a thread of the kernel itself.
    fn is_of_kernel(&mut self, pid: u32) -> bool;

    /// Who held a socket with this tuple when the agent started; the remote end is zero for a
    /// listening or unconnected one.
    fn holder(&mut self, tuple: &Tuple) -> Option<Owner>;
}

/// The tables of flows and what was counted.
pub(super) struct Aggregator<T> {
    pub(super) tasks: T,
    flows: HashMap<u64, Flow>,
    peers: HashMap<PeerKey, Flow>,
    owners: HashMap<u64, SocketOwner>,
    pending: LruCache<Tuple, Pending>,
    late: HashMap<Tuple, Late>,
    /// Namespaces of those in `late`, by their tuples without.
    namespaces: HashMap<Tuple, u32>,
    /// The agent's own network namespace.
    pub(super) netns: u32,
    limits: Tables,
    idle_ns: u64,
    ipv6: bool,
    counts: [u64; COUNTERS as usize],
    events: VecDeque<Event>,
    last_id: u64,
}

impl<T: Tasks> Aggregator<T> {
    /// A flow that pauses for longer than this, in nanoseconds, begins anew.
    pub(super) fn set_idle(&mut self, idle_ns: u64) {
        self.idle_ns = idle_ns;
    }

    /// Empty tables.
    pub(super) fn new(tasks: T, limits: Tables, idle_ns: u64, ipv6: bool) -> Self {
        let pending = NonZeroUsize::new(limits.pending as usize).unwrap_or(NonZeroUsize::MIN);
        Self {
            tasks,
            flows: HashMap::new(),
            peers: HashMap::new(),
            owners: HashMap::new(),
            pending: LruCache::new(pending),
            late: HashMap::new(),
            namespaces: HashMap::new(),
            netns: 0,
            limits,
            idle_ns,
            ipv6,
            counts: [0; COUNTERS as usize],
            events: VecDeque::new(),
            last_id: 0,
        }
    }

    /// Takes in what happened.
    pub(super) fn take(&mut self, fact: Fact, context: Context) {
        match fact {
            Fact::Packet { packet, sock, way } => {
                if !sock.is_inet() || self.hides(packet.family) {
                } else if packet.protocol == PROTO_TCP {
                    self.tcp_packet(&packet, &sock, way, context);
                } else {
                    self.udp_packet(&packet, &sock, way, context);
                }
            }
            Fact::Reply { packet } => {
                if packet.protocol == PROTO_TCP && !self.hides(packet.family) {
                    let tuple = self.inserted(packet.tuple(Way::Out, packet.netns));
                    if !self.handshake(&packet, &tuple, 0, Way::Out, context.now) {
                        self.late_packet(&packet, &tuple, Way::Out, context.now);
                    }
                }
            }
            Fact::Orphan { packet } => {
                if packet.protocol == PROTO_TCP && !self.hides(packet.family) {
                    let tuple = self.inserted(packet.tuple(Way::In, packet.netns));
                    self.late_packet(&packet, &tuple, Way::In, context.now);
                }
            }
            Fact::State { sock, new } => self.state_changed(&sock, new, context),
            Fact::Listen { sock } => self.listens(&sock, context),
            Fact::Touched { sock, rank } => self.touched(sock, rank, context),
            Fact::Bound { sock } => self.bound(&sock, context),
            Fact::Closed { sock } => self.udp_closed(sock, context),
        }
    }

    fn hides(&self, family: u8) -> bool {
        family == FAMILY_IPV6 && !self.ipv6
    }

    /// Notes one of the things that are counted.
    pub(super) fn count(&mut self, counter: Counter) {
        self.counts[counter as usize] += 1;
    }

    /// Every counter.
    pub(super) fn counters(&self) -> Values {
        let counters = Counter::ALL.into_iter();
        counters.map(|counter| (counter.metric(), self.counts[counter as usize])).collect()
    }

    /// The next record.
    pub(super) fn next_event(&mut self) -> Option<Event> {
        let event = self.events.pop_front();
        if event.is_none() {
            self.shrink_tables();
        }
        event
    }

    fn shrink_tables(&mut self) {
        shrink::shrink_table(&mut self.flows);
        shrink::shrink_table(&mut self.peers);
        shrink::shrink_table(&mut self.owners);
        shrink::shrink_table(&mut self.late);
        shrink::shrink_table(&mut self.namespaces);
        shrink::shrink_queue(&mut self.events);
    }

    /// Adds a record, for example of a process, behind those of flows.
    pub(super) fn push(&mut self, event: Event) {
        self.events.push_back(event);
    }

    /// Every open flow.
    pub(super) fn open_flows(&self) -> impl Iterator<Item = &Flow> {
        self.flows.values().chain(self.peers.values())
    }

    /// Listening TCP sockets and bound UDP sockets.
    pub(super) fn owners(&self) -> impl Iterator<Item = &SocketOwner> {
        self.owners.values()
    }

    /// Forgets a flow.
    pub(super) fn evict(&mut self, flow: &Flow) -> Option<Flow> {
        if flow.id == flow.socket_id {
            if flow.has_handshake() {
                self.finish_handshake(flow.sock);
            }
            return self.flows.remove(&flow.sock);
        }
        self.peers.remove(&PeerKey::of(flow))
    }

    fn next_id(&mut self, now: u64) -> u64 {
        self.last_id = (now << 10).max(self.last_id + 1);
        self.last_id
    }

    /// Makes a flow of zeroes with what every flow has.
    fn blank(&mut self, sock: u64, tuple: Tuple, began: Began, now: u64) -> Flow {
        let id = self.next_id(now);
        let mut flow = Flow { tuple, ..Flow::default() };
        flow.begin(id, sock, began, now);
        flow
    }

    /// Begins the first flow of a socket; false if the table is full.
    fn create(&mut self, sock: u64, tuple: Tuple, began: Began, now: u64) -> bool {
        if !has_capacity(&self.flows, &sock, self.limits.flows) {
            self.count(Counter::FlowTableFull);
            return false;
        }
        let flow = self.blank(sock, tuple, began, now);
        self.flows.insert(sock, flow);
        true
    }

    /// Hands a closed flow over.
    fn submit(&mut self, sock: u64) {
        if let Some(flow) = self.flows.remove(&sock) {
            self.events.push_back(Event::Closed(flow));
        }
    }
}

fn has_capacity<K: Eq + Hash, V>(table: &HashMap<K, V>, key: &K, limit: u32) -> bool {
    table.len() < limit as usize || table.contains_key(key)
}

/// Adds to a counter.
fn add(total: &mut u64, more: u64) {
    *total += more;
}
