//! `modules`, or `auditbeat.modules`: which datasets run, and their settings.

use super::AgentReader;
use crate::settings::schema;
use audit::AuditConfig;
use config::{
    place::{Place, Problem},
    rows::{Allowed, Effect, Kind, Setting},
    suggest,
    tree::{Entry, Node, Value},
};
use sensor::SocketConfig;

/// Key at the top level; `auditbeat.modules` has been moved here.
pub(in crate::settings) const MODULES: &str = "modules";

pub(super) const MODULE: &str = "module";
const ENABLED: &str = "enabled";
/// The second is an older name of the first.
pub(super) const DATASETS: [&str; 2] = ["datasets", "metricsets"];
pub(super) const SYSTEM: &str = "system";
pub(super) const SOCKET: &str = "socket";
const AUDITD: &str = "auditd";
/// How it was first called.
const AUDIT: &str = "audit";

/// What one module asks for.
enum Found {
    Socket(Box<SocketConfig>),
    Audit(Box<AuditConfig>),
}

/// Whether a module or an output runs.
pub(super) static ENABLED_ROW: &Setting<bool> = &Setting {
    key: ENABLED,
    default: "true",
    kind: Kind::Switch(|enabled, value| *enabled = value),
    effect: Effect::Works,
    doc: "Whether it runs.",
};

/// Moves `auditbeat.modules` to `modules`.
pub(in crate::settings) fn take_modules(root: &mut Node, problems: &mut Vec<Problem>) {
    let Value::Map(entries) = &mut root.value else { return };
    let auditbeat = entries.iter_mut().find(|entry| entry.key == "auditbeat");
    let Some(found) = auditbeat.and_then(|entry| entry.node.remove(MODULES)) else { return };
    if let Some(own) = entries.iter().find(|entry| entry.key == MODULES) {
        let at = &own.at;
        let reason = format!("auditbeat.modules means the same as modules at {at}; keep one");
        problems.push(Problem::new(&found.at, reason));
    } else {
        entries.push(Entry { key: MODULES.to_owned(), ..found });
    }
}

/// Where a key of the command line leads: `socket.*` to every module with that dataset, of those
/// from the number `first` on, and `auditbeat.modules` to `modules`.
pub(in crate::settings) fn routes(root: &Node, parts: &[&str], first: usize) -> Vec<Vec<String>> {
    let path = |start: &[&str], rest: &[&str]| {
        start.iter().chain(rest).map(|part| (*part).to_owned()).collect()
    };
    match parts {
        ["auditbeat", MODULES, rest @ ..] => vec![path(&[MODULES], rest)],
        [SOCKET, ..] => {
            let Some(Entry { node: Node { value: Value::List(modules), .. }, .. }) =
                root.get(MODULES)
            else {
                return Vec::new();
            };
            let modules = modules.iter().enumerate().skip(first);
            let meant = modules.filter(|(_, module)| has_socket(module));
            meant.map(|(index, _)| path(&[MODULES, &index.to_string()], parts)).collect()
        }
        parts => vec![path(&[], parts)],
    }
}

/// Whether a module, not yet checked, is meant by `socket.*` on the command line.
fn has_socket(module: &Node) -> bool {
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

impl AgentReader<'_> {
    /// Settings of the datasets that an enabled module has.
    pub(super) fn modules(&mut self, node: &Node) -> (Option<SocketConfig>, Option<AuditConfig>) {
        let node = self.reader.values.whole(node).unwrap_or(node);
        let modules = match &node.value {
            Value::List(modules) => modules.as_slice(),
            Value::Null => &[],
            Value::Scalar(_) | Value::Map(_) => {
                let found = node.describe();
                let reason = format!("{MODULES} is {found}; allowed: a list of modules");
                self.reader.problem(&node.at, reason);
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
                self.reader.problem(at, reason);
            }
        }
    }

    /// Reads a module. One that is not enabled may hold anything: it is only looked through for
    /// mistakes that would count if it were.
    fn module(&mut self, module: &Node) -> Option<Found> {
        let mut enabled = true;
        let counted = self.reader.findings.in_effect;
        if let Some(entry) = module.get(ENABLED) {
            self.reader.setting(ENABLED_ROW, entry, &mut enabled);
        }
        if enabled {
            // It is counted with the other keys.
            self.reader.findings.in_effect = counted;
        }
        let idle = std::mem::replace(&mut self.reader.idle, !enabled);
        let found = self.module_of_kind(module);
        self.reader.idle = idle;
        found.filter(|_| enabled)
    }

    fn module_of_kind(&mut self, module: &Node) -> Option<Found> {
        let Value::Map(entries) = &module.value else {
            let found = module.describe();
            let reason =
                format!("a module is {found}; allowed: a mapping that begins with module: system");
            self.reader.problem(&module.at, reason);
            return None;
        };
        let Some(name) = module.get(MODULE) else {
            let hint = entries.iter().map(|entry| entry.key.as_str());
            let hint = match suggest::nearest(MODULE, hint) {
                Some((key, 1..=2)) => format!("; did you write {key} for it?"),
                _ => "; write module: system".to_owned(),
            };
            self.reader.problem(&module.at, format!("a module has no key module{hint}"));
            return None;
        };
        let found = match self.name(MODULE, &name.node)?.as_str() {
            SYSTEM => self.system(module, entries).map(|it| Found::Socket(Box::new(it))),
            AUDITD | AUDIT => self.auditd(module, entries).map(|it| Found::Audit(Box::new(it))),
            other if schema::OTHER_MODULES.contains(&other) => {
                self.inactive(&format!("module {other}"), &name.node.at, "");
                let allowed = Allowed::<()> {
                    settings: &[],
                    known: &[schema::MODULE_KEYS, schema::FILE_INTEGRITY],
                };
                return self.reader.idly(|reader| {
                    reader.table(&allowed, "", entries, &mut ());
                    None
                });
            }
            other => {
                let known: Vec<&str> =
                    [SYSTEM, AUDITD].iter().chain(schema::OTHER_MODULES).copied().collect();
                let hint = suggest::value_hint(other, known.iter().copied());
                let known = known.join(", ");
                let reason = format!("module is {other:?}; allowed: {known}{hint}");
                self.reader.problem(&name.node.at, reason);
                return None;
            }
        };
        if let Some(entry) = module.get("processors") {
            self.processors(&entry.node);
        }
        found
    }

    /// A scalar that is a name.
    fn name(&mut self, key: &str, node: &Node) -> Option<String> {
        match &node.value {
            Value::Scalar(text) => self.reader.text(key, &node.at, text),
            Value::Null | Value::List(_) | Value::Map(_) => {
                let found = node.describe();
                self.reader.problem(&node.at, format!("{key} is {found}; allowed: a name"));
                None
            }
        }
    }
}
