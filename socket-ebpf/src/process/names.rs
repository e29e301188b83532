//! Paths of files and cgroups, as the kernel's own trees spell them: so many names, the last one first.
//!
//! A file's path leads through the mounts of the process itself: it is what the process would call
//! it, in whatever mount namespace it lives.

use aya_ebpf::helpers::generated::bpf_probe_read_kernel_str;
use socket_common::{ExecEvent, NAME_MAX, NAMES_MAX, whole};

use crate::kernel::{core_offsets as at, field, read, task::Task};

/// Steps of one path: its names, and the mounts that it crosses.
const STEPS: u32 = 48;
/// Entries of `css_set.subsys` that are looked at: there are fewer controllers.
const CONTROLLERS: usize = 16;

/// Bytes of data so far.
#[inline(always)]
pub fn used(event: &ExecEvent) -> u32 {
    // SAFETY: a valid field. Volatile, so that the bounds that are checked below are those of the
    // register that is used, as the verifier wants it.
    unsafe { (&raw const event.header.length).read_volatile() }
}

/// Appends a string of the kernel with its NUL; `false` if there is no room, or no string.
#[inline(always)]
pub fn append(event: &mut ExecEvent, name: usize) -> bool {
    let begin = used(event);
    if begin > NAMES_MAX as u32 {
        return false;
    }
    // SAFETY: room for a name is left behind the last byte at which one may begin.
    let written = unsafe {
        let to = event.data.as_mut_ptr().add(begin as usize);
        bpf_probe_read_kernel_str(to.cast(), NAME_MAX as u32, name as *const _)
    };
    if written <= 0 {
        return false;
    }
    // SAFETY: as in `used`.
    unsafe { (&raw mut event.header.length).write_volatile(begin + written as u32) }
    true
}

/// Appends the names from a `struct dentry` in a `struct vfsmount` up to the root of all mounts;
/// `false` if not all of them.
#[inline(always)]
pub fn path(event: &mut ExecEvent, entry: usize, mount: usize) -> bool {
    let Some(inner) = at::mount_mnt() else { return false };
    if entry == 0 || mount == 0 {
        return false;
    }
    let mut entry = entry;
    let mut mount = mount - inner;
    let mut step = 0;
    while step < STEPS {
        step += 1;
        let top: usize = field(mount + inner, at::vfsmount_mnt_root());
        if entry == top {
            let above: usize = field(mount, at::mount_mnt_parent());
            if above == mount || above == 0 {
                return true;
            }
            entry = field(mount, at::mount_mnt_mountpoint());
            mount = above;
            continue;
        }
        let above: usize = field(entry, at::dentry_d_parent());
        if !append(event, field(entry, at::dentry_d_name_name())) {
            return false;
        }
        // A file in memory only, which hangs in no tree.
        if above == entry || above == 0 {
            return true;
        }
        entry = above;
    }
    false
}

/// Appends the names of the cgroup of a task: that of the unified hierarchy or, if that is its root,
/// the first of the older hierarchies that is not. Returns the flag to set, 0 if there is no whole
/// path.
#[inline(always)]
pub fn cgroup(event: &mut ExecEvent, task: Task) -> u32 {
    let set: usize = field(task.0, at::task_struct_cgroups());
    let group: usize = field(set, at::css_set_dfl_cgrp());
    let mut node: usize = field(group, at::cgroup_kn());
    let mut flag = if node == 0 { 0 } else { whole::CGROUP };
    if parent(node) == 0 {
        if let Some(offset) = at::css_set_subsys() {
            let mut index = 0;
            while index < CONTROLLERS {
                let state: usize = read(set + offset + index * size_of::<usize>());
                let group: usize = field(state, at::cgroup_subsys_state_cgroup());
                let other: usize = field(group, at::cgroup_kn());
                if parent(other) != 0 {
                    node = other;
                    flag = whole::LEGACY_CGROUP;
                    break;
                }
                index += 1;
            }
        }
    }
    let mut step = 0;
    while step < STEPS {
        step += 1;
        let above = parent(node);
        if above == 0 {
            return flag;
        }
        if !append(event, field(node, at::kernfs_node_name())) {
            return 0;
        }
        node = above;
    }
    0
}

/// The directory above a `struct kernfs_node`, 0 for the root. The field has been renamed in 6.15.
#[inline(always)]
fn parent(node: usize) -> usize {
    match at::kernfs_node_parent() {
        Some(offset) => field(node, Some(offset)),
        None => field(node, at::kernfs_node_hidden_parent()),
    }
}
