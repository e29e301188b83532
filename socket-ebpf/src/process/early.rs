//! Exec, fork and exit on kernels without raw tracepoints.

use aya_ebpf::{
    EbpfContext as _,
    helpers::generated::{bpf_probe_read_kernel_str, bpf_probe_read_user},
    macros::{kprobe, tracepoint},
    programs::{ProbeContext, TracePointContext},
};
use socket_common::{ARGS_MAX, Counter, ExecEvent, ExitEvent, ForkEvent, Header, NAME_MAX, kind};

use super::{FIXED, begin, is_last};
use crate::{
    kernel::{core_offsets as at, field, now, task::Task, zero},
    maps::{EXEC, count},
    outlet::output,
};

/// Where the record of `sched_process_exec` says where the name of the file is.
const FILENAME: usize = 8;

/// `sched/sched_process_exec`: in the context of the process, with the new image in place. The ways from the
/// file and the working directory to the root are loops, which kernels before 5.3 do not take.
#[tracepoint]
#[inline(always)]
pub fn early_exec(ctx: TracePointContext) -> u32 {
    let task = Task::current();
    let Some(event) = EXEC.get_ptr_mut(0) else { return 0 };
    // SAFETY: a valid element of this CPU; the kernel runs one such program at a time there.
    let event = unsafe { &mut *event };
    begin(event, task);
    zero(&raw mut event.executable_length);
    zero(&raw mut event.directory_length);
    zero(&raw mut event.cgroup_length);
    zero(&raw mut event.flags);

    // SAFETY: the record of the tracepoint.
    let place: u32 = unsafe { ctx.read_at(FILENAME) }.unwrap_or(0);
    let name = (ctx.as_ptr() as usize).wrapping_add((place & 0xffff) as usize);
    // SAFETY: the data has room for a name.
    let written = unsafe {
        bpf_probe_read_kernel_str(event.data.as_mut_ptr().cast(), NAME_MAX as u32, name as *const _)
    };
    let used = if written > 0 && written <= NAME_MAX as i64 { written as u32 } else { 0 };
    event.filename_length = used;
    let mm: usize = field(task.0, at::task_struct_mm());
    let first: u64 = field(mm, at::mm_struct_arg_start());
    let end: u64 = field(mm, at::mm_struct_arg_end());
    let total = end.wrapping_sub(first) as u32;
    event.args_total = total;
    let mut length = total.min(ARGS_MAX as u32);
    // One less, as kernels before 4.15 do not read nothing, and one check is all that the compiler leaves.
    let last = opaque(u64::from(length).wrapping_sub(1));
    let begin = opaque(used.into());
    if last < ARGS_MAX as u64 && begin <= NAME_MAX as u64 {
        // SAFETY: `used` leaves room for ARGS_MAX bytes, and this is no more than that.
        let failed = unsafe {
            let to = event.data.as_mut_ptr().add(begin as usize);
            bpf_probe_read_user(to.cast(), (last + 1) as u32, first as *const _)
        };
        if failed != 0 {
            length = 0;
        }
    }
    event.args_length = length;
    event.header.length = used + length;
    let size = opaque(FIXED as u64 + u64::from(event.header.length));
    if size < FIXED as u64 || size > size_of::<ExecEvent>() as u64 {
        return 0;
    }
    if !output(&ctx, (&raw const *event).cast(), size) {
        count(Counter::ProcessLost);
    }
    0
}

/// The same value, of which the compiler knows nothing: bounds that are checked are then those of the register
/// that is used, as the verifier wants it.
#[inline(always)]
fn opaque(value: u64) -> u64 {
    let place = value;
    // SAFETY: a valid place.
    unsafe { (&raw const place).read_volatile() }
}

/// `wake_up_new_task(task)`: a thread begins, in the context of its parent.
#[kprobe]
#[inline(always)]
pub fn early_fork(ctx: ProbeContext) -> u32 {
    let child = Task(ctx.arg::<usize>(0).unwrap_or(0));
    if child.pid() != child.tgid() {
        return 0;
    }
    let parent = child.parent();
    let event = ForkEvent {
        header: Header { kind: kind::FORK, length: 0 },
        start: child.start(),
        parent_start: parent.leader().start(),
        pid: child.tgid(),
        parent: parent.tgid(),
    };
    if !output(&ctx, (&raw const event).cast(), size_of::<ForkEvent>() as u64) {
        count(Counter::ProcessLost);
    }
    0
}

/// `sched/sched_process_exit`: the last thread of a process leaves when no other is alive.
#[tracepoint]
#[inline(always)]
pub fn early_exit(ctx: TracePointContext) -> u32 {
    let task = Task::current();
    if !is_last(task) {
        return 0;
    }
    let leader = task.leader();
    let event = ExitEvent {
        header: Header { kind: kind::EXIT, length: 0 },
        start: leader.start(),
        time: now(),
        pid: task.tgid(),
        code: field(leader.0, at::task_struct_exit_code()),
    };
    if !output(&ctx, (&raw const event).cast(), size_of::<ExitEvent>() as u64) {
        count(Counter::ProcessLost);
    }
    0
}
