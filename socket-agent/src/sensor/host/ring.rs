//! Ring buffer maps.

use super::{
    bpf::{MAP_RING, create_map},
    facility::Probe,
};

pub(super) fn probe() -> Probe {
    // SAFETY: sysconf has no preconditions.
    let page = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    match create_map(MAP_RING, 0, 0, page as u32) {
        Ok(_) => Probe::available("can be created"),
        Err(error) => Probe::failed("creating a ring buffer", &error, "use kernel 5.8 or newer"),
    }
}
