//! Which options there are. A new option is one row in a table here.

mod auditd;
mod general;
mod known;
mod output;
mod socket;

pub(super) use auditd::{AUDITD, RULE_FILES, RULES};
pub use general::STRICT;
pub(super) use general::{GENERAL, General, MODULE_FILES, ModuleFiles};
pub(super) use known::{
    AUDITD_KNOWN, CONSOLE_KNOWN, FILE_INTEGRITY, MODULE_KEYS, OTHER_MODULES, OTHER_OUTPUTS,
    SYSTEM_DATASETS, SYSTEM_KNOWN,
};
pub(super) use output::{CONSOLE, Console, FILE, FileOutput};
pub(super) use socket::SOCKET;

use config::rows::{Effect, Group, Setting};

/// Options at the top level that are known by name, beside those of outputs.
pub(super) static GENERAL_GROUPS: &[Group] = &[
    known::GENERAL_KNOWN,
    Group { prefix: "queue.", rows: known::QUEUE },
    Group { prefix: "logging.files.", rows: known::LOG_FILES },
    Group { prefix: "logging.event_data.", rows: known::LOG_FILES },
    Group { prefix: "logging.event_data.files.", rows: known::LOG_FILES },
    Group { prefix: "setup.", rows: known::SETUP },
    known::KIBANA[0],
    known::KIBANA[1],
    known::MONITORING[0],
    known::MONITORING[1],
    known::MONITORING[2],
    known::MONITORING[3],
    known::MONITORING[4],
    Group { prefix: "instrumentation.", rows: known::INSTRUMENTATION },
];

/// What there is to know about one option.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Described {
    /// As written in a module, or at the top level for others.
    pub key: String,
    /// As it would be written; empty where unset means something else than any value.
    pub default: &'static str,
    /// Type and range; empty where the value is not checked by a table.
    pub allowed: String,
    /// What this version does with it.
    pub effect: Effect,
    /// Meaning, one sentence; empty for options that are known by name only.
    pub doc: &'static str,
}

/// Options that stand at one place of a configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Section {
    /// Where they stand.
    pub title: &'static str,
    /// In the order of the tables.
    pub options: Vec<Described>,
}

/// All options that are checked, in the order of the documentation.
pub fn options() -> Vec<Described> {
    let sections = sections().into_iter().flat_map(|section| section.options);
    sections.filter(|option| !option.allowed.is_empty()).collect()
}

/// All options that are known, Auditbeat's and this agent's own.
pub fn sections() -> Vec<Section> {
    let of = |title, settings: Vec<Described>, groups: &[Group]| {
        let options = settings.into_iter().chain(groups.iter().flat_map(known)).collect();
        Section { title, options }
    };
    let mut sections = vec![
        of("Top level", settings(GENERAL), GENERAL_GROUPS),
        of("Every module", Vec::new(), &[MODULE_KEYS]),
        of("`module: system`", settings(SOCKET), &[SYSTEM_KNOWN]),
        of("`module: auditd`", settings(AUDITD), &[AUDITD_KNOWN]),
        of("`module: file_integrity`", Vec::new(), &[FILE_INTEGRITY]),
    ];
    let outputs = settings(CONSOLE).into_iter().chain(settings(FILE)).collect();
    let mut groups = vec![CONSOLE_KNOWN];
    groups.extend(OTHER_OUTPUTS.iter().flat_map(|(_, groups)| groups.iter().copied()));
    sections.push(of("Outputs", outputs, &groups));
    sections
}

fn settings<T>(table: &'static [Setting<T>]) -> Vec<Described> {
    let describe = |setting: &'static Setting<T>| {
        let Setting { key, default, kind, effect, doc } = setting;
        let key = (*key).to_owned();
        Described { key, default, allowed: kind.allowed(), effect: *effect, doc }
    };
    table.iter().map(describe).collect()
}

fn known(group: &Group) -> Vec<Described> {
    let describe = |(key, row): (String, &'static config::rows::Known)| Described {
        key,
        default: "",
        allowed: String::new(),
        effect: row.effect,
        doc: row.doc,
    };
    group.keys().map(describe).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use sensor::SocketConfig;

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
        config.hooks = sensor::HookSet::Kprobe;
        config.dns = sensor::DnsConfig {
            enabled: false,
            kind: sensor::DnsType::Cgroup,
            names: 1,
            minimum_ttl: std::time::Duration::ZERO,
            interface: String::new(),
            snaplen: None,
            ring: 1,
            namespaces: 1,
        };
        config.events = sensor::SocketEvents::Off;
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

    #[test]
    fn every_known_option_is_one_row_and_says_why() {
        for section in sections() {
            for option in &section.options {
                let same = section.options.iter().filter(|other| other.key == option.key);
                assert_eq!(same.count(), 1, "{} in {}", option.key, section.title);
                let said = match option.effect {
                    Effect::Works => option.doc,
                    Effect::WithoutMeaning(reason) => reason,
                    Effect::NotYet | Effect::Inactive => "-",
                };
                assert!(!said.is_empty(), "{} in {}", option.key, section.title);
            }
        }
    }
}
