//! Runs once at the start, over every open file of every process. Kernel 5.8.

use crate::{
    flow,
    kernel::{address, task::Task},
};

/// What the kernel passes to a `task_file` iterator.
#[repr(C)]
pub struct TaskFile {
    meta: *const u8,
    task: *const u8,
    descriptor: u32,
    file: *const u8,
}

#[unsafe(link_section = "iter/task_file")]
#[unsafe(no_mangle)]
pub extern "C" fn iter_files(ctx: *const TaskFile) -> i32 {
    // SAFETY: the kernel passes a valid context; the last call of a run has null pointers in it.
    let (task, file) = unsafe { ((*ctx).task, (*ctx).file) };
    if !task.is_null() && !file.is_null() {
        flow::existing::file(Task(address(task)), address(file));
    }
    0
}
