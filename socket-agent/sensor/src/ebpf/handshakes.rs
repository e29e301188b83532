//! Handshakes that the programs leave in their table.
//!
//! The programs take a handshake out with the first packet of its connection a moment after that was
//! established, or with the connection's end. What is left is that of connections that nothing has crossed
//! since, and what was abandoned, of which the kernel tells nobody. Both are removed from here, so that the
//! table has room for as many handshakes as it was made for.

use socket_common::{Pending, Traffic, Tuple};

use super::tables::{Table, Walk};
use crate::SensorError;

/// A handshake with a connection is left to the programs for so long, nanoseconds.
const OVER: u64 = 1_000_000_000;
/// The kernel repeats its answer at least that often (`TCP_RTO_MAX`, 120 s) until it gives up.
const ABANDONED: u64 = 130_000_000_000;
/// The kernel has repeated its answer by then, after one second, if a socket stands for the handshake: with a
/// SYN cookie there is none.
const REPEATED: u64 = 3_000_000_000;
/// Between two looks at the table, nanoseconds: how soon what is over has to make room for others is said by how
/// much there was.
const PAUSES: [u64; 2] = [1_000_000_000, 250_000_000];

/// When to look at the table, and what to remove.
#[derive(Debug)]
pub(super) struct Handshakes {
    /// Capacity of the table.
    capacity: u32,
    /// Handshakes that were left after the last look.
    left: u32,
    /// When the next look is due, boottime nanoseconds.
    due: u64,
}

// === impl Handshakes ===

impl Handshakes {
    pub(super) fn new(capacity: u32) -> Self {
        Self { capacity, left: 0, due: 0 }
    }

    /// Removes what is over or abandoned, if it is time. `now` is boottime nanoseconds.
    ///
    /// # Errors
    ///
    /// The kernel refuses to read or to change the table.
    pub(super) fn tidy(
        &mut self,
        table: &mut Table<Tuple, Pending>,
        now: u64,
    ) -> Result<(), SensorError> {
        if now < self.due {
            return Ok(());
        }
        let crowded = self.left > self.capacity / 2;
        let (mut left, mut gone) = (0_u32, Vec::new());
        let mut walk = Walk::default();
        let mut more = true;
        while more {
            more = table.next_batch(&mut walk, |tuple, pending| {
                if is_over(&pending, now) || is_abandoned(&pending, now, crowded) {
                    gone.push(tuple);
                } else {
                    left = left.saturating_add(1);
                }
            })?;
            // Elements may be removed between two batches of a walk.
            for tuple in gone.drain(..) {
                table.remove(&tuple);
            }
        }
        self.left = left;
        self.due = now + PAUSES[usize::from(left > self.capacity / 16)];
        Ok(())
    }
}

/// Whether a handshake has a connection that has taken all of it, some time ago.
fn is_over(pending: &Pending, now: u64) -> bool {
    pending.child != 0
        && now.saturating_sub(pending.last) > OVER
        && left(pending) == Traffic::default()
}

/// Whether nothing will come of a handshake. In a `crowded` table those without a socket in the kernel go
/// earlier: a flood of SYNs is answered with cookies.
fn is_abandoned(pending: &Pending, now: u64, crowded: bool) -> bool {
    if pending.child != 0 {
        return false;
    }
    let unanswered =
        pending.traffic.packets_out <= 1 && now.saturating_sub(pending.first) > REPEATED;
    now.saturating_sub(pending.last) > ABANDONED || (crowded && unanswered)
}

/// What a handshake has counted that its connection has not taken.
pub(super) fn left(pending: &Pending) -> Traffic {
    let Pending { traffic, taken, .. } = pending;
    Traffic {
        packets_out: traffic.packets_out.saturating_sub(taken.packets_out),
        bytes_out: traffic.bytes_out.saturating_sub(taken.bytes_out),
        packets_in: traffic.packets_in.saturating_sub(taken.packets_in),
        bytes_in: traffic.bytes_in.saturating_sub(taken.bytes_in),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    fn counted(packets_in: u64, packets_out: u64) -> Traffic {
        Traffic { packets_in, bytes_in: 60 * packets_in, packets_out, bytes_out: 60 * packets_out }
    }

    #[test]
    fn a_handshake_stays_while_the_kernel_may_complete_it() {
        // Answered six times, as long as the kernel does by default.
        let slow = Pending {
            first: SECOND,
            last: 32 * SECOND,
            traffic: counted(1, 6),
            ..Pending::default()
        };
        for crowded in [false, true] {
            assert!(!is_abandoned(&slow, 160 * SECOND, crowded));
            assert!(is_abandoned(&slow, 163 * SECOND, crowded));
        }
    }

    #[test]
    fn what_no_socket_stands_for_makes_room_in_a_crowded_table() {
        let fresh =
            Pending { first: SECOND, last: SECOND, traffic: counted(1, 1), ..Pending::default() };
        assert!(!is_abandoned(&fresh, 4 * SECOND, true));
        assert!(is_abandoned(&fresh, 5 * SECOND, true));
        assert!(!is_abandoned(&fresh, 5 * SECOND, false));
        let repeated = Pending { traffic: counted(1, 2), ..fresh };
        assert!(!is_abandoned(&repeated, 5 * SECOND, true));
    }

    #[test]
    fn a_connections_handshake_stays_until_all_of_it_is_taken() {
        let traffic = counted(2, 1);
        let done =
            Pending { child: 7, last: SECOND, traffic, taken: traffic, ..Pending::default() };
        assert!(!is_over(&done, 2 * SECOND) && is_over(&done, 3 * SECOND));
        let more = Pending { traffic: counted(3, 1), ..done };
        assert!(!is_over(&more, 900 * SECOND) && !is_abandoned(&more, 900 * SECOND, true));
        assert_eq!(left(&more), Traffic { packets_in: 1, bytes_in: 60, ..Traffic::default() });
        assert!(!is_over(&Pending { child: 0, ..done }, 3 * SECOND));
    }
}
