//! Events that wait for records, in the order in which they began.
//!
//! Each is found by its key and taken out of the middle without looking at the others, however many
//! wait. The newest is mostly the one that is looked for, and the only one: it is in no index until
//! another begins.

use rustc_hash::FxHashMap;

use super::event::{Key, Pending};

/// Index of no slot.
const NONE: u32 = u32::MAX;
/// Places whose memory is kept when nothing waits.
const KEPT: usize = 1_024;

/// A list in an arena.
#[derive(Debug)]
pub(super) struct Waiting {
    slots: Vec<Slot>,
    free: Vec<u32>,
    oldest: u32,
    newest: u32,
    length: usize,
    index: FxHashMap<Key, u32>,
}

#[derive(Debug)]
struct Slot {
    event: Option<Pending>,
    older: u32,
    newer: u32,
    indexed: bool,
}

impl Default for Waiting {
    fn default() -> Self {
        Self {
            slots: Vec::new(),
            free: Vec::new(),
            oldest: NONE,
            newest: NONE,
            length: 0,
            index: FxHashMap::default(),
        }
    }
}

impl Waiting {
    /// Number of events.
    #[inline]
    pub(super) fn len(&self) -> usize {
        self.length
    }

    /// The one that began first.
    #[inline]
    pub(super) fn oldest(&self) -> Option<&Pending> {
        self.at(self.oldest)
    }

    /// Slot of an event.
    #[inline]
    pub(super) fn find(&self, key: &Key) -> Option<u32> {
        if self.at(self.newest).is_some_and(|event| event.key == *key) {
            return Some(self.newest);
        }
        self.index.get(key).copied()
    }

    /// The event in a slot.
    #[inline]
    pub(super) fn get_mut(&mut self, at: u32) -> Option<&mut Pending> {
        self.slots.get_mut(at as usize)?.event.as_mut()
    }

    /// Adds an event whose key is not there; returns the index of its slot.
    pub(super) fn push(&mut self, event: Pending) -> u32 {
        let before = self.newest;
        if let Some(slot) = self.slots.get_mut(before as usize)
            && let Some(event) = &slot.event
            && !slot.indexed
        {
            self.index.insert(event.key, before);
            slot.indexed = true;
        }
        let slot = Slot { event: Some(event), older: before, newer: NONE, indexed: false };
        let at = match self.free.pop() {
            Some(at) => {
                if let Some(free) = self.slots.get_mut(at as usize) {
                    *free = slot;
                }
                at
            }
            None => {
                self.slots.push(slot);
                // No log has four billion events that wait.
                (self.slots.len() - 1) as u32
            }
        };
        match self.slots.get_mut(before as usize) {
            Some(older) => older.newer = at,
            None => self.oldest = at,
        }
        self.newest = at;
        self.length += 1;
        at
    }

    /// Takes an event out.
    pub(super) fn remove(&mut self, at: u32) -> Option<Pending> {
        let slot = self.slots.get_mut(at as usize)?;
        let event = slot.event.take()?;
        let (older, newer, indexed) = (slot.older, slot.newer, slot.indexed);
        if indexed {
            self.index.remove(&event.key);
        }
        match self.slots.get_mut(older as usize) {
            Some(slot) => slot.newer = newer,
            None => self.oldest = newer,
        }
        match self.slots.get_mut(newer as usize) {
            Some(slot) => slot.older = older,
            None => self.newest = older,
        }
        self.length -= 1;
        if self.length > 0 {
            self.free.push(at);
        } else {
            self.slots.clear();
            self.free.clear();
            if self.slots.capacity() > KEPT {
                *self = Self::default();
            }
        }
        Some(event)
    }

    /// Takes out the one that began first.
    pub(super) fn remove_oldest(&mut self) -> Option<Pending> {
        self.remove(self.oldest)
    }

    #[inline]
    fn at(&self, at: u32) -> Option<&Pending> {
        self.slots.get(at as usize)?.event.as_ref()
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::VecDeque, time::Duration};

    use super::*;
    use crate::records::parse_line;

    fn event(number: u32) -> Pending {
        let line = format!("type=CWD msg=audit(1.000:{number}): cwd=\"/\"");
        let key = Key::of(&parse_line(line.as_bytes()).unwrap());
        Pending::new(key, Duration::ZERO, Vec::new(), false)
    }

    /// Held against a plain list.
    #[test]
    fn events_are_found_and_leave_in_any_order() {
        let mut random = fastrand::Rng::with_seed(7);
        let mut waiting = Waiting::default();
        let mut plain: VecDeque<u32> = VecDeque::new();
        for number in 0..20_000 {
            // It fills up, and becomes empty again.
            let many = if number / 3_000 % 2 == 0 { 3 } else { 8 };
            if random.u32(..8) >= many {
                let index = match random.u32(..4) {
                    0 => 0,
                    1 => plain.len().saturating_sub(1),
                    _ => random.usize(..plain.len().max(1)),
                };
                if let Some(sequence) = plain.remove(index) {
                    let at = waiting.find(&event(sequence).key).unwrap();
                    assert_eq!(waiting.remove(at).unwrap().key.id.sequence, sequence);
                }
            } else {
                let at = waiting.push(event(number));
                assert_eq!(waiting.get_mut(at).unwrap().key.id.sequence, number);
                plain.push_back(number);
            }
            assert_eq!(waiting.len(), plain.len());
            let oldest = waiting.oldest().map(|event| event.key.id.sequence);
            assert_eq!(oldest, plain.front().copied());
            if number % 500 == 0 {
                for sequence in &plain {
                    let at = waiting.find(&event(*sequence).key).unwrap();
                    assert_eq!(waiting.get_mut(at).unwrap().key.id.sequence, *sequence);
                }
                assert_eq!(waiting.find(&event(number + 1).key), None);
            }
        }
        while let Some(event) = waiting.remove_oldest() {
            assert_eq!(Some(event.key.id.sequence), plain.pop_front());
        }
        assert_eq!((waiting.len(), plain.len(), waiting.index.len()), (0, 0, 0));
    }
}
