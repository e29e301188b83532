//! Gives memory back to the system.
//!
//! The C library keeps what is freed below the last block in use, and the agent's needs come in
//! peaks: the kernel's type information at the start, many closed connections at a time later.

/// Held flows below which a peak is not worth the work.
const PEAK: usize = 4096;

/// Knows when much was freed.
#[derive(Debug, Default)]
pub(super) struct Memory {
    peak: usize,
}

impl Memory {
    /// That many flows are held now.
    pub(super) fn holds(&mut self, flows: usize) {
        self.peak = self.peak.max(flows);
        if self.peak > PEAK && flows < self.peak / 4 {
            self.peak = flows;
            trim();
        }
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
