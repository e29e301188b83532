//! What stands at the top level beside modules and outputs, and keys there that nobody knows.

use super::{AgentReader, MODULES, top_level};
use crate::{
    datasets::{self, Module},
    settings::schema::{GENERAL, GENERAL_GROUPS, General, ModuleFiles},
};
use config::{
    expand,
    rows::{Allowed, Reader, whole_key},
    suggest,
    tree::{Entry, Node, Value},
};

/// Keys at the top level that are read elsewhere.
const ELSEWHERE: [&str; 4] = [MODULES, "output", "processors", "cloud"];

const ALLOWED: Allowed<'static, General> =
    Allowed { settings: GENERAL, known: GENERAL_GROUPS, elsewhere: &[] };

/// Where files with more modules are, before the rest of the tree is read.
pub(in crate::settings) fn module_files(reader: &mut Reader<'_>, root: &Node) -> ModuleFiles {
    let mut general = General::default();
    if let Value::Map(entries) = &root.value {
        let of_files = entries.iter().filter(|entry| entry.key == "auditbeat");
        let entries: Vec<Entry> = of_files.cloned().collect();
        reader.table(&ALLOWED, "", &entries, &mut general);
    }
    general.module_files
}

impl AgentReader<'_> {
    pub(super) fn general(&mut self, entries: &[Entry], general: &mut General) {
        let known = |entry: &&Entry| {
            !ELSEWHERE.contains(&entry.key.as_str()) && top_level().any(|key| key == entry.key)
        };
        let read: Vec<Entry> = entries.iter().filter(known).cloned().collect();
        self.reader.table(&ALLOWED, "", &read, general);
        for entry in entries.iter().filter(|entry| top_level().all(|key| key != entry.key)) {
            self.unknown_top_level(entry, entries);
        }
    }

    /// A key of nobody's may hold what other places repeat or refer to. Else it is a mistake, and
    /// one that nearly is a known key ends the start: what it was to do would not be done.
    fn unknown_top_level(&mut self, entry: &Entry, entries: &[Entry]) {
        if let Some(dataset) = datasets::named(&entry.key) {
            let below = match dataset.module {
                Module::Shared(_) => ", below datasets",
                Module::Own { .. } => "",
            };
            let name = dataset.name;
            let reason = format!("{name}.* has no meaning here; write it into a module{below}");
            return self.reader.problem(&entry.at, reason);
        }
        let refers = |node: &Node| match &node.value {
            Value::Scalar(text) => {
                expand::names(text).any(|name| name.split('.').next() == Some(&entry.key))
            }
            Value::Null | Value::List(_) | Value::Map(_) => false,
        };
        let anchored = entry.node.any(&|node| node.anchored);
        if anchored || entries.iter().any(|entry| entry.node.any(&refers)) {
            return;
        }
        let whole = whole_key(&entry.key, entry);
        let known: Vec<&str> = top_level().collect();
        match suggest::key_hint([&whole, &entry.key], &known) {
            Some(hint) => {
                self.reader.problem(&entry.at, format!("unknown key {whole}{hint}"));
            }
            None => self.reader.warn(&entry.at, format!("unknown key {whole} has no effect")),
        }
    }
}
