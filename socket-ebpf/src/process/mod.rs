//! Exec, fork and exit, so that a process that is gone when its flow is reported is known.

#[cfg(feature = "perf")]
mod early;
#[cfg(not(feature = "perf"))]
mod names;
#[cfg(not(feature = "perf"))]
pub mod raw;

use socket_common::{DATA_MAX, ExecEvent, Header, kind};

use crate::kernel::{core_offsets as at, field, now, task::Task};

/// Bytes of an exec event before its data.
const FIXED: usize = size_of::<ExecEvent>() - DATA_MAX;

/// Fills in what an exec event says of the process itself.
#[inline(always)]
fn begin(event: &mut ExecEvent, task: Task) {
    let leader = task.leader();
    let [uid, gid, euid, egid] = task.ids();
    event.header = Header { kind: kind::EXEC, length: 0 };
    event.start = leader.start();
    event.time = now();
    event.cgroup = task.cgroup();
    event.pid = task.tgid();
    event.parent = leader.parent().tgid();
    event.uid = uid;
    event.gid = gid;
    event.euid = euid;
    event.egid = egid;
}

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
