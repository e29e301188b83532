//! Exec, fork and exit, so that a process that is gone when its flow is reported is known.

#[cfg(feature = "perf")]
mod early;
#[cfg(not(feature = "perf"))]
mod names;
#[cfg(not(feature = "perf"))]
mod raw;

use crate::kernel::{core_offsets as at, field, task::Task};

/// Whether no other thread of the task's process is alive. Where the kernel's structures are not known so far,
/// the first thread stands for the process.
#[inline(always)]
fn is_last(task: Task) -> bool {
    match at::signal_struct_live_counter() {
        Some(offset) => {
            let signal: usize = field(task.0, at::task_struct_signal());
            field::<u32>(signal, Some(offset)) == 0
        }
        None => task.pid() == task.tgid(),
    }
}
