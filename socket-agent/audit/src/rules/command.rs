//! Commands: the meaning of lines of a rule file.

use super::{list::Position, rule::Rule};

/// One request to the audit framework.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// `-a`, `-A`, `-w`: load a rule.
    Add {
        /// The rule.
        rule: Rule,
        /// Position on the list.
        position: Position,
    },
    /// `-d`, `-W`: remove the rule that has the same parts.
    Delete {
        /// The rule.
        rule: Rule,
    },
    /// `-D`: remove every rule, or those with a key.
    DeleteAll {
        /// `-k`: only rules whose keys contain this.
        key: Option<Vec<u8>>,
    },
    /// `-e`
    Enable(Enabled),
    /// `-f`
    Failure(FailureMode),
    /// `-b`: records that may wait in the kernel.
    BacklogLimit(u32),
    /// `-r`: records a second; 0 for no limit.
    RateLimit(u32),
    /// `--backlog_wait_time`: how long a process waits when the backlog is full, in the kernel's
    /// ticks; Linux 3.14.
    BacklogWaitTime(u32),
    /// `--loginuid-immutable`: a login uid that is set can never be changed; Linux 3.13.
    LoginuidImmutable,
    /// `--reset-lost`: set the kernel's count of lost records to 0; Linux 4.14.
    ResetLost,
    /// `--reset_backlog_wait_time_actual`: set the kernel's sum of waits to 0; Linux 5.9.
    ResetBacklogWaitTime,
    /// `-t`: forget trees below mount points that are gone.
    Trim,
    /// `-q`: make a directory part of the watches of another file system's directory.
    Equivalent {
        /// The mount point.
        mount: Vec<u8>,
        /// The directory that is to be watched like it.
        subtree: Vec<u8>,
    },
    /// `-m`: a record of type USER with this text.
    Message(Vec<u8>),
    /// `-i`: go on when a rule of this file is wrong.
    IgnoreErrors,
    /// `-c`: go on when a rule of this file is wrong, and fail at the end.
    Continue,
}

/// Value of `-e`: whether the kernel makes records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Enabled {
    /// No (0).
    Off,
    /// Yes (1).
    On,
    /// Yes, and nothing can be changed until the next boot (2).
    Immutable,
}

/// What the kernel does when it cannot make or keep a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailureMode {
    /// No reaction (0).
    Silent,
    /// A line in the kernel's log (1).
    Log,
    /// A kernel panic (2).
    Panic,
}

// === impl Command ===

impl Command {
    /// What the kernel takes for [`Command::BacklogWaitTime`]: `AUDIT_BACKLOG_WAIT_TIME` in
    /// kernel/audit.c is a minute, and ten times that the limit.
    pub const WAIT_TIME_LIMIT: &'static str = "at most ten minutes, in its clock ticks: 150000 if it \
                                               is built for 250 a second (CONFIG_HZ)";
}

// === impl Enabled ===

impl Enabled {
    /// By the number in rules and in the kernel's status.
    pub fn from_number(number: u32) -> Option<Self> {
        [Self::Off, Self::On, Self::Immutable].into_iter().find(|it| it.number() == number)
    }

    /// The number in rules and in the kernel's status.
    pub fn number(self) -> u32 {
        match self {
            Self::Off => 0,
            Self::On => 1,
            Self::Immutable => 2,
        }
    }
}

// === impl FailureMode ===

impl FailureMode {
    /// By the number in rules and in the kernel's status.
    pub fn from_number(number: u32) -> Option<Self> {
        [Self::Silent, Self::Log, Self::Panic].into_iter().find(|it| it.number() == number)
    }

    /// The number in rules and in the kernel's status.
    pub fn number(self) -> u32 {
        match self {
            Self::Silent => 0,
            Self::Log => 1,
            Self::Panic => 2,
        }
    }
}
