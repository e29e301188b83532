//! Samples that never arrived.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

/// Pause between two warnings of lost samples.
const WARN: Duration = Duration::from_secs(10);
/// Remedy for lost samples.
pub(super) const LOST: &str =
    "packets are missing; raise socket.ring_size_exponent, or give the agent more CPU";

/// Samples that the kernel had no room for.
#[derive(Debug)]
pub(super) struct Losses {
    /// How many, by CPU.
    pub(super) by_cpu: BTreeMap<u32, u64>,
    notices: u64,
    notices_most: u64,
    /// Records that are none of a kind that was asked for.
    pub(super) unreadable: u64,
    warned: Option<Instant>,
}

// === impl Losses ===

impl Losses {
    /// No losses yet; at most so many are logged.
    pub(super) fn new(notices_most: u64) -> Self {
        Self { by_cpu: BTreeMap::new(), notices: 0, notices_most, unreadable: 0, warned: None }
    }

    /// Counts samples of a CPU, and warns of them now and then.
    pub(super) fn add(&mut self, cpu: u32, count: u64) {
        *self.by_cpu.entry(cpu).or_default() += count;
        self.notices += 1;
        if self.notices <= self.notices_most && self.warned.is_none_or(|at| at.elapsed() > WARN) {
            self.warned = Some(Instant::now());
            log::warn!(target: "sensor", "CPU {cpu}: {count} samples lost: {LOST}");
        }
    }
}
