//! Processors and priorities.

use std::{fs, thread};

use anyhow::{Context as _, Result, anyhow};
use nix::{
    sched::{CpuSet, sched_setaffinity},
    unistd::{Pid, setsid},
};

/// Lets the calling thread, and what it starts from now on, run on one processor only.
pub(super) fn here(processor: usize) -> Result<()> {
    let mut set = CpuSet::new();
    set.set(processor).context("no such processor")?;
    sched_setaffinity(Pid::from_raw(0), &set)
        .with_context(|| format!("pinning to processor {processor}: the bench needs two"))
}

/// Runs `work` on one processor; what it starts stays there.
pub(super) fn on<T: Send>(processor: usize, work: impl FnOnce() -> Result<T> + Send) -> Result<T> {
    thread::scope(|scope| {
        let thread = scope.spawn(|| {
            here(processor)?;
            work()
        });
        thread.join().map_err(|_| anyhow!("a pinned thread panicked"))?
    })
}

/// Puts the calling process before all others of its processor, so that what else the machine does
/// takes little from it. Without the right to do so nothing changes.
pub(super) fn go_first() {
    // Where the scheduler groups processes by session, priority counts within the session only, and that
    // of the session against others. Fails only for the first process of a session, which has its own.
    let _ = setsid();
    // Kernels without such groups have no such file.
    let _ = fs::write("/proc/self/autogroup", "-20");
    // SAFETY: no memory is involved.
    unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, -20) };
}
