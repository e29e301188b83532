//! Handshakes: packets of TCP connections that have no socket yet.

use super::Way;
use crate::{
    FLAG_HANDSHAKE, Flow, Pending, Traffic,
    kernel::tcp_flag::{RST, SYN},
};

/// Time after which a packet is no copy of one that was seen before, nanoseconds: shorter than TCP waits before
/// it sends again.
pub const REPETITION_NS: u64 = 100_000_000;

/// What becomes of a packet that a listener or a request socket handles.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// It begins a handshake, which takes the place of any before between the same ends.
    Begin,
    /// The packet is counted for the handshake.
    Count,
    /// It is counted for the flow of this socket, which came of the handshake a moment ago.
    Child(u64),
    /// The packet belongs to no handshake.
    None,
}

/// Decides by the child of the handshake between these ends, if there is one, what a packet is.
#[inline(always)]
#[must_use]
pub fn step(child: Option<u64>, way: Way, tcp_flags: u8) -> Step {
    let opens = matches!(way, Way::In) && tcp_flags & (SYN | RST) == SYN;
    match child {
        Some(0) => Step::Count,
        Some(child) if !opens => Step::Child(child),
        _ if opens => Step::Begin,
        _ => Step::None,
    }
}

impl Pending {
    /// Fills in a handshake, all zeroes before, that begins with a received SYN.
    #[inline(always)]
    pub fn begin(&mut self, listener: u64, packets: u64, bytes: u64, now: u64) {
        self.listener = listener;
        self.first = now;
        self.last = now;
        self.traffic.packets_in = packets;
        self.traffic.bytes_in = bytes;
    }

    /// Counts packets that pass at `now`.
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

    /// Traffic that was counted and no flow has taken.
    #[inline(always)]
    #[must_use]
    pub fn untaken(&self) -> Traffic {
        self.traffic.since(&self.taken)
    }
}

/// Whether a flow got the counts of its handshake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    /// The flow has taken them now.
    Now,
    /// The flow had taken them before.
    Before,
    /// Another connection between the same ends has.
    Never,
}

impl Flow {
    /// Takes what the handshake of an accepted connection has counted. From then on, packets that still reach the
    /// listener are counted in the flow. `sock` is the flow's, which another CPU may not have filled in yet.
    #[inline(always)]
    pub fn take_handshake(
        &mut self,
        sock: u64,
        handshake: &mut Pending,
        add: impl Fn(&mut u64, u64),
    ) -> Taken {
        if handshake.child != 0 {
            return if handshake.child == sock { Taken::Before } else { Taken::Never };
        }
        handshake.child = sock;
        let Traffic { packets_out, bytes_out, packets_in, bytes_in } = handshake.traffic;
        handshake.taken = Traffic { packets_out, bytes_out, packets_in, bytes_in };
        self.traffic.account(Way::Out, packets_out, bytes_out, &add);
        self.traffic.account(Way::In, packets_in, bytes_in, &add);
        self.flags |= FLAG_HANDSHAKE;
        self.first = handshake.first;
        Taken::Now
    }

    /// Whether the connection has been established for so long that no CPU is still at a packet which it took for
    /// one of the handshake.
    #[inline(always)]
    #[must_use]
    pub fn is_handshake_over(&self, now: u64) -> bool {
        let connect_ns = self.tcp.connect_ns;
        connect_ns != 0 && now > self.first.wrapping_add(connect_ns).wrapping_add(REPETITION_NS)
    }

    /// Whether the flow has counts of a handshake that is still in the table.
    #[inline(always)]
    #[must_use]
    pub fn has_handshake(&self) -> bool {
        self.flags & FLAG_HANDSHAKE != 0
    }

    /// The handshake is not in the table any more.
    #[inline(always)]
    pub fn forget_handshake(&mut self) {
        self.flags &= !FLAG_HANDSHAKE;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Began;

    const ACK: u8 = 16;

    fn plain(total: &mut u64, more: u64) {
        *total += more;
    }

    #[test]
    fn only_a_received_syn_begins_a_handshake() {
        assert_eq!(step(None, Way::In, SYN), Step::Begin);
        for (way, flags) in
            [(Way::Out, SYN), (Way::In, ACK), (Way::In, SYN | RST), (Way::Out, SYN | ACK)]
        {
            assert_eq!(step(None, way, flags), Step::None, "{way:?} {flags}");
            assert_eq!(step(Some(7), way, flags), Step::Child(7), "{way:?} {flags}");
            assert_eq!(step(Some(0), way, flags), Step::Count, "{way:?} {flags}");
        }
        assert_eq!(step(Some(0), Way::In, SYN), Step::Count, "a repetition");
        assert_eq!(step(Some(7), Way::In, SYN), Step::Begin, "the next between the same ends");
    }

    #[test]
    fn the_first_socket_takes_the_counts_and_later_ones_what_is_left() {
        let mut handshake = Pending::default();
        handshake.begin(0x100, 1, 60, 5);
        handshake.account(Way::Out, 1, 60, 6, plain);
        let mut flow = Flow::default();
        flow.begin(1, 0x200, Began::Accept, 9);
        assert_eq!(flow.take_handshake(0x200, &mut handshake, plain), Taken::Now);
        assert_eq!((flow.first, flow.traffic.packets()), (5, 2));
        assert!(flow.has_handshake());
        assert_eq!(flow.take_handshake(0x200, &mut handshake, plain), Taken::Before);
        assert_eq!(flow.traffic.packets(), 2);

        handshake.account(Way::In, 1, 52, 10, plain);
        let left = Traffic { packets_in: 1, bytes_in: 52, ..Traffic::default() };
        assert_eq!((handshake.untaken(), handshake.last), (left, 10));

        let mut other = Flow::default();
        other.begin(2, 0x300, Began::Accept, 11);
        assert_eq!(other.take_handshake(0x300, &mut handshake, plain), Taken::Never);
        assert_eq!((other.first, other.traffic.packets(), other.has_handshake()), (11, 0, false));
    }

    #[test]
    fn a_handshake_is_over_a_moment_after_the_connection_is_established() {
        let mut flow = Flow { first: 10, ..Flow::default() };
        assert!(!flow.is_handshake_over(u64::MAX), "never established");
        flow.tcp.connect_ns = 5;
        assert!(!flow.is_handshake_over(15 + REPETITION_NS));
        assert!(flow.is_handshake_over(16 + REPETITION_NS));
    }
}
