//! Names that audit user space uses and the crate's tables do not have.

use linux::NameTable;

use super::super::Arch;

pub(super) fn name(arch: Arch, number: u32) -> Option<&'static str> {
    tables(arch).iter().find_map(|names| names.name(number))
}

pub(super) fn number(arch: Arch, name: &str) -> Option<u32> {
    tables(arch).iter().find_map(|names| names.number(name))
}

pub(super) fn names(arch: Arch) -> impl Iterator<Item = &'static str> {
    tables(arch).into_iter().flat_map(NameTable::names)
}

fn tables(arch: Arch) -> [NameTable; 2] {
    let own: &'static [(u32, &'static str)] = match arch {
        Arch::X86_64 => &[(17, "pread"), (18, "pwrite")],
        Arch::I386 => &[
            (17, "break"),
            (219, "madvise"),
            (219, "madvise1"),
            (283, "sys_kexec_load"),
            (423, "sched_rr_get_interval64"),
        ],
        Arch::Aarch64 => {
            &[(61, "getdents"), (67, "pread"), (68, "pwrite"), (79, "newfstatat"), (80, "newfstat")]
        }
        Arch::Arm => ARM,
        Arch::Ppc64Le | Arch::Ppc64 => &[
            (17, "break"),
            (179, "pread"),
            (180, "pwrite"),
            (306, "timerfd"),
            (319, "perf_counter_open"),
        ],
        Arch::Ppc => &[
            (17, "break"),
            (179, "pread"),
            (180, "pwrite"),
            (306, "timerfd"),
            (319, "perf_counter_open"),
            (423, "sched_rr_get_interval64"),
        ],
        Arch::S390x => &[(180, "pread"), (181, "pwrite")],
        Arch::Riscv64 | Arch::Riscv32 | Arch::S390 => &[],
    };
    let newer: &'static [(u32, &'static str)] =
        if matches!(arch, Arch::S390) { &[] } else { NEWER };
    [NameTable(own), NameTable(newer)]
}

/// Linux 6.19 and 7.x; new calls have one number everywhere.
const NEWER: &[(u32, &str)] = &[(470, "listns"), (471, "rseq_slice_yield")];

/// Among them the calls of the old ABI, which EABI programs do not use.
const ARM: &[(u32, &str)] = &[
    (13, "time"),
    (22, "umount"),
    (25, "stime"),
    (27, "alarm"),
    (30, "utime"),
    (76, "getrlimit"),
    (82, "select"),
    (89, "readdir"),
    (90, "mmap"),
    (102, "socketcall"),
    (113, "syscall"),
    (117, "ipc"),
    (140, "llseek"),
    (142, "newselect"),
    (149, "sysctl"),
    (270, "fadvise64_64"),
    (341, "sync_file_range"),
    (423, "sched_rr_get_interval64"),
];
