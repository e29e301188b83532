//! Options as they are documented: without the types that their values are stored in.

use super::{Effect, Group, Setting};

/// Description of one option.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Described {
    /// As written at the level at which its table is used.
    pub key: String,
    /// As it would be written; empty where unset means something else than any value.
    pub default: &'static str,
    /// Type and range; empty where the value is not checked by a table.
    pub allowed: String,
    /// Effect of the option in this version.
    pub effect: Effect,
    /// Meaning, one sentence; empty for options that are known by name only.
    pub doc: &'static str,
}

/// Options that are checked, in the order of their table.
pub fn describe<T>(table: &'static [Setting<T>]) -> Vec<Described> {
    let describe = |setting: &'static Setting<T>| {
        let Setting { key, default, kind, effect, doc } = setting;
        let key = (*key).to_owned();
        Described { key, default, allowed: kind.allowed(), effect: *effect, doc }
    };
    table.iter().map(describe).collect()
}

/// Options that are known by name, in the order of their group.
pub fn describe_known(group: &Group) -> Vec<Described> {
    let describe = |(key, row): (String, &'static super::Known)| Described {
        key,
        default: "",
        allowed: String::new(),
        effect: row.effect,
        doc: row.doc,
    };
    group.keys().map(describe).collect()
}
