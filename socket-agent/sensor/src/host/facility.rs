//! Facilities and the answers of their probes.

use std::io;

/// Something a kernel, its configuration or our privileges may or may not offer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Facility {
    /// Type information of the kernel (5.4).
    Btf,
    /// `bpf(2)` for this process (3.18).
    BpfSyscall,
    /// Program types that can be loaded.
    ProgramTypes,
    /// Ring buffer map (5.8).
    RingBuffer,
    /// Map of perf events, in place of a ring buffer (4.14 for what the programs do beside).
    PerfArray,
    /// Kprobes with eBPF programs (4.1).
    Kprobes,
    /// BTF trampolines, attached and not only loaded (5.5; arm64 6.4).
    Trampolines,
    /// Raw tracepoints (4.17).
    RawTracepoints,
    /// Tracepoints with typed arguments (5.5).
    BtfTracepoints,
    /// BPF iterators over tasks and their files (5.8).
    Iterators,
    /// Tracing file system, written to by the tracefs hook set (3.10 in debugfs, own since 4.1).
    Tracefs,
    /// A mounted cgroup v2 hierarchy (4.5).
    CgroupV2,
    /// Programs on packets of a cgroup (4.10).
    CgroupSkb,
    /// Kernel lockdown below "confidentiality" (5.4).
    Lockdown,
    /// Who else may use `bpf(2)` (4.4).
    UnprivilegedBpf,
    /// Addresses in `/proc/kallsyms`.
    KernelSymbols,
    /// `CAP_BPF` (5.8) or `CAP_SYS_ADMIN`: load programs.
    CapBpf,
    /// `CAP_PERFMON` (5.8) or `CAP_SYS_ADMIN`: attach to kernel functions.
    CapPerfmon,
    /// `CAP_NET_ADMIN`: programs on packets, other processes' sockets.
    CapNetAdmin,
    /// `CAP_SYS_PTRACE`: executables and descriptors of other users' processes.
    CapSysPtrace,
    /// `CAP_DAC_READ_SEARCH`: files that the agent's user may not read.
    CapDacReadSearch,
    /// `CAP_SYSLOG`: kernel addresses.
    CapSyslog,
    /// `CAP_SYS_RESOURCE`: memory limits before 5.11.
    CapSysResource,
    /// The audit framework answers.
    Audit,
    /// System call filters.
    Seccomp,
}

/// Answer of a probe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Probe {
    /// There and usable; the text says what was found.
    Available(String),
    /// Not there, or not usable.
    Missing {
        /// What was tried, and its result.
        reason: String,
        /// Remedy.
        remedy: String,
    },
    /// Could not be tried.
    Unprobed {
        /// Reason.
        reason: String,
        /// Remedy.
        remedy: String,
    },
}

/// What a process needs to load and attach programs.
pub(super) const PRIVILEGES: &str = "run as root, or grant CAP_BPF, CAP_PERFMON and CAP_NET_ADMIN \
                                     (before 5.8 CAP_SYS_ADMIN and CAP_NET_ADMIN)";

// === impl Facility ===

impl Facility {
    /// All of them, in the order in which they are shown.
    pub const ALL: [Self; 25] = [
        Self::Btf,
        Self::BpfSyscall,
        Self::ProgramTypes,
        Self::RingBuffer,
        Self::PerfArray,
        Self::Kprobes,
        Self::Trampolines,
        Self::RawTracepoints,
        Self::BtfTracepoints,
        Self::Iterators,
        Self::Tracefs,
        Self::CgroupV2,
        Self::CgroupSkb,
        Self::Lockdown,
        Self::UnprivilegedBpf,
        Self::KernelSymbols,
        Self::CapBpf,
        Self::CapPerfmon,
        Self::CapNetAdmin,
        Self::CapSysPtrace,
        Self::CapDacReadSearch,
        Self::CapSyslog,
        Self::CapSysResource,
        Self::Audit,
        Self::Seccomp,
    ];

    /// Name in the output of `doctor` and in messages.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Btf => "btf",
            Self::BpfSyscall => "bpf system call",
            Self::ProgramTypes => "program types",
            Self::RingBuffer => "ring buffer",
            Self::PerfArray => "perf event array",
            Self::Kprobes => "kprobes",
            Self::Trampolines => "trampolines",
            Self::RawTracepoints => "raw tracepoints",
            Self::BtfTracepoints => "btf tracepoints",
            Self::Iterators => "bpf iterators",
            Self::Tracefs => "tracefs",
            Self::CgroupV2 => "cgroup v2",
            Self::CgroupSkb => "cgroup_skb",
            Self::Lockdown => "lockdown",
            Self::UnprivilegedBpf => "unprivileged bpf",
            Self::KernelSymbols => "kernel symbols",
            Self::CapBpf => "CAP_BPF",
            Self::CapPerfmon => "CAP_PERFMON",
            Self::CapNetAdmin => "CAP_NET_ADMIN",
            Self::CapSysPtrace => "CAP_SYS_PTRACE",
            Self::CapDacReadSearch => "CAP_DAC_READ_SEARCH",
            Self::CapSyslog => "CAP_SYSLOG",
            Self::CapSysResource => "CAP_SYS_RESOURCE",
            Self::Audit => "audit",
            Self::Seccomp => "seccomp",
        }
    }
}

// === impl Probe ===

impl Probe {
    pub(super) fn available(detail: impl Into<String>) -> Self {
        Self::Available(detail.into())
    }

    pub(super) fn missing(reason: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self::Missing { reason: reason.into(), remedy: remedy.into() }
    }

    pub(super) fn unprobed(reason: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self::Unprobed { reason: reason.into(), remedy: remedy.into() }
    }

    /// A failed attempt: without the privilege for it nothing is known, otherwise it is missing.
    pub(super) fn failed(what: &str, error: &io::Error, remedy: impl Into<String>) -> Self {
        let denied = matches!(error.raw_os_error(), Some(libc::EPERM | libc::EACCES));
        if denied && !super::capabilities::may_use_bpf() {
            return Self::unprobed(format!("{what}: {error}"), PRIVILEGES);
        }
        if denied {
            return Self::missing(
                format!("{what}: {error}, although the capabilities are there"),
                "look for lockdown, a security module or a seccomp profile that forbids it",
            );
        }
        Self::missing(format!("{what}: {error}"), remedy)
    }

    /// Whether the facility can be used.
    pub fn is_available(&self) -> bool {
        matches!(self, Self::Available(_))
    }

    /// Description of the finding, or reason of the failure.
    pub fn detail(&self) -> &str {
        match self {
            Self::Available(detail) => detail,
            Self::Missing { reason, .. } | Self::Unprobed { reason, .. } => reason,
        }
    }

    /// What the user can do about it, if anything is missing.
    pub fn remedy(&self) -> Option<&str> {
        match self {
            Self::Available(_) => None,
            Self::Missing { remedy, .. } | Self::Unprobed { remedy, .. } => Some(remedy),
        }
    }
}
