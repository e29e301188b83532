//! File systems that rules can name, by their magic number: `include/uapi/linux/magic.h`.

use linux::NameTable;

/// Magic numbers.
pub const FS_TYPE: NameTable = NameTable(&[
    (0x7472_6163, "tracefs"),
    (0x6462_6720, "debugfs"),
    (0x0027_e0eb, "cgroup"),
    (0x6367_7270, "cgroup2"),
]);
