//! Audit records: one line of text each, in the kernel's form or in that of auditd's log.
//!
//! Parsing looks at bytes, copies the line once and decodes what the kernel has written in
//! hexadecimal; a [`Record`] holds that copy and where its fields are. Nothing fails on a strange
//! line except one that has no type, time and sequence number.

mod contexts;
mod encoded;
mod execve;
mod field;
mod fields;
mod key;
mod key_set;
mod kind;
mod parse;
mod prefix;
mod record;
mod scan;
mod separators;
mod sockaddr;
mod stamp;
mod text;

#[cfg(test)]
mod parse_tests;
#[cfg(test)]
mod random_tests;

pub use contexts::SecurityContext;
pub use execve::{ArgumentFault, Arguments, arguments};
pub use field::{Field, Fields};
pub use key::Key;
pub(crate) use key_set::KeySet;
pub use kind::Kind;
pub use parse::{LINE_MAX, ParseError, parse_kernel, parse_line};
pub use record::Record;
pub(crate) use record::hexadecimal;
pub use sockaddr::SocketAddress;
pub(crate) use stamp::decimal;
pub use stamp::{Id, Stamp};
pub use text::Text;
