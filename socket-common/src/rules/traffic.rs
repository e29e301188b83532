//! Counters of packets and bytes.

use crate::{Late, Traffic};

/// Direction of a packet, as the host sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// From a socket to the wire.
    Out,
    /// From the wire to a socket.
    In,
}

impl Traffic {
    /// Adds packets and the sum of their IP total lengths; `add` adds to one counter.
    #[inline(always)]
    pub fn account(&mut self, way: Way, packets: u64, bytes: u64, add: impl Fn(&mut u64, u64)) {
        let (packet_total, byte_total) = match way {
            Way::Out => (&mut self.packets_out, &mut self.bytes_out),
            Way::In => (&mut self.packets_in, &mut self.bytes_in),
        };
        add(packet_total, packets);
        add(byte_total, bytes);
    }

    /// Adds the packets of both directions.
    #[inline(always)]
    pub fn account_both(&mut self, more: &Self, add: impl Fn(&mut u64, u64)) {
        self.account(Way::Out, more.packets_out, more.bytes_out, &add);
        self.account(Way::In, more.packets_in, more.bytes_in, &add);
    }

    /// What was counted since `earlier`, an older state of the same counters.
    #[inline(always)]
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        Self {
            packets_out: self.packets_out.wrapping_sub(earlier.packets_out),
            bytes_out: self.bytes_out.wrapping_sub(earlier.bytes_out),
            packets_in: self.packets_in.wrapping_sub(earlier.packets_in),
            bytes_in: self.bytes_in.wrapping_sub(earlier.bytes_in),
        }
    }

    /// Packets of both directions.
    #[inline(always)]
    #[must_use]
    pub fn packets(&self) -> u64 {
        self.packets_in.wrapping_add(self.packets_out)
    }
}

impl Late {
    /// Counts packets that pass at `now` for the closed flow.
    #[inline(always)]
    pub fn account(
        &mut self,
        way: Way,
        packets: u64,
        bytes: u64,
        now: u64,
        add: impl Fn(&mut u64, u64),
    ) {
        self.last = now;
        self.traffic.account(way, packets, bytes, add);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Adds as user space does.
    pub(crate) fn plain(total: &mut u64, more: u64) {
        *total += more;
    }

    #[test]
    fn each_direction_has_counters_of_its_own() {
        let mut late = Late::default();
        late.account(Way::Out, 2, 80, 7, plain);
        late.account(Way::In, 1, 52, 8, plain);
        let expected = Traffic { packets_out: 2, bytes_out: 80, packets_in: 1, bytes_in: 52 };
        assert_eq!((late.traffic, late.last), (expected, 8));
        assert_eq!(late.traffic.packets(), 3);

        let mut sum = expected;
        sum.account_both(&expected, plain);
        assert_eq!(sum.since(&expected), expected);
    }
}
