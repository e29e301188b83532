//! Metrics with their values at one moment.

use alloc::vec::Vec;

use crate::Metric;

/// Values at one moment, each metric once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Values(Vec<(&'static Metric, u64)>);

// === impl Values ===

impl Values {
    /// Adds a value. That of a metric which is there already, as it is counted in two places, is added
    /// to that.
    pub fn add(&mut self, metric: &'static Metric, value: u64) {
        match self.0.iter_mut().find(|(known, _)| known.name == metric.name) {
            Some((_, sum)) => *sum += value,
            None => self.0.push((metric, value)),
        }
    }

    /// The value of a metric, by its name.
    pub fn get(&self, name: &str) -> Option<u64> {
        self.iter().find(|(metric, _)| metric.name == name).map(|(_, value)| value)
    }

    /// All of them, in the order in which they were added.
    pub fn iter(&self) -> impl Iterator<Item = (&'static Metric, u64)> + '_ {
        self.0.iter().copied()
    }

    /// Those of the metrics that are wanted.
    #[must_use]
    pub fn only(&self, wanted: impl Fn(&Metric) -> bool) -> Self {
        Self(self.iter().filter(|(metric, _)| wanted(metric)).collect())
    }

    /// Whether there are no values.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Extend<(&'static Metric, u64)> for Values {
    fn extend<T: IntoIterator<Item = (&'static Metric, u64)>>(&mut self, values: T) {
        for (metric, value) in values {
            self.add(metric, value);
        }
    }
}

impl FromIterator<(&'static Metric, u64)> for Values {
    fn from_iter<T: IntoIterator<Item = (&'static Metric, u64)>>(values: T) -> Self {
        let mut all = Self::default();
        all.extend(values);
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    crate::metrics! {
        /// For tests.
        METRICS;
        LOST = Loss {
            name: "lost",
            unit: "records",
            counts: "records lost",
            missing: "those records",
            remedy: "none",
        };
        DONE = Total { name: "done", unit: "records", counts: "records taken" };
    }

    #[test]
    fn what_is_counted_in_two_places_is_one_value() {
        let values: Values = [(&LOST, 2), (&DONE, 5), (&LOST, 3)].into_iter().collect();
        assert_eq!(values.iter().map(|(metric, _)| *metric).collect::<Vec<_>>(), METRICS);
        assert_eq!(
            (values.get("lost"), values.get("done"), values.get("x")),
            (Some(5), Some(5), None)
        );
        assert!(!values.only(|metric| metric.name == "done").is_empty());
    }

    #[test]
    fn a_loss_says_what_is_missing_and_a_total_does_not() {
        assert!(!Metric { missing: "", ..LOST }.is_complete());
        assert!(!Metric { remedy: "", ..LOST }.is_complete());
        assert!(!Metric { remedy: "none", ..DONE }.is_complete());
        assert!(!Metric { unit: "", ..DONE }.is_complete());
    }
}
