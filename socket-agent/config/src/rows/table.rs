//! Reading a mapping by tables of options.

use super::{Effect, Group, Kind, Known, Reader, Refused, Setting};
use crate::tree::{Entry, Value};

/// Options that a mapping may have.
pub struct Allowed<'t, T: 'static> {
    /// Options that are checked.
    pub settings: &'t [Setting<T>],
    /// Options that are known by name; those that work are read by the caller.
    pub known: &'t [Group],
    /// Keys of options that are read from other entries: a key that nobody knows may be meant to be one.
    pub elsewhere: &'t [String],
}

impl Reader<'_> {
    /// Reads `entries`, whose keys continue `prefix` (`"output.file."`, or empty), into `target`.
    pub fn table<T>(
        &mut self,
        allowed: &Allowed<'_, T>,
        prefix: &str,
        entries: &[Entry],
        target: &mut T,
    ) {
        self.level(allowed, prefix, entries, target, None);
    }

    /// Reads a level of a table. What is unknown in it belongs to the option `around` it, if that is
    /// one.
    fn level<T>(
        &mut self,
        allowed: &Allowed<'_, T>,
        prefix: &str,
        entries: &[Entry],
        target: &mut T,
        around: Option<(&str, Effect)>,
    ) {
        for entry in entries {
            let key = format!("{prefix}{}", entry.key);
            let below = format!("{key}.");
            let node = self.values.whole(&entry.node).unwrap_or(&entry.node);
            let known = allowed.known(&key).map(|row| row.effect);
            let around = known.map(|effect| (key.as_str(), effect)).or(around);
            let leads_on = allowed.leads_on(&below);
            if let Some(row) = allowed.setting(&key) {
                self.setting(row, entry, target);
                continue;
            }
            match &node.value {
                Value::Map(entries) if leads_on => {
                    self.level(allowed, &below, entries, target, around);
                    continue;
                }
                Value::Map(_) if known == Some(Effect::Works) => continue,
                Value::Null if leads_on || around.is_some() => continue,
                // An empty list asks for nothing.
                Value::List(items) if items.is_empty() && around.is_some() => continue,
                _ => {}
            }
            if let Some((key, effect)) = around {
                self.note(effect, key, &entry.at);
            } else if leads_on {
                self.wrong_branch(allowed, &below, entry);
            } else {
                let keys = allowed.keys();
                self.unknown(&key, entry, keys.iter().map(String::as_str));
            }
        }
    }

    /// Reads one option. A value that is left empty leaves the default.
    pub fn setting<T>(&mut self, setting: &Setting<T>, entry: &Entry, target: &mut T) {
        let node = self.values.whole(&entry.node).unwrap_or(&entry.node);
        let at = &entry.node.at;
        let mut effect = setting.effect;
        if let (Kind::Texts(set), Value::List(_)) = (&setting.kind, &node.value) {
            let before = self.findings.problems.len();
            let texts = self.list(setting.key, "texts", &entry.node);
            if self.findings.problems.len() == before {
                set(target, texts.into_iter().map(|(_, text)| text).collect());
                self.note(effect, setting.key, &entry.at);
            }
            return;
        }
        let result = match &node.value {
            Value::Null => return,
            Value::Scalar(text) => {
                let Some(text) = self.text(setting.key, at, text) else { return };
                if effect == Effect::NotYet && setting.kind.is_off(&text) {
                    // What is not there yet is off.
                    effect = Effect::Works;
                }
                setting.kind.apply(target, &text)
            }
            Value::List(_) | Value::Map(_) => Err(setting.kind.refuse(&node.describe(), "")),
        };
        match result {
            Err(Refused(reason)) => self.problem(at, format!("{} is {reason}", setting.key)),
            Ok(()) => self.note(effect, setting.key, &entry.at),
        }
    }

    /// `socket.tables: 5`, where a mapping belongs.
    fn wrong_branch<T>(&mut self, allowed: &Allowed<'_, T>, below: &str, entry: &Entry) {
        let keys = allowed.whole_keys();
        let mut next: Vec<&str> = Vec::new();
        for rest in keys.iter().filter_map(|key| key.strip_prefix(below)) {
            let part = rest.split('.').next().unwrap_or(rest);
            if !next.contains(&part) {
                next.push(part);
            }
        }
        let key = below.trim_end_matches('.');
        let (found, next) = (entry.node.describe(), next.join(", "));
        let message = format!("{key} is {found}; allowed: a mapping with {next}");
        if allowed.settings.iter().any(|setting| setting.key.starts_with(below)) {
            self.problem(&entry.node.at, message);
        } else {
            self.warn(&entry.node.at, message);
        }
    }
}

impl<'t, T> Allowed<'t, T> {
    fn setting(&self, key: &str) -> Option<&'t Setting<T>> {
        self.settings.iter().find(|setting| setting.key == key)
    }

    /// The row of a known option.
    pub fn known(&self, key: &str) -> Option<&'static Known> {
        self.known.iter().find_map(|group| {
            let key = key.strip_prefix(group.prefix)?;
            group.rows.iter().find(|row| row.key == key)
        })
    }

    /// Whether keys of options begin with this one.
    fn leads_on(&self, below: &str) -> bool {
        self.settings.iter().any(|setting| setting.key.starts_with(below))
            || self.known.iter().any(|group| match below.strip_prefix(group.prefix) {
                Some(below) => group.rows.iter().any(|row| row.key.starts_with(below)),
                None => group.prefix.starts_with(below) && !group.rows.is_empty(),
            })
    }

    fn whole_keys(&self) -> Vec<String> {
        let settings = self.settings.iter().map(|setting| setting.key.to_owned());
        settings.chain(self.known.iter().flat_map(Group::keys).map(|(key, _)| key)).collect()
    }

    /// All keys, and the parts in front of their dots, for suggestions.
    fn keys(&self) -> Vec<String> {
        let mut keys = self.whole_keys();
        keys.extend_from_slice(self.elsewhere);
        let branches: Vec<String> = keys
            .iter()
            .flat_map(|key| key.match_indices('.').map(|(dot, _)| key[..dot].to_owned()))
            .collect();
        keys.extend(branches);
        keys
    }
}
