//! `modules`, or `auditbeat.modules`: which datasets run, and their settings.

use super::AgentReader;
use crate::{
    datasets::{self, Configured, DATASETS, Module, ModuleReader, Registration},
    settings::schema::{self, SYSTEM},
};
use config::{
    location::{Location, Problem},
    rows::{Allowed, Effect, Kind, Setting},
    suggest,
    tree::{Entry, Node, Value},
};

/// Key at the top level; `auditbeat.modules` has been moved here.
pub(in crate::settings) const MODULES: &str = "modules";

pub(super) const MODULE: &str = "module";
const ENABLED: &str = "enabled";
/// The second is an older name of the first.
pub(super) const DATASETS_KEYS: [&str; 2] = ["datasets", "metricsets"];

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

/// Where a key of the command line leads: one that begins with the name of a dataset to every module with
/// that dataset, of those from the number `first` on, and `auditbeat.modules` to `modules`.
pub(in crate::settings) fn routes(root: &Node, parts: &[&str], first: usize) -> Vec<Vec<String>> {
    let path = |start: &[&str], rest: &[&str]| {
        start.iter().chain(rest).map(|part| (*part).to_owned()).collect()
    };
    match parts {
        ["auditbeat", MODULES, rest @ ..] => vec![path(&[MODULES], rest)],
        [name, rest @ ..] if let Some(dataset) = datasets::named(name) => {
            let Some(Entry { node: Node { value: Value::List(modules), .. }, .. }) =
                root.get(MODULES)
            else {
                return Vec::new();
            };
            let modules = modules.iter().enumerate().skip(first);
            let meant = modules.filter(|(_, module)| has(module, dataset));
            let below = match dataset.module {
                Module::Shared(_) => parts,
                Module::Own { .. } => rest,
            };
            meant.map(|(index, _)| path(&[MODULES, &index.to_string()], below)).collect()
        }
        parts => vec![path(&[], parts)],
    }
}

/// Whether a module, not yet checked, is meant by keys of the command line that begin with a dataset.
fn has(module: &Node, dataset: &Registration) -> bool {
    let is = |node: &Node, name: &str| matches!(&node.value, Value::Scalar(text) if text == name);
    let is_called = |name| module.get(MODULE).is_some_and(|entry| is(&entry.node, name));
    let name = match dataset.module {
        Module::Own { also } => return is_called(dataset.name) || is_called(also),
        Module::Shared(name) => name,
    };
    let listed = DATASETS_KEYS.iter().find_map(|key| module.get(key));
    is_called(name)
        && listed.is_none_or(|entry| match &entry.node.value {
            Value::List(items) => {
                items.is_empty() || items.iter().any(|item| is(item, dataset.name))
            }
            Value::Null => true,
            Value::Scalar(_) | Value::Map(_) => is(&entry.node, dataset.name),
        })
}

impl AgentReader<'_> {
    /// The datasets that enabled modules have, in the order of their registrations.
    pub(super) fn modules(&mut self, node: &Node) -> Vec<Configured> {
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
        let mut found: Vec<(Location, Configured)> = Vec::new();
        for module in modules {
            for dataset in self.module(module) {
                self.keep(&mut found, &module.at, dataset);
            }
        }
        let number = |name: &str| DATASETS.iter().position(|dataset| dataset.name == name);
        found.sort_by_key(|(_, dataset)| number(dataset.name()));
        found.into_iter().map(|(_, dataset)| dataset).collect()
    }

    /// Keeps the first settings of a dataset; others are a problem.
    fn keep(
        &mut self,
        found: &mut Vec<(Location, Configured)>,
        at: &Location,
        dataset: Configured,
    ) {
        let name = dataset.name();
        match found.iter().find(|(_, known)| known.name() == name) {
            None => found.push((at.clone(), dataset)),
            Some((known, _)) => {
                let reason = format!(
                    "a second enabled module has the dataset {name}, beside the one at {known}; \
                     keep one of them"
                );
                self.reader.problem(at, reason);
            }
        }
    }

    /// Reads a module. One that is not enabled may hold anything: it is only looked through for
    /// mistakes that would count if it were.
    fn module(&mut self, module: &Node) -> Vec<Configured> {
        let mut enabled = true;
        let counted = self.reader.findings.in_effect.len();
        if let Some(entry) = module.get(ENABLED) {
            self.reader.setting(ENABLED_ROW, entry, &mut enabled);
        }
        if enabled {
            // It is counted with the other keys.
            self.reader.findings.in_effect.truncate(counted);
        }
        let idle = std::mem::replace(&mut self.reader.idle, !enabled);
        let found = self.module_of_kind(module);
        self.reader.idle = idle;
        if enabled { found } else { Vec::new() }
    }

    fn module_of_kind(&mut self, module: &Node) -> Vec<Configured> {
        let Value::Map(entries) = &module.value else {
            let found = module.describe();
            let reason =
                format!("a module is {found}; allowed: a mapping that begins with module: system");
            self.reader.problem(&module.at, reason);
            return Vec::new();
        };
        let Some(name) = module.get(MODULE) else {
            let hint = entries.iter().map(|entry| entry.key.as_str());
            let hint = match suggest::nearest(MODULE, hint) {
                Some((key, 1..=2)) => format!("; did you write {key} for it?"),
                _ => "; write module: system".to_owned(),
            };
            self.reader.problem(&module.at, format!("a module has no key module{hint}"));
            return Vec::new();
        };
        let Some(name_text) = self.name(MODULE, &name.node) else { return Vec::new() };
        let own = |dataset: &&Registration| match dataset.module {
            Module::Own { also } => dataset.name == name_text || also == name_text,
            Module::Shared(_) => false,
        };
        let found = match name_text.as_str() {
            SYSTEM => self.system(module, entries),
            _ if let Some(dataset) = DATASETS.iter().find(own) => {
                self.dataset(dataset, module, entries).into_iter().collect()
            }
            other if schema::OTHER_MODULES.contains(&other) => {
                self.inactive(&format!("module {other}"), &name.node.at, "");
                let allowed = Allowed::<()> {
                    settings: &[],
                    known: &[schema::MODULE_KEYS, schema::FILE_INTEGRITY],
                    elsewhere: &[],
                };
                return self.reader.idly(|reader| {
                    reader.table(&allowed, "", entries, &mut ());
                    Vec::new()
                });
            }
            other => {
                let own = DATASETS.iter().filter(|it| matches!(it.module, Module::Own { .. }));
                let known: Vec<&str> = [SYSTEM]
                    .into_iter()
                    .chain(own.map(|dataset| dataset.name))
                    .chain(schema::OTHER_MODULES.iter().copied())
                    .collect();
                let hint = suggest::value_hint(other, known.iter().copied());
                let known = known.join(", ");
                let reason = format!("module is {other:?}; allowed: {known}{hint}");
                self.reader.problem(&name.node.at, reason);
                return Vec::new();
            }
        };
        if let Some(entry) = module.get("processors") {
            self.module_processors(&entry.node);
        }
        found
    }

    /// Reads the options of a dataset from entries of its module.
    pub(super) fn dataset(
        &mut self,
        dataset: &'static Registration,
        module: &Node,
        entries: &[Entry],
    ) -> Option<Configured> {
        let mut reader = ModuleReader {
            reader: &mut self.reader,
            sources: self.sources,
            folder: self.folder,
            strict: self.strict,
            common: schema::MODULE_KEYS,
        };
        dataset.read(&mut reader, module, entries)
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
