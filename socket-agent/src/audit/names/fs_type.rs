//! File systems that rules can name, by their magic number: `include/uapi/linux/magic.h`.

use super::table::{self, Table};

/// The name of a number.
pub fn name(magic: u32) -> Option<&'static str> {
    table::name(TABLE, magic)
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
    (0x7472_6163, "tracefs"),
    (0x6462_6720, "debugfs"),
    (0x0027_e0eb, "cgroup"),
    (0x6367_7270, "cgroup2"),
];
