//! Options as rows of tables, and how a mapping is read by them. Knows no option itself.

mod described;
mod kind;
mod reader;
mod table;

pub use described::{Described, describe, describe_known};
pub use kind::{Bounds, Kind, Refused};
pub use reader::{Findings, Note, Reader, Why, whole_key};
pub use table::Allowed;

/// Effect of an option in this version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// The option does what it is documented to do.
    Works,
    /// It is accepted, and there is nothing here for it to change, for this reason.
    WithoutMeaning(&'static str),
    /// It is accepted, and nothing follows from it yet.
    NotYet,
    /// It asks for a part that cannot run yet, which ends the start unless the user allows it.
    Inactive,
}

/// One option whose value is checked; settings are collected in a `T`.
pub struct Setting<T: 'static> {
    /// Dotted, from the level at which the table is used.
    pub key: &'static str,
    /// As it would be written; empty if unset means something else than any value.
    pub default: &'static str,
    /// Type, range, and where the value goes.
    pub kind: Kind<T>,
    /// Effect of the option in this version.
    pub effect: Effect,
    /// Meaning, one sentence.
    pub doc: &'static str,
}

/// One option that is known by its name alone: whatever lies below it is not checked, unless other
/// rows are about that.
#[derive(Clone, Copy, Debug)]
pub struct Known {
    /// Dotted, from the prefix of its group.
    pub key: &'static str,
    /// What this version does with it; [`Effect::Works`] and [`Effect::Inactive`] are for those that
    /// are read without a table.
    pub effect: Effect,
    /// Meaning, where it works.
    pub doc: &'static str,
}

/// Options below one key, which several keys can share.
#[derive(Clone, Copy, Debug)]
pub struct Group {
    /// Ends in a dot; empty at the level at which the group is used.
    pub prefix: &'static str,
    /// The options.
    pub rows: &'static [Known],
}

/// An option that has an effect.
pub const fn used<T>(
    key: &'static str,
    default: &'static str,
    kind: Kind<T>,
    doc: &'static str,
) -> Setting<T> {
    Setting { key, default, kind, effect: Effect::Works, doc }
}

/// An option that is checked, and has nothing here to change.
pub const fn without_meaning<T>(
    key: &'static str,
    default: &'static str,
    kind: Kind<T>,
    reason: &'static str,
) -> Setting<T> {
    Setting { key, default, kind, effect: Effect::WithoutMeaning(reason), doc: reason }
}

/// An option that is checked, and nothing follows from it yet.
pub const fn not_yet<T>(
    key: &'static str,
    default: &'static str,
    kind: Kind<T>,
    doc: &'static str,
) -> Setting<T> {
    Setting { key, default, kind, effect: Effect::NotYet, doc }
}

/// A known option that is read without a table.
pub const fn handled(key: &'static str, doc: &'static str) -> Known {
    Known { key, effect: Effect::Works, doc }
}

/// A known option that asks for parts that cannot run yet; read without a table.
pub const fn inactive(key: &'static str) -> Known {
    Known { key, effect: Effect::Inactive, doc: "" }
}

/// A known option that has nothing here to change.
pub const fn pointless(key: &'static str, reason: &'static str) -> Known {
    Known { key, effect: Effect::WithoutMeaning(reason), doc: reason }
}

/// A known option from which nothing follows yet.
pub const fn later(key: &'static str) -> Known {
    Known { key, effect: Effect::NotYet, doc: "" }
}

impl Group {
    /// The options with their whole keys.
    pub fn keys(&self) -> impl Iterator<Item = (String, &'static Known)> {
        let prefix = self.prefix;
        self.rows.iter().map(move |row| (format!("{prefix}{}", row.key), row))
    }
}
