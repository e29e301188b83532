//! The sensor's records without those of its own test.

use std::time::{Duration, Instant};

use sensor::{Event, Records, SelfTest};

/// Nothing of the test is told later than this.
const TEST: Duration = Duration::from_secs(10);

/// Reader of the sensor's records, without those of its own test.
pub(super) struct Reader {
    records: Box<dyn Records>,
    /// Until nothing can come of it any more.
    test: Option<SelfTest>,
    since: Instant,
}

// === impl Reader ===

impl Reader {
    pub(super) fn new(records: Box<dyn Records>, test: Option<SelfTest>) -> Self {
        Self { records, test, since: Instant::now() }
    }

    /// The next record that is not of the agent's own test; those that came during the test are first.
    pub(super) fn next(&mut self) -> Option<Event> {
        let Self { records, test, since } = self;
        let Some(running) = test else { return records.next_event() };
        loop {
            let Some(event) = running.held.pop_front().or_else(|| records.next_event()) else {
                if since.elapsed() >= TEST {
                    *test = None;
                }
                return None;
            };
            if !running.is_own(&event) {
                return Some(event);
            }
        }
    }

    /// Finishes reading, as [`Records::finish`] does.
    pub(super) fn finish(&mut self) {
        self.records.finish();
    }
}
