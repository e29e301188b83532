//! Events that have left.

use std::collections::VecDeque;

use rustc_hash::FxHashMap;

use super::event::Key;

/// Number of events that are remembered.
const MAX: usize = 1_024;

/// Way in which an event left the reassembly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Seen {
    /// With a sure end: nothing can follow.
    Whole,
    /// Without one: more may follow.
    Partial,
}

#[derive(Debug, Default)]
pub(super) struct Recent {
    seen: FxHashMap<Key, Seen>,
    order: VecDeque<Key>,
}

impl Recent {
    pub(super) fn get(&self, key: &Key) -> Option<Seen> {
        self.seen.get(key).copied()
    }

    pub(super) fn insert(&mut self, key: Key, seen: Seen) {
        if self.seen.insert(key, seen).is_none() {
            self.order.push_back(key);
        }
        if self.order.len() > MAX
            && let Some(oldest) = self.order.pop_front()
        {
            self.seen.remove(&oldest);
        }
    }
}
