//! The register of counters and gauges.

#[cfg(test)]
mod page;
use metrics::Metric;

use crate::datasets;

/// Metrics of one part of the agent.
#[derive(Clone, Copy, Debug)]
pub struct MetricGroup {
    /// The heading in `docs/losses.md`.
    pub title: &'static str,
    /// Lists of those that are declared together.
    pub metrics: &'static [&'static [Metric]],
}

/// All metrics of the agent. One that is declared elsewhere is missing in the documentation: a list of
/// metrics gets its line here.
pub const REGISTER: [MetricGroup; 4] = [
    MetricGroup { title: "Kernel", metrics: &[socket_common::METRICS] },
    MetricGroup {
        title: "Agent",
        metrics: &[
            sensor::METRICS,
            flow::METRICS,
            datasets::METRICS,
            processes::METRICS,
            linux::accounts::METRICS,
        ],
    },
    MetricGroup { title: "Audit", metrics: &[audit::metrics::METRICS] },
    MetricGroup { title: "Output", metrics: &[pipeline::METRICS] },
];

/// All metrics, one after the other.
pub fn register() -> impl Iterator<Item = &'static Metric> {
    REGISTER.iter().flat_map(|group| group.metrics.iter().copied().flatten())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn names_are_unique_words() {
        let mut names = BTreeSet::new();
        for Metric { name, .. } in register() {
            assert!(names.insert(name), "{name} is there twice");
            let plain =
                |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
            assert!(name.bytes().all(plain), "{name}");
        }
    }
}
