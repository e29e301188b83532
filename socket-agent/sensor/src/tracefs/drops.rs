//! Packets of which the probe on drops was skipped.
//!
//! A tracepoint reports the same drops, and is never skipped. What the kernel counts of the probe is no use: of all that
//! is dropped, most is no packet of a connection.

use std::collections::HashSet;

/// Drops that the tracepoint has not reported yet; no more are kept of those it never reports.
const MOST: usize = 1024;

/// Drops as probe and tracepoint report them.
#[derive(Debug, Default)]
pub(super) struct Drops {
    /// Buffers that the probe has seen dropped, by CPU.
    seen: HashSet<(u32, u64)>,
    missed: u64,
}

impl Drops {
    /// The probe reports a buffer.
    pub(super) fn probed(&mut self, cpu: u32, buffer: u64) {
        if self.seen.len() >= MOST {
            self.seen.clear();
        }
        self.seen.insert((cpu, buffer));
    }

    /// The tracepoint reports a buffer. It comes behind the probe.
    pub(super) fn traced(&mut self, cpu: u32, buffer: u64) {
        self.missed += u64::from(!self.seen.remove(&(cpu, buffer)));
    }

    /// Drops that the probe was skipped for.
    pub(super) fn missed(&self) -> u64 {
        self.missed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drops_that_only_the_tracepoint_tells_of_were_skipped() {
        let mut drops = Drops::default();
        drops.probed(0, 7);
        drops.traced(0, 7);
        assert_eq!(drops.missed(), 0);
        drops.probed(1, 7);
        drops.traced(0, 7);
        assert_eq!(drops.missed(), 1);
    }
}
