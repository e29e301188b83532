//! Counters of records and events.

/// Totals since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Records taken.
    pub records: u64,
    /// Events given out.
    pub events: u64,
    /// Number of these events whose end was certain.
    pub complete: u64,
    /// Events given out because they had waited for too long. Those that are alone, such as a
    /// CONFIG_CHANGE without a system call, have no other end.
    pub timed_out: u64,
    /// Events driven out by newer ones.
    pub evicted: u64,
    /// Records that were more than an event may have; not given out.
    pub cut: u64,
    /// Records of events that had left as whole; not given out.
    pub late: u64,
    /// Records that came twice; given out once.
    pub duplicates: u64,
    /// Events given out as two, because the second part came after the timeout, or after the first
    /// was driven out.
    pub resumed: u64,
    /// Gaps in the sequence.
    pub gaps: u64,
    /// Numbers missing in these gaps: events that never came.
    pub lost: u64,
    /// How often the sequence began anew: reboots.
    pub restarts: u64,
}
