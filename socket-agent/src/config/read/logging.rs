//! `logging`: what the log tells.

use super::{Reader, table::Allowed};
use crate::config::{schema, settings::Metrics, tree::Entry};

const METRICS: &str = "logging.metrics";

impl Reader<'_> {
    pub(super) fn logging(&mut self, entry: &Entry) -> Metrics {
        let mut metrics = Metrics::default();
        let entries = self.mapping("logging", &entry.at, &entry.node).unwrap_or_default();
        for entry in entries {
            let key = format!("logging.{}", entry.key);
            if key == METRICS {
                let entries = self.mapping(&key, &entry.at, &entry.node).unwrap_or_default();
                let allowed = Allowed { table: schema::METRICS, ignored: &[], handled: &[] };
                self.table(&allowed, &format!("{key}."), entries, &mut metrics);
            } else if schema::LOGGING.contains(&key.as_str()) {
                self.not_used(&key, &entry.at);
            } else {
                let known = schema::LOGGING.iter().copied().chain([METRICS]);
                self.unknown(&key, entry, known);
            }
        }
        metrics
    }
}
