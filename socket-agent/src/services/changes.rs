//! The line about counters that have changed.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use serde_json::Value;

/// Named values, sums since the start.
type Values = Vec<(&'static str, u64)>;

/// `logging.metrics`: a line of the counters that changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Metrics {
    /// `logging.metrics.enabled`.
    pub enabled: bool,
    /// `logging.metrics.period`.
    pub period: Duration,
}

/// Tells from time to time which counters have changed.
pub(crate) struct Changes {
    /// `None` if nothing is told.
    period: Option<Duration>,
    looked: Instant,
    told: HashMap<&'static str, u64>,
}

impl Changes {
    pub(crate) fn new(options: &Metrics) -> Self {
        let period = options.enabled.then_some(options.period);
        Self { period, looked: Instant::now(), told: HashMap::new() }
    }

    pub(crate) fn is_due(&self) -> bool {
        self.period.is_some_and(|period| self.looked.elapsed() >= period)
    }

    /// Logs the values that have changed since the last call, if any has.
    pub(crate) fn log(&mut self, values: Values) {
        self.looked = Instant::now();
        let changed = self.changed(values);
        if !changed.is_empty() {
            log::info!(target: "sensor", "changed {}", line(changed));
        }
    }

    fn changed(&mut self, values: Values) -> Values {
        let mut changed = values;
        changed.retain(|(name, value)| {
            let before = self.told.insert(name, *value).unwrap_or(0);
            before != *value
        });
        changed
    }
}

/// One JSON object.
pub(crate) fn line(values: Values) -> Value {
    values.into_iter().map(|(name, value)| (name.to_owned(), Value::from(value))).collect()
}

// === impl Metrics ===

impl Default for Metrics {
    fn default() -> Self {
        Self { enabled: true, period: Duration::from_secs(30) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_what_changed_with_its_sum() {
        let mut changes = Changes::new(&Metrics::default());
        assert_eq!(changes.changed(vec![("spilled", 0), ("documents", 4)]), [("documents", 4)]);
        assert_eq!(changes.changed(vec![("spilled", 0), ("documents", 4)]), []);
        assert_eq!(
            changes.changed(vec![("spilled", 2), ("documents", 5)]),
            [("spilled", 2), ("documents", 5)]
        );
    }

    #[test]
    fn is_due_only_if_enabled() {
        let period = Duration::ZERO;
        assert!(Changes::new(&Metrics { enabled: true, period }).is_due());
        assert!(!Changes::new(&Metrics { enabled: false, period }).is_due());
    }
}
