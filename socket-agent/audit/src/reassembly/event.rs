//! Events that are whole, and those that are not yet.

use std::{
    hash::{DefaultHasher, Hash, Hasher},
    time::Duration,
};

use crate::records::{self, Id, Kind, Record};

/// The records of an event.
#[derive(Clone, Debug)]
pub struct Event {
    /// What they share.
    pub id: Id,
    /// In the order in which they came; never empty. The end of event is not among them.
    pub records: Vec<Record>,
    /// Whether a sure end was seen.
    pub complete: bool,
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
}

/// What a record has done to its event.
pub(super) enum Progress {
    Waiting,
    Whole,
    Duplicate,
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
    /// `records` is empty: memory to use.
    pub(super) fn new(key: Key, since: Duration, records: Vec<Record>) -> Self {
        Self { key, since, records }
    }

    pub(super) fn add(&mut self, record: Record) -> Progress {
        let kind = record.kind();
        if kind == Kind::EOE {
            return Progress::Whole;
        }
        if self.has_twin(&record) {
            return Progress::Duplicate;
        }
        let whole = self.is_last(&record);
        self.records.push(record);
        if whole { Progress::Whole } else { Progress::Waiting }
    }

    pub(super) fn into_event(self, complete: bool) -> Event {
        Event { id: self.key.id, records: self.records, complete }
    }

    /// Whether nothing can follow this record.
    ///
    /// The kernel writes the title of the process last, and records of programs are alone; but if
    /// several security modules have labels, `subj=?` says that these follow in another record.
    fn is_last(&self, record: &Record) -> bool {
        let has_syscall =
            || self.records.iter().any(|r| matches!(r.kind(), Kind::SYSCALL | Kind::URINGOP));
        let contexts_follow = || {
            record.kind().is_user()
                && record
                    .fields()
                    .any(|field| field.id == records::Key::SUBJ && field.value == b"?")
        };
        match record.kind() {
            Kind::PROCTITLE => has_syscall(),
            Kind::MAC_TASK_CONTEXTS => self.records.first().is_some_and(|r| r.kind().is_single()),
            kind => kind.is_single() && !contexts_follow(),
        }
    }

    /// Some records can occur twice with the same text, but none of these.
    fn has_twin(&self, record: &Record) -> bool {
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
        is_unique
            && self
                .records
                .iter()
                .any(|other| other.kind() == kind && other.raw_bytes() == record.raw_bytes())
    }
}
