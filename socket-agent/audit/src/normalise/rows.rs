//! The tables.

use std::sync::LazyLock;

use rustc_hash::FxHashMap;

use crate::{
    records::Key,
    table::{list, rows},
};

static SYSCALLS: LazyLock<FxHashMap<&'static str, SyscallRow>> = LazyLock::new(|| {
    let mut table = FxHashMap::default();
    for [action, object, category, types, options, calls] in rows(include_str!("syscalls.tsv")) {
        for call in calls.split(' ') {
            table.insert(call, SyscallRow::new(action, object, category, types, options));
        }
    }
    table
});

static RECORDS: LazyLock<FxHashMap<&'static str, RecordRow>> = LazyLock::new(|| {
    rows(include_str!("records.tsv")).map(|row: [_; 12]| (row[0], RecordRow::new(row))).collect()
});

/// Meaning of a system call.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct SyscallRow {
    pub(super) action: &'static str,
    pub(super) object: &'static str,
    pub(super) categories: Vec<&'static str>,
    pub(super) types: Vec<&'static str>,
    /// Which path the object is, if not the first that fits.
    pub(super) path: Option<usize>,
    /// `ingress` or `egress`.
    pub(super) direction: Option<&'static str>,
    /// The call is the means, whatever program made it.
    pub(super) is_means: bool,
}

/// Who the users of a record are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Roles {
    /// Only the process.
    #[default]
    Process,
    /// Someone acts as an account.
    Session,
    /// Someone changes the user that the object is.
    User,
    /// Someone changes the group that the object is.
    Group,
    /// Someone changes the user that the account is.
    Target,
    /// Someone changes the group that the account is.
    Member,
    /// Someone becomes the object.
    Login,
    /// A security module judges by labels.
    Mac,
}

/// Meaning of a record type.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct RecordRow {
    pub(super) action: &'static str,
    pub(super) object: &'static str,
    pub(super) primary: Vec<Key>,
    pub(super) secondary: Vec<Key>,
    pub(super) means: Vec<Key>,
    pub(super) actor: Vec<Key>,
    pub(super) categories: Vec<&'static str>,
    pub(super) types: Vec<&'static str>,
    pub(super) is_alert: bool,
    pub(super) roles: Roles,
    /// `addr` is where it came from.
    pub(super) is_remote: bool,
    /// A system call with it is what it judges, not just the way it came about: what that call
    /// means counts as well.
    pub(super) is_about_call: bool,
}

/// What that system call does, if the table says.
pub(super) fn syscall(name: &str) -> Option<&'static SyscallRow> {
    SYSCALLS.get(name)
}

/// What that type of record means, if the table says.
pub(super) fn record(name: &str) -> Option<&'static RecordRow> {
    RECORDS.get(name)
}

/// Names of fields, all of which are interned.
fn keys(cell: &'static str) -> Vec<Key> {
    list(cell).into_iter().map(|name| Key::of(name.as_bytes())).collect()
}

// === impl SyscallRow ===

impl SyscallRow {
    fn new(
        action: &'static str,
        object: &'static str,
        categories: &'static str,
        types: &'static str,
        options: &'static str,
    ) -> Self {
        let mut row = Self {
            action,
            object,
            categories: list(categories),
            types: list(types),
            ..Self::default()
        };
        for option in list(options) {
            match option {
                "in" => row.direction = Some("ingress"),
                "out" => row.direction = Some("egress"),
                "how=call" => row.is_means = true,
                _ => row.path = option.strip_prefix("path=").and_then(|path| path.parse().ok()),
            }
        }
        row
    }
}

// === impl RecordRow ===

impl RecordRow {
    fn new(row: [&'static str; 12]) -> Self {
        let [_, action, object, primary, secondary, means, actor, rest @ ..] = row;
        let [categories, types, kind, users, options] = rest;
        let options = list(options);
        Self {
            action,
            object,
            primary: keys(primary),
            secondary: keys(secondary),
            means: keys(means),
            actor: keys(actor),
            categories: list(categories),
            types: list(types),
            is_alert: kind == "alert",
            roles: Roles::parse(users),
            is_remote: options.contains(&"ip"),
            is_about_call: options.contains(&"call"),
        }
    }
}

// === impl Roles ===

impl Roles {
    fn parse(name: &str) -> Self {
        match name {
            "session" => Self::Session,
            "user" => Self::User,
            "group" => Self::Group,
            "target" => Self::Target,
            "member" => Self::Member,
            "login" => Self::Login,
            "mac" => Self::Mac,
            _ => Self::Process,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        names::{Arch, syscall as calls},
        records::Kind,
    };

    #[test]
    fn every_record_of_the_table_exists() {
        for [name, action, _, fields @ ..] in rows::<7>(include_str!("records.tsv")) {
            assert!(Kind::of_name(name).is_some(), "{name}");
            assert!(!action.is_empty(), "{name}");
            for field in fields.into_iter().flat_map(list) {
                assert_ne!(Key::of(field.as_bytes()), Key::OTHER, "{name}: {field}");
            }
        }
        for row in rows::<12>(include_str!("records.tsv")) {
            assert!(list(row[11]).iter().all(|option| ["ip", "call"].contains(option)), "{row:?}");
        }
        let row = record("USER_LOGIN").unwrap();
        assert_eq!((row.roles, row.is_remote), (Roles::Session, true));
        assert_eq!(row.actor, [Key::ACCT, Key::ID, Key::UID]);
        assert!(record("ANOM_ABEND").unwrap().is_alert);
    }

    #[test]
    fn every_call_of_the_table_exists_once() {
        let mut seen = std::collections::HashSet::new();
        let known: std::collections::HashSet<_> =
            [Arch::X86_64, Arch::I386, Arch::Aarch64, Arch::Ppc64Le, Arch::S390x]
                .into_iter()
                .flat_map(calls::names)
                .collect();
        // Calls that are newer than the tables of numbers, names of libraries and of sub-calls, which some tools report as if they were calls.
        let others = [
            "file_getattr",
            "file_setattr",
            "futimens",
            "fstatat",
            "recv",
            "send",
            "seteuid",
            "setegid",
            "sysctl",
            "accept",
            "utimensat_time64",
            "clock_settime64",
            "clock_adjtime64",
            "recvmmsg_time64",
            "mq_timedsend_time64",
            "mq_timedreceive_time64",
        ];
        for [action, object, category, types, _, names] in rows(include_str!("syscalls.tsv")) {
            assert!(![action, object, category, types].contains(&""), "{action}");
            for name in names.split(' ') {
                assert!(seen.insert(name), "{name} is there twice");
                assert!(known.contains(name) || others.contains(&name), "{name}");
            }
        }
    }
}
