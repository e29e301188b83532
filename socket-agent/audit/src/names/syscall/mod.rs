//! System calls of each architecture, by number and by name.
//!
//! The tables are those of the `syscalls` crate (Linux 6.18), made from the kernel's own; what it
//! lacks or spells otherwise than audit user space is in `spelling`.

mod spelling;

use super::Arch;

/// Evaluates `$body` with `Sysno` meaning the table of an architecture; `None` where there is none.
macro_rules! with_table {
    ($arch:expr, $body:expr) => {
        match $arch {
            Arch::X86_64 => with_table!(@one x86_64, $body),
            Arch::I386 => with_table!(@one x86, $body),
            Arch::Aarch64 => with_table!(@one aarch64, $body),
            Arch::Arm => with_table!(@one arm, $body),
            Arch::Riscv64 => with_table!(@one riscv64, $body),
            Arch::Riscv32 => with_table!(@one riscv32, $body),
            Arch::Ppc64Le | Arch::Ppc64 => with_table!(@one powerpc64, $body),
            Arch::Ppc => with_table!(@one powerpc, $body),
            // That of 31 bits differs by what is in `spelling` only.
            Arch::S390x | Arch::S390 => with_table!(@one s390x, $body),
        }
    };
    (@one $table:ident, $body:expr) => {{
        use syscalls::$table::Sysno;
        Some($body)
    }};
}

/// The kernel's name of a system call.
pub fn name(arch: Arch, number: u32) -> Option<&'static str> {
    if let Some(own) = spelling::differs(arch, number) {
        return Some(own);
    }
    if is_foreign(arch, number) {
        return None;
    }
    let listed = with_table!(arch, Sysno::new(number as usize).map(|call| call.name())).flatten();
    listed.or_else(|| spelling::name(arch, number))
}

/// The name that auditctl knows a system call by, which is the kernel's but for a few older ones.
pub fn auditctl_name(arch: Arch, number: u32) -> Option<&'static str> {
    spelling::name(arch, number).or_else(|| name(arch, number))
}

/// The number of a system call, by the kernel's name or by auditctl's, in any case.
pub fn number(arch: Arch, name: &str) -> Option<u32> {
    if name.bytes().any(|byte| byte.is_ascii_uppercase()) {
        return number(arch, &name.to_ascii_lowercase());
    }
    let listed = with_table!(arch, name.parse::<Sysno>().ok().map(|call| call.id())).flatten();
    listed
        .and_then(|id| u32::try_from(id).ok())
        .filter(|number| !is_foreign(arch, *number) && spelling::differs(arch, *number).is_none())
        .or_else(|| spelling::number(arch, name))
}

/// Every name that [`number`] knows.
pub fn names(arch: Arch) -> Vec<&'static str> {
    let mut names = with_table!(arch, Sysno::iter().map(|call| call.name()).collect::<Vec<_>>())
        .unwrap_or_default();
    names.retain(|name| number(arch, name).is_some());
    names.extend(spelling::names(arch));
    names
}

/// The crate lists the calls with 64-bit time for 64-bit Arm and PowerPC too, whose calls always
/// had it: those numbers are not assigned there.
fn is_foreign(arch: Arch, number: u32) -> bool {
    matches!(arch, Arch::Aarch64 | Arch::Ppc64 | Arch::Ppc64Le) && (403..=423).contains(&number)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Arch; 11] = [
        Arch::X86_64,
        Arch::I386,
        Arch::Aarch64,
        Arch::Arm,
        Arch::Riscv64,
        Arch::Riscv32,
        Arch::Ppc64Le,
        Arch::Ppc64,
        Arch::Ppc,
        Arch::S390x,
        Arch::S390,
    ];

    #[test]
    fn knows_old_and_new_calls_of_every_architecture() {
        for arch in ALL {
            for call in ["openat", "execveat", "openat2", "clone3", "futex_waitv", "file_getattr"] {
                let number = number(arch, call).unwrap();
                assert_eq!(name(arch, number), Some(call), "{arch}");
            }
        }
        assert_eq!(number(Arch::X86_64, "open"), Some(2));
        assert_eq!(number(Arch::I386, "open"), Some(5));
        assert_eq!(number(Arch::Aarch64, "open"), None);
        assert_eq!(number(Arch::Arm, "execve"), Some(11));
        assert_eq!(number(Arch::Riscv64, "execve"), Some(221));
        assert_eq!(number(Arch::Ppc64Le, "execve"), Some(11));
        assert_eq!(number(Arch::S390x, "openat"), Some(288));
        assert_eq!(number(Arch::S390, "openat"), Some(288));
    }

    #[test]
    fn knows_both_spellings() {
        assert_eq!(number(Arch::X86_64, "pread"), number(Arch::X86_64, "pread64"));
        assert_eq!(name(Arch::X86_64, 17), Some("pread64"));
        assert_eq!(auditctl_name(Arch::X86_64, 17), Some("pread"));
        assert_eq!(number(Arch::Aarch64, "newfstatat"), Some(79));
    }

    /// Source: arch/s390/kernel/syscalls/syscall.tbl.
    #[test]
    fn s390_has_calls_of_its_own() {
        for (call, narrow, wide) in [
            ("chown", Some(182), Some(212)),
            ("chown32", Some(212), None),
            ("select", None, Some(142)),
            ("_newselect", Some(142), None),
            ("getrlimit", Some(76), Some(191)),
            ("stat64", Some(195), None),
            ("clock_gettime64", Some(403), None),
            ("open", Some(5), Some(5)),
        ] {
            let numbers = (number(Arch::S390, call), number(Arch::S390x, call));
            assert_eq!(numbers, (narrow, wide), "{call}");
        }
        assert_eq!(name(Arch::S390, 198), Some("lchown32"));
        assert_eq!(name(Arch::S390x, 198), Some("lchown"));
    }

    #[test]
    fn takes_names_in_any_case() {
        assert_eq!(number(Arch::X86_64, "OpenAt"), Some(257));
        assert_eq!(number(Arch::X86_64, "PREAD"), Some(17));
        assert_eq!(number(Arch::X86_64, "NONESUCH"), None);
    }

    #[test]
    fn has_no_number_twice() {
        for arch in ALL {
            for name in names(arch) {
                let number = number(arch, name).unwrap();
                assert!(self::name(arch, number).is_some(), "{arch} {name}");
            }
        }
    }

    #[test]
    fn leaves_unassigned_numbers_without_a_name() {
        assert_eq!(name(Arch::Aarch64, 403), None);
        assert_eq!(number(Arch::Aarch64, "futex_time64"), None);
        assert_eq!(name(Arch::X86_64, u32::MAX), None);
    }
}
