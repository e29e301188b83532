//! Types of a valid configuration.

use std::time::Duration;

use crate::{
    datasets::{self, Configured},
    services::Metrics,
};

/// The dataset that runs without any file.
const BUILT_IN: &str = "socket";

/// Everything that can be set. The default is what runs without any file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// The datasets that run, each with its options, in the order of their registrations.
    pub datasets: Vec<Configured>,
    /// Where documents go, each with its options; at least one.
    pub outputs: Vec<outputs::Configured>,
    /// What every document goes through, in this order.
    pub processors: Vec<processors::Configured>,
    /// `logging.metrics`.
    pub metrics: Metrics,
    /// `auditbeat.config.modules.reload`.
    pub reload: Reload,
}

/// `auditbeat.config.modules.reload`: regular looks at the configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reload {
    /// `auditbeat.config.modules.reload.enabled`.
    pub enabled: bool,
    /// `auditbeat.config.modules.reload.period`.
    pub period: Duration,
}

// === impl Config ===

impl Config {
    /// Options of the dataset that has options of this type, if it runs.
    pub fn options<T: 'static>(&self) -> Option<&T> {
        self.datasets.iter().find_map(Configured::options)
    }
}

impl Default for Config {
    fn default() -> Self {
        let built_in = datasets::named(BUILT_IN).map(|dataset| dataset.with_defaults());
        Self {
            datasets: built_in.into_iter().collect(),
            outputs: default_outputs(),
            processors: Vec::new(),
            metrics: Metrics::default(),
            reload: Reload::default(),
        }
    }
}

// === impl Reload ===

impl Default for Reload {
    fn default() -> Self {
        Self { enabled: false, period: Duration::from_secs(10) }
    }
}

/// Where documents go if nothing says where: to standard output.
pub(super) fn default_outputs() -> Vec<outputs::Configured> {
    outputs::named("console").map(outputs::Registration::with_defaults).into_iter().collect()
}
