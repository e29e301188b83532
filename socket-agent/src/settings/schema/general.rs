//! Options at the top level that are not about modules or outputs.

use crate::{services::Metrics, settings::types::Reload};
use config::rows::{Bounds::AboveZero, Kind::*, Setting, used};

/// Settings at the top level.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::settings) struct General {
    /// Whether a part that is configured and cannot run ends the start.
    pub(in crate::settings) strict: bool,
    pub(in crate::settings) metrics: Metrics,
    pub(in crate::settings) module_files: ModuleFiles,
    pub(in crate::settings) reload: Reload,
}

/// `auditbeat.config.modules`: files with more modules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::settings) struct ModuleFiles {
    pub(in crate::settings) enabled: bool,
    /// A path, or a pattern that fits several.
    pub(in crate::settings) path: Option<String>,
}

/// The key that leads to the settings of [`ModuleFiles`].
pub(in crate::settings) const MODULE_FILES: &str = "auditbeat.config.modules";
/// The key that says whether a part that is configured and cannot run ends the start.
pub const STRICT: &str = "strict";

/// Keys at the top level.
#[rustfmt::skip]
pub(in crate::settings) static GENERAL: &[Setting<General>] = &[
    used(STRICT, "true", Switch(|c, v| c.strict = v),
        "Whether a module, dataset, output or processor that is configured and cannot run ends the start."),
    used("auditbeat.config.modules.enabled", "true", Switch(|c, v| c.module_files.enabled = v),
        "Whether files with more modules are read."),
    used("auditbeat.config.modules.path", "", Text(|c, v| c.module_files.path = Some(v.to_owned())),
        "Files with more modules, each a list of them; * and ? in a name stand for several, taken in order."),
    used("auditbeat.config.modules.reload.enabled", "false", Switch(|c, v| c.reload.enabled = v),
        "Whether all configuration files are looked at regularly, as on SIGHUP, and what changed in them takes effect."),
    used("auditbeat.config.modules.reload.period", "10s", Duration(AboveZero, |c, v| c.reload.period = v),
        "Pause between two such looks."),
    used("logging.metrics.enabled", "true", Switch(|c, v| c.metrics.enabled = v),
        "Whether counters that have changed are logged from time to time."),
    used("logging.metrics.period", "30s", Duration(AboveZero, |c, v| c.metrics.period = v),
        "Pause between two such lines."),
];

impl Default for General {
    fn default() -> Self {
        Self {
            strict: true,
            metrics: Metrics::default(),
            module_files: ModuleFiles { enabled: true, path: None },
            reload: Reload::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn written_defaults_are_the_real_ones() {
        let mut general = General {
            strict: false,
            metrics: Metrics { enabled: false, period: std::time::Duration::ZERO },
            module_files: ModuleFiles { enabled: false, path: None },
            reload: Reload { enabled: true, period: std::time::Duration::ZERO },
        };
        for setting in GENERAL.iter().filter(|setting| !setting.default.is_empty()) {
            assert!(setting.kind.apply(&mut general, setting.default).is_ok(), "{}", setting.key);
        }
        assert_eq!(general, General::default());
    }
}
