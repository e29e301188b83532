//! What of a flow has been reported while it goes on.
//!
//! A flow is counted from its first packet, or from the first after a pause. Periodic reports repeat
//! the counts from there; a pause ends them, and what follows is counted anew as another flow.

use std::collections::HashMap;

use socket_common::{Flow, PROTO_UDP, Traffic};

use linux::shrink;

/// Low bits of a flow's id, which time does not fill: the CPU that made it.
const CPU_BITS: u32 = 10;

/// Flows that have been reported and are still open, by the kernel's flow id.
#[derive(Debug, Default)]
pub(super) struct Progress {
    flows: HashMap<u64, FlowProgress>,
}

#[derive(Clone, Copy, Debug, Default)]
struct FlowProgress {
    /// What was counted up to the last pause that was reported.
    before: Totals,
    /// First packet after that pause; `None` as long as there was no such packet.
    resumed: Option<u64>,
    /// Whether there was such a pause at all.
    paused: bool,
    /// Traffic up to the last report.
    reported: Traffic,
    /// Reports since the last pause.
    reports: u32,
    /// When the next periodic report is due; 0 before the first.
    due: u64,
}

/// Counters that only grow while a socket is open.
#[derive(Clone, Copy, Debug, Default)]
struct Totals {
    traffic: Traffic,
    retransmits: u32,
    drops: u32,
}

/// A flow as it is to be reported.
#[derive(Clone, Copy, Debug)]
pub(super) struct Part {
    /// With the counts since its beginning, or since the last pause.
    pub(super) flow: Flow,
    /// It goes back to the beginning of the socket's flow.
    pub(super) from_start: bool,
    /// Whether this is the first report of the flow.
    pub(super) first_report: bool,
}

impl Progress {
    /// What of the flow was not in a final report.
    pub(super) fn part(&self, flow: &Flow) -> Part {
        let Some(entry) = self.flows.get(&flow.id) else {
            return Part { flow: *flow, from_start: true, first_report: true };
        };
        let mut part = *flow;
        if entry.paused {
            part.traffic = difference(&flow.traffic, &entry.before.traffic);
            part.first = entry.resumed.unwrap_or(flow.resumed).max(flow.first);
            part.tcp.retransmits = flow.tcp.retransmits.saturating_sub(entry.before.retransmits);
            if flow.tuple.protocol == PROTO_UDP {
                part.drops = flow.drops.saturating_sub(entry.before.drops);
            }
            part.id = (part.first << CPU_BITS) | (flow.id & ((1 << CPU_BITS) - 1));
        }
        Part { flow: part, from_start: !entry.paused, first_report: entry.reports == 0 }
    }

    /// Whether a periodic report of an open flow is due, and it has something new to say.
    pub(super) fn is_due(&mut self, flow: &Flow, period: u64, now: u64) -> bool {
        if period == 0 {
            return false;
        }
        let Some(entry) = self.flows.get_mut(&flow.id) else {
            return now.saturating_sub(flow.first) >= period && packets(&flow.traffic) > 0;
        };
        if entry.due == 0 {
            entry.due = entry.resumed.unwrap_or(flow.first).saturating_add(period);
        }
        if entry.due > now {
            return false;
        }
        entry.due = next_due(entry.due, period, now);
        flow.traffic != entry.reported
    }

    /// Notes when a flow goes on after a pause. To be called for every open flow now and then: only
    /// the last pause can be seen later.
    pub(super) fn notice(&mut self, flow: &Flow) {
        if let Some(entry) = self.flows.get_mut(&flow.id)
            && entry.paused
            && entry.resumed.is_none()
            && flow.traffic != entry.before.traffic
        {
            entry.resumed = Some(flow.resumed);
        }
    }

    /// A report was made that others follow.
    pub(super) fn reported(&mut self, flow: &Flow, period: u64, now: u64) {
        let entry = self.flows.entry(flow.id).or_default();
        entry.reported = flow.traffic;
        entry.reports = entry.reports.saturating_add(1);
        if entry.due == 0 {
            entry.due = next_due(flow.first.saturating_add(period), period, now);
        }
    }

    /// The last report before a pause was made: what follows is counted anew.
    pub(super) fn paused(&mut self, flow: &Flow) {
        let before =
            Totals { traffic: flow.traffic, retransmits: flow.tcp.retransmits, drops: flow.drops };
        let entry = FlowProgress {
            before,
            paused: true,
            reported: flow.traffic,
            ..FlowProgress::default()
        };
        self.flows.insert(flow.id, entry);
    }

    /// Gives memory back after a peak.
    pub(super) fn shrink(&mut self) {
        shrink::shrink_table(&mut self.flows);
    }

    /// The flow is over.
    pub(super) fn forget(&mut self, flow: &Flow) {
        self.flows.remove(&flow.id);
    }
}

/// The first time after `now` that lies whole periods after `due`.
fn next_due(due: u64, period: u64, now: u64) -> u64 {
    let passed = now.saturating_sub(due) / period.max(1) + 1;
    due.saturating_add(passed.saturating_mul(period))
}

pub(super) fn packets(traffic: &Traffic) -> u64 {
    traffic.packets_in + traffic.packets_out
}

fn difference(now: &Traffic, before: &Traffic) -> Traffic {
    Traffic {
        packets_out: now.packets_out.saturating_sub(before.packets_out),
        bytes_out: now.bytes_out.saturating_sub(before.bytes_out),
        packets_in: now.packets_in.saturating_sub(before.packets_in),
        bytes_in: now.bytes_in.saturating_sub(before.bytes_in),
    }
}
