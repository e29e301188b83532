//! Events that are whole, and those that are not yet.

use std::{
    collections::{HashMap, hash_map::Entry},
    hash::{BuildHasher, DefaultHasher, Hash, Hasher, RandomState},
    time::Duration,
};

use super::order::{self, Rank};
use crate::records::{self, Id, Kind, Record};

/// Records of an event that are kept. A signal to all processes, or a module that makes files, gives
/// one for each.
const RECORDS_MAX: usize = 1 << 16;
/// Bytes that the records of an event may take. The arguments of a program are 6 MiB at most, which
/// are twice as many digits.
const BYTES_MAX: usize = 32 << 20;
/// Records among which one that came twice is looked for one by one.
const FEW: usize = 16;

/// The records of an event.
#[derive(Clone, Debug)]
pub struct Event {
    /// Id that the records share: time and number.
    pub id: Id,
    /// In the order in which the kernel writes them, whatever the order in which they came; never
    /// empty. The end of event is not among them.
    pub records: Vec<Record>,
    /// Whether the end of the event was certain.
    pub complete: bool,
    /// Records that were too many, and are not among them.
    pub cut: u64,
}

/// An event of a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Key {
    pub(super) id: Id,
    /// Hash of the host's name, in logs of several hosts.
    pub(super) node: u64,
    /// Of auditd itself, which counts on its own.
    daemon: bool,
}

/// An event that waits for records.
#[derive(Debug)]
pub(super) struct Pending {
    pub(super) key: Key,
    pub(super) since: Duration,
    records: Vec<Record>,
    /// Bytes that they take.
    bytes: usize,
    cut: u64,
    has_call: bool,
    separated: bool,
    last: Rank,
    in_order: bool,
    /// Once there are more than a few, each by the hash of its text. The texts come from a log: none
    /// must be able to make all hashes the same.
    by_hash: Option<HashMap<u64, u32, RandomState>>,
}

/// Effect of a record on its event.
pub(super) enum Progress {
    Waiting,
    Whole,
    Duplicate,
    /// The record was dropped: the event has as many as it may have.
    Cut,
}

// === impl Key ===

impl Key {
    pub(super) fn of(record: &Record) -> Self {
        let node = record.node().map_or(0, |name| {
            let mut hasher = DefaultHasher::new();
            name.hash(&mut hasher);
            hasher.finish()
        });
        Self { id: record.id(), node, daemon: record.kind().is_daemon() }
    }
}

// === impl Pending ===

impl Pending {
    /// `records` is empty: memory to use. `separated` is whether its source says where it ends.
    pub(super) fn new(key: Key, since: Duration, records: Vec<Record>, separated: bool) -> Self {
        Self {
            key,
            since,
            records,
            bytes: 0,
            cut: 0,
            has_call: false,
            separated,
            last: Rank::default(),
            in_order: true,
            by_hash: None,
        }
    }

    /// Whether its source says where it ends.
    pub(super) fn is_separated(&self) -> bool {
        self.separated
    }

    /// Bytes that its records take.
    #[inline]
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn add(&mut self, record: Record) -> Progress {
        let kind = record.kind();
        if kind == Kind::EOE {
            return Progress::Whole;
        }
        if self.is_known(&record) {
            return Progress::Duplicate;
        }
        let whole = self.is_last(&record);
        let is_call = matches!(kind, Kind::SYSCALL | Kind::URINGOP);
        // What it is and its end are always there.
        let length = record.length();
        let is_full = self.records.len() >= RECORDS_MAX || self.bytes + length > BYTES_MAX;
        if is_full && (self.has_call || !is_call) && !whole {
            self.cut += 1;
            return Progress::Cut;
        }
        self.has_call |= is_call;
        self.bytes += length;
        let rank = Rank::of(&record, self.last);
        self.in_order &= rank >= self.last;
        self.last = rank;
        self.records.push(record);
        if whole { Progress::Whole } else { Progress::Waiting }
    }

    pub(super) fn into_event(self, complete: bool) -> Event {
        let Self { key, mut records, cut, in_order, .. } = self;
        if !in_order {
            order::restore(&mut records);
        }
        Event { id: key.id, records, complete, cut }
    }

    /// Whether nothing can follow this record.
    ///
    /// The kernel writes the title of the process last, and records of programs are alone; but if
    /// several security modules have labels, `subj=?` says that these follow in another record.
    fn is_last(&self, record: &Record) -> bool {
        let contexts_follow = || {
            record.kind().is_user()
                && record
                    .fields()
                    .any(|field| field.id == records::Key::SUBJ && field.value == b"?")
        };
        match record.kind() {
            Kind::PROCTITLE => self.has_call,
            Kind::MAC_TASK_CONTEXTS => self.records.first().is_some_and(|r| r.kind().is_single()),
            kind => kind.is_single() && !contexts_follow(),
        }
    }

    /// Whether this record has come before. Some can occur twice with the same text, but none of
    /// these.
    fn is_known(&mut self, record: &Record) -> bool {
        let kind = record.kind();
        let is_unique = kind.is_single()
            || matches!(
                kind,
                Kind::SYSCALL
                    | Kind::URINGOP
                    | Kind::CWD
                    | Kind::PATH
                    | Kind::EXECVE
                    | Kind::SOCKADDR
                    | Kind::PROCTITLE
            );
        let is_same =
            |other: &Record| other.kind() == kind && other.raw_bytes() == record.raw_bytes();
        if self.records.len() < FEW {
            return is_unique && self.records.iter().any(is_same);
        }
        let by_hash = self.by_hash.get_or_insert_with(|| {
            let mut by_hash = HashMap::with_hasher(RandomState::new());
            for (index, record) in self.records.iter().enumerate() {
                let hash = hash(by_hash.hasher(), record);
                by_hash.entry(hash).or_insert(index as u32);
            }
            by_hash
        });
        if !is_unique {
            return false;
        }
        let hash = hash(by_hash.hasher(), record);
        match by_hash.entry(hash) {
            Entry::Occupied(entry) => self.records.get(*entry.get() as usize).is_some_and(is_same),
            Entry::Vacant(entry) => {
                // It will be there, unless it is one too many.
                entry.insert(self.records.len() as u32);
                false
            }
        }
    }
}

fn hash(state: &RandomState, record: &Record) -> u64 {
    state.hash_one((record.kind(), record.raw_bytes()))
}
