//! How a processor is found by its name, described and configured.

use config::{
    rows::{Allowed, Described, Reader, describe},
    tree::Entry,
};

use crate::{Configured, ProcessorOptions, Wrong};

/// A processor that can be configured.
pub struct Registration {
    /// The name in the list of processors.
    pub name: &'static str,
    describe: fn() -> Vec<Described>,
    read: fn(&mut Reader<'_>, &Entry) -> Option<Configured>,
}

// === impl Registration ===

impl Registration {
    /// The processor with options of this type.
    pub const fn of<T: ProcessorOptions>() -> Self {
        Self { name: T::NAME, describe: || describe(T::rows()), read: read::<T> }
    }

    /// Descriptions of the options.
    pub fn described(&self) -> Vec<Described> {
        (self.describe)()
    }

    /// Reads its options from an item of the list, `NAME: {...}`; `None` after a problem.
    pub fn read(&self, reader: &mut Reader<'_>, entry: &Entry) -> Option<Configured> {
        (self.read)(reader, entry)
    }
}

fn read<T: ProcessorOptions>(reader: &mut Reader<'_>, entry: &Entry) -> Option<Configured> {
    let entries = reader.mapping(T::NAME, &entry.at, &entry.node)?.to_vec();
    let allowed = Allowed { settings: T::rows(), known: &[], elsewhere: &[] };
    let mut options = T::default();
    let before = reader.findings.problems.len();
    reader.table(&allowed, &format!("{}.", T::NAME), &entries, &mut options);
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
