//! Reports of what all datasets share: outputs, and names of users and groups.

use std::sync::Arc;

use linux::Accounts;
use metrics::Values;
use pipeline::{Pipeline, Stopped};

use crate::services::{Metrics, Report, Shared};

/// Reports of what all datasets share: outputs and names.
pub(super) struct CommonReports {
    output: Report,
    names: Report,
    accounts: Arc<Accounts>,
}

// === impl CommonReports ===

impl CommonReports {
    pub(super) fn new(options: &Metrics, shared: &Shared) -> Self {
        Self {
            output: Report::new("output", options),
            names: Report::new("names", options),
            accounts: Arc::clone(&shared.accounts),
        }
    }

    /// Waits until [`log`](Self::log) is to be called.
    pub(super) async fn due(&self) {
        tokio::time::sleep_until(self.output.due().into()).await;
    }

    /// Logs what has changed.
    pub(super) fn log(&mut self, pipeline: &Pipeline) {
        self.output.log(&pipeline.values());
        self.names.log(&names(&self.accounts));
    }

    /// Logs everything.
    pub(super) fn finish(&mut self, stopped: &Stopped) {
        self.names.finish(&names(&self.accounts));
        self.output.finish(&stopped.values());
    }
}

fn names(accounts: &Accounts) -> Values {
    accounts.counters().values().into_iter().collect()
}
