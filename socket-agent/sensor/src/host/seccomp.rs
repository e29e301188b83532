//! System call filters.

use super::{facility::Probe, sysctl};

pub(super) fn probe() -> Probe {
    // SAFETY: this option takes no further arguments and changes nothing.
    let mode = unsafe { libc::prctl(libc::PR_GET_SECCOMP, 0, 0, 0, 0) };
    let in_force = match mode {
        0 => "no filter in force",
        2 => "a filter is in force",
        _ => {
            return Probe::missing(
                "prctl(PR_GET_SECCOMP) fails",
                "use a kernel with CONFIG_SECCOMP_FILTER=y",
            );
        }
    };
    match sysctl::read("kernel/seccomp/actions_avail") {
        Some(actions) => Probe::available(format!("{in_force}; actions: {actions}")),
        None => Probe::available(in_force),
    }
}
