//! `output`: where documents go.

use super::{AgentReader, modules::ENABLED_ROW};
use crate::settings::{schema, types::default_outputs};
use config::{rows::Allowed, suggest, tree::Entry};
use outputs::{Configured, OUTPUTS};

/// What is said of an output that cannot run, where that is allowed.
const INSTEAD: &str = "; documents go to the other outputs, or to standard output";

impl AgentReader<'_> {
    /// The outputs that are enabled: standard output if none is configured.
    pub(super) fn outputs(&mut self, entry: &Entry) -> Vec<Configured> {
        let entries = self.reader.mapping("output", &entry.at, &entry.node).unwrap_or_default();
        let problems = self.reader.findings.problems.len();
        let mut configured = Vec::new();
        let mut off: Option<&Entry> = None;
        for entry in entries {
            match outputs::named(&entry.key) {
                Some(output) => match output.read(&mut self.reader, entry) {
                    Some(output) => configured.push(output),
                    None => off = off.or(Some(entry)),
                },
                None => self.other_output(entry),
            }
        }
        if !configured.is_empty() {
            return configured;
        }
        let console_is_off = entries.iter().any(|entry| entry.key == "console");
        if let Some(off) = off.filter(|_| console_is_off)
            && self.reader.findings.problems.len() == problems
        {
            let reason = "no output is enabled; enable one, or write output.file.path: \
                          /var/log/socket-agent";
            self.reader.problem(&off.at, reason);
        }
        default_outputs()
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
            let names: Vec<&str> = OUTPUTS.iter().map(|output| output.name).chain(others).collect();
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
