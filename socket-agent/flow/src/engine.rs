//! Decides when a flow is reported, and what of it.
//!
//! The kernel hands over closed flows once and keeps open ones in its tables. This is where the
//! timeouts live: a TCP connection that may still see packets after its socket is gone is held for
//! the termination timeout; an open flow that pauses is reported and counted anew from there.

use std::collections::HashMap;

use socket_common::{Began, FLAG_EXISTING, FLAG_HAS_PEERS, Flow, Late, Owner, PROTO_TCP, Tuple};

use super::{
    Cause, FlowRecord,
    held::Held,
    progress::{Part, Progress, packets},
    role, state,
};
use linux::shrink;

/// Closed connections that are reported in one call.
const BATCH: usize = 1024;

/// Longer than it takes from the end of a flow until it is out of the table, nanoseconds.
const HANDING_OVER: u64 = 1_000_000_000;

/// What the engine needs of the kernel's tables.
pub trait Kernel {
    /// Takes what was counted for a closed flow since it was handed over.
    fn take_late(&mut self, flow: u64, tuple: &Tuple) -> Option<Late>;
    /// Removes an open flow and returns its last state; `None` if it has gone meanwhile.
    fn evict(&mut self, flow: &Flow) -> Option<Flow>;
    /// Whether a socket listens, or is bound without a peer, on the local port of this tuple: now,
    /// or, for connections that are older than the agent, when it started.
    fn is_listening(&self, tuple: &Tuple, began: Began) -> Option<bool>;
    /// The present time, boottime nanoseconds.
    fn now(&self) -> u64;
    /// Brings up to date what the kernel's tables do not hold of open flows: the state of TCP, and
    /// what UDP dropped. Both are zero where it is not known.
    fn sample(&mut self, flows: &mut [Flow]);
}

/// What reports go by; times in nanoseconds.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    /// Pause after which an open flow is reported.
    pub inactive: u64,
    /// How long a closed connection waits for late packets.
    pub termination: u64,
    /// Pause after which an open flow leaves the tables.
    pub socket_inactive: u64,
    /// Time between two reports of a flow that goes on; 0 if there are none.
    pub report_period: u64,
    /// Closed connections that wait at the same time. The kernel keeps late packets of so many only, and
    /// of a connection that finds no room they are lost: those that have waited longest make room.
    pub held: usize,
    /// First port that this host gives to sockets that ask for none.
    pub ephemeral: u16,
}

/// Losses that only user space can see.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EngineCounters {
    /// Flow records made.
    pub reported: u64,
    /// Late packets that arrived for a flow which had been reported already.
    pub late_after_report: u64,
}

/// What is known of a UDP socket that was closed, for its further peers.
struct ClosedSocket {
    owner: Owner,
    rank: u8,
    ended: u64,
}

/// Decides when a flow is reported, and which part of it.
pub struct Engine {
    rules: Rules,
    /// Closed connections, until their time has come.
    held: Held,
    progress: Progress,
    closed_sockets: HashMap<u64, ClosedSocket>,
    counters: EngineCounters,
}

impl Engine {
    /// An engine that knows no flow.
    pub fn new(rules: Rules) -> Self {
        Self {
            rules,
            held: Held::default(),
            progress: Progress::default(),
            closed_sockets: HashMap::new(),
            counters: EngineCounters::default(),
        }
    }

    /// Goes by other rules from now on. Closed connections that wait keep the time that they were given.
    pub fn set_rules(&mut self, rules: Rules) {
        self.rules = rules;
    }

    /// Rules by which flows are reported.
    pub fn rules(&self) -> Rules {
        self.rules
    }

    /// Counters so far.
    pub fn counters(&self) -> EngineCounters {
        self.counters
    }

    /// Closed flows that wait for late packets.
    pub fn held(&self) -> usize {
        self.held.len()
    }

    /// A socket was closed. `now` is boottime nanoseconds.
    pub fn closed(
        &mut self,
        flow: Flow,
        now: u64,
        kernel: &impl Kernel,
        out: &mut Vec<FlowRecord>,
    ) {
        if flow.flags & FLAG_HAS_PEERS != 0 {
            let socket = ClosedSocket { owner: flow.owner, rank: flow.rank, ended: flow.ended };
            self.closed_sockets.insert(flow.socket_id, socket);
        }
        if may_see_late_packets(&flow) {
            let due = flow.ended.max(flow.last).min(now).saturating_add(self.rules.termination);
            self.held.insert(flow, due);
        } else {
            self.finish(flow, Cause::Closed, kernel, out);
        }
    }

    /// Late packets that the kernel could not keep any longer.
    pub fn late(&mut self, late: &Late) {
        match self.held.get_mut(late.flow) {
            Some(flow) => merge(flow, late),
            None => self.counters.late_after_report += packets(&late.traffic),
        }
    }

    /// Reports closed connections whose time has come, or that are too many, some hundred at a time;
    /// whether more are due.
    pub fn tick(&mut self, now: u64, kernel: &mut impl Kernel, out: &mut Vec<FlowRecord>) -> bool {
        for _ in 0..BATCH {
            let too_many = self.held.len() > self.rules.held;
            let Some(mut flow) = self.held.take_first(|due| due <= now || too_many) else {
                return false;
            };
            if let Some(late) = kernel.take_late(flow.id, &flow.tuple) {
                merge(&mut flow, &late);
            }
            self.finish(flow, Cause::Closed, kernel, out);
        }
        true
    }

    /// Looks at open flows: reports those that pause, and those that have gone on for the report
    /// period; takes those that have paused for long out of the tables. Once all have been shown, in
    /// any number of calls, [`end_scan`](Self::end_scan) follows.
    pub fn scan(
        &mut self,
        flows: &[Flow],
        now: u64,
        kernel: &mut impl Kernel,
        out: &mut Vec<FlowRecord>,
    ) {
        let (mut due, mut causes) = (Vec::new(), Vec::new());
        for flow in flows {
            if let Some(closed) = self.further_peer_of_closed(flow) {
                if let Some(last) = kernel.evict(flow) {
                    let last = Flow { ended: closed, ..self.with_best_owner(last) };
                    self.finish(last, Cause::Closed, kernel, out);
                }
                continue;
            }
            if was_handed_over(flow) {
                if now.saturating_sub(flow.ended) > HANDING_OVER {
                    kernel.evict(flow);
                }
                continue;
            }
            self.progress.notice(flow);
            let pause = now.saturating_sub(flow.last);
            if pause >= self.rules.socket_inactive.max(self.rules.inactive) {
                if let Some(last) = kernel.evict(flow) {
                    due.push(last);
                    causes.push(Open::Forgotten);
                }
            } else if pause >= self.rules.inactive {
                if packets(&self.progress.part(flow).flow.traffic) > 0 {
                    due.push(*flow);
                    causes.push(Open::Paused);
                }
            } else if self.progress.is_due(flow, self.rules.report_period, now) {
                due.push(*flow);
                causes.push(Open::GoesOn);
            }
        }
        kernel.sample(&mut due);
        for (flow, cause) in due.into_iter().zip(causes) {
            match cause {
                Open::Forgotten => self.finish(flow, Cause::Idle, kernel, out),
                Open::Paused => {
                    self.emit(self.progress.part(&flow), Cause::Idle, kernel, out);
                    self.progress.paused(&flow);
                }
                Open::GoesOn => {
                    self.emit(self.progress.part(&flow), Cause::Period, kernel, out);
                    self.progress.reported(&flow, self.rules.report_period, now);
                }
            }
        }
    }

    /// All open flows have been shown: peers of a closed socket have been seen by now.
    pub fn end_scan(&mut self, now: u64) {
        let horizon = now.saturating_sub(self.rules.socket_inactive);
        self.closed_sockets.retain(|_, socket| socket.ended >= horizon);
        shrink::shrink_table(&mut self.closed_sockets);
        self.progress.shrink();
    }

    /// Reports everything that is left: closed connections, then `flows`, which are still open. Flows
    /// may be shown in any number of calls.
    pub fn shut_down(
        &mut self,
        flows: &mut [Flow],
        kernel: &mut impl Kernel,
        out: &mut Vec<FlowRecord>,
    ) {
        while self.tick(u64::MAX, kernel, out) {}
        for flow in flows.iter_mut() {
            if let Some(ended) = self.further_peer_of_closed(flow) {
                *flow = Flow { ended, ..self.with_best_owner(*flow) };
            }
        }
        kernel.sample(flows);
        for flow in flows.iter().filter(|flow| !was_handed_over(flow)) {
            let cause = if flow.ended == 0 { Cause::Stop } else { Cause::Closed };
            self.finish(*flow, cause, kernel, out);
        }
    }

    fn further_peer_of_closed(&self, flow: &Flow) -> Option<u64> {
        if flow.id == flow.socket_id {
            return None;
        }
        self.closed_sockets.get(&flow.socket_id).map(|socket| socket.ended)
    }

    /// A further peer's owner may be older than what the socket came to know.
    fn with_best_owner(&self, mut flow: Flow) -> Flow {
        if let Some(socket) = self.closed_sockets.get(&flow.socket_id)
            && flow.rank < socket.rank
        {
            flow.owner = socket.owner;
            flow.rank = socket.rank;
        }
        flow
    }

    /// The last record of a flow.
    fn finish(
        &mut self,
        flow: Flow,
        cause: Cause,
        kernel: &impl Kernel,
        out: &mut Vec<FlowRecord>,
    ) {
        let part = self.progress.part(&flow);
        self.progress.forget(&flow);
        let failed_connect = flow.began == Began::Connect as u8 && flow.tcp.error != 0;
        // After a report that is not final, one that is has to follow.
        if packets(&part.flow.traffic) > 0
            || !part.first_report
            || (failed_connect && flow.tuple.remote_port != 0)
        {
            self.emit(part, cause, kernel, out);
        }
    }

    fn emit(&mut self, part: Part, cause: Cause, kernel: &impl Kernel, out: &mut Vec<FlowRecord>) {
        let Part { flow, from_start, first_report } = part;
        let began = role::began(flow.began);
        let listening = match began {
            Began::Existing | Began::Midway => kernel.is_listening(&flow.tuple, began),
            _ => None,
        };
        let existing = flow.flags & FLAG_EXISTING != 0;
        let beginning = role::Beginning { began, existing, listening };
        let handshake = matches!(began, Began::Connect | Began::Accept)
            && state::connected(&flow) == Some(true);
        self.counters.reported += 1;
        out.push(FlowRecord {
            direction: role::direction(beginning, &flow.tuple, self.rules.ephemeral),
            cause,
            is_final: cause != Cause::Period,
            complete: handshake && from_start,
            is_first: first_report,
            until: kernel.now(),
            flow,
        });
    }
}

/// Why an open flow is reported.
#[derive(Clone, Copy)]
enum Open {
    /// It has paused for so long that it left the tables.
    Forgotten,
    /// The flow pauses.
    Paused,
    /// The report period has passed.
    GoesOn,
}

/// Whether a flow that is still in a table was handed over when it closed: it is about to leave the table,
/// or the kernel refused to take it out in an interrupt of another change of the table.
fn was_handed_over(flow: &Flow) -> bool {
    flow.ended != 0 && flow.id == flow.socket_id
}

/// Whether packets can follow the end of the socket: of all TCP connections that were established, also
/// of those that the peer closed first and has confirmed, as its FIN may have been sent twice.
fn may_see_late_packets(flow: &Flow) -> bool {
    flow.tuple.protocol == PROTO_TCP && flow.ended != 0 && flow.tcp.state != state::SYN_SENT
}

fn merge(flow: &mut Flow, late: &Late) {
    flow.traffic.packets_out += late.traffic.packets_out;
    flow.traffic.bytes_out += late.traffic.bytes_out;
    flow.traffic.packets_in += late.traffic.packets_in;
    flow.traffic.bytes_in += late.traffic.bytes_in;
    flow.last = flow.last.max(late.last);
}

#[cfg(test)]
#[path = "engine_tests.rs"]
mod tests;
