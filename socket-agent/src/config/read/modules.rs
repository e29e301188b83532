//! `modules`, or `auditbeat.modules`: which datasets run, and their settings.

use super::{Reader, table::Allowed};
use crate::{
    audit::AuditConfig,
    config::{
        place::Place,
        schema::{self, Kind, Setting},
        suggest,
        tree::{Entry, Node, Value},
    },
    sensor::SocketConfig,
};

/// Key at the top level; `auditbeat.modules` has been moved here.
pub(in crate::config) const MODULES: &str = "modules";

pub(super) const MODULE: &str = "module";
pub(super) const ENABLED: &str = "enabled";
/// The second is an older name of the first.
pub(super) const DATASETS: [&str; 2] = ["datasets", "metricsets"];
const SYSTEM: &str = "system";
const SOCKET: &str = "socket";
const AUDITD: &str = "auditd";
/// How it was first called.
const AUDIT: &str = "audit";

/// What one module asks for.
enum Found {
    Socket(Box<SocketConfig>),
    Audit(Box<AuditConfig>),
}

pub(super) static ENABLED_ROW: &Setting<bool> = &Setting {
    key: ENABLED,
    default: "true",
    kind: Kind::Switch(|enabled, value| *enabled = value),
    used: true,
    doc: "Whether the module runs.",
};

/// Whether a module, not yet checked, is meant by `socket.*` on the command line.
pub(in crate::config) fn has_socket(module: &Node) -> bool {
    let is = |node: &Node, name: &str| matches!(&node.value, Value::Scalar(text) if text == name);
    let system = module.get(MODULE).is_some_and(|entry| is(&entry.node, SYSTEM));
    let datasets = DATASETS.iter().find_map(|key| module.get(key));
    system
        && datasets.is_none_or(|entry| match &entry.node.value {
            Value::List(items) => items.is_empty() || items.iter().any(|item| is(item, SOCKET)),
            Value::Null => true,
            Value::Scalar(_) | Value::Map(_) => is(&entry.node, SOCKET),
        })
}

impl Reader<'_> {
    /// Settings of the datasets that an enabled module has.
    pub(super) fn modules(&mut self, node: &Node) -> (Option<SocketConfig>, Option<AuditConfig>) {
        let modules = match &node.value {
            Value::List(modules) => modules.as_slice(),
            Value::Null => &[],
            Value::Scalar(_) | Value::Map(_) => {
                let found = node.describe();
                self.problem(&node.at, format!("{MODULES} is {found}; allowed: a list of modules"));
                &[]
            }
        };
        let mut socket: Option<(Place, SocketConfig)> = None;
        let mut audit: Option<(Place, AuditConfig)> = None;
        for module in modules {
            let at = &module.at;
            match self.module(module) {
                Some(Found::Socket(config)) => {
                    self.keep(&mut socket, at, "dataset socket", *config);
                }
                Some(Found::Audit(config)) => {
                    self.keep(&mut audit, at, "dataset auditd", *config);
                }
                None => {}
            }
        }
        (socket.map(|(_, config)| config), audit.map(|(_, config)| config))
    }

    /// Keeps the first settings of a dataset; others are a problem.
    fn keep<T>(&mut self, first: &mut Option<(Place, T)>, at: &Place, what: &str, config: T) {
        match first {
            None => *first = Some((at.clone(), config)),
            Some((known, _)) => {
                let reason = format!(
                    "a second enabled module has the {what}, beside the one at {known}; keep one \
                     of them"
                );
                self.problem(at, reason);
            }
        }
    }

    fn module(&mut self, module: &Node) -> Option<Found> {
        let Value::Map(entries) = &module.value else {
            let found = module.describe();
            let reason =
                format!("a module is {found}; allowed: a mapping that begins with module: system");
            self.problem(&module.at, reason);
            return None;
        };
        let Some(name) = module.get(MODULE) else {
            let hint = entries.iter().map(|entry| entry.key.as_str());
            let hint = match suggest::nearest(MODULE, hint) {
                Some((key, 1..=2)) => format!("; did you write {key} for it?"),
                _ => "; write module: system".to_owned(),
            };
            self.problem(&module.at, format!("a module has no key module{hint}"));
            return None;
        };
        let at = &name.node.at;
        match self.name(MODULE, &name.node)?.as_str() {
            SYSTEM => self.system(module, entries).map(|it| Found::Socket(Box::new(it))),
            AUDITD | AUDIT => self.auditd(module, entries).map(|it| Found::Audit(Box::new(it))),
            other if schema::OTHER_MODULES.contains(&other) => {
                self.not_used(&format!("module {other}"), at);
                None
            }
            other => {
                let known: Vec<&str> =
                    [SYSTEM, AUDITD].iter().chain(schema::OTHER_MODULES).copied().collect();
                let hint = suggest::value_hint(other, known.iter().copied());
                let known = known.join(", ");
                self.problem(at, format!("module is {other:?}; allowed: {known}{hint}"));
                None
            }
        }
    }

    fn system(&mut self, module: &Node, entries: &[Entry]) -> Option<SocketConfig> {
        let warnings = self.warnings.len();
        let mut enabled = true;
        if let Some(entry) = module.get(ENABLED) {
            self.setting(ENABLED_ROW, entry, &mut enabled);
        }
        let runs = self.datasets(module) && enabled;
        let read_elsewhere = warnings..self.warnings.len();
        let mut socket = SocketConfig::default();
        let ignored: Vec<&str> =
            schema::MODULE_KEYS.iter().chain(schema::SYSTEM_KEYS).copied().collect();
        let allowed = Allowed {
            table: schema::SOCKET,
            ignored: &ignored,
            handled: &[MODULE, ENABLED, DATASETS[0], DATASETS[1]],
        };
        self.table(&allowed, "", entries, &mut socket);
        if !runs {
            // One line has said that its datasets are not used; the rest follows from that.
            self.warnings.truncate(read_elsewhere.end);
        }
        if !enabled {
            self.warnings.truncate(read_elsewhere.start);
        }
        runs.then_some(socket)
    }

    /// Reads the list of datasets; tells whether `socket` is one of them.
    fn datasets(&mut self, module: &Node) -> bool {
        let mut given = DATASETS.iter().filter_map(|key| module.get(key));
        let Some(entry) = given.next() else {
            let reason = "datasets is not set, which means all of them; this version runs socket";
            self.warn(&module.at, reason);
            return true;
        };
        if let Some(second) = given.next() {
            let (key, at) = (&entry.key, &entry.at);
            let reason =
                format!("{} means the same as {key} at {at}; remove one of them", second.key);
            self.problem(&second.at, reason);
        }
        let items = match &entry.node.value {
            Value::List(items) => items.as_slice(),
            Value::Scalar(_) => std::slice::from_ref(&entry.node),
            Value::Null => &[],
            Value::Map(_) => {
                let reason = format!("{} is a mapping; allowed: a list of names", entry.key);
                self.problem(&entry.node.at, reason);
                return false;
            }
        };
        let mut socket = items.is_empty();
        let mut unused = Vec::new();
        for item in items {
            let Some(name) = self.name(&entry.key, item) else { continue };
            if name == SOCKET {
                socket = true;
            } else if schema::SYSTEM_DATASETS.contains(&name.as_str()) {
                unused.push(name);
            } else {
                let mut known: Vec<&str> = schema::SYSTEM_DATASETS.to_vec();
                known.push(SOCKET);
                let hint = suggest::value_hint(&name, known.iter().copied());
                let known = known.join(", ");
                self.problem(&item.at, format!("dataset {name:?}; allowed: {known}{hint}"));
            }
        }
        if !unused.is_empty() {
            self.not_used(&format!("{}: {}", entry.key, unused.join(", ")), &entry.at);
        }
        socket
    }

    /// A scalar that is a name.
    pub(super) fn name(&mut self, key: &str, node: &Node) -> Option<String> {
        match &node.value {
            Value::Scalar(text) => self.text(key, &node.at, text),
            Value::Null | Value::List(_) | Value::Map(_) => {
                let found = node.describe();
                self.problem(&node.at, format!("{key} is {found}; allowed: a name"));
                None
            }
        }
    }
}
