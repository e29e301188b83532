//! Audit rules: auditctl's language, and the kernel's binary form of the same.
//!
//! A rule goes through four steps, each a folder or file here:
//! 1. [`mod@parse`]: text to [`Command`]s, with every problem of every line at once.
//! 2. [`RuleSet`]: several files as one, duplicates found, refused as a whole when one is wrong.
//! 3. `encode` and `decode`: a [`Rule`] to `struct audit_rule_data` and back.
//! 4. `text`: a [`Rule`] in the words of `auditctl -l`.
//!
//! Nothing here but [`System`] does I/O: what a rule needs of the host (its architecture, accounts,
//! whether a path is a directory) comes through [`Host`].
//!
//! Sources: auditctl(8) and audit.rules(7) of audit user space 3.0 to 4.2,
//! `include/uapi/linux/audit.h`, and the checks of `kernel/auditfilter.c` (Linux 6.18).

mod command;
mod compare;
mod decode;
mod encode;
mod field;
mod host;
mod layout;
mod list;
mod mask;
mod operator;
pub mod parse;
mod perm;
mod problem;
mod rule;
mod set;
mod system;
mod text;

pub use command::{Command, Enabled, FailureMode};
pub use decode::DecodeError;
pub use field::Field;
pub use host::{Accounts, Host, PathKind, Paths, PermCalls};
pub use list::{Action, List, Position};
pub use mask::Mask;
pub use operator::Operator;
pub use parse::{Parsed, Source, parse};
pub use perm::Perm;
pub use problem::{Located, Location, Problem, Severity};
pub use rule::{Condition, Rule, RuleError, Value};
pub use set::{RuleErrors, RuleSet};
pub use system::System;
pub use text::Numbers;
