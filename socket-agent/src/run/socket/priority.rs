//! Processor time for the thread that empties the ring.

use std::io;

/// As nice(1) has it: about nine times the share of an ordinary thread.
const NICE: libc::c_int = -10;

/// Puts this thread before ordinary ones, unless somebody has given the process another priority.
///
/// It needs little time, but needs it soon: closed flows wait in tables of limited size, and where
/// many threads make connections an ordinary one comes too late.
pub(super) fn raise() {
    // SAFETY: neither call has preconditions. Zero names the calling thread.
    let (now, result) = unsafe {
        let now = libc::getpriority(libc::PRIO_PROCESS, 0);
        (now, if now == 0 { libc::setpriority(libc::PRIO_PROCESS, 0, NICE) } else { 0 })
    };
    if result != 0 {
        let error = io::Error::last_os_error();
        log::info!(
            target: "sensor",
            "the ring is emptied with ordinary priority: {error}; with CAP_SYS_NICE fewer flows are \
             lost where there is little processor time"
        );
    } else if now != 0 {
        log::info!(target: "sensor", "the ring is emptied with the priority of the process, nice {now}");
    }
}
