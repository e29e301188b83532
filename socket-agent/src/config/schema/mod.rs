//! Which options there are. A new option is one row in a table here.

mod auditd;
mod kind;
mod known;
mod logging;
mod output;
mod socket;

pub(super) use auditd::{AUDITD, RULE_FILES, RULES};
pub(super) use kind::{Bounds, Kind, Refused};
pub(super) use known::{
    AUDITBEAT, LOGGING, MODULE_KEYS, OTHER_MODULES, OUTPUTS, ROOT, SYSTEM_DATASETS, SYSTEM_KEYS,
};
pub(super) use logging::METRICS;
pub(super) use output::{CONSOLE, Console, FILE, FileOutput};
pub(super) use socket::SOCKET;

/// One option of settings that are collected in a `T`.
pub(super) struct Setting<T: 'static> {
    /// Dotted, from the level at which the table is used.
    pub(super) key: &'static str,
    /// As it would be written; empty if unset means something else than any value.
    pub(super) default: &'static str,
    /// Type, range, and where the value goes.
    pub(super) kind: Kind<T>,
    /// Whether this version does anything with it.
    pub(super) used: bool,
    /// Meaning, one sentence.
    pub(super) doc: &'static str,
}

/// An option that has an effect.
pub(super) const fn used<T>(
    key: &'static str,
    default: &'static str,
    kind: Kind<T>,
    doc: &'static str,
) -> Setting<T> {
    Setting { key, default, kind, used: true, doc }
}

/// An option that is checked and then ignored with a warning.
pub(super) const fn unused<T>(
    key: &'static str,
    default: &'static str,
    kind: Kind<T>,
    doc: &'static str,
) -> Setting<T> {
    Setting { key, default, kind, used: false, doc }
}

/// What there is to know about one option.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Described {
    /// As written in a module, or at the top level for outputs.
    pub key: &'static str,
    /// As it would be written; empty where unset means something else than any value.
    pub default: &'static str,
    /// Type and range.
    pub allowed: String,
    /// Whether this version does anything with it.
    pub used: bool,
    /// Meaning, one sentence.
    pub doc: &'static str,
}

/// All options that are checked, in the order of the documentation.
pub fn options() -> Vec<Described> {
    fn describe<T>(table: &'static [Setting<T>]) -> impl Iterator<Item = Described> {
        table.iter().map(|setting| {
            let Setting { key, default, kind, used, doc } = setting;
            Described { key, default, allowed: kind.allowed(), used: *used, doc }
        })
    }
    describe(SOCKET)
        .chain(describe(AUDITD))
        .chain(describe(CONSOLE))
        .chain(describe(FILE))
        .chain(describe(METRICS))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sensor::SocketConfig;

    #[test]
    fn written_defaults_are_the_real_ones() {
        let mut config = SocketConfig::default();
        // Values that no row has as its default, so that a row without effect is noticed.
        config.tables.flows = 1;
        config.tables.peers = 1;
        config.tables.owners = 1;
        config.tables.pending = 1;
        config.tables.late = 1;
        config.tables.spill = 1;
        config.tables.ring = 1;
        config.flow_inactive_timeout = std::time::Duration::ZERO;
        config.flow_termination_timeout = std::time::Duration::ZERO;
        config.socket_inactive_timeout = std::time::Duration::ZERO;
        config.flow_report_period = std::time::Duration::ZERO;
        config.clock_sync_period = std::time::Duration::ZERO;
        config.clock_max_drift = std::time::Duration::ZERO;
        config.hooks = crate::sensor::HookSet::Kprobe;
        config.dns = crate::sensor::DnsConfig {
            enabled: false,
            kind: crate::sensor::DnsType::Cgroup,
            names: 1,
            minimum_ttl: std::time::Duration::ZERO,
            interface: String::new(),
            snaplen: 1,
            ring: 1,
            namespaces: 1,
        };
        config.events = crate::sensor::SocketEvents::Off;
        config.module_state_period = std::time::Duration::ZERO;
        for setting in SOCKET.iter().filter(|setting| !setting.default.is_empty()) {
            let applied = setting.kind.apply(&mut config, setting.default);
            assert!(applied.is_ok(), "{} = {}", setting.key, setting.default);
        }
        assert_eq!(config, SocketConfig::default());
    }

    #[test]
    fn options_are_documented_and_distinct() {
        let options = options();
        for option in &options {
            assert!(!option.doc.is_empty() && !option.allowed.is_empty(), "{}", option.key);
            assert_eq!(options.iter().filter(|other| other.key == option.key).count(), 1);
            let below = format!("{}.", option.key);
            let branch = options.iter().any(|other| other.key.starts_with(&below));
            assert!(!branch, "{} is both a value and a mapping", option.key);
        }
    }
}
