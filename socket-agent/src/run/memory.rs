//! Gives memory back to the system.
//!
//! The C library keeps what is freed below the last block in use, and the agent's needs come in
//! peaks: the kernel's type information at the start, many closed connections at a time later.

/// Reports between two looks that make a peak.
const PEAK: u64 = 1000;

/// Knows when much was freed.
#[derive(Debug, Default)]
pub(super) struct Memory {
    reported: u64,
    after_peak: bool,
}

impl Memory {
    /// To be called every few seconds, with the number of reports so far. What a peak has left is
    /// given back while it lasts and once after it.
    pub(super) fn settle(&mut self, reported: u64) {
        let peak = reported.saturating_sub(self.reported) > PEAK;
        self.reported = reported;
        if peak || self.after_peak {
            trim();
        }
        self.after_peak = peak;
    }
}

/// Lets all threads share one heap. To be called before any other thread is started: the heap of another
/// thread cannot be cut at its end, and what the start needs would stay for ever.
pub(super) fn share_heap() {
    #[cfg(target_env = "gnu")]
    // SAFETY: has no preconditions; a value that is refused changes nothing.
    unsafe {
        libc::mallopt(libc::M_ARENA_MAX, 1);
    }
}

/// Returns free pages to the system. Takes some milliseconds for a large heap.
pub(super) fn trim() {
    #[cfg(target_env = "gnu")]
    // SAFETY: has no preconditions.
    unsafe {
        libc::malloc_trim(0);
    }
}
