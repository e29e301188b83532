//! What a valid configuration holds.

use std::{path::PathBuf, time::Duration};

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
    /// Where documents go, `output.console` or `output.file`.
    pub output: OutputTarget,
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

/// Where documents go, one JSON object per line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum OutputTarget {
    /// Standard output.
    #[default]
    Stdout,
    /// Appended to this file.
    File(PathBuf),
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
            output: OutputTarget::default(),
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
