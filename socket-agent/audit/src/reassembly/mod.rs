//! From records to events.
//!
//! The kernel sends an event as several records, and those of events that happen at the same time
//! in between. An event leaves as soon as it is certainly whole, whatever others wait for. No
//! clock is read here: whoever calls says what time it is.

mod counters;
mod event;
mod gaps;
mod options;
mod recent;
mod spare;

#[cfg(test)]
mod tests;

use std::{collections::VecDeque, time::Duration};

pub use counters::Counters;
pub use event::Event;
pub use options::Options;

use event::{Key, Pending, Progress};
use gaps::GapTable;
use recent::{Recent, Seen};
use spare::Spare;

use super::records::{Kind, Record};

/// Puts records together.
#[derive(Debug)]
pub struct Reassembler {
    options: Options,
    /// In the order of their first records.
    pending: VecDeque<Pending>,
    recent: Recent,
    gaps: GapTable,
    counters: Counters,
    spare: Spare,
}

impl Reassembler {
    /// An empty one.
    pub fn new(options: Options) -> Self {
        Self {
            options,
            pending: VecDeque::new(),
            recent: Recent::default(),
            gaps: GapTable::default(),
            counters: Counters::default(),
            spare: Spare::default(),
        }
    }

    /// A record to be read anew, in memory that was used before.
    pub fn blank(&mut self) -> Record {
        self.spare.record()
    }

    /// Takes back an event, or a record, that is done with: its memory will be used again.
    pub fn recycle(&mut self, event: Event) {
        self.spare.keep(event);
    }

    /// As [`recycle`](Self::recycle), for a [`blank`](Self::blank) that did not become a record.
    pub fn recycle_record(&mut self, record: Record) {
        self.spare.keep_record(record);
    }

    /// Takes a record that arrived at `now`, the time since any fixed moment, and gives out the
    /// events that are whole or have waited for too long.
    pub fn push(&mut self, record: Record, now: Duration, mut out: impl FnMut(Event)) {
        self.counters.records += 1;
        let kind = record.kind();
        if kind != Kind::REPLACE {
            self.place(record, now, &mut out);
        }
        self.expire(now, &mut out);
        while self.pending.len() > self.options.max_in_flight {
            self.counters.evicted += 1;
            self.release(0, false, &mut out);
        }
    }

    /// Gives out the events whose first record came too long before `now`.
    pub fn expire(&mut self, now: Duration, mut out: impl FnMut(Event)) {
        let timeout = self.options.timeout;
        let is_due = |pending: &Pending| now.saturating_sub(pending.since) >= timeout;
        while self.pending.front().is_some_and(is_due) {
            self.counters.timed_out += 1;
            self.release(0, false, &mut out);
        }
        self.gaps.expire(now, timeout, &mut self.counters);
    }

    /// When [`expire`](Self::expire) has something to do next; `None` if nothing waits.
    pub fn deadline(&self) -> Option<Duration> {
        let pending = self.pending.front().map(|pending| pending.since);
        let first = pending.into_iter().chain(self.gaps.oldest()).min()?;
        Some(first.saturating_add(self.options.timeout))
    }

    /// Gives out all that waits, and counts all numbers that are missing as lost.
    pub fn flush(&mut self, mut out: impl FnMut(Event)) {
        while !self.pending.is_empty() {
            self.release(0, false, &mut out);
        }
        self.gaps.flush(&mut self.counters);
    }

    /// What has happened so far.
    pub fn counters(&self) -> Counters {
        self.counters
    }

    /// Events that wait for records.
    pub fn in_flight(&self) -> usize {
        self.pending.len()
    }

    fn place(&mut self, record: Record, now: Duration, out: &mut impl FnMut(Event)) {
        let key = Key::of(&record);
        // The record is most likely one of the newest event.
        let found = self.pending.iter().rposition(|pending| pending.key == key);
        let index = match found {
            Some(index) => index,
            None => {
                if !self.open(&record, key, now) {
                    return;
                }
                self.pending.len() - 1
            }
        };
        let Some(pending) = self.pending.get_mut(index) else { return };
        match pending.add(record) {
            Progress::Whole => self.release(index, true, out),
            Progress::Waiting => {}
            Progress::Duplicate => self.counters.duplicates += 1,
        }
    }

    /// Makes room for a new event; `false` if the record is of one that has left.
    fn open(&mut self, record: &Record, key: Key, now: Duration) -> bool {
        match self.recent.get(&key) {
            // The end of an event that its last record had ended already.
            Some(_) if record.kind() == Kind::EOE => return false,
            Some(Seen::Whole) => {
                self.counters.late += 1;
                return false;
            }
            // It had not been whole: what is missing comes now, as an event of its own.
            Some(Seen::Partial) => self.counters.resumed += 1,
            None if !record.kind().is_daemon() => {
                self.gaps.see(key, now, &mut self.counters);
            }
            None => {}
        }
        if record.kind() == Kind::EOE {
            // Nothing but an end: its event was lost or excluded, but its number was not.
            return false;
        }
        let records = self.spare.list();
        self.pending.push_back(Pending::new(key, now, records));
        true
    }

    fn release(&mut self, index: usize, whole: bool, out: &mut impl FnMut(Event)) {
        let Some(pending) = self.pending.remove(index) else { return };
        self.recent.insert(pending.key, if whole { Seen::Whole } else { Seen::Partial });
        if whole {
            self.counters.complete += 1;
        }
        self.counters.events += 1;
        out(pending.into_event(whole));
    }
}
