//! `output`: where documents go.

use super::{AgentReader, modules::ENABLED_ROW};
use crate::settings::{
    schema::{self, Console, FileOutput},
    types::OutputTarget,
};
use config::{
    rows::{Allowed, Group, Setting},
    suggest,
    tree::Entry,
};

/// What is said of an output that cannot run, where that is allowed.
const INSTEAD: &str = "; documents go to standard output, or to output.file";

impl AgentReader<'_> {
    pub(super) fn output(&mut self, entry: &Entry) -> OutputTarget {
        let entries = self.reader.mapping("output", &entry.at, &entry.node).unwrap_or_default();
        let mut console: Option<Console> = None;
        let mut off: Option<&Entry> = None;
        let mut file: Option<(&Entry, FileOutput)> = None;
        for entry in entries {
            match entry.key.as_str() {
                "console" => {
                    console = self.one(schema::CONSOLE, &[schema::CONSOLE_KNOWN], entry);
                    off = console.as_ref().filter(|console| console.disabled).map(|_| entry);
                }
                "file" => file = self.one(schema::FILE, &[], entry).map(|file| (entry, file)),
                _ => self.other_output(entry),
            }
        }
        let console = console.filter(|console| !console.disabled);
        let Some((entry, file)) = file.filter(|(_, file)| !file.disabled) else {
            if let Some(off) = off {
                let reason = "output.console is not enabled, and no other output is; enable it, or \
                              write output.file.path: /var/log/socket-agent";
                self.reader.problem(&off.at, reason);
            }
            return OutputTarget::Stdout;
        };
        if console.is_some() {
            let reason = "output.file and output.console are both enabled; keep one";
            self.reader.problem(&entry.at, reason);
        }
        let Some(path) = file.path else {
            let reason = "output.file has no path; write output.file.path: /var/log/socket-agent";
            self.reader.problem(&entry.at, reason);
            return OutputTarget::Stdout;
        };
        let filename = file.filename.unwrap_or_else(|| "socket-agent.ndjson".to_owned());
        OutputTarget::File(path.join(filename))
    }

    /// Settings of one output.
    fn one<T: Default>(
        &mut self,
        settings: &[Setting<T>],
        known: &[Group],
        entry: &Entry,
    ) -> Option<T> {
        let key = format!("output.{}", entry.key);
        let mut target = T::default();
        let entries = self.reader.mapping(&key, &entry.at, &entry.node)?;
        self.reader.table(
            &Allowed { settings, known, elsewhere: &[] },
            &format!("{key}."),
            entries,
            &mut target,
        );
        Some(target)
    }

    /// An output that does not run: it has to be off, or the user has to know.
    fn other_output(&mut self, entry: &Entry) {
        let key = format!("output.{}", entry.key);
        let mut enabled = true;
        if let Some(entry) = entry.node.get(ENABLED_ROW.key) {
            self.reader.setting(ENABLED_ROW, entry, &mut enabled);
        }
        let Some((_, groups)) = schema::OTHER_OUTPUTS.iter().find(|(name, _)| *name == entry.key)
        else {
            let others = schema::OTHER_OUTPUTS.iter().map(|(name, _)| *name);
            let names: Vec<&str> = ["console", "file"].into_iter().chain(others).collect();
            let hint = suggest::value_hint(&entry.key, names.iter().copied());
            let reason = format!("there is no output {}; allowed: {}{hint}", key, names.join(", "));
            return if enabled {
                self.reader.problem(&entry.at, reason);
            } else {
                self.reader.warn(&entry.at, reason);
            };
        };
        if enabled {
            self.inactive(&key, &entry.at, INSTEAD);
        }
        let allowed = Allowed::<()> { settings: &[], known: groups, elsewhere: &[] };
        self.reader.idly(|reader| {
            let entries = reader.mapping(&key, &entry.at, &entry.node).unwrap_or_default();
            reader.table(&allowed, &format!("{key}."), entries, &mut ());
        });
    }
}
