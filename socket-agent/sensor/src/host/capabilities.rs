//! Capabilities of this process.

use caps::{CapSet, Capability};
use linux::Kernel;

use super::facility::{Facility, Probe};

/// Whether programs can be loaded and attached.
pub(super) fn may_use_bpf() -> bool {
    (has(Capability::CAP_BPF) && has(Capability::CAP_PERFMON)) || has(Capability::CAP_SYS_ADMIN)
}

/// Answers for the facilities that are capabilities.
pub(super) fn probe(facility: Facility) -> Probe {
    let Some((capability, or_admin, cost)) = requirement(facility) else {
        return Probe::unprobed("not a capability", "report this");
    };
    if has(capability) {
        return Probe::available("in the effective set");
    }
    if or_admin && has(Capability::CAP_SYS_ADMIN) {
        return Probe::available("CAP_SYS_ADMIN stands for it");
    }
    if capability == Capability::CAP_SYS_RESOURCE && Kernel::running().version() >= (5, 11) {
        let reason = "not held; not needed, as this kernel charges maps to the memory cgroup";
        return Probe::missing(reason, "nothing to do");
    }
    let remedy = format!(
        "run as root, or grant it (systemd: AmbientCapabilities={capability}; containers: add it to \
         the security context)"
    );
    Probe::missing(format!("not held: {cost}"), remedy)
}

/// The capability, whether `CAP_SYS_ADMIN` includes it, and what is lost without.
fn requirement(facility: Facility) -> Option<(Capability, bool, &'static str)> {
    Some(match facility {
        Facility::CapBpf => (Capability::CAP_BPF, true, "no program can be loaded"),
        Facility::CapPerfmon => {
            (Capability::CAP_PERFMON, true, "programs cannot read kernel memory")
        }
        Facility::CapNetAdmin => (
            Capability::CAP_NET_ADMIN,
            false,
            "no programs on packets, and other users' sockets hide",
        ),
        Facility::CapSysPtrace => (
            Capability::CAP_SYS_PTRACE,
            false,
            "executables of other users' processes stay unknown",
        ),
        Facility::CapDacReadSearch => {
            (Capability::CAP_DAC_READ_SEARCH, false, "files closed to this user stay unread")
        }
        Facility::CapSyslog => {
            (Capability::CAP_SYSLOG, true, "kernel addresses may be hidden, see kernel symbols")
        }
        Facility::CapSysResource => (
            Capability::CAP_SYS_RESOURCE,
            false,
            "the memory lock limit cannot be raised, which maps need before 5.11",
        ),
        _ => return None,
    })
}

fn has(capability: Capability) -> bool {
    caps::has_cap(None, CapSet::Effective, capability).unwrap_or(false)
}
