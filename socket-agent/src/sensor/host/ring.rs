//! Maps by which records leave the kernel.

use super::{
    bpf::{MAP_PERF, MAP_RING, create_map},
    facility::Probe,
};
use linux::Kernel;

pub(super) fn probe() -> Probe {
    // SAFETY: sysconf has no preconditions.
    let page = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    match create_map(MAP_RING, 0, 0, page as u32) {
        Ok(_) => Probe::available("can be created"),
        Err(error) => Probe::failed("creating a ring buffer", &error, "use kernel 5.8 or newer"),
    }
}

/// The oldest kernel whose verifier takes the programs that write to perf rings.
const OLDEST: (u32, u32) = (4, 14);

pub(super) fn probe_perf() -> Probe {
    const REMEDY: &str = "use kernel 4.14 or newer";
    if Kernel::running().version() < OLDEST {
        return Probe::missing("the programs need a newer verifier than this kernel's", REMEDY);
    }
    match create_map(MAP_PERF, 4, 4, 1) {
        Ok(_) => Probe::available("can be created"),
        Err(error) => Probe::failed("creating a map of perf events", &error, REMEDY),
    }
}
