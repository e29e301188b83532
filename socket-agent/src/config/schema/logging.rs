//! Options of the log.

use super::{Bounds::AboveZero, Kind::*, Setting, used};
use crate::config::settings::Metrics;

/// Keys of `logging.metrics`.
#[rustfmt::skip]
pub(in crate::config) static METRICS: &[Setting<Metrics>] = &[
    used("logging.metrics.enabled", "true", Switch(|c, v| c.enabled = v),
        "Whether counters that have changed are logged from time to time."),
    used("logging.metrics.period", "30s", Duration(AboveZero, |c, v| c.period = v),
        "Pause between two such lines."),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn written_defaults_are_the_real_ones() {
        let mut metrics = Metrics { enabled: false, period: std::time::Duration::ZERO };
        for setting in METRICS {
            assert!(setting.kind.apply(&mut metrics, setting.default).is_ok(), "{}", setting.key);
        }
        assert_eq!(metrics, Metrics::default());
    }
}
