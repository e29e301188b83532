//! Which list a rule is on, and what it does.

/// A list of rules: when the kernel looks at them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum List {
    /// When a program writes a record of its own.
    User,
    /// Rules for new processes.
    Task,
    /// Rules for system calls that return.
    Exit,
    /// Before a record is made.
    Exclude,
    /// When a file is looked up, by the type of its file system; Linux 4.12.
    Filesystem,
    /// When an io_uring operation ends; Linux 5.16.
    IoUring,
}

/// Action of a rule that matches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Action {
    /// No record, and no look at the rules after this one.
    Never,
    /// A record; on the exclude list the same as never.
    Always,
}

/// Position of a new rule on its list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Position {
    /// Before the others (`-A`).
    First,
    /// After the others (`-a`).
    Last,
}

const LISTS: [(List, u32, &str); 6] = [
    (List::User, 0, "user"),
    (List::Task, 1, "task"),
    (List::Exit, 4, "exit"),
    (List::Exclude, 5, "exclude"),
    (List::Filesystem, 6, "filesystem"),
    (List::IoUring, 7, "io_uring"),
];

// === impl List ===

impl List {
    /// `AUDIT_FILTER_*`.
    pub fn number(self) -> u32 {
        LISTS.iter().find(|row| row.0 == self).map_or(u32::MAX, |row| row.1)
    }

    /// By `AUDIT_FILTER_*`.
    pub fn from_number(number: u32) -> Option<Self> {
        LISTS.iter().find(|row| row.1 == number).map(|row| row.0)
    }

    /// The name in rules.
    pub fn name(self) -> &'static str {
        LISTS.iter().find(|row| row.0 == self).map_or("unknown", |row| row.2)
    }

    /// By the name in rules.
    pub fn from_name(name: &str) -> Option<Self> {
        LISTS.iter().find(|row| row.2 == name).map(|row| row.0)
    }

    /// Names of all lists.
    pub fn names() -> impl Iterator<Item = &'static str> {
        LISTS.iter().map(|row| row.2)
    }

    /// Whether rules on the list can have `-S`.
    pub fn takes_calls(self) -> bool {
        matches!(self, Self::Exit | Self::IoUring)
    }
}

// === impl Action ===

impl Action {
    /// `AUDIT_NEVER` or `AUDIT_ALWAYS`.
    pub fn number(self) -> u32 {
        match self {
            Self::Never => 0,
            Self::Always => 2,
        }
    }

    /// By `AUDIT_NEVER` or `AUDIT_ALWAYS`.
    pub fn from_number(number: u32) -> Option<Self> {
        [Self::Never, Self::Always].into_iter().find(|action| action.number() == number)
    }

    /// The name in rules.
    pub fn name(self) -> &'static str {
        match self {
            Self::Never => "never",
            Self::Always => "always",
        }
    }

    /// By the name in rules.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Never, Self::Always].into_iter().find(|action| action.name() == name)
    }
}
