//! Types of files: the bits of `S_IFMT` in a mode, `include/uapi/linux/stat.h`.

use super::table::{self, Table};

/// The name of a number.
pub fn name(mode: u32) -> Option<&'static str> {
    table::name(TABLE, mode)
}

/// The number of a name.
pub fn number(name: &str) -> Option<u32> {
    table::number(TABLE, name)
}

/// Every name.
pub fn names() -> impl Iterator<Item = &'static str> {
    table::names(TABLE)
}

const TABLE: &Table = &[
    (0o140_000, "socket"),
    (0o120_000, "link"),
    (0o100_000, "file"),
    (0o060_000, "block"),
    (0o040_000, "dir"),
    (0o020_000, "character"),
    (0o010_000, "fifo"),
];
