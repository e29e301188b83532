//! `module: system`, which several datasets share.

use super::{AgentReader, modules::DATASETS_KEYS};
use crate::{
    datasets::{self, Configured, Registration},
    settings::schema::{self, SYSTEM},
};
use config::{
    rows::{Allowed, Why},
    suggest,
    tree::{Entry, Node, Value},
};

/// Why an option changes nothing.
const NOT_LISTED: &str = "its dataset is not among those of the module";

impl AgentReader<'_> {
    /// The datasets that the module has.
    pub(super) fn system(&mut self, module: &Node, entries: &[Entry]) -> Vec<Configured> {
        let chosen = self.datasets(module);
        if chosen.is_empty() {
            // What was said of its datasets says enough.
            let before = std::mem::replace(&mut self.reader.idle, true);
            self.of_datasets(&[], module, entries);
            self.reader.idle = before;
            return Vec::new();
        }
        self.of_datasets(&chosen, module, entries)
    }

    /// Reads each entry by the rows of its dataset; the rest is of the module.
    fn of_datasets(
        &mut self,
        chosen: &[&'static Registration],
        module: &Node,
        entries: &[Entry],
    ) -> Vec<Configured> {
        let all: Vec<&'static Registration> = datasets::in_module(SYSTEM).collect();
        let is_owned = |entry: &&Entry| all.iter().any(|dataset| dataset.owns(&entry.key));
        let keys = all.iter().flat_map(|dataset| dataset.described()).map(|option| option.key);
        let rest: Vec<Entry> = entries.iter().filter(|it| !is_owned(it)).cloned().collect();
        let allowed = Allowed::<()> {
            settings: &[],
            known: &[schema::MODULE_KEYS, schema::SYSTEM_KNOWN],
            elsewhere: &keys.collect::<Vec<_>>(),
        };
        self.reader.table(&allowed, "", &rest, &mut ());
        let mut found = Vec::new();
        for dataset in all {
            let own = |entry: &&Entry| dataset.owns(&entry.key);
            let own: Vec<Entry> = entries.iter().filter(own).cloned().collect();
            if chosen.iter().any(|it| it.name == dataset.name) {
                found.extend(self.dataset(dataset, module, &own));
            } else {
                self.not_listed(dataset, chosen, module, &own);
            }
        }
        found
    }

    /// Options of a dataset that the module does not have.
    fn not_listed(
        &mut self,
        dataset: &'static Registration,
        chosen: &[&'static Registration],
        module: &Node,
        entries: &[Entry],
    ) {
        let is_of_another = |entry: &&Entry| chosen.iter().any(|it| it.owns(&entry.key));
        let own: Vec<Entry> = entries.iter().filter(|it| !is_of_another(it)).cloned().collect();
        for entry in &own {
            let why = Why::WithoutMeaning(NOT_LISTED);
            self.reader.nothing_follows(&entry.key, &entry.at, why);
        }
        let before = std::mem::replace(&mut self.reader.idle, true);
        self.dataset(dataset, module, &own);
        self.reader.idle = before;
    }

    /// Reads the list of datasets; those of them that this version runs.
    fn datasets(&mut self, module: &Node) -> Vec<&'static Registration> {
        let all: Vec<&'static Registration> = datasets::in_module(SYSTEM).collect();
        let names: Vec<&str> = all.iter().map(|dataset| dataset.name).collect();
        let given = DATASETS_KEYS.iter().filter_map(|key| module.get(key));
        // An empty list names none, and so does not contradict the other key.
        let mut given = given.filter(|entry| match &entry.node.value {
            Value::List(items) => !items.is_empty(),
            Value::Null => false,
            Value::Scalar(_) | Value::Map(_) => true,
        });
        let Some(entry) = given.next() else {
            if !self.reader.idle {
                let reason = format!(
                    "datasets is not set, which means all of them; this version runs {}",
                    names.join(", ")
                );
                self.reader.warn(&module.at, reason);
            }
            return all;
        };
        if let Some(second) = given.next() {
            let (key, at) = (&entry.key, &entry.at);
            let reason =
                format!("{} means the same as {key} at {at}; remove one of them", second.key);
            self.reader.problem(&second.at, reason);
        }
        let mut chosen: Vec<&'static Registration> = Vec::new();
        for (at, name) in self.reader.list(&entry.key, "names", &entry.node) {
            if let Some(dataset) = all.iter().find(|dataset| dataset.name == name) {
                if chosen.iter().all(|known| known.name != name) {
                    chosen.push(dataset);
                }
            } else if schema::SYSTEM_DATASETS.contains(&name.as_str()) {
                self.inactive(&format!("dataset {name}"), &at, "");
            } else {
                let others = schema::SYSTEM_DATASETS.iter().filter(|name| !names.contains(name));
                let known: Vec<&str> = others.chain(&names).copied().collect();
                let hint = suggest::value_hint(&name, known.iter().copied());
                let known = known.join(", ");
                self.reader.problem(&at, format!("dataset {name:?}; allowed: {known}{hint}"));
            }
        }
        chosen
    }
}
