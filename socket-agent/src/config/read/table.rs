//! Reading a mapping by a table of options.

use super::Reader;
use crate::config::{
    schema::{Refused, Setting},
    tree::{Entry, Value},
};

/// What a mapping may hold.
pub(super) struct Allowed<'t, T: 'static> {
    /// Options that are checked.
    pub(super) table: &'t [Setting<T>],
    /// Keys that are accepted with all that is below them.
    pub(super) ignored: &'t [&'t str],
    /// Keys that the caller reads.
    pub(super) handled: &'t [&'t str],
}

impl Reader<'_> {
    /// Reads `entries`, whose keys continue `prefix` (`"output.file."`, or empty), into `target`.
    pub(super) fn table<T>(
        &mut self,
        allowed: &Allowed<'_, T>,
        prefix: &str,
        entries: &[Entry],
        target: &mut T,
    ) {
        for entry in entries {
            let key = format!("{prefix}{}", entry.key);
            let below = format!("{key}.");
            let leads_on = allowed.table.iter().any(|setting| setting.key.starts_with(&below));
            if allowed.handled.contains(&key.as_str()) {
            } else if let Some(setting) = allowed.table.iter().find(|setting| setting.key == key) {
                self.setting(setting, entry, target);
            } else if allowed.ignored.contains(&key.as_str()) {
                self.not_used(&key, &entry.at);
            } else if let Value::Map(entries) = &entry.node.value
                && (leads_on || allowed.ignored.iter().any(|known| known.starts_with(&below)))
            {
                self.table(allowed, &below, entries, target);
            } else if leads_on {
                if let Some(message) = wrong_branch(allowed.table, &below, entry) {
                    self.problem(&entry.node.at, message);
                }
            } else {
                self.unknown(&key, entry, allowed.keys().into_iter());
            }
        }
    }

    /// Reads one option. A value that is left empty leaves the default.
    pub(super) fn setting<T>(&mut self, setting: &Setting<T>, entry: &Entry, target: &mut T) {
        let at = &entry.node.at;
        let result = match &entry.node.value {
            Value::Null => return,
            Value::Scalar(text) => {
                let Some(text) = self.text(setting.key, at, text) else { return };
                setting.kind.apply(target, &text)
            }
            Value::List(_) | Value::Map(_) => Err(setting.kind.refuse(&entry.node.describe(), "")),
        };
        match result {
            Err(Refused(reason)) => self.problem(at, format!("{} is {reason}", setting.key)),
            Ok(()) if !setting.used => self.not_used(setting.key, &entry.at),
            Ok(()) => {}
        }
    }
}

impl<'t, T> Allowed<'t, T> {
    /// All keys, and the parts in front of their dots, for suggestions.
    fn keys(&self) -> Vec<&'t str> {
        let whole = self.table.iter().map(|setting| setting.key);
        let whole: Vec<&str> =
            whole.chain(self.ignored.iter().copied()).chain(self.handled.iter().copied()).collect();
        let branches =
            whole.iter().flat_map(|key| key.match_indices('.').map(|(dot, _)| &key[..dot]));
        let branches: Vec<&str> = branches.collect();
        whole.into_iter().chain(branches).collect()
    }
}

/// `socket.tables: 5`, where a mapping belongs.
fn wrong_branch<T>(table: &[Setting<T>], below: &str, entry: &Entry) -> Option<String> {
    if matches!(entry.node.value, Value::Null) {
        return None;
    }
    let mut next: Vec<&str> = Vec::new();
    for rest in table.iter().filter_map(|setting| setting.key.strip_prefix(below)) {
        let part = rest.split('.').next().unwrap_or(rest);
        if !next.contains(&part) {
            next.push(part);
        }
    }
    let key = below.trim_end_matches('.');
    let found = entry.node.describe();
    Some(format!("{key} is {found}; allowed: a mapping with {}", next.join(", ")))
}
