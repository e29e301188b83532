//! Memory of events that are done with, for those to come.

use super::Event;
use crate::records::Record;

/// Records that are kept.
const RECORDS_MAX: usize = 256;
/// Lists of records that are kept.
const LISTS_MAX: usize = 64;
/// A record that has grown beyond this, bytes, is not worth keeping.
const BYTES_MAX: usize = 1 << 16;
/// Nor is a list with room for more records than these.
const LENGTH_MAX: usize = 1 << 10;

#[derive(Debug, Default)]
pub(super) struct Pool {
    records: Vec<Record>,
    lists: Vec<Vec<Record>>,
}

impl Pool {
    pub(super) fn record(&mut self) -> Record {
        self.records.pop().unwrap_or_default()
    }

    pub(super) fn list(&mut self) -> Vec<Record> {
        self.lists.pop().unwrap_or_else(|| Vec::with_capacity(8))
    }

    pub(super) fn keep_record(&mut self, record: Record) {
        if self.records.len() < RECORDS_MAX && record.capacity() <= BYTES_MAX {
            self.records.push(record);
        }
    }

    pub(super) fn keep(&mut self, event: Event) {
        let mut list = event.records;
        for record in list.drain(..) {
            self.keep_record(record);
        }
        if self.lists.len() < LISTS_MAX && list.capacity() <= LENGTH_MAX {
            self.lists.push(list);
        }
    }
}
