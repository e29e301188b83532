//! Limits of reassembly.

use std::time::Duration;

/// Limits of reassembly: how much may wait, and how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// Events that may wait for records; more drive out the oldest.
    pub max_in_flight: usize,
    /// How long an event without a sure end waits after its first record.
    pub timeout: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self { max_in_flight: 50, timeout: Duration::from_secs(2) }
    }
}
