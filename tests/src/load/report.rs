//! Figures in words.

use std::time::Duration;

/// Bytes as MiB.
pub(super) fn mib(bytes: u64) -> String {
    format!("{:.1} MiB", bytes as f64 / f64::from(1 << 20))
}

/// A share of a core.
pub(super) fn percent(cpu: Duration, time: Duration) -> String {
    format!("{:.2} %", 100.0 * cpu.as_secs_f64() / time.as_secs_f64())
}
