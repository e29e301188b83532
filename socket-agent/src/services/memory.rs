//! Gives memory back to the system.
//!
//! The C library keeps what is freed below the last block in use, and the agent's needs come in
//! peaks: the kernel's type information at the start, many closed connections at a time later.

/// Of what is worth giving back while more is freed this part is once nothing is any more.
const REST: u64 = 16;

/// Knows how much was freed since memory was given back last.
#[derive(Debug)]
pub(crate) struct Memory {
    worth: u64,
    freed: u64,
}

impl Memory {
    /// Gives memory back for each `worth` things that are freed, at whatever pace, and once more when it has become
    /// quiet after them.
    pub(crate) const fn new(worth: u64) -> Self {
        Self { worth, freed: 0 }
    }

    /// To be called every few seconds, with the number of things that were freed since; whether memory was given back.
    pub(crate) fn settle(&mut self, freed: u64) -> bool {
        self.freed += freed;
        let least = if freed == 0 { self.worth / REST } else { self.worth };
        let settles = self.freed >= least.max(1);
        if settles {
            self.freed = 0;
            trim();
        }
        settles
    }
}

/// Lets all threads share one heap. To be called before any other thread is started: the heap of another
/// thread cannot be cut at its end, and what the start needs would stay for ever.
pub(crate) fn share_heap() {
    #[cfg(target_env = "gnu")]
    // SAFETY: has no preconditions; a value that is refused changes nothing.
    unsafe {
        libc::mallopt(libc::M_ARENA_MAX, 1);
    }
}

/// Returns free pages to the system. Takes some milliseconds for a large heap.
pub(crate) fn trim() {
    #[cfg(target_env = "gnu")]
    // SAFETY: has no preconditions.
    unsafe {
        libc::malloc_trim(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_freed_slowly_counts_as_much_as_what_is_freed_at_once() {
        let mut memory = Memory::new(1000);
        let given_back = (0..100).filter(|_| memory.settle(100)).count();
        assert_eq!(given_back, 10);
        assert!(memory.settle(10_000));
    }

    #[test]
    fn the_rest_is_given_back_when_it_is_quiet() {
        let mut memory = Memory::new(1000);
        assert!(!memory.settle(500));
        assert!(memory.settle(0));
        assert!(!memory.settle(0), "nothing was freed since");
        assert!(!memory.settle(10));
        assert!(!memory.settle(0), "too little to look for");
    }
}
