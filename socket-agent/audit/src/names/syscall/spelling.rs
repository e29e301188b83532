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

fn tables(arch: Arch) -> [NameTable; 3] {
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
        Arch::S390 => S390_SPELLING,
        Arch::Riscv64 | Arch::Riscv32 => &[],
    };
    [NameTable(own), NameTable(NEWER), NameTable(if arch == Arch::S390 { S390 } else { &[] })]
}

/// The name of a call that has another in the crate's table, or none.
pub(super) fn differs(arch: Arch, number: u32) -> Option<&'static str> {
    if arch == Arch::S390 { NameTable(S390).name(number) } else { None }
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

const S390_SPELLING: &[(u32, &str)] = &[(180, "pread"), (181, "pwrite")];

/// Calls of 31 bits: user and group numbers of 16 bits and those of 32, files beyond 2 GiB, and times
/// of 64 bits. All others are those of 64 bits.
///
/// Source: arch/s390/kernel/syscalls/syscall.tbl.
const S390: &[(u32, &str)] = &[
    (13, "time"),
    (16, "lchown"),
    (23, "setuid"),
    (24, "getuid"),
    (25, "stime"),
    (46, "setgid"),
    (47, "getgid"),
    (49, "geteuid"),
    (50, "getegid"),
    (70, "setreuid"),
    (71, "setregid"),
    (76, "getrlimit"),
    (80, "getgroups"),
    (81, "setgroups"),
    (95, "fchown"),
    (101, "ioperm"),
    (138, "setfsuid"),
    (139, "setfsgid"),
    (140, "_llseek"),
    (142, "_newselect"),
    (164, "setresuid"),
    (165, "getresuid"),
    (170, "setresgid"),
    (171, "getresgid"),
    (182, "chown"),
    (191, "ugetrlimit"),
    (192, "mmap2"),
    (193, "truncate64"),
    (194, "ftruncate64"),
    (195, "stat64"),
    (196, "lstat64"),
    (197, "fstat64"),
    (198, "lchown32"),
    (199, "getuid32"),
    (200, "getgid32"),
    (201, "geteuid32"),
    (202, "getegid32"),
    (203, "setreuid32"),
    (204, "setregid32"),
    (205, "getgroups32"),
    (206, "setgroups32"),
    (207, "fchown32"),
    (208, "setresuid32"),
    (209, "getresuid32"),
    (210, "setresgid32"),
    (211, "getresgid32"),
    (212, "chown32"),
    (213, "setuid32"),
    (214, "setgid32"),
    (215, "setfsuid32"),
    (216, "setfsgid32"),
    (220, "getdents64"),
    (221, "fcntl64"),
    (223, "sendfile64"),
    (264, "fadvise64_64"),
    (293, "fstatat64"),
    (403, "clock_gettime64"),
    (404, "clock_settime64"),
    (405, "clock_adjtime64"),
    (406, "clock_getres_time64"),
    (407, "clock_nanosleep_time64"),
    (408, "timer_gettime64"),
    (409, "timer_settime64"),
    (410, "timerfd_gettime64"),
    (411, "timerfd_settime64"),
    (412, "utimensat_time64"),
    (413, "pselect6_time64"),
    (414, "ppoll_time64"),
    (416, "io_pgetevents_time64"),
    (417, "recvmmsg_time64"),
    (418, "mq_timedsend_time64"),
    (419, "mq_timedreceive_time64"),
    (420, "semtimedop_time64"),
    (421, "rt_sigtimedwait_time64"),
    (422, "futex_time64"),
    (423, "sched_rr_get_interval_time64"),
];
