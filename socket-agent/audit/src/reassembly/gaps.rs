//! Numbers that are missing from the sequence.
//!
//! The kernel numbers events one by one, so a number that never comes is an event that was lost.
//! Events come out of order, so a gap counts only after it has stayed open for a while.

use std::{collections::VecDeque, time::Duration};

use rustc_hash::FxHashMap;

use super::{counters::Counters, event::Key};
use crate::records::Stamp;

/// A step further than this is no loss but another sequence.
const STEP_MAX: u32 = 1 << 24;
/// A number below the expected one with a time this much later, in milliseconds, is from after a
/// reboot.
const REBOOT_MIN: u64 = 1_000;
/// Gaps that can be open; more close the oldest.
const OPEN_MAX: usize = 1_024;
/// Hosts whose sequences are followed.
const NODES_MAX: usize = 256;

/// Gaps of each host.
#[derive(Debug, Default)]
pub(super) struct GapTable {
    nodes: FxHashMap<u64, Gaps>,
}

#[derive(Debug)]
struct Gaps {
    /// The number that this sequence began with.
    first: u32,
    /// The number after the highest one so far.
    next: u32,
    newest: Stamp,
    open: VecDeque<Gap>,
}

/// Missing numbers in a row.
#[derive(Clone, Copy, Debug)]
struct Gap {
    first: u32,
    length: u32,
    since: Duration,
}

// === impl GapTable ===

impl GapTable {
    /// Notes the first record of an event. Returns whether the number has been there before.
    pub(super) fn see(&mut self, key: Key, now: Duration, counters: &mut Counters) -> bool {
        let Key { id, node, .. } = key;
        if let Some(gaps) = self.nodes.get_mut(&node) {
            return gaps.see(id.sequence, id.stamp, now, counters);
        }
        if self.nodes.len() < NODES_MAX {
            let (first, next) = (id.sequence, id.sequence.wrapping_add(1));
            let gaps = Gaps { first, next, newest: id.stamp, open: VecDeque::new() };
            self.nodes.insert(node, gaps);
        }
        false
    }

    /// Counts the gaps that have been open since before the timeout.
    pub(super) fn expire(&mut self, now: Duration, timeout: Duration, counters: &mut Counters) {
        for gaps in self.nodes.values_mut() {
            let is_due = |gap: &Gap| now.saturating_sub(gap.since) >= timeout;
            while gaps.open.front().is_some_and(is_due) {
                gaps.close_oldest(counters);
            }
        }
    }

    pub(super) fn oldest(&self) -> Option<Duration> {
        self.nodes.values().filter_map(|gaps| gaps.open.front()).map(|gap| gap.since).min()
    }

    pub(super) fn flush(&mut self, counters: &mut Counters) {
        self.nodes.values_mut().for_each(|gaps| gaps.close_all(counters));
    }
}

// === impl Gaps ===

impl Gaps {
    fn see(&mut self, sequence: u32, stamp: Stamp, now: Duration, counters: &mut Counters) -> bool {
        let mut again = false;
        let ahead = sequence.wrapping_sub(self.next);
        if ahead <= STEP_MAX {
            if ahead > 0 {
                self.open.push_back(Gap { first: self.next, length: ahead, since: now });
            }
            if self.open.len() > OPEN_MAX {
                self.close_oldest(counters);
            }
            self.next = sequence.wrapping_add(1);
        } else if !self.fill(sequence) {
            let behind = self.next.wrapping_sub(sequence);
            if behind > STEP_MAX || stamp.0 >= self.newest.0.saturating_add(REBOOT_MIN) {
                self.close_all(counters);
                counters.restarts += 1;
                self.first = sequence;
                self.next = sequence.wrapping_add(1);
                self.newest = stamp;
            } else {
                again = sequence.wrapping_sub(self.first) < self.next.wrapping_sub(self.first);
            }
        }
        self.newest = self.newest.max(stamp);
        again
    }

    /// Takes a number out of the gap that it was missing from.
    fn fill(&mut self, sequence: u32) -> bool {
        let holds = |gap: &Gap| sequence.wrapping_sub(gap.first) < gap.length;
        let Some(index) = self.open.iter().position(holds) else { return false };
        let Some(gap) = self.open.remove(index) else { return false };
        let before = sequence.wrapping_sub(gap.first);
        let after = gap.length - before - 1;
        if after > 0 {
            let first = sequence.wrapping_add(1);
            self.open.insert(index, Gap { first, length: after, ..gap });
        }
        if before > 0 {
            self.open.insert(index, Gap { length: before, ..gap });
        }
        true
    }

    fn close_oldest(&mut self, counters: &mut Counters) {
        if let Some(gap) = self.open.pop_front() {
            counters.gaps += 1;
            counters.lost += u64::from(gap.length);
        }
    }

    fn close_all(&mut self, counters: &mut Counters) {
        while !self.open.is_empty() {
            self.close_oldest(counters);
        }
    }
}
