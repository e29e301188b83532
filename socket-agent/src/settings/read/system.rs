//! `module: system`.

use super::{
    AgentReader,
    modules::{DATASETS, SOCKET},
};
use crate::settings::schema;
use config::{
    rows::Allowed,
    suggest,
    tree::{Entry, Node, Value},
};
use sensor::SocketConfig;

impl AgentReader<'_> {
    /// Settings of the socket dataset, if the module has it.
    pub(super) fn system(&mut self, module: &Node, entries: &[Entry]) -> Option<SocketConfig> {
        let runs = self.datasets(module);
        let mut socket = SocketConfig::default();
        let allowed = Allowed {
            settings: schema::SOCKET,
            known: &[schema::MODULE_KEYS, schema::SYSTEM_KNOWN],
        };
        if runs {
            self.reader.table(&allowed, "", entries, &mut socket);
        } else {
            // What was said of its datasets says enough.
            self.reader.idly(|reader| reader.table(&allowed, "", entries, &mut socket));
        }
        runs.then_some(socket)
    }

    /// Reads the list of datasets; tells whether `socket` is one of them.
    fn datasets(&mut self, module: &Node) -> bool {
        let given = DATASETS.iter().filter_map(|key| module.get(key));
        // An empty list names none, and so does not contradict the other key.
        let mut given = given.filter(|entry| match &entry.node.value {
            Value::List(items) => !items.is_empty(),
            Value::Null => false,
            Value::Scalar(_) | Value::Map(_) => true,
        });
        let Some(entry) = given.next() else {
            if !self.reader.idle {
                let reason =
                    "datasets is not set, which means all of them; this version runs socket";
                self.reader.warn(&module.at, reason);
            }
            return true;
        };
        if let Some(second) = given.next() {
            let (key, at) = (&entry.key, &entry.at);
            let reason =
                format!("{} means the same as {key} at {at}; remove one of them", second.key);
            self.reader.problem(&second.at, reason);
        }
        let mut socket = false;
        for (at, name) in self.reader.list(&entry.key, "names", &entry.node) {
            if name == SOCKET {
                socket = true;
            } else if schema::SYSTEM_DATASETS.contains(&name.as_str()) {
                self.inactive(&format!("dataset {name}"), &at, "");
            } else {
                let mut known: Vec<&str> = schema::SYSTEM_DATASETS.to_vec();
                known.push(SOCKET);
                let hint = suggest::value_hint(&name, known.iter().copied());
                let known = known.join(", ");
                self.reader.problem(&at, format!("dataset {name:?}; allowed: {known}{hint}"));
            }
        }
        socket
    }
}
