//! Who is behind a pid: what runs in it, since when, in which container.
//!
//! [`ProcessTable`] follows the kernel's exec, fork and exit records, so that a process is known
//! even when it is gone by the time its flow is reported. `/proc` fills in what the records lack.

#![forbid(unsafe_code)]

mod cgroup;
mod container;
mod document;
mod entry;
mod exec;
mod identity;
mod image;
mod metrics;
mod options;
mod table;
#[cfg(test)]
mod testing;

use std::sync::Arc;

pub use self::metrics::METRICS;
pub use container::Container;
pub use identity::{Identity, Key, Ticks};
pub use image::Image;
pub use options::{ProcessCounters, ScanError, TableOptions};
pub use table::ProcessTable;

use linux::clock::Timestamp;

/// A process as documents show it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Process {
    /// Process id in the initial pid namespace.
    pub pid: u32,
    /// Start, boottime nanoseconds; cut to clock ticks when learnt from `/proc`.
    pub start_ns: u64,
    /// Start as wall time, by the clock as it was when the process became known.
    pub created: Timestamp,
    /// The parent at the last fork or exec; 0 if unknown or none.
    pub parent_pid: u32,
    /// Result of [`Identity::entity_id`].
    pub entity_id: Arc<str>,
    /// What it executes; shared with children that have not replaced it.
    pub image: Arc<Image>,
    /// When it began to execute `image`, boottime nanoseconds; 0 if not seen.
    pub image_since: u64,
    /// Cgroup v2 id (inode number of the directory); 0 if unknown.
    pub cgroup_id: u64,
    /// Cgroup v2 path, or the path in systemd's hierarchy on a host without.
    pub cgroup_path: Option<Arc<str>>,
    /// The container it is in.
    pub container: Option<Arc<Container>>,
}
