//! Architectures, as the audit framework numbers them: an ELF machine with bits for the word size
//! and the byte order (`AUDIT_ARCH_*` in `include/uapi/linux/audit.h`).

use std::fmt;

use linux::NameTable;

/// Set in the audit number of a 64-bit architecture.
const BITS_64: u32 = 0x8000_0000;
/// Set in the audit number of a little-endian architecture.
const LITTLE_ENDIAN: u32 = 0x4000_0000;

/// An architecture whose system calls can be audited.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Arch {
    /// 64-bit x86.
    X86_64,
    /// 32-bit x86.
    I386,
    /// 64-bit Arm.
    Aarch64,
    /// 32-bit Arm, EABI.
    Arm,
    /// 64-bit RISC-V.
    Riscv64,
    /// 32-bit RISC-V.
    Riscv32,
    /// 64-bit PowerPC, little-endian.
    Ppc64Le,
    /// 64-bit PowerPC, big-endian.
    Ppc64,
    /// 32-bit PowerPC.
    Ppc,
    /// 64-bit S/390.
    S390x,
    /// 31-bit S/390.
    S390,
}

/// Facts about an architecture.
struct Row {
    arch: Arch,
    /// `AUDIT_ARCH_*`.
    audit: u32,
    /// The name to show, then the others that `uname -m` and rules use.
    names: &'static [&'static str],
    /// The 32-bit architecture whose programs the same kernel runs.
    narrow: Option<Arch>,
}

const ROWS: &[Row] = &[
    Row {
        arch: Arch::X86_64,
        audit: 62 | BITS_64 | LITTLE_ENDIAN,
        names: &["x86_64", "amd64"],
        narrow: Some(Arch::I386),
    },
    Row {
        arch: Arch::I386,
        audit: 3 | LITTLE_ENDIAN,
        names: &["i386", "i486", "i586", "i686", "x86"],
        narrow: None,
    },
    Row {
        arch: Arch::Aarch64,
        audit: 183 | BITS_64 | LITTLE_ENDIAN,
        names: &["aarch64", "armv8l", "arm64"],
        narrow: Some(Arch::Arm),
    },
    Row {
        arch: Arch::Arm,
        audit: 40 | LITTLE_ENDIAN,
        names: &["arm", "armeb", "armv5tejl", "armv5tel", "armv6l", "armv7l"],
        narrow: None,
    },
    Row {
        arch: Arch::Riscv64,
        audit: 243 | BITS_64 | LITTLE_ENDIAN,
        names: &["riscv64"],
        narrow: Some(Arch::Riscv32),
    },
    Row { arch: Arch::Riscv32, audit: 243 | LITTLE_ENDIAN, names: &["riscv32"], narrow: None },
    Row {
        arch: Arch::Ppc64Le,
        audit: 21 | BITS_64 | LITTLE_ENDIAN,
        names: &["ppc64le"],
        narrow: None,
    },
    Row { arch: Arch::Ppc64, audit: 21 | BITS_64, names: &["ppc64"], narrow: Some(Arch::Ppc) },
    Row { arch: Arch::Ppc, audit: 20, names: &["ppc"], narrow: None },
    Row { arch: Arch::S390x, audit: 22 | BITS_64, names: &["s390x"], narrow: Some(Arch::S390) },
    Row { arch: Arch::S390, audit: 22, names: &["s390"], narrow: None },
];

/// Others that audit knows, of whose system calls and rules nothing is known here: `AUDIT_ARCH_*`
/// and the name in small letters.
const OTHERS: NameTable = NameTable(&[
    (0x0000_0002, "sparc"),
    (0x0000_0004, "m68k"),
    (0x0000_0008, "mips"),
    (0x0000_000f, "parisc"),
    (0x0000_0028, "armeb"),
    (0x0000_002a, "sh"),
    (0x4000_0008, "mipsel"),
    (0x4000_002a, "shel"),
    (0x4000_0102, "loongarch32"),
    (0x8000_0008, "mips64"),
    (0x8000_000f, "parisc64"),
    (0x8000_002a, "sh64"),
    (0x8000_002b, "sparc64"),
    (0xa000_0008, "mips64n32"),
    (0xc000_0008, "mipsel64"),
    (0xc000_002a, "shel64"),
    (0xc000_0032, "ia64"),
    (0xc000_0102, "loongarch64"),
    (0xc000_9026, "alpha"),
    (0xe000_0008, "mipsel64n32"),
]);

/// The name of any architecture, by the number that records carry.
pub fn name(number: u32) -> Option<&'static str> {
    Arch::from_audit(number).map(Arch::name).or_else(|| OTHERS.name(number))
}

/// Whether an architecture, by its name, numbers flags, signals and most errors otherwise than
/// asm-generic does.
pub fn has_other_numbers(name: &str) -> bool {
    ["mips", "sparc", "alpha", "parisc"].iter().any(|other| name.starts_with(other))
}

// === impl Arch ===

impl Arch {
    /// The architecture this program was built for, which is not always that of the kernel: a
    /// 32-bit program on a 64-bit kernel has to ask `uname` and [`Arch::from_name`].
    pub const fn of_build() -> Option<Self> {
        if cfg!(target_arch = "x86_64") {
            Some(Self::X86_64)
        } else if cfg!(target_arch = "x86") {
            Some(Self::I386)
        } else if cfg!(target_arch = "aarch64") {
            Some(Self::Aarch64)
        } else if cfg!(target_arch = "arm") {
            Some(Self::Arm)
        } else if cfg!(target_arch = "riscv64") {
            Some(Self::Riscv64)
        } else if cfg!(all(target_arch = "powerpc64", target_endian = "little")) {
            Some(Self::Ppc64Le)
        } else if cfg!(target_arch = "s390x") {
            Some(Self::S390x)
        } else {
            None
        }
    }

    /// By one of its names, in any case: those of `uname -m` and of rules.
    pub fn from_name(name: &str) -> Option<Self> {
        let known = |row: &&Row| row.names.iter().any(|known| known.eq_ignore_ascii_case(name));
        ROWS.iter().find(known).map(|row| row.arch)
    }

    /// By the number that records and rules carry (`arch=c000003e`).
    pub fn from_audit(number: u32) -> Option<Self> {
        ROWS.iter().find(|row| row.audit == number).map(|row| row.arch)
    }

    /// The number that records and rules carry.
    pub fn audit(self) -> u32 {
        self.row().map_or(0, |row| row.audit)
    }

    /// The name to show.
    pub fn name(self) -> &'static str {
        self.row().and_then(|row| row.names.first().copied()).unwrap_or("unknown")
    }

    /// Whether its words have 64 bits.
    pub fn is_64_bit(self) -> bool {
        self.audit() & BITS_64 != 0
    }

    /// What `arch=b32` means on a kernel of this architecture.
    pub fn narrow(self) -> Option<Self> {
        if self.is_64_bit() { self.row().and_then(|row| row.narrow) } else { Some(self) }
    }

    /// What `arch=b64` means on a kernel of this architecture.
    pub fn wide(self) -> Option<Self> {
        self.is_64_bit().then_some(self)
    }

    /// Every name of every architecture.
    pub fn names() -> impl Iterator<Item = &'static str> {
        ROWS.iter().flat_map(|row| row.names.iter().copied())
    }

    fn row(self) -> Option<&'static Row> {
        ROWS.iter().find(|row| row.arch == self)
    }
}

impl fmt::Display for Arch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn has_the_kernels_numbers() {
        assert_eq!(Arch::X86_64.audit(), 0xc000_003e);
        assert_eq!(Arch::I386.audit(), 0x4000_0003);
        assert_eq!(Arch::Aarch64.audit(), 0xc000_00b7);
        assert_eq!(Arch::S390x.audit(), 0x8000_0016);
        for row in ROWS {
            assert_eq!(Arch::from_audit(row.audit), Some(row.arch));
            assert_eq!(Arch::from_name(row.arch.name()), Some(row.arch));
        }
    }

    #[test]
    fn names_architectures_without_tables() {
        assert_eq!(name(0xc000_003e), Some("x86_64"));
        assert_eq!(name(0xc000_0102), Some("loongarch64"));
        // EM_MIPS with the bits of the word size, the byte order and the n32 convention.
        assert_eq!(name(8), Some("mips"));
        assert_eq!(name(8 | LITTLE_ENDIAN), Some("mipsel"));
        assert_eq!(name(8 | BITS_64 | LITTLE_ENDIAN | 0x2000_0000), Some("mipsel64n32"));
        assert_eq!(name(0x1234), None);
        for (number, other) in OTHERS.0 {
            assert_eq!(Arch::from_audit(*number), None, "{other}");
        }
        assert!(has_other_numbers("mips64") && !has_other_numbers("loongarch64"));
    }

    #[test]
    fn knows_which_programs_a_kernel_runs() {
        assert_eq!(Arch::X86_64.narrow(), Some(Arch::I386));
        assert_eq!(Arch::I386.wide(), None);
        assert_eq!(Arch::Ppc64Le.narrow(), None);
    }
}
