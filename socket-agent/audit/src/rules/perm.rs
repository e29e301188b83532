//! Kinds of access to a file, and the system calls that make them.

use std::fmt;

use super::mask::Mask;
use crate::names::{Arch, syscall};

/// A set of kinds of access: `AUDIT_PERM_*`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Perm(u32);

/// Letter, bit, and the calls that audit user space 4.2 takes for it: those of the kernel's classes
/// (`include/asm-generic/audit_*.h`) that can succeed on a file.
const KINDS: [(char, u32, &[&str]); 4] =
    [('r', 4, READ), ('w', 2, WRITE), ('x', 1, &["execve", "execveat"]), ('a', 8, CHANGE)];

#[rustfmt::skip]
const READ: &[&str] = &[
    "readlink", "quotactl", "quotactl_fd", "listxattr", "listxattrat", "llistxattr", "flistxattr",
    "getxattr", "getxattrat", "lgetxattr", "fgetxattr", "readlinkat", "open", "openat", "openat2",
    "file_getattr", "stat", "lstat", "fstat", "newfstatat", "statx",
];

#[rustfmt::skip]
const WRITE: &[&str] = &[
    "rename", "mkdir", "rmdir", "creat", "link", "unlink", "symlink", "mknod", "mkdirat", "mknodat",
    "unlinkat", "renameat", "linkat", "symlinkat", "renameat2", "acct", "swapon", "quotactl",
    "quotactl_fd", "truncate", "ftruncate", "bind", "fallocate", "open", "openat", "openat2",
];

#[rustfmt::skip]
const CHANGE: &[&str] = &[
    "chmod", "fchmod", "chown", "lchown", "fchown", "setxattr", "setxattrat", "lsetxattr",
    "fsetxattr", "removexattr", "removexattrat", "lremovexattr", "fremovexattr", "fchownat",
    "fchmodat", "fchmodat2", "file_setattr", "link", "linkat",
];

// === impl Perm ===

impl Perm {
    /// All kinds of access.
    pub const ALL: Self = Self(15);

    /// From letters in any case and order, at most four.
    ///
    /// # Errors
    /// What is wrong with them.
    pub(super) fn from_letters(letters: &str) -> Result<Self, String> {
        if letters.is_empty() || letters.len() > 4 {
            return Err(format!(
                "`{letters}` is not one to four letters: write some of r, w, x and a"
            ));
        }
        let mut bits = 0;
        for letter in letters.chars() {
            let kind = KINDS.iter().find(|kind| letter.eq_ignore_ascii_case(&kind.0));
            let (_, bit, _) = kind.ok_or_else(|| {
                format!(
                    "`{letter}` is no kind of access: write r (read), w (write), x (execute) or a \
                     (attributes)"
                )
            })?;
            bits |= bit;
        }
        Ok(Self(bits))
    }

    /// `AUDIT_PERM_*` bits.
    pub fn bits(self) -> u32 {
        self.0
    }

    /// From `AUDIT_PERM_*` bits; others are left out.
    pub fn from_bits(bits: u32) -> Self {
        Self(bits & Self::ALL.0)
    }

    /// The calls of this architecture that make such an access.
    pub(super) fn calls(self, arch: Arch) -> Mask {
        let mut mask = Mask::NONE;
        let kinds = KINDS.iter().filter(|(_, bit, _)| self.0 & bit != 0);
        for number in kinds.flat_map(|kind| kind.2).filter_map(|name| syscall::number(arch, name)) {
            let inside = mask.insert(number);
            debug_assert!(inside, "the tables hold no number beyond the mask");
        }
        mask
    }
}

impl fmt::Display for Perm {
    /// As letters, in auditctl's order.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        KINDS
            .iter()
            .filter(|(_, bit, _)| self.0 & bit != 0)
            .try_for_each(|kind| write!(f, "{}", kind.0))
    }
}
