//! `output`: where documents go.

use super::{Reader, table::Allowed};
use crate::config::{
    schema::{self, Console, FileOutput, Setting},
    settings::OutputTarget,
    tree::Entry,
};

impl Reader<'_> {
    pub(super) fn output(&mut self, entry: &Entry) -> OutputTarget {
        let entries = self.mapping("output", &entry.at, &entry.node).unwrap_or_default();
        let mut console: Option<Console> = None;
        let mut off: Option<&Entry> = None;
        let mut file: Option<(&Entry, FileOutput)> = None;
        for entry in entries {
            let key = format!("output.{}", entry.key);
            match entry.key.as_str() {
                "console" => {
                    console = self.one(schema::CONSOLE, &key, entry);
                    off = console.as_ref().filter(|console| console.disabled).map(|_| entry);
                }
                "file" => file = self.one(schema::FILE, &key, entry).map(|file| (entry, file)),
                _ if schema::OUTPUTS.contains(&key.as_str()) => self.warn(
                    &entry.at,
                    format!(
                        "{key} is not used by this version; documents go to standard output, or to \
                         output.file"
                    ),
                ),
                _ => {
                    let known = ["output.console", "output.file"];
                    let known = schema::OUTPUTS.iter().copied().chain(known);
                    self.unknown(&key, entry, known);
                }
            }
        }
        let console = console.filter(|console| !console.disabled);
        let Some((entry, file)) = file.filter(|(_, file)| !file.disabled) else {
            if let Some(off) = off {
                let reason = "output.console is not enabled, and no other output is; enable it, or \
                              write output.file.path: /var/log/socket-agent";
                self.problem(&off.at, reason);
            }
            return OutputTarget::Stdout;
        };
        if console.is_some() {
            self.problem(&entry.at, "output.file and output.console are both enabled; keep one");
        }
        let Some(path) = file.path else {
            let reason = "output.file has no path; write output.file.path: /var/log/socket-agent";
            self.problem(&entry.at, reason);
            return OutputTarget::Stdout;
        };
        let filename = file.filename.unwrap_or_else(|| "socket-agent.ndjson".to_owned());
        OutputTarget::File(path.join(filename))
    }

    /// Settings of one output.
    fn one<T: Default>(&mut self, table: &[Setting<T>], key: &str, entry: &Entry) -> Option<T> {
        let mut settings = T::default();
        let entries = self.mapping(key, &entry.at, &entry.node)?;
        let allowed = Allowed { table, ignored: &[], handled: &[] };
        self.table(&allowed, &format!("{key}."), entries, &mut settings);
        Some(settings)
    }
}
