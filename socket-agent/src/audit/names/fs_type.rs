//! File systems that rules can name, by their magic number: `include/uapi/linux/magic.h`.

use super::Names;

/// Magic numbers.
pub const FS_TYPE: Names = Names(&[
    (0x7472_6163, "tracefs"),
    (0x6462_6720, "debugfs"),
    (0x0027_e0eb, "cgroup"),
    (0x6367_7270, "cgroup2"),
]);
