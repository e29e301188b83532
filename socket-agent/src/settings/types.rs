//! What a valid configuration holds.

use std::{path::PathBuf, time::Duration};

use audit::AuditConfig;
use sensor::SocketConfig;

/// Everything that can be set. The default is what runs without any file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Settings of the socket dataset; `None` if it does not run.
    pub socket: Option<SocketConfig>,
    /// Settings of the audit dataset; `None` if it does not run.
    pub audit: Option<AuditConfig>,
    /// Where documents go, `output.console` or `output.file`.
    pub output: OutputTarget,
    /// `logging.metrics`.
    pub metrics: Metrics,
}

/// `logging.metrics`: a line of the counters that changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Metrics {
    /// `logging.metrics.enabled`.
    pub enabled: bool,
    /// `logging.metrics.period`.
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

impl Default for Config {
    fn default() -> Self {
        Self {
            socket: Some(SocketConfig::default()),
            audit: None,
            output: OutputTarget::default(),
            metrics: Metrics::default(),
        }
    }
}

// === impl Metrics ===

impl Default for Metrics {
    fn default() -> Self {
        Self { enabled: true, period: Duration::from_secs(30) }
    }
}
