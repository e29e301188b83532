//! Lines of the log about metrics: those that changed, losses with their remedy, and all at the end.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use metrics::{Class, Metric, Values};
use serde_json::Value;

/// `logging.metrics`: a line of the counters that changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Metrics {
    /// `logging.metrics.enabled`.
    pub enabled: bool,
    /// `logging.metrics.period`.
    pub period: Duration,
}

/// What one part of the agent reports of itself: now and then what changed, at the end everything.
#[derive(Debug)]
pub(crate) struct Report {
    /// The target in the log.
    target: &'static str,
    /// Whether changes are logged. Losses always are.
    changes: bool,
    period: Duration,
    looked: Instant,
    known: HashMap<&'static str, Known>,
}

/// Values of a metric that were logged.
#[derive(Clone, Copy, Debug, Default)]
struct Known {
    value: u64,
    /// The value that the last warning had.
    warned: u64,
}

// === impl Metrics ===

impl Default for Metrics {
    fn default() -> Self {
        Self { enabled: true, period: Duration::from_secs(30) }
    }
}

// === impl Report ===

impl Report {
    /// One that has logged nothing.
    pub(crate) fn new(target: &'static str, options: &Metrics) -> Self {
        let Metrics { enabled, period } = *options;
        let known = HashMap::new();
        Self { target, changes: enabled, period, looked: Instant::now(), known }
    }

    /// When [`log`](Self::log) is to be called next.
    pub(crate) fn due(&self) -> Instant {
        self.looked + self.period
    }

    /// Whether the report is due.
    pub(crate) fn is_due(&self) -> bool {
        Instant::now() >= self.due()
    }

    /// Logs what has changed since the last call, and warns of losses.
    pub(crate) fn log(&mut self, values: &Values) {
        self.looked = Instant::now();
        self.warn(values);
        let changed = self.changed(values);
        if self.changes && !changed.is_empty() {
            log::info!(target: self.target, "changed {}", line(&changed));
        }
    }

    /// Logs all that was done and counted, and warns of losses.
    pub(crate) fn finish(&mut self, values: &Values) {
        self.warn(values);
        let totals = values.only(|metric| metric.class == Class::Total);
        let counters = values.only(|metric| matches!(metric.class, Class::Loss | Class::Notice));
        log::info!(target: self.target, "totals {}", line(&totals));
        log::info!(target: self.target, "counters {}", line(&counters));
    }

    /// Those that have changed. Gauges, which change all the time, only if a counter has.
    fn changed(&mut self, values: &Values) -> Values {
        let mut changed = Values::default();
        for (metric, value) in values.iter() {
            let known = self.known.entry(metric.name).or_default();
            if known.value != value {
                known.value = value;
                changed.add(metric, value);
            }
        }
        let only_gauges = changed.iter().all(|(metric, _)| metric.class == Class::Gauge);
        if only_gauges { Values::default() } else { changed }
    }

    fn warn(&mut self, values: &Values) {
        for (metric, value) in values.iter() {
            if let Some(text) = self.warning(metric, value) {
                log::warn!(target: self.target, "{text}");
            }
        }
    }

    /// What is to be said of a loss: of the first, and whenever its sum has doubled, so that one that goes
    /// on does not fill the log.
    fn warning(&mut self, metric: &Metric, value: u64) -> Option<String> {
        let known = self.known.entry(metric.name).or_default();
        if metric.class != Class::Loss || value == 0 || value < known.warned.saturating_mul(2) {
            return None;
        }
        known.warned = value;
        let Metric { name, counts, missing, remedy, .. } = metric;
        let text = format!("{name} {value}: {counts}; missing: {missing}; remedy: {remedy}");
        Some(text.replace('`', ""))
    }
}

/// One JSON object.
fn line(values: &Values) -> Value {
    values.iter().map(|(metric, value)| (metric.name.to_owned(), Value::from(value))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    metrics::metrics! {
        /// For tests.
        METRICS;
        LOST = Loss {
            name: "lost",
            unit: "records",
            counts: "records that found the `TABLE` full",
            missing: "those records",
            remedy: "raise `table`",
        };
        SPILLED = Notice {
            name: "spilled",
            unit: "records",
            counts: "records that took another way",
            missing: "nothing",
            remedy: "none",
        };
        DOCUMENTS = Total { name: "documents", unit: "documents", counts: "documents written" };
        HELD = Gauge { name: "held", unit: "records", counts: "records held" };
    }

    fn report() -> Report {
        Report::new("test", &Metrics { enabled: true, period: Duration::from_secs(30) })
    }

    fn values(values: [u64; 4]) -> Values {
        METRICS.iter().zip(values).collect()
    }

    #[test]
    fn what_changed_has_its_sum() {
        let mut report = report();
        let mut changed = |now| line(&report.changed(&values(now))).to_string();
        assert_eq!(changed([0, 0, 4, 0]), r#"{"documents":4}"#);
        assert_eq!(changed([0, 0, 4, 0]), "{}");
        assert_eq!(changed([0, 2, 5, 0]), r#"{"documents":5,"spilled":2}"#);
        assert_eq!(changed([0, 2, 5, 7]), "{}", "a gauge alone");
        assert_eq!(changed([0, 2, 6, 8]), r#"{"documents":6,"held":8}"#);
    }

    #[test]
    fn a_loss_is_warned_of_with_its_remedy_and_again_when_it_has_doubled() {
        let mut report = report();
        assert_eq!(report.warning(&LOST, 0), None);
        assert_eq!(
            report.warning(&LOST, 3).as_deref(),
            Some(
                "lost 3: records that found the TABLE full; missing: those records; remedy: raise table"
            )
        );
        let warned = [3, 5, 6, 11, 12].map(|value| report.warning(&LOST, value).is_some());
        assert_eq!(warned, [false, false, true, false, true]);
        assert_eq!(report.warning(&SPILLED, 9), None, "nothing is lost");
    }

    #[test]
    fn it_is_due_after_its_period() {
        let options = Metrics { enabled: false, period: Duration::ZERO };
        assert!(Report::new("test", &options).is_due(), "losses are warned of");
        assert!(!report().is_due());
    }
}
