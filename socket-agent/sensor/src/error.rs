//! What can go wrong between the agent and the kernel.

use std::path::PathBuf;

/// Why the sensor could not start or read.
#[derive(Debug, thiserror::Error)]
pub enum SensorError {
    /// Type information could not be read.
    #[error("{place}: cannot read BTF: {reason}; {remedy}")]
    Btf {
        /// File that was tried.
        place: PathBuf,
        /// Error of the reader.
        reason: String,
        /// Remedy.
        remedy: &'static str,
    },
    /// The kernel refused the object's maps or its relocations did not fit.
    #[error("eBPF object: {reason}; {remedy}")]
    Object {
        /// Error of the loader, on one line.
        reason: String,
        /// Remedy.
        remedy: String,
    },
    /// The kernel has no memory for the maps.
    #[error("eBPF object: {reason}; make the tables smaller, all of them: they take {tables}")]
    Memory {
        /// Error of the loader, on one line.
        reason: String,
        /// The options that say how much they take, with their values.
        tables: String,
    },
    /// The machine has too little memory to load programs at all.
    #[error(
        "eBPF object: {available} of this machine's memory are available, and to load the programs takes \
         {needed} and the tables; free some, or use the set tracefs"
    )]
    Machine {
        /// Memory that is available, with its unit.
        available: String,
        /// What there should be, without the tables.
        needed: String,
    },
    /// A hook that the set cannot do without was refused.
    #[error("hook set {set}: {hook}: {reason}; {remedy}")]
    Hook {
        /// Name of the set.
        set: &'static str,
        /// Program and what it is attached to.
        hook: String,
        /// Error of the kernel, on one line.
        reason: String,
        /// Remedy.
        remedy: &'static str,
    },
    /// The tracing file system cannot be used.
    #[error("hook set tracefs: {place}: {reason}; {remedy}")]
    Tracing {
        /// File or directory.
        place: PathBuf,
        /// Reason.
        reason: String,
        /// Remedy.
        remedy: &'static str,
    },
    /// There is no cgroup v2 hierarchy to attach to.
    #[error(
        "hook set cgroup: no cgroup v2 hierarchy is mounted; mount one with \
         `mount -t cgroup2 none /sys/fs/cgroup/unified`, or choose another set with --hooks"
    )]
    NoCgroup,
    /// Reading a table failed.
    #[error("eBPF map {map}: {source}")]
    Map {
        /// Name of the map.
        map: &'static str,
        /// Error of the kernel.
        source: std::io::Error,
    },
}

/// A hook that could not be attached, and what is less exact without it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Degraded {
    /// Program and what it is attached to.
    pub hook: String,
    /// Reason.
    pub reason: String,
    /// Effect on the documents.
    pub effect: &'static str,
}

// === impl Degraded ===

impl Degraded {
    /// Whether packets are missing without the hook. Each effect that is one of counts says so by this word.
    pub fn loses_packets(&self) -> bool {
        self.effect.contains("not counted")
    }
}

/// Longest reason that is shown, in characters.
#[cfg(feature = "ebpf")]
const LONGEST: usize = 400;

/// An error and its causes on one line.
#[cfg(feature = "ebpf")]
pub(super) fn one_line(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let inner_text = inner.to_string();
        if !text.contains(&inner_text) {
            text.push_str(": ");
            text.push_str(&inner_text);
        }
        cause = inner.source();
    }
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    // The verifier says what is wrong at the end of its long log.
    let skipped = line.chars().count().saturating_sub(LONGEST);
    if skipped == 0 {
        line
    } else {
        format!("... {}", line.chars().skip(skipped).collect::<String>())
    }
}
