//! What a process table is given, and what it reports about itself.

use std::{io, path::PathBuf, time::Duration};

/// Sizes and times of a [`ProcessTable`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TableOptions {
    /// Processes that are kept, running or gone.
    pub capacity: usize,
    /// How long a process is kept after it is gone, as its flows are reported later.
    pub grace: Duration,
    /// How many that are gone for longer are kept all the same: a descriptor handed to another
    /// process keeps a flow alive after its owner.
    pub keep_exited: usize,
}

/// What has happened since the start. Nothing here means that a flow was lost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ProcessCounters {
    /// Processes that were gone but not yet out of their grace time when room was needed.
    pub evicted_exited: u64,
    /// Running processes dropped for lack of room; `/proc` still has them.
    pub evicted_running: u64,
    /// Owners that had to be read from `/proc` because no record of them was seen.
    pub read_late: u64,
    /// Owners of whom only the kernel's short name is known.
    pub unresolved: u64,
    /// Images with cut arguments.
    pub args_truncated: u64,
}

/// `/proc` cannot be listed.
#[derive(Debug, thiserror::Error)]
#[error(
    "cannot list the processes in {}: {source}; mount proc there, in the host's pid namespace",
    path.display()
)]
pub struct ScanError {
    pub(super) path: PathBuf,
    pub(super) source: io::Error,
}

// === impl TableOptions ===

impl Default for TableOptions {
    fn default() -> Self {
        Self { capacity: 65_536, grace: Duration::from_secs(120), keep_exited: 4_096 }
    }
}
