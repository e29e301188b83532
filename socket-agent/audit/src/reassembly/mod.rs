//! From records to events.
//!
//! The kernel sends an event as several records, and those of events that happen at the same time
//! in between. An event leaves as soon as it is certainly whole, whatever others wait for. No
//! clock is read here: whoever calls says what time it is.

mod counters;
mod event;
mod gaps;
mod options;
mod order;
mod pool;
mod recent;
mod waiting;

#[cfg(test)]
mod tests;

use std::time::Duration;

pub use counters::Counters;
pub use event::Event;
pub use options::Options;

use event::{Key, Pending, Progress};
use gaps::GapTable;
use pool::Pool;
use recent::{Recent, Seen};
use waiting::Waiting;

use super::records::{Kind, Record};

/// Bytes that the records of all events that wait may take...
const BYTES_MAX: usize = 64 << 20;
/// ...and for each event that may wait, so many more.
const BYTES_OF_EACH: usize = 8 << 10;

/// Assembles the records of events.
#[derive(Debug)]
pub struct Reassembler {
    options: Options,
    pending: Waiting,
    /// Bytes that the records of these take.
    bytes: usize,
    /// Whether the source says where events end, and no record does...
    separated: bool,
    /// ...and has done so since the last record.
    between: bool,
    recent: Recent,
    gaps: GapTable,
    counters: Counters,
    pool: Pool,
}

impl Reassembler {
    /// An empty one.
    pub fn new(options: Options) -> Self {
        Self {
            options,
            pending: Waiting::default(),
            bytes: 0,
            separated: false,
            between: false,
            recent: Recent::default(),
            gaps: GapTable::default(),
            counters: Counters::default(),
            pool: Pool::default(),
        }
    }

    /// A record to be read anew, in memory that was used before.
    pub fn blank(&mut self) -> Record {
        self.pool.record()
    }

    /// Takes back an event, or a record, that is done with: its memory will be used again.
    pub fn recycle(&mut self, event: Event) {
        self.pool.keep(event);
    }

    /// As [`recycle`](Self::recycle), for a [`blank`](Self::blank) that did not become a record.
    pub fn recycle_record(&mut self, record: Record) {
        self.pool.keep_record(record);
    }

    /// Takes a record that arrived at `now`, the time since any fixed moment, and gives out the
    /// events that are whole or have waited for too long.
    pub fn push(&mut self, record: Record, now: Duration, mut out: impl FnMut(Event)) {
        self.counters.records += 1;
        let kind = record.kind();
        if kind != Kind::REPLACE {
            self.assign(record, now, &mut out);
        }
        self.expire(now, &mut out);
        while self.pending.len() > self.options.max_in_flight
            || (self.bytes > self.bytes_max() && self.pending.len() > 1)
        {
            self.counters.evicted += 1;
            self.release_oldest(&mut out);
        }
    }

    fn bytes_max(&self) -> usize {
        BYTES_MAX.saturating_add(self.options.max_in_flight.saturating_mul(BYTES_OF_EACH))
    }

    /// Between two records of its source stands something that separates events. From here on records
    /// do not end events, wherever they stand, until the [end of the source](Self::end_source).
    pub fn separate(&mut self) {
        self.separated = true;
        self.between = true;
    }

    /// The source has no more records: what it has separated is whole.
    pub fn end_source(&mut self, mut out: impl FnMut(Event)) {
        if self.separated {
            self.give_separated(&mut out);
        }
        (self.separated, self.between) = (false, false);
    }

    fn give_separated(&mut self, out: &mut impl FnMut(Event)) {
        while let Some(pending) = self.pending.remove_oldest() {
            // The source may be wrong, and its records are then no less there.
            let complete = pending.is_separated();
            self.give(pending, Seen::Partial, complete, out);
        }
    }

    /// Gives out the events whose first record came too long before `now`.
    pub fn expire(&mut self, now: Duration, mut out: impl FnMut(Event)) {
        let timeout = self.options.timeout;
        let is_due = |pending: &Pending| now.saturating_sub(pending.since) >= timeout;
        while self.pending.oldest().is_some_and(is_due) {
            self.counters.timed_out += 1;
            self.release_oldest(&mut out);
        }
        self.gaps.expire(now, timeout, &mut self.counters);
    }

    /// When [`expire`](Self::expire) has something to do next; `None` if nothing waits.
    pub fn deadline(&self) -> Option<Duration> {
        let pending = self.pending.oldest().map(|pending| pending.since);
        let first = pending.into_iter().chain(self.gaps.oldest()).min()?;
        Some(first.saturating_add(self.options.timeout))
    }

    /// Gives out all that waits, and counts all numbers that are missing as lost.
    pub fn flush(&mut self, mut out: impl FnMut(Event)) {
        while self.pending.len() > 0 {
            self.release_oldest(&mut out);
        }
        self.gaps.flush(&mut self.counters);
    }

    /// Counters so far.
    pub fn counters(&self) -> Counters {
        self.counters
    }

    /// Events that wait for records.
    pub fn in_flight(&self) -> usize {
        self.pending.len()
    }

    fn assign(&mut self, record: Record, now: Duration, out: &mut impl FnMut(Event)) {
        let key = Key::of(&record);
        if std::mem::take(&mut self.between) && self.pending.find(&key).is_none() {
            // ausearch before 4 separates a LOGIN from its system call.
            self.give_separated(out);
        }
        let slot = match self.pending.find(&key) {
            Some(slot) => slot,
            None => match self.open(&record, key, now) {
                Some(slot) => slot,
                None => return,
            },
        };
        let Some(pending) = self.pending.get_mut(slot) else { return };
        let before = pending.bytes();
        let progress = pending.add(record);
        self.bytes += pending.bytes() - before;
        match progress {
            Progress::Whole if !self.separated => {
                if let Some(pending) = self.pending.remove(slot) {
                    self.give(pending, Seen::Whole, true, out);
                }
            }
            Progress::Whole | Progress::Waiting | Progress::Cut => {}
            Progress::Duplicate => self.counters.duplicates += 1,
        }
    }

    /// Makes room for a new event; `None` if the record is of one that has left.
    fn open(&mut self, record: &Record, key: Key, now: Duration) -> Option<u32> {
        match self.recent.get(&key) {
            // The end of an event that its last record had ended already.
            Some(_) if record.kind() == Kind::EOE => return None,
            Some(Seen::Whole) => {
                self.counters.late += 1;
                return None;
            }
            // It had not been whole: what is missing comes now, as an event of its own.
            Some(Seen::Partial) => self.counters.resumed += 1,
            None if !record.kind().is_daemon() => {
                let again = self.gaps.see(key, now, &mut self.counters);
                // It was driven out so long ago that it is not remembered.
                self.counters.resumed += u64::from(again && self.counters.evicted > 0);
            }
            None => {}
        }
        if record.kind() == Kind::EOE {
            // Nothing but an end: its event was lost or excluded, but its number was not.
            return None;
        }
        let records = self.pool.list();
        Some(self.pending.push(Pending::new(key, now, records, self.separated)))
    }

    fn release_oldest(&mut self, out: &mut impl FnMut(Event)) {
        if let Some(pending) = self.pending.remove_oldest() {
            self.give(pending, Seen::Partial, false, out);
        }
    }

    fn give(&mut self, pending: Pending, seen: Seen, complete: bool, out: &mut impl FnMut(Event)) {
        self.recent.insert(pending.key, seen);
        self.bytes -= pending.bytes();
        self.counters.complete += u64::from(complete);
        self.counters.events += 1;
        let event = pending.into_event(complete);
        self.counters.cut += event.cut;
        out(event);
    }
}
