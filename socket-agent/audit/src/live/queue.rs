//! Records between the thread that reads them and the one that makes documents of them.

use std::{
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use super::LiveCounters;
use crate::records::Kind;

/// Records in the order in which they came, in one piece of memory that is used again.
#[derive(Debug, Default)]
pub struct Batch {
    bytes: Vec<u8>,
    ends: Vec<(Kind, usize)>,
}

/// A bounded queue.
#[derive(Debug)]
pub struct Queue {
    limit: usize,
    drops: bool,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    batch: Batch,
    closed: bool,
    abandoned: bool,
    /// Counters of the reader.
    counters: LiveCounters,
}

// === impl Batch ===

impl Batch {
    /// Number of records.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether the batch has no records.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// The records, with their types.
    pub fn iter(&self) -> impl Iterator<Item = (Kind, &[u8])> {
        let mut start = 0;
        self.ends.iter().map(move |(kind, end)| {
            let record = self.bytes.get(start..*end).unwrap_or_default();
            start = *end;
            (*kind, record)
        })
    }

    fn push(&mut self, kind: Kind, record: &[u8]) {
        self.bytes.extend_from_slice(record);
        self.ends.push((kind, self.bytes.len()));
    }

    fn clear(&mut self) {
        self.bytes.clear();
        self.ends.clear();
    }
}

// === impl Queue ===

impl Queue {
    /// An empty one for so many records. If it is full and `drops`, further ones are dropped and
    /// counted, else whoever brings them waits.
    pub fn new(limit: usize, drops: bool) -> Self {
        Self { limit, drops, state: Mutex::default(), changed: Condvar::new() }
    }

    /// Puts a record in.
    pub fn push(&self, kind: Kind, record: &[u8]) {
        let mut state = self.lock();
        if state.batch.len() >= self.limit || state.abandoned {
            if self.drops || state.abandoned {
                state.counters.queue_dropped += 1;
                return;
            }
            state.counters.queue_waits += 1;
            while state.batch.len() >= self.limit {
                state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
            }
            if state.abandoned {
                state.counters.queue_dropped += 1;
                return;
            }
        }
        let was_empty = state.batch.is_empty();
        state.batch.push(kind, record);
        drop(state);
        if was_empty {
            self.changed.notify_all();
        }
    }

    /// Tells that nothing more will come.
    pub fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_all();
    }

    /// Tells that nothing will be taken any more: what is put in is dropped and counted.
    pub fn abandon(&self) {
        let mut state = self.lock();
        state.abandoned = true;
        state.counters.queue_dropped += state.batch.len() as u64;
        state.batch.clear();
        drop(state);
        self.changed.notify_all();
    }

    /// Waits until there are records, but not longer than until `deadline`, and takes all of them
    /// into `batch`, whose content goes. `false` when it is empty and closed: nothing will come.
    pub fn take(&self, batch: &mut Batch, deadline: Option<Instant>) -> bool {
        batch.clear();
        let mut state = self.lock();
        while state.batch.is_empty() && !state.closed {
            let left = deadline.map(|at| at.saturating_duration_since(Instant::now()));
            state = match left {
                Some(Duration::ZERO) => return true,
                Some(left) => {
                    self.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0
                }
                None => self.changed.wait(state).unwrap_or_else(PoisonError::into_inner),
            };
        }
        std::mem::swap(&mut state.batch, batch);
        let more = !batch.is_empty() || !state.closed;
        drop(state);
        // Somebody may wait for room.
        self.changed.notify_all();
        more
    }

    /// Takes note of what the reader has counted.
    pub(super) fn note(&self, counters: LiveCounters) {
        let mut state = self.lock();
        let LiveCounters { queue_dropped, queue_waits, .. } = state.counters;
        state.counters = LiveCounters { queue_dropped, queue_waits, ..counters };
    }

    /// What was counted on the way into this queue; what the reader counts is a few seconds old.
    pub fn counters(&self) -> LiveCounters {
        self.lock().counters
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::Arc, thread};

    use super::*;

    fn records(batch: &Batch) -> Vec<(u16, Vec<u8>)> {
        batch.iter().map(|(kind, record)| (kind.0, record.to_vec())).collect()
    }

    #[test]
    fn keeps_order_and_bounds() {
        let queue = Queue::new(2, true);
        for (kind, record) in [(1300, "one"), (1302, ""), (1320, "three")] {
            queue.push(Kind(kind), record.as_bytes());
        }
        let LiveCounters { queue_dropped, queue_waits, .. } = queue.counters();
        assert_eq!((queue_dropped, queue_waits), (1, 0));
        let mut batch = Batch::default();
        assert!(queue.take(&mut batch, None));
        assert_eq!(records(&batch), [(1300, b"one".to_vec()), (1302, Vec::new())]);
        assert!(queue.take(&mut batch, Some(Instant::now())));
        assert!(batch.is_empty(), "the deadline passed");
        queue.push(Kind(1), b"x");
        queue.close();
        assert!(queue.take(&mut batch, None), "what was left");
        assert_eq!(batch.len(), 1);
        assert!(!queue.take(&mut batch, None));
    }

    #[test]
    fn waits_for_room_and_loses_nothing() {
        let queue = Arc::new(Queue::new(3, false));
        let writer = thread::spawn({
            let queue = Arc::clone(&queue);
            move || {
                for number in 0..1000_u16 {
                    queue.push(Kind(number), &number.to_ne_bytes());
                }
                queue.close();
            }
        });
        // The first three fill it; what is taken before the fourth came would leave room for that.
        while queue.counters().queue_waits == 0 && !writer.is_finished() {
            thread::yield_now();
        }
        let (mut batch, mut next) = (Batch::default(), 0_u16);
        while queue.take(&mut batch, None) {
            assert!(batch.len() <= 3);
            for (kind, record) in batch.iter() {
                assert_eq!((kind.0, record), (next, &next.to_ne_bytes()[..]));
                next += 1;
            }
        }
        writer.join().unwrap();
        assert_eq!(next, 1000);
        let LiveCounters { queue_dropped, queue_waits, .. } = queue.counters();
        assert_eq!(queue_dropped, 0);
        assert!(queue_waits > 0, "a queue of three was never full");
    }
}
