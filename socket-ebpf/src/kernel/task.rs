//! `struct task_struct`: who does it.

use aya_ebpf::helpers::generated::bpf_get_current_task;
use socket_common::Owner;

use super::{core_offsets as at, field};

/// `PF_KTHREAD`, the same since 2.6.26.
const KERNEL_THREAD: u32 = 0x0020_0000;

/// Address of a `struct task_struct`.
#[derive(Clone, Copy)]
pub struct Task(pub usize);

impl Task {
    #[inline(always)]
    pub fn current() -> Self {
        // SAFETY: no preconditions.
        Self(unsafe { bpf_get_current_task() } as usize)
    }

    #[inline(always)]
    pub fn pid(self) -> u32 {
        field(self.0, at::task_struct_pid())
    }

    #[inline(always)]
    pub fn tgid(self) -> u32 {
        field(self.0, at::task_struct_tgid())
    }

    /// Whether it is a thread of the kernel itself.
    #[inline(always)]
    pub fn is_of_kernel(self) -> bool {
        field::<u32>(self.0, at::task_struct_flags()) & KERNEL_THREAD != 0
    }

    #[inline(always)]
    pub fn leader(self) -> Self {
        Self(field(self.0, at::task_struct_group_leader()))
    }

    #[inline(always)]
    pub fn parent(self) -> Self {
        Self(field(self.0, at::task_struct_real_parent()))
    }

    /// The process that this thread began last and that is still its child. If there is none this is no task.
    #[inline(always)]
    pub fn youngest_child(self) -> Option<Self> {
        let entry: usize = field(self.0, at::task_struct_children_prev());
        Some(Self(entry - at::task_struct_sibling()?))
    }

    /// Start of this task, boottime nanoseconds. The field was called `real_start_time` before 5.5.
    #[inline(always)]
    pub fn start(self) -> u64 {
        match at::task_struct_start_boottime() {
            Some(offset) => field(self.0, Some(offset)),
            None => field(self.0, at::task_struct_real_start_time()),
        }
    }

    /// Cgroup v2 id: the inode number of its directory.
    #[inline(always)]
    pub fn cgroup(self) -> u64 {
        let set: usize = field(self.0, at::task_struct_cgroups());
        let group: usize = field(set, at::css_set_dfl_cgrp());
        let node: usize = field(group, at::cgroup_kn());
        field(node, at::kernfs_node_id())
    }

    /// Real and effective ids: uid, gid, euid, egid.
    #[inline(always)]
    pub fn ids(self) -> [u32; 4] {
        let cred: usize = field(self.0, at::task_struct_cred());
        [
            field(cred, at::cred_uid()),
            field(cred, at::cred_gid()),
            field(cred, at::cred_euid()),
            field(cred, at::cred_egid()),
        ]
    }

    /// Everything a flow says of its owner.
    #[inline(always)]
    pub fn owner(self) -> Owner {
        let leader = self.leader();
        let [uid, gid, euid, egid] = self.ids();
        Owner {
            start: leader.start(),
            cgroup: self.cgroup(),
            pid: self.tgid(),
            tid: self.pid(),
            uid,
            gid,
            euid,
            egid,
            comm: field(leader.0, at::task_struct_comm()),
        }
    }
}
