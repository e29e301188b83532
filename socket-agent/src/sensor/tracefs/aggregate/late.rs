//! Packets of connections whose socket is gone: TIME_WAIT, resets after close.

use socket_common::{Counter, Late, Tuple};

use super::{Aggregator, Packet, Tasks, Way, add, has_room};
use crate::sensor::Event;

impl<T: Tasks> Aggregator<T> {
    /// From now on packets with this tuple that have no socket belong to the closed flow.
    pub(super) fn expect_late(&mut self, tuple: Tuple, flow: u64) {
        if !has_room(&self.late, &tuple, self.limits.late) {
            self.count(Counter::LateTableFull);
            return;
        }
        let previous = self.late.insert(tuple, Late { flow, ..Late::default() });
        if let Some(previous) = previous.filter(|previous| previous.last != 0) {
            self.push(Event::Late(previous));
        }
    }

    /// A packet without a live socket.
    pub(super) fn late_packet(&mut self, packet: &Packet, tuple: &Tuple, way: Way, now: u64) {
        let Some(late) = self.late.get_mut(tuple) else {
            self.count(Counter::LateUnmatched);
            return;
        };
        late.last = now;
        add(&mut late.traffic, way, packet.packets, packet.bytes);
    }
}
