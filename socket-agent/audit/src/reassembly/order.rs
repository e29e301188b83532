//! The order of an event's records.
//!
//! The kernel writes what a system call did, then the call, then its parts. Logs may have another
//! order: ausearch prints records from the last to the first, and old kernels wrote some records of
//! what a call did behind it. What an event means must not depend on that.
//!
//! Source: `audit_log_exit` in kernel/auditsc.c.

use crate::records::{Key, Kind, Record};

/// Where in its event the kernel writes a record: what it is, and which of several.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Rank(u8, u64);

/// What happened during the call: it has a meaning of its own.
const DEED: u8 = 0;
const CALL: u8 = 1;
/// What a call was given, in a record for one kind of call.
const SPECIAL: u8 = 2;
const ADDRESS: u8 = 4;
const TARGET: u8 = 5;
const DIRECTORY: u8 = 6;
const FILE: u8 = 7;
const TITLE: u8 = 8;

impl Rank {
    /// That of a record behind one that has the rank `before`.
    #[inline]
    pub(super) fn of(record: &Record, before: Self) -> Self {
        let rank = match record.kind() {
            Kind::SYSCALL => CALL,
            Kind::PATH => return Self(FILE, record.number(Key::ITEM).unwrap_or_default()),
            Kind::CWD => DIRECTORY,
            Kind::PROCTITLE => TITLE,
            Kind::EXECVE => SPECIAL,
            Kind::SOCKADDR => ADDRESS,
            Kind::OBJ_PID => TARGET,
            // They say more of the record that they follow.
            Kind::MAC_TASK_CONTEXTS | Kind::MAC_OBJ_CONTEXTS => return before,
            // They say more of another deed.
            Kind::AVC_PATH | Kind::LANDLOCK_DOMAIN => return Self(DEED, 1),
            kind if kind.is_special() => SPECIAL,
            _ => DEED,
        };
        Self(rank, 0)
    }

    /// Whether it is that of a part of a system call.
    fn is_part(self) -> bool {
        self.0 >= SPECIAL
    }
}

/// Puts records that are not in the kernel's order into it. Those of one rank keep theirs.
#[cold]
pub(super) fn restore(records: &mut Vec<Record>) {
    let first = records.first().map(|record| Rank::of(record, Rank::default()));
    let last = records.last().map(|record| Rank::of(record, Rank::default()));
    if first.is_some_and(Rank::is_part) && first > last {
        // From the last to the first.
        records.reverse();
    }
    let mut rank = Rank::default();
    let mut ranked: Vec<(Rank, Record)> = records
        .drain(..)
        .map(|record| {
            rank = Rank::of(&record, rank);
            (rank, record)
        })
        .collect();
    ranked.sort_by_key(|(rank, _)| *rank);
    records.extend(ranked.into_iter().map(|(_, record)| record));
}
