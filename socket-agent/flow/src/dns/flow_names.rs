//! Names of flows that are open: found once, and kept for as long as the flow lasts.

use std::collections::HashMap;

use socket_common::Flow;

use super::names::{Domain, Source};

/// A flow that is not among the open ones any more is reported within this time, nanoseconds.
const GRACE: u64 = 600_000_000_000;
/// A flow's name is looked for until it is this old, nanoseconds: its answer may be claimed late.
const LATE: u64 = 60_000_000_000;

/// The names of both ends of a flow.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Domains {
    /// Name of the end on this host.
    pub local: Option<Domain>,
    /// Name of the peer.
    pub remote: Option<Domain>,
}

#[derive(Debug)]
struct Pin {
    domains: Domains,
    seen: u64,
}

#[derive(Debug, Default)]
pub(super) struct FlowNames {
    flow_names: HashMap<u64, Pin>,
    /// When the open flows were last looked at.
    swept: u64,
}

// === impl Domains ===

impl Domains {
    /// The surer of two names for each end; the first where they are equally sure.
    pub(super) fn best(self, other: Self) -> Self {
        let best = |one: Option<Domain>, two: Option<Domain>| match (&one, &two) {
            (Some(known), Some(new)) if new.source > known.source => two,
            (Some(_), _) => one,
            (None, _) => two,
        };
        Self { local: best(self.local, other.local), remote: best(self.remote, other.remote) }
    }
}

// === impl FlowNames ===

impl FlowNames {
    /// An open flow was seen at `now`.
    pub(super) fn seen(&mut self, flow: &Flow, now: u64) {
        if !self.flow_names.is_empty()
            && let Some(pin) = self.flow_names.get_mut(&flow.id)
        {
            pin.seen = now;
        }
    }

    /// Whether the names of an open flow are to be looked for: until they are sure.
    pub(super) fn wants(&self, flow: &Flow) -> bool {
        let is_sure = |pin: &Pin| {
            pin.domains.remote.as_ref().is_some_and(|domain| domain.source == Source::Asked)
        };
        flow.first.saturating_add(LATE) >= self.swept
            && !self.flow_names.get(&flow.id).is_some_and(is_sure)
    }

    pub(super) fn pin(&mut self, flow: &Flow, domains: Domains, now: u64) {
        if domains != Domains::default() {
            let known = self.flow_names.remove(&flow.id).map(|pin| pin.domains).unwrap_or_default();
            self.flow_names.insert(flow.id, Pin { domains: known.best(domains), seen: now });
        }
    }

    pub(super) fn get(&self, flow: &Flow) -> Option<&Domains> {
        self.flow_names.get(&flow.id).map(|pin| &pin.domains)
    }

    pub(super) fn unpin(&mut self, flow: &Flow) {
        self.flow_names.remove(&flow.id);
    }

    /// All open flows have been seen by `now`: forgets those that are gone.
    pub(super) fn sweep(&mut self, now: u64) {
        self.swept = now;
        self.flow_names.retain(|_, pin| now.saturating_sub(pin.seen) < GRACE);
        if self.flow_names.capacity() > 4 * self.flow_names.len().max(64) {
            self.flow_names.shrink_to_fit();
        }
    }
}
