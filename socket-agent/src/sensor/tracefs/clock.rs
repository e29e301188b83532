//! From the clock of the samples to boottime.

use std::time::{Duration, Instant};

use crate::sensor::perf::{self, Attr, ClockSource, Event};
use linux::clock::Clock;

/// The relation of the samples' clock to boottime, measured anew from time to time.
pub(super) struct SampleClock {
    source: ClockSource,
    /// Boottime minus the samples' clock, nanoseconds.
    offset: i64,
    tolerance: Duration,
    period: Duration,
    measured: Instant,
}

impl SampleClock {
    /// Measures. `tolerance` is how far the clocks may drift apart before the relation is changed,
    /// `period` how often that is looked at.
    pub(super) fn new(source: ClockSource, tolerance: Duration, period: Duration) -> Self {
        let offset = measure(source).unwrap_or(0);
        Self { source, offset, tolerance, period, measured: Instant::now() }
    }

    /// Boottime of a sample, nanoseconds.
    pub(super) fn boottime(&self, sample: u64) -> u64 {
        sample.saturating_add_signed(self.offset)
    }

    /// The samples' clock at a boottime.
    pub(super) fn sample(&self, boottime: u64) -> u64 {
        boottime.saturating_add_signed(-self.offset)
    }

    /// Measures again when it is time.
    pub(super) fn synchronise(&mut self) {
        if self.measured.elapsed() < self.period {
            return;
        }
        self.measured = Instant::now();
        let Some(offset) = measure(self.source) else { return };
        let drift = Duration::from_nanos(offset.abs_diff(self.offset));
        if drift > self.tolerance {
            log::info!(target: "sensor", "the clock of samples was {drift:?} off; corrected");
            self.offset = offset;
        }
    }
}

fn measure(source: ClockSource) -> Option<i64> {
    match source {
        ClockSource::Monotonic => {
            // Read one after the other, they may seem to run the other way round.
            Some(Clock::now().boottime_of_monotonic(1 << 62).cast_signed() - (1 << 62))
        }
        ClockSource::Scheduler => {
            let event = Attr::page_faults().open(None).ok()?;
            measure_scheduler(&event)
        }
    }
}

/// Makes a page fault and compares the time in its sample with boottime around it.
fn measure_scheduler(event: &Event) -> Option<i64> {
    let mut best: Option<(u64, i64)> = None;
    for _ in 0..8 {
        let (before, sample, after) = perf::fault_time(event)?;
        let window = after.saturating_sub(before);
        let middle = before + window / 2;
        let offset = i64::try_from(i128::from(middle) - i128::from(sample)).ok()?;
        if best.is_none_or(|(tightest, _)| window < tightest) {
            best = Some((window, offset));
        }
    }
    best.map(|(_, offset)| offset)
}
