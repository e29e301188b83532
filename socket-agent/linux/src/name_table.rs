//! Names of numbers, both ways.

/// Pairs of number and name; several names may share a number, the first of which is the one to
/// show.
#[derive(Clone, Copy, Debug)]
pub struct NameTable(pub &'static [(u32, &'static str)]);

impl NameTable {
    /// The first name of a number.
    pub fn name(self, number: u32) -> Option<&'static str> {
        self.0.iter().find(|(known, _)| *known == number).map(|(_, name)| *name)
    }

    /// The number of a name, in any case.
    pub fn number(self, name: &str) -> Option<u32> {
        self.0.iter().find(|(_, known)| known.eq_ignore_ascii_case(name)).map(|(number, _)| *number)
    }

    /// Every name.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        self.0.iter().map(|(_, name)| *name)
    }
}
