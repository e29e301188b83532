//! Exec, fork and exit by raw tracepoints.

use aya_ebpf::{
    helpers::generated::bpf_probe_read_user, macros::raw_tracepoint, programs::RawTracePointContext,
};
use socket_common::{
    ARGS_MAX, CopiedHook, Counter, ExecEvent, ExitEvent, ForkEvent, Header, NAME_MAX, NAMES_MAX,
    kind, whole,
};

use super::{FIXED, begin, is_last, names};
use crate::{
    hooks::copies::Copy,
    kernel::{core_offsets as at, field, now, task::Task},
    maps::{EXEC, count},
    outlet::{EVENTS, wakeup},
};

/// (task, old pid, binprm): in the context of the process, with the new image in place.
#[raw_tracepoint(tracepoint = "sched_process_exec")]
#[inline(always)]
pub fn tp_exec(ctx: RawTracePointContext) -> i32 {
    exec(&ctx, Copy::First)
}

/// As [`tp_exec`].
#[raw_tracepoint(tracepoint = "sched_process_exec")]
#[inline(always)]
pub fn tp_exec_again(ctx: RawTracePointContext) -> i32 {
    exec(&ctx, Copy::Middle)
}

/// As [`tp_exec`].
#[raw_tracepoint(tracepoint = "sched_process_exec")]
#[inline(always)]
pub fn tp_exec_third(ctx: RawTracePointContext) -> i32 {
    exec(&ctx, Copy::Last)
}

#[inline(always)]
fn exec(ctx: &RawTracePointContext, copy: Copy) -> i32 {
    let task = Task(ctx.arg::<u64>(0) as usize);
    if !copy.has_turn(CopiedHook::Exec, task.0) {
        return 0;
    }
    let binprm = ctx.arg::<u64>(2) as usize;
    let name = field(binprm, at::linux_binprm_filename());
    executed(copy as u32, task, name, field(binprm, at::linux_binprm_file()));
    0
}

/// A process has the image of `file` in place, of which the call named `name`. Only one program at a time on
/// this CPU uses a `place`.
#[inline(always)]
pub fn executed(place: u32, task: Task, name: usize, file: usize) {
    let Some(event) = EXEC.get_ptr_mut(place) else { return };
    // SAFETY: a valid element of this CPU.
    let event = unsafe { &mut *event };
    begin(event, task);
    event.flags = 0;

    names::append(event, name);
    event.filename_length = names::used(event);
    let (entry, mount) =
        (field(file, at::file_f_path_dentry()), field(file, at::file_f_path_mnt()));
    if names::path(event, entry, mount) {
        event.flags |= whole::EXECUTABLE;
    }
    event.executable_length = names::used(event).wrapping_sub(event.filename_length);
    let before = names::used(event);
    let fs: usize = field(task.0, at::task_struct_fs());
    let (entry, mount) =
        (field(fs, at::fs_struct_pwd_dentry()), field(fs, at::fs_struct_pwd_mnt()));
    if names::path(event, entry, mount) {
        event.flags |= whole::DIRECTORY;
    }
    event.directory_length = names::used(event).wrapping_sub(before);
    let before = names::used(event);
    event.flags |= names::cgroup(event, task);
    event.cgroup_length = names::used(event).wrapping_sub(before);

    let used = names::used(event);
    if used > (NAMES_MAX + NAME_MAX) as u32 {
        return;
    }
    let mm: usize = field(task.0, at::task_struct_mm());
    let first: u64 = field(mm, at::mm_struct_arg_start());
    let end: u64 = field(mm, at::mm_struct_arg_end());
    let total = end.wrapping_sub(first) as u32;
    event.args_total = total;
    let mut length = total;
    if length > ARGS_MAX as u32 {
        length = ARGS_MAX as u32;
    }
    // SAFETY: `used` leaves room for ARGS_MAX bytes, and `length` is no more than that.
    let failed = unsafe {
        let to = event.data.as_mut_ptr().add(used as usize);
        bpf_probe_read_user(to.cast(), length, first as *const _)
    };
    if failed != 0 {
        length = 0;
    }
    event.args_length = length;
    event.header.length = used + length;
    let size = FIXED + (used + length) as usize;
    if size > size_of::<ExecEvent>() {
        return;
    }
    // SAFETY: `size` bytes of the element are initialised.
    let bytes =
        unsafe { core::slice::from_raw_parts((event as *const ExecEvent).cast::<u8>(), size) };
    // By the longest there is: with the length itself 6.12's verifier loses sight of its bound.
    if EVENTS.output::<[u8]>(bytes, wakeup(&EVENTS, size_of::<ExecEvent>())).is_err() {
        count(Counter::ProcessLost);
    }
}

/// What is noted of something that a task does once: its address is soon that of another.
#[inline(always)]
pub fn once(task: Task, pid: u32) -> usize {
    task.0 ^ ((pid as usize) << 48)
}

/// (parent, child)
#[raw_tracepoint(tracepoint = "sched_process_fork")]
#[inline(always)]
pub fn tp_fork(ctx: RawTracePointContext) -> i32 {
    fork(&ctx, Copy::First)
}

/// As [`tp_fork`].
#[raw_tracepoint(tracepoint = "sched_process_fork")]
#[inline(always)]
pub fn tp_fork_again(ctx: RawTracePointContext) -> i32 {
    fork(&ctx, Copy::Middle)
}

/// As [`tp_fork`].
#[raw_tracepoint(tracepoint = "sched_process_fork")]
#[inline(always)]
pub fn tp_fork_third(ctx: RawTracePointContext) -> i32 {
    fork(&ctx, Copy::Last)
}

#[inline(always)]
fn fork(ctx: &RawTracePointContext, copy: Copy) -> i32 {
    let parent = Task(ctx.arg::<u64>(0) as usize);
    let child = Task(ctx.arg::<u64>(1) as usize);
    let pid = child.pid();
    // Threads too: which of the forks that the first copy was skipped for were processes nobody would know.
    if !copy.has_turn(CopiedHook::Fork, once(child, pid)) {
        return 0;
    }
    // Most are threads.
    if pid == child.tgid() {
        forked(parent, child);
    }
    0
}

/// A process has a child.
#[inline(always)]
pub fn forked(parent: Task, child: Task) {
    let Some(mut slot) = EVENTS.reserve::<ForkEvent>(0) else {
        count(Counter::ProcessLost);
        return;
    };
    slot.write(ForkEvent {
        header: Header { kind: kind::FORK, length: 0 },
        start: child.start(),
        parent_start: parent.leader().start(),
        pid: child.tgid(),
        parent: parent.tgid(),
    });
    slot.submit(wakeup(&EVENTS, size_of::<ForkEvent>()));
}

/// (task): the last thread of a process leaves when no other is alive.
#[raw_tracepoint(tracepoint = "sched_process_exit")]
#[inline(always)]
pub fn tp_exit(ctx: RawTracePointContext) -> i32 {
    exit(&ctx, Copy::First)
}

/// As [`tp_exit`].
#[raw_tracepoint(tracepoint = "sched_process_exit")]
#[inline(always)]
pub fn tp_exit_again(ctx: RawTracePointContext) -> i32 {
    exit(&ctx, Copy::Middle)
}

/// As [`tp_exit`].
#[raw_tracepoint(tracepoint = "sched_process_exit")]
#[inline(always)]
pub fn tp_exit_third(ctx: RawTracePointContext) -> i32 {
    exit(&ctx, Copy::Last)
}

#[inline(always)]
fn exit(ctx: &RawTracePointContext, copy: Copy) -> i32 {
    let task = Task(ctx.arg::<u64>(0) as usize);
    if copy.has_turn(CopiedHook::Exit, once(task, task.pid())) {
        exited(task);
    }
    0
}

/// A thread ends.
#[inline(always)]
pub fn exited(task: Task) {
    if !is_last(task) {
        return;
    }
    let Some(mut slot) = EVENTS.reserve::<ExitEvent>(0) else {
        count(Counter::ProcessLost);
        return;
    };
    let leader = task.leader();
    slot.write(ExitEvent {
        header: Header { kind: kind::EXIT, length: 0 },
        start: leader.start(),
        time: now(),
        pid: task.tgid(),
        code: field(leader.0, at::task_struct_exit_code()),
    });
    slot.submit(wakeup(&EVENTS, size_of::<ExitEvent>()));
}
