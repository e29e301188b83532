//! How an output is found by its name, described and configured.

use config::{
    rows::{Allowed, Described, Effect, Reader, Setting, describe, describe_known},
    tree::{Entry, Value},
};

use crate::{Configured, OutputOptions, Wrong};

/// An output that can be configured.
pub struct Registration {
    /// The name below `output.`
    pub name: &'static str,
    describe: fn() -> Vec<Described>,
    read: fn(&mut Reader<'_>, &Entry) -> Option<Configured>,
    default: fn() -> Configured,
}

// === impl Registration ===

impl Registration {
    /// The output with options of this type.
    pub const fn of<T: OutputOptions>() -> Self {
        Self { name: T::NAME, describe: described::<T>, read: read::<T>, default: default::<T> }
    }

    /// Descriptions of the options.
    pub fn described(&self) -> Vec<Described> {
        (self.describe)()
    }

    /// The output with all options at their defaults.
    pub fn with_defaults(&self) -> Configured {
        (self.default)()
    }

    /// Reads its options from `output.NAME`; `None` if it is not enabled, or after a problem.
    pub fn read(&self, reader: &mut Reader<'_>, entry: &Entry) -> Option<Configured> {
        (self.read)(reader, entry)
    }
}

fn default<T: OutputOptions>() -> Configured {
    Configured::new(T::default())
}

fn described<T: OutputOptions>() -> Vec<Described> {
    let refused = T::refused().iter().map(|(key, reason)| Described {
        key: format!("output.{}.{key}", T::NAME),
        default: "",
        allowed: String::new(),
        effect: Effect::Inactive,
        doc: reason,
    });
    let known = T::known().iter().flat_map(describe_known);
    describe(T::rows()).into_iter().chain(known).chain(refused).collect()
}

fn read<T: OutputOptions>(reader: &mut Reader<'_>, entry: &Entry) -> Option<Configured> {
    let key = format!("output.{}", T::NAME);
    let entries = reader.mapping(&key, &entry.at, &entry.node)?.to_vec();
    let prefix = format!("{key}.");
    let allowed = Allowed { settings: T::rows(), known: T::known(), elsewhere: &[] };
    let mut options = T::default();
    // What is refused is told below, and is no unknown key.
    let (refused, entries): (Vec<Entry>, Vec<Entry>) = entries
        .into_iter()
        .partition(|entry| T::refused().iter().any(|(refused, _)| *refused == entry.key));
    if is_off::<T>(reader, &prefix, &entries) {
        reader.idly(|reader| reader.table(&allowed, &prefix, &entries, &mut options));
        return None;
    }
    let before = reader.findings.problems.len();
    for entry in &refused {
        let reason = T::refused().iter().find(|(refused, _)| *refused == entry.key);
        let reason = reason.map_or("", |(_, reason)| reason);
        let message = format!("{key}.{} is not supported: {reason}; remove it", entry.key);
        reader.problem(&entry.at, message);
    }
    reader.table(&allowed, &prefix, &entries, &mut options);
    if reader.findings.problems.len() > before {
        return None;
    }
    if let Err(Wrong { key, reason }) = options.check() {
        let at = entry.node.find(key).map_or(&entry.at, |node| &node.at);
        reader.problem(at, reason);
        return None;
    }
    Some(Configured::new(options))
}

/// Whether `enabled` is false.
fn is_off<T: OutputOptions>(reader: &Reader<'_>, prefix: &str, entries: &[Entry]) -> bool {
    let whole = format!("{prefix}enabled");
    let row = T::rows().iter().find(|row: &&Setting<T>| row.key == whole);
    let entry = entries.iter().find(|entry| entry.key == "enabled");
    let (Some(row), Some(entry)) = (row, entry) else { return false };
    let Value::Scalar(text) = &entry.node.value else { return false };
    reader.values.text(text).is_ok_and(|text| row.kind.is_off(&text))
}
