//! Processor time for the threads that must not come late.

use std::io;

/// As nice(1) has it: the most there is, some ninety times the share of an ordinary thread. A tenth of that
/// is too little where ten threads for each processor do nothing but make connections.
const NICE: libc::c_int = -20;

/// Puts the thread that empties the ring before ordinary ones.
///
/// It needs little time, but needs it soon: closed flows wait in tables of limited size, and where
/// many threads make connections an ordinary one comes too late.
pub(crate) fn raise_observer() {
    match raise() {
        Ok(NICE) => {}
        Ok(nice) => log::info!(
            target: "sensor",
            "the ring is emptied with the priority of the process, nice {nice}"
        ),
        Err(error) => log::info!(
            target: "sensor",
            "the ring is emptied with ordinary priority: {error}; with CAP_SYS_NICE fewer flows are \
             lost where there is little processor time"
        ),
    }
}

/// Puts the thread that writes documents where that of the ring is, which waits for it in the end.
pub(crate) fn raise_writer() {
    if let Err(error) = raise() {
        log::debug!(target: "output", "documents are written with ordinary priority: {error}");
    }
}

/// Raises this thread to [`NICE`], unless somebody has given the process less than the ordinary
/// priority, or more than this; what it has now.
fn raise() -> io::Result<libc::c_int> {
    // SAFETY: no preconditions. Zero names the calling thread.
    let now = unsafe { libc::getpriority(libc::PRIO_PROCESS, 0) };
    if now > 0 || now <= NICE {
        return Ok(now);
    }
    // SAFETY: as above.
    if unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, NICE) } == 0 {
        Ok(NICE)
    } else {
        Err(io::Error::last_os_error())
    }
}
