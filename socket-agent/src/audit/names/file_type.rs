//! Types of files: the bits of `S_IFMT` in a mode, `include/uapi/linux/stat.h`.

use linux::NameTable;

/// `S_IFMT` bits of a mode.
pub const FILE_TYPE: NameTable = NameTable(&[
    (0o140_000, "socket"),
    (0o120_000, "link"),
    (0o100_000, "file"),
    (0o060_000, "block"),
    (0o040_000, "dir"),
    (0o020_000, "character"),
    (0o010_000, "fifo"),
]);
