//! Searching a constant table of `(number, name)`.

/// One table; several names may share a number, the first of which is the one to show.
pub(super) type Table = [(u32, &'static str)];

/// The first name of a number.
pub(super) fn name(table: &'static Table, number: u32) -> Option<&'static str> {
    table.iter().find(|(known, _)| *known == number).map(|(_, name)| *name)
}

/// The number of a name; names differ in case.
pub(super) fn number(table: &'static Table, name: &str) -> Option<u32> {
    table.iter().find(|(_, known)| *known == name).map(|(number, _)| *number)
}

/// Every name.
pub(super) fn names(table: &'static Table) -> impl Iterator<Item = &'static str> {
    table.iter().map(|(_, name)| *name)
}
