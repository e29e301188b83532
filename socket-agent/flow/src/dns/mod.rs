//! Which name an address was known by to the process that used it: from the DNS answers that this
//! host receives.
//!
//! Pure logic: packets, flows and processes go in, names come out. Packets come from
//! [`sensor::dns`](sensor::dns). All times are boottime nanoseconds.

mod ancestry;
mod claims;
mod flow_names;
mod message;
mod names;
mod networks;
pub mod packet;
mod questions;
mod stream;
/// Packets and messages for tests, also those of other crates.
#[cfg(any(test, feature = "testing"))]
#[allow(missing_docs, clippy::unwrap_used, clippy::panic)]
pub mod testing;
mod unseen;

use std::net::{IpAddr, SocketAddr};

use socket_common::{ExitEvent, Flow, ForkEvent, PROTO_TCP, PROTO_UDP};

use crate::address;

use self::{
    ancestry::Ancestry,
    claims::{Answer, Asker, Claims, Client},
    flow_names::FlowNames,
    message::{Message, Question},
    names::{Names, Wanted},
    packet::Segment,
    questions::{Questions, Verdict},
    stream::Streams,
    unseen::Unseen,
};
pub use self::{
    flow_names::Domains,
    names::{Domain, Limits, Source},
    networks::{NamespaceRef, NetworkSegment, Networks, Reach},
};

/// A captured packet.
#[derive(Clone, Copy, Debug)]
pub struct Packet<'a> {
    /// Inode number of the network namespace it was captured in.
    pub netns: u32,
    /// What it begins with, as in an Ethernet header.
    pub ethertype: u16,
    /// Time of capture, boottime nanoseconds.
    pub time: u64,
    /// Sender and receiver as the socket sees them, where that is known: else they are read from the
    /// packet.
    pub ends: Option<[SocketAddr; 2]>,
    /// From the network header on, as far as it was captured.
    pub bytes: &'a [u8],
}

/// Counters of the cache.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DnsCounters {
    /// Answers with addresses that were taken in.
    pub answers: u64,
    /// Messages that made no sense.
    pub malformed: u64,
    /// Answers to questions that were not seen.
    pub unasked: u64,
    /// Answers of which the end was not captured.
    pub cut: u64,
    /// TCP segments that could not be put together.
    pub segments_lost: u64,
    /// Questions pushed out for lack of room before they were answered.
    pub questions_evicted: u64,
    /// Names pushed out for lack of room before they had expired.
    pub names_evicted: u64,
    /// Answers for which no socket of this host was found.
    pub unclaimed: u64,
    /// Packets that sockets received from servers and that were not captured.
    pub unseen: u64,
    /// Running processes pushed out of the table of ancestors.
    pub ancestors_evicted: u64,
    /// Times that it could not be found out how a network namespace reaches an address.
    pub networks_unknown: u64,
}

/// Names, and everything that leads to them.
#[derive(Debug)]
pub struct DnsCache {
    questions: Questions,
    streams: Streams,
    claims: Claims,
    unseen: Unseen,
    ancestry: Ancestry,
    names: Names,
    flow_names: FlowNames,
    networks: Box<dyn Networks>,
    counters: DnsCounters,
}

impl DnsCache {
    /// A directory that knows nothing. What an address means in another network namespace it asks of
    /// `networks`.
    pub fn new(limits: Limits, networks: Box<dyn Networks>) -> Self {
        Self {
            questions: Questions::new(),
            streams: Streams::new(),
            claims: Claims::new(),
            unseen: Unseen::new(),
            ancestry: Ancestry::new(),
            names: Names::new(limits),
            flow_names: FlowNames::default(),
            networks,
            counters: DnsCounters::default(),
        }
    }

    /// Takes in a packet from or to port 53.
    pub fn packet(&mut self, packet: &Packet<'_>) {
        let Some(mut segment) = packet::parse(packet.ethertype, packet.bytes) else { return };
        if let Some(ends) = packet.ends {
            [segment.source, segment.destination] = ends;
        }
        let netns = packet.netns;
        if segment.tcp.is_some() {
            for (message, cut) in self.streams.push(netns, &segment) {
                self.message(netns, &segment, &message, cut, packet.time);
            }
        } else {
            self.message(netns, &segment, segment.payload, segment.missing > 0, packet.time);
        }
    }

    fn message(&mut self, netns: u32, segment: &Segment<'_>, bytes: &[u8], cut: bool, time: u64) {
        let (source, destination) = (segment.source, segment.destination);
        let parsed = message::parse(bytes, cut);
        let is_answer = matches!(parsed, Ok(Some(Message::Answer { .. })));
        if segment.tcp.is_none() && source.port() == claims::PORT && !is_answer {
            self.unseen.message(destination, netns);
        }
        match parsed {
            Ok(None) => {}
            Ok(Some(Message::Query { id, question })) => {
                if segment.tcp.is_none() && destination.port() == claims::PORT {
                    self.questions.ask(netns, [source, destination], id, question, time);
                }
            }
            Ok(Some(Message::Answer { id, question, addresses, cut })) => {
                if source.port() == claims::PORT {
                    self.answer(netns, segment, id, question, addresses, cut, time);
                }
            }
            Err(_) => self.counters.malformed += 1,
        }
    }

    #[expect(clippy::too_many_arguments, reason = "the parts of one message")]
    fn answer(
        &mut self,
        netns: u32,
        segment: &Segment<'_>,
        id: u16,
        question: Question,
        addresses: Vec<(IpAddr, u32)>,
        cut: bool,
        time: u64,
    ) {
        if segment.tcp.is_none() {
            let ends = [segment.destination, segment.source];
            let verdict = self.questions.answer(netns, ends, id, &question, time);
            if verdict != Verdict::Again {
                self.unseen.message(segment.destination, netns);
            }
            match verdict {
                Verdict::Asked => {}
                Verdict::Again => return,
                Verdict::Unasked => {
                    self.counters.unasked += 1;
                    return;
                }
            }
        }
        self.counters.cut += u64::from(cut);
        if addresses.is_empty() {
            return;
        }
        self.counters.answers += 1;
        let protocol = if segment.tcp.is_some() { PROTO_TCP } else { PROTO_UDP };
        let client = Client { protocol, address: segment.destination };
        let Question { name, kind: _ } = question;
        let answer = Answer { name: name.into(), addresses, client, netns, time };
        if let Some((answer, claim)) = self.claims.answer(answer) {
            self.names.insert(&answer, claim);
        }
    }

    /// A socket was closed.
    pub fn closed(&mut self, flow: &Flow) {
        self.unseen.closed(flow);
        self.server_flow(flow, flow.ended);
    }

    /// A flow to a server, of a socket that was open at `now`.
    pub fn server_flow(&mut self, flow: &Flow, now: u64) {
        for (answer, claim) in self.claims.flow(flow, now) {
            self.names.insert(&answer, claim);
        }
    }

    /// All flows to servers were shown that were open at `now`.
    pub fn looked(&mut self) {
        self.claims.looked();
    }

    /// Flows of sockets that were open at `now`. Once all have been shown, in any number of calls,
    /// [`end_open_flows`](Self::end_open_flows) follows.
    pub fn open_flows(&mut self, flows: &[Flow], now: u64) {
        for flow in flows {
            self.server_flow(flow, now);
        }
        // Names must not expire while a flow lasts that began with them.
        for flow in flows {
            self.flow_names.seen(flow, now);
            if !self.names.is_empty() && self.flow_names.wants(flow) {
                let domains = self.find(flow);
                self.flow_names.pin(flow, domains, now);
            }
        }
    }

    /// All flows were shown that were open at `now`.
    pub fn end_open_flows(&mut self, now: u64) {
        self.looked();
        self.flow_names.sweep(now);
    }

    /// A process was forked.
    pub fn forked(&mut self, event: &ForkEvent) {
        let child = Asker { pid: event.pid, start: event.start };
        self.ancestry.forked(child, Asker { pid: event.parent, start: event.parent_start });
    }

    /// A process is gone.
    pub fn exited(&mut self, event: &ExitEvent) {
        self.ancestry.exited(Asker { pid: event.pid, start: event.start }, event.time);
    }

    /// Whether a look at the open flows to servers may tell the name of this flow's peer.
    pub fn wants_look(&self, flow: &Flow) -> bool {
        self.claims.may_be_claimed(address(&flow.tuple, flow.tuple.remote))
    }

    /// The names of both ends of a flow that is reported.
    pub fn domains(&mut self, flow: &Flow, last: bool) -> Domains {
        let pinned = self.flow_names.get(flow).cloned().unwrap_or_default();
        let domains = if self.names.is_empty() { pinned } else { pinned.best(self.find(flow)) };
        if last {
            self.flow_names.unpin(flow);
        }
        domains
    }

    fn find(&mut self, flow: &Flow) -> Domains {
        let tuple = &flow.tuple;
        let line: Vec<_> = match claims::asker(flow) {
            Some(process) => self.ancestry.line(process).collect(),
            None => Vec::new(),
        };
        let Self { names, networks, .. } = self;
        let mut find = |words| {
            let address = address(tuple, words);
            let time = flow.first;
            let wanted = Wanted { address, netns: tuple.netns, line: &line, time };
            names.find(&wanted, networks.as_mut())
        };
        Domains { local: find(tuple.local), remote: find(tuple.remote) }
    }

    /// Compares what sockets that are closed have received with what was captured for them, once that
    /// has had the time to be read.
    pub fn compare(&mut self, now: u64) {
        self.unseen.compare(now);
    }

    /// Forgets what is of no use any more; how many names and questions.
    pub fn expire(&mut self, now: u64) -> usize {
        let before = self.names.len() + self.questions.len();
        self.questions.expire(now);
        self.claims.expire(now);
        self.ancestry.expire(now);
        self.names.expire(now);
        before - self.names.len() - self.questions.len()
    }

    /// Counters so far.
    pub fn counters(&self) -> DnsCounters {
        DnsCounters {
            segments_lost: self.streams.lost,
            questions_evicted: self.questions.evicted,
            names_evicted: self.names.evicted,
            unclaimed: self.claims.unclaimed,
            unseen: self.unseen.count,
            ancestors_evicted: self.ancestry.evicted,
            networks_unknown: self.networks.unknown(),
            ..self.counters
        }
    }

    /// Names, questions, connections and ancestors that are held.
    pub fn held(&self) -> [usize; 4] {
        [self.names.len(), self.questions.len(), self.streams.len(), self.ancestry.len()]
    }
}

#[cfg(test)]
mod tests;
