//! Beginning of a flow, packets that pass, and who owns it.

use super::Way;
use crate::{Began, Flow, Owner, Rank};

impl Flow {
    /// Fills in what every flow has but its tuple, which the caller copies. `self` is all zeroes.
    #[inline(always)]
    pub fn begin(&mut self, id: u64, sock: u64, began: Began, now: u64) {
        self.sock = sock;
        self.id = id;
        self.socket_id = id;
        self.first = now;
        self.last = now;
        self.began = began as u8;
    }

    /// Counts packets that pass at `now`; a pause of more than `idle_ns` before them is noted. False if the flow
    /// has ended meanwhile: it has been handed over, or is just being, and what would be added might not be seen
    /// any more.
    #[inline(always)]
    #[must_use]
    pub fn account(
        &mut self,
        way: Way,
        packets: u64,
        bytes: u64,
        now: u64,
        idle_ns: u64,
        add: impl Fn(&mut u64, u64),
    ) -> bool {
        // CPUs may come here in another order than that of their times.
        let later = now > self.last;
        if later && now.wrapping_sub(self.last) > idle_ns {
            self.resumed = now;
        }
        // As late as can be: the one who closes takes a while between this mark and the copy.
        // SAFETY: a field of a reference; other CPUs may write to it.
        if unsafe { (&raw const self.ended).read_volatile() } != 0 {
            return false;
        }
        if later {
            self.last = now;
        }
        self.traffic.account(way, packets, bytes, add);
        true
    }

    /// Whether an owner of this rank replaces the one that is known.
    #[inline(always)]
    #[must_use]
    pub fn is_outranked_by(&self, rank: u8) -> bool {
        self.rank < rank
    }

    /// Gives the flow an owner, written by `write`, if it ranks higher than the one that is known.
    #[inline(always)]
    pub fn give_owner(&mut self, rank: u8, write: impl FnOnce(&mut Owner)) {
        if self.is_outranked_by(rank) {
            write(&mut self.owner);
            self.rank = rank;
        }
    }

    /// Whether the owner is as sure as can be, and stays.
    #[inline(always)]
    #[must_use]
    pub fn has_final_owner(&self) -> bool {
        !self.is_outranked_by(Rank::FirstIo as u8)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open() -> Flow {
        let mut flow = Flow::default();
        flow.begin(3, 0x100, Began::Connect, 10);
        flow
    }

    fn pass(flow: &mut Flow, now: u64) -> bool {
        flow.account(Way::Out, 1, 40, now, 100, |total, more| *total += more)
    }

    #[test]
    fn a_pause_is_noted_and_time_does_not_go_back() {
        let mut flow = open();
        assert!(pass(&mut flow, 110));
        assert_eq!((flow.last, flow.resumed), (110, 0), "as long as allowed is no pause");
        assert!(pass(&mut flow, 211));
        assert_eq!((flow.last, flow.resumed), (211, 211));
        assert!(pass(&mut flow, 50));
        assert_eq!((flow.last, flow.resumed, flow.traffic.packets_out), (211, 211, 3));
    }

    #[test]
    fn a_flow_that_has_ended_takes_nothing() {
        let mut flow = open();
        flow.ended = 20;
        assert!(!pass(&mut flow, 21));
        assert_eq!((flow.last, flow.traffic.packets_out), (10, 0));
    }

    #[test]
    fn a_higher_rank_replaces_a_lower_one() {
        let mut flow = open();
        let steps = [
            (Rank::Opener, 1, 1),
            (Rank::Listener, 2, 1),
            (Rank::FirstIo, 3, 3),
            (Rank::FirstIo, 4, 3),
        ];
        for (rank, pid, expected) in steps {
            assert_eq!(flow.has_final_owner(), pid == 4);
            flow.give_owner(rank as u8, |owner| owner.pid = pid);
            assert_eq!(flow.owner.pid, expected, "{rank:?}");
        }
    }
}
