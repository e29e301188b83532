//! Exec, fork and exit, so that a process that is gone when its flow is reported is known.

use aya_ebpf::{
    helpers::generated::{bpf_probe_read_kernel_str, bpf_probe_read_user},
    macros::raw_tracepoint,
    programs::RawTracePointContext,
};
use socket_common::{ARGS_MAX, Counter, ExitEvent, FILENAME_MAX, ForkEvent, Header, kind};

use crate::{
    flow::wakeup,
    kernel::{core_offsets as at, field, now, task::Task},
    maps::{EVENTS, EXEC, count},
};

/// Bytes of an exec event before its arguments.
const FIXED: usize = size_of::<socket_common::ExecEvent>() - ARGS_MAX;

/// (task, old pid, binprm): in the context of the process, with the new image in place.
#[raw_tracepoint(tracepoint = "sched_process_exec")]
#[inline(always)]
pub fn tp_exec(ctx: RawTracePointContext) -> i32 {
    let Some(event) = EXEC.get_ptr_mut(0) else { return 0 };
    // SAFETY: a valid element of this CPU. Exec is not nested in exec on one CPU.
    let event = unsafe { &mut *event };
    let task = Task(ctx.arg::<u64>(0) as usize);
    let leader = task.leader();
    let [uid, gid, euid, egid] = task.ids();
    event.start = leader.start();
    event.time = now();
    event.cgroup = task.cgroup();
    event.pid = task.tgid();
    event.parent = leader.parent().tgid();
    event.uid = uid;
    event.gid = gid;
    event.euid = euid;
    event.egid = egid;
    let binprm = ctx.arg::<u64>(2) as usize;
    let path: usize = field(binprm, at::linux_binprm_filename());
    // SAFETY: the helper writes at most FILENAME_MAX bytes into the field of that size.
    let written = unsafe {
        bpf_probe_read_kernel_str(
            event.filename.as_mut_ptr().cast(),
            FILENAME_MAX as u32,
            path as *const _,
        )
    };
    event.filename_length = if written > 0 { written as u32 } else { 0 };
    let mm: usize = field(task.0, at::task_struct_mm());
    let first: u64 = field(mm, at::mm_struct_arg_start());
    let end: u64 = field(mm, at::mm_struct_arg_end());
    let total = end.wrapping_sub(first) as u32;
    event.args_total = total;
    let mut length = total;
    if length > ARGS_MAX as u32 {
        length = ARGS_MAX as u32;
    }
    // SAFETY: `length` is at most the size of the field.
    let failed =
        unsafe { bpf_probe_read_user(event.args.as_mut_ptr().cast(), length, first as *const _) };
    if failed != 0 {
        length = 0;
    }
    event.header = Header { kind: kind::EXEC, length };
    let size = FIXED + length as usize;
    if size > FIXED + ARGS_MAX {
        return 0;
    }
    // SAFETY: `size` bytes of the element are initialised.
    let bytes = unsafe {
        core::slice::from_raw_parts((event as *const socket_common::ExecEvent).cast::<u8>(), size)
    };
    if EVENTS.output::<[u8]>(bytes, wakeup()).is_err() {
        count(Counter::ProcessLost);
    }
    0
}

/// (parent, child)
#[raw_tracepoint(tracepoint = "sched_process_fork")]
#[inline(always)]
pub fn tp_fork(ctx: RawTracePointContext) -> i32 {
    let parent = Task(ctx.arg::<u64>(0) as usize);
    let child = Task(ctx.arg::<u64>(1) as usize);
    if child.pid() != child.tgid() {
        return 0;
    }
    let Some(mut slot) = EVENTS.reserve::<ForkEvent>(0) else {
        count(Counter::ProcessLost);
        return 0;
    };
    slot.write(ForkEvent {
        header: Header { kind: kind::FORK, length: 0 },
        start: child.start(),
        parent_start: parent.leader().start(),
        pid: child.tgid(),
        parent: parent.tgid(),
    });
    slot.submit(wakeup());
    0
}

/// (task): the last thread of a process leaves when no other is alive.
#[raw_tracepoint(tracepoint = "sched_process_exit")]
#[inline(always)]
pub fn tp_exit(ctx: RawTracePointContext) -> i32 {
    let task = Task(ctx.arg::<u64>(0) as usize);
    let signal: usize = field(task.0, at::task_struct_signal());
    if field::<u32>(signal, at::signal_struct_live_counter()) != 0 {
        return 0;
    }
    let Some(mut slot) = EVENTS.reserve::<ExitEvent>(0) else {
        count(Counter::ProcessLost);
        return 0;
    };
    let leader = task.leader();
    slot.write(ExitEvent {
        header: Header { kind: kind::EXIT, length: 0 },
        start: leader.start(),
        time: now(),
        pid: task.tgid(),
        code: field(leader.0, at::task_struct_exit_code()),
    });
    slot.submit(wakeup());
    0
}
