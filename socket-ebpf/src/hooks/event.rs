//! Tracepoints as the perf subsystem sees them: the kernel makes a record and keeps tasks from coming between
//! meanwhile, unlike in raw tracepoints from 7.0 on. A program is skipped here only if it interrupts another
//! of this kind. Attached ahead of the raw tracepoints, which see to what is skipped.

use aya_ebpf::{EbpfContext as _, macros::tracepoint, programs::TracePointContext};
use socket_common::CopiedHook;

use super::copies::ahead_has_turn;
use crate::{
    kernel::{core_offsets as at, field, task::Task},
    process::raw::{executed, exited, forked, once},
};

/// Place among those where exec events are put together, behind those of the copies.
const PLACE: u32 = 3;

/// A member of the record, which begins with eight bytes that all have.
#[inline(always)]
fn member<T: Copy>(ctx: &TracePointContext, offset: usize) -> T {
    // SAFETY: the record of the tracepoint; the verifier checks the access.
    unsafe { ctx.as_ptr().cast::<u8>().add(offset).cast::<T>().read_volatile() }
}

/// `sched/sched_process_exec`: where the name of the file is in the record. In the context of the process,
/// with the new image in place.
#[tracepoint]
#[inline(always)]
pub fn event_exec(ctx: TracePointContext) -> u32 {
    let task = Task::current();
    if ahead_has_turn(CopiedHook::Exec, task.0) {
        let place = (member::<u32>(&ctx, 8) & 0xffff) as usize;
        let mm: usize = field(task.0, at::task_struct_mm());
        executed(PLACE, task, ctx.as_ptr() as usize + place, field(mm, at::mm_struct_exe_file()));
    }
    0
}

/// `sched/sched_process_exit`: in the context of the thread that ends.
#[tracepoint]
#[inline(always)]
pub fn event_exit(_: TracePointContext) -> u32 {
    let task = Task::current();
    if ahead_has_turn(CopiedHook::Exit, once(task, task.pid())) {
        exited(task);
    }
    0
}

/// `sched/sched_process_fork`: numbers and names of parent and child, which no other task has seen yet. In the
/// context of the parent, whose youngest child it is if it is a process.
#[tracepoint]
#[inline(always)]
pub fn event_fork(ctx: TracePointContext) -> u32 {
    let parent = Task::current();
    let Some(child) = parent.youngest_child() else { return 0 };
    let pid = child.pid();
    if pid == member::<u32>(&ctx, 20) && ahead_has_turn(CopiedHook::Fork, once(child, pid)) {
        forked(parent, child);
    }
    0
}
