//! Types of records.

use std::{fmt, sync::LazyLock};

use rustc_hash::FxHashMap;

use super::decimal;
use crate::table::{number, rows};

/// Number, name and category of every type that kernels and user space define.
static TABLE: LazyLock<Table> = LazyLock::new(|| Table::parse(include_str!("kinds.tsv")));

/// The type of a record: a number from 1000 to 2999.
///
/// Source: include/uapi/linux/audit.h, and libaudit.h for those that only user space sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Kind(pub u16);

#[derive(Default)]
struct Table {
    by_number: FxHashMap<u16, (&'static str, &'static str, &'static str)>,
    by_name: FxHashMap<&'static [u8], u16>,
}

// === impl Kind ===

/// Types that the code knows by name.
#[allow(missing_docs)]
impl Kind {
    pub const LOGIN: Self = Self(1006);
    pub const CONFIG_CHANGE: Self = Self(1305);
    pub const SYSCALL: Self = Self(1300);
    pub const PATH: Self = Self(1302);
    pub const SOCKADDR: Self = Self(1306);
    pub const CWD: Self = Self(1307);
    pub const EXECVE: Self = Self(1309);
    pub const OBJ_PID: Self = Self(1318);
    pub const TTY: Self = Self(1319);
    pub const EOE: Self = Self(1320);
    pub const SECCOMP: Self = Self(1326);
    pub const PROCTITLE: Self = Self(1327);
    pub const REPLACE: Self = Self(1329);
    pub const EVENT_LISTENER: Self = Self(1335);
    pub const URINGOP: Self = Self(1336);
    pub const AVC: Self = Self(1400);
    pub const AVC_PATH: Self = Self(1402);
    pub const LANDLOCK_DOMAIN: Self = Self(1424);
    pub const USER_TTY: Self = Self(1124);
    pub const USER_AVC: Self = Self(1107);
    pub const MAC_TASK_CONTEXTS: Self = Self(1425);
    pub const MAC_OBJ_CONTEXTS: Self = Self(1426);
    pub const KERNEL: Self = Self(2000);
}

impl Kind {
    /// The type of that name, such as `SYSCALL`; `UNKNOWN[1399]` as auditd writes it, or `1399` as
    /// the kernel's log has it.
    pub fn of_name(name: &str) -> Option<Self> {
        Self::of_bytes(name.as_bytes())
    }

    /// As [`of_name`](Self::of_name), from what need not be text.
    #[inline]
    pub(super) fn of_bytes(name: &[u8]) -> Option<Self> {
        // Most records of most logs.
        match name {
            b"SYSCALL" => Some(Self::SYSCALL),
            b"PATH" => Some(Self::PATH),
            b"CWD" => Some(Self::CWD),
            b"EXECVE" => Some(Self::EXECVE),
            b"SOCKADDR" => Some(Self::SOCKADDR),
            b"PROCTITLE" => Some(Self::PROCTITLE),
            _ => Self::look_up(name),
        }
    }

    fn look_up(name: &[u8]) -> Option<Self> {
        let known = TABLE.by_name.get(name).copied();
        let unknown = || {
            // The kernel's log has the number alone.
            let number =
                name.strip_prefix(b"UNKNOWN[").map_or(Some(name), |it| it.strip_suffix(b"]"))?;
            u16::try_from(decimal(number)?).ok()
        };
        known.or_else(unknown).map(Self)
    }

    /// The name in capitals, if it has one.
    pub fn name(self) -> Option<&'static str> {
        TABLE.by_number.get(&self.0).map(|(name, _, _)| *name)
    }

    /// The name as documents have it: `syscall`, or `unknown[1399]`.
    pub fn lower(self) -> std::borrow::Cow<'static, str> {
        match TABLE.by_number.get(&self.0) {
            Some((_, lower, _)) => (*lower).into(),
            None => format!("unknown[{}]", self.0).into(),
        }
    }

    /// What it is about, in a word; `unknown` if the type is.
    pub fn category(self) -> &'static str {
        TABLE.by_number.get(&self.0).map_or("unknown", |(_, _, category)| category)
    }

    /// Sent by auditd about itself, with a sequence of its own.
    pub const fn is_daemon(self) -> bool {
        matches!(self.0, 1200..=1299)
    }

    /// Sent by a program, by way of the kernel: always an event of its own.
    pub const fn is_user(self) -> bool {
        matches!(self.0, 1005 | 1100..=1199 | 2100..=2999)
    }

    /// Always the only record of its event (apart from security contexts).
    pub const fn is_single(self) -> bool {
        self.is_user() || self.is_daemon() || matches!(self, Self::REPLACE | Self::KERNEL)
    }

    /// What only certain system calls are given, which stands in a record behind that of the call.
    pub const fn is_special(self) -> bool {
        // IPC, SOCKETCALL, EXECVE, IPC_SET_PERM to MQ_GETSETATTR, FD_PAIR, BPRM_FCAPS to MMAP,
        // KERN_MODULE, OPENAT2.
        matches!(self.0, 1303 | 1304 | 1309 | 1311..=1315 | 1317 | 1321..=1323 | 1330 | 1337)
    }

    /// IPE_ACCESS or IPE_CONFIG_CHANGE; in kernels of Ubuntu, security contexts.
    #[inline]
    pub(super) const fn is_contexts_or_ipe(self) -> bool {
        matches!(self.0, 1420 | 1421)
    }

    /// Every type with its number, in ascending order.
    pub fn all() -> Vec<(Self, &'static str)> {
        let mut all: Vec<_> =
            TABLE.by_number.iter().map(|(number, (name, _, _))| (Self(*number), *name)).collect();
        all.sort_unstable();
        all
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "UNKNOWN[{}]", self.0),
        }
    }
}

// === impl Table ===

impl Table {
    fn parse(text: &'static str) -> Self {
        let mut table = Self::default();
        for [value, name, category] in rows(text) {
            let Some(value) = number(value).and_then(|value| u16::try_from(value).ok()) else {
                continue;
            };
            // Once for the whole run.
            let lower: &'static str = name.to_ascii_lowercase().leak();
            table.by_number.insert(value, (name, lower, category));
            table.by_name.insert(name.as_bytes(), value);
        }
        table
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_of_the_table_counts() {
        let lines = include_str!("kinds.tsv").lines().filter(|line| !line.starts_with('#')).count();
        assert_eq!(Kind::all().len(), lines);
        for (kind, name) in Kind::all() {
            assert!((1000..3000).contains(&kind.0), "{name}");
            assert_eq!(Kind::of_name(name), Some(kind));
            assert_ne!(kind.category(), "unknown", "{name}");
        }
    }

    #[test]
    fn names_of_rules_are_those_of_records() {
        let names = crate::names::MESSAGE_TYPE;
        for name in names.names() {
            let kind = Kind::of_name(name).unwrap_or_else(|| panic!("{name} is missing"));
            assert_eq!(names.number(name), Some(u32::from(kind.0)), "{name}");
        }
    }

    #[test]
    fn constants_agree_with_the_table() {
        for (kind, name) in [
            (Kind::SYSCALL, "SYSCALL"),
            (Kind::PATH, "PATH"),
            (Kind::SOCKADDR, "SOCKADDR"),
            (Kind::CWD, "CWD"),
            (Kind::EXECVE, "EXECVE"),
            (Kind::OBJ_PID, "OBJ_PID"),
            (Kind::TTY, "TTY"),
            (Kind::EOE, "EOE"),
            (Kind::SECCOMP, "SECCOMP"),
            (Kind::PROCTITLE, "PROCTITLE"),
            (Kind::REPLACE, "REPLACE"),
            (Kind::EVENT_LISTENER, "EVENT_LISTENER"),
            (Kind::URINGOP, "URINGOP"),
            (Kind::AVC, "AVC"),
            (Kind::AVC_PATH, "AVC_PATH"),
            (Kind::LANDLOCK_DOMAIN, "LANDLOCK_DOMAIN"),
            (Kind::USER_TTY, "USER_TTY"),
            (Kind::USER_AVC, "USER_AVC"),
            (Kind::MAC_TASK_CONTEXTS, "MAC_TASK_CONTEXTS"),
            (Kind::MAC_OBJ_CONTEXTS, "MAC_OBJ_CONTEXTS"),
            (Kind::KERNEL, "KERNEL"),
            (Kind::LOGIN, "LOGIN"),
            (Kind::CONFIG_CHANGE, "CONFIG_CHANGE"),
        ] {
            assert_eq!(kind.name(), Some(name));
        }
    }

    #[test]
    fn unknown_types_keep_their_number() {
        assert_eq!(Kind::of_name("UNKNOWN[1399]"), Some(Kind(1399)));
        assert_eq!(Kind::of_name("1334"), Some(Kind(1334)));
        assert_eq!(Kind(1399).to_string(), "UNKNOWN[1399]");
        assert_eq!(Kind(1399).lower(), "unknown[1399]");
        for name in ["", "NOT_A_TYPE", "UNKNOWN[]", "UNKNOWN[99999]", "UNKNOWN[1", "99999", "1x"] {
            assert_eq!(Kind::of_name(name), None, "{name}");
        }
    }
}
