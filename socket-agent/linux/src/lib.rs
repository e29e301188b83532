//! Access to a Linux host that every part of the agent shares: clocks, `/proc`, network namespaces, names
//! of users and groups, names of error numbers, the release of the kernel.
//!
//! The lowest layer: it knows nothing of events, datasets or configuration.

pub mod accounts;
pub mod clock;
pub mod errno;
pub mod kernel;
mod name_table;
pub mod netns;
pub mod procfs;
pub mod random;
pub mod shrink;
pub mod threads;

pub use accounts::{Accounts, Names};
pub use clock::{Clock, TimeDelta, Timestamp};
pub use errno::ERRNO;
pub use kernel::{Kernel, has_ipv6};
pub use name_table::NameTable;
