//! Packets of connections whose socket is gone: TIME_WAIT, resets after close.

use socket_common::{Counter, Late, Tuple, rules::Way};

use super::{Aggregator, Packet, Tasks, add, has_capacity};
use crate::Event;

impl<T: Tasks> Aggregator<T> {
    /// From now on packets with this tuple that have no socket belong to the closed flow.
    pub(super) fn expect_late(&mut self, tuple: Tuple, flow: u64) {
        if !has_capacity(&self.late, &tuple, self.limits.late) {
            self.count(Counter::LateTableFull);
            return;
        }
        self.namespaces.insert(Tuple { netns: 0, ..tuple }, tuple.netns);
        let previous = self.late.insert(tuple, Late { flow, ..Late::default() });
        if let Some(previous) = previous.filter(|previous| previous.last != 0) {
            self.push(Event::Late(previous));
        }
    }

    /// The tuple of a packet whose namespace may not be known: that of the connection that was closed
    /// last between the same ends, else the agent's own.
    pub(super) fn inserted(&self, tuple: Tuple) -> Tuple {
        match tuple.netns {
            0 => {
                Tuple { netns: self.namespaces.get(&tuple).copied().unwrap_or(self.netns), ..tuple }
            }
            _ => tuple,
        }
    }

    /// Takes what was counted for a closed flow.
    pub(in crate::tracefs) fn take_late(&mut self, flow: u64, tuple: &Tuple) -> Option<Late> {
        if self.late.get(tuple).is_none_or(|late| late.flow != flow) {
            return None;
        }
        let any_namespace = Tuple { netns: 0, ..*tuple };
        if self.namespaces.get(&any_namespace) == Some(&tuple.netns) {
            self.namespaces.remove(&any_namespace);
        }
        self.late.remove(tuple)
    }

    /// A packet without a live socket.
    pub(super) fn late_packet(&mut self, packet: &Packet, tuple: &Tuple, way: Way, now: u64) {
        let Some(late) = self.late.get_mut(tuple) else {
            self.count(Counter::LateUnmatched);
            return;
        };
        late.account(way, packet.packets, packet.bytes, now, add);
    }
}
