//! Keeps the relation of the kernel's clock to the wall clock.

use std::time::{Duration, Instant};

use linux::clock::Clock;

/// The relation that is in use, and when to measure it again.
pub(super) struct WallClock {
    clock: Clock,
    period: Duration,
    max_drift: Duration,
    measured: Instant,
    steps: u64,
}

impl WallClock {
    pub(super) fn new(clock: Clock, period: Duration, max_drift: Duration) -> Self {
        Self { clock, period, max_drift, measured: Instant::now(), steps: 0 }
    }

    /// The relation as last measured.
    pub(super) fn get(&self) -> Clock {
        self.clock
    }

    /// Changes larger than the drift that is tolerated.
    pub(super) fn steps(&self) -> u64 {
        self.steps
    }

    pub(super) fn is_due(&self) -> bool {
        self.measured.elapsed() >= self.period
    }

    /// From now on times are converted by `now`, unless the two differ by no more than they can be off:
    /// the same moment is then always given by the same text. A change beyond the drift that is
    /// tolerated is logged: somebody has set the clock.
    pub(super) fn synchronise(&mut self, now: Clock) {
        self.measured = Instant::now();
        let moved = now.moved_since(&self.clock);
        if moved.size() <= now.uncertainty() + self.clock.uncertainty() {
            return;
        }
        if moved.size() > self.max_drift {
            self.steps += 1;
            log::warn!(
                target: "clock",
                "the wall clock was set: {moved} within {}; times of flows are given by the new \
                 time from now on",
                humantime::format_duration(self.period)
            );
        }
        self.clock = now;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use linux::clock::Timestamp;

    const MILLI: i64 = 1_000_000;

    fn at(millis: i64) -> Clock {
        Clock::fixed(Timestamp::from_nanos(millis * MILLI))
    }

    #[test]
    fn what_cannot_be_told_from_a_bad_measurement_changes_nothing() {
        let first = Clock::now();
        let mut clock = WallClock::new(first, Duration::from_secs(10), Duration::from_millis(100));
        let within = first.shifted(first.uncertainty());
        clock.synchronise(within);
        assert_eq!(clock.get(), first);
        let beyond = first.shifted(2 * first.uncertainty() + Duration::from_nanos(1));
        clock.synchronise(beyond);
        assert_eq!((clock.get(), clock.steps()), (beyond, 0));
    }

    #[test]
    fn a_drift_is_followed_and_a_step_counted() {
        let mut clock = WallClock::new(at(0), Duration::from_secs(10), Duration::from_millis(100));
        assert!(!clock.is_due());
        for (now, steps) in [(100, 0), (201, 1), (101, 1), (-3_600_000, 2), (-3_600_001, 2)] {
            clock.synchronise(at(now));
            assert_eq!((clock.get(), clock.steps()), (at(now), steps), "{now}");
        }
    }
}
