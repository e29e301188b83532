//! Processes, as far as a flow's owner needs them: kept from what the probes report, else from `/proc`.

use std::{collections::HashMap, fs, num::NonZeroUsize, os::unix::fs::MetadataExt, path::PathBuf};

use lru::LruCache;
use socket_common::{Owner, PROTO_TCP, Rank, SocketOwner, Tuple};

use super::aggregate::Tasks;
use crate::host;

/// Processes that are kept.
const MOST: NonZeroUsize = NonZeroUsize::new(65_536).unwrap();

/// Processes by id, and who held which socket at the start.
pub(super) struct TaskTable {
    tasks: LruCache<u32, Owner>,
    holders: HashMap<Tuple, Owner>,
    cgroups: Option<PathBuf>,
    nanos_per_tick: u64,
}

impl TaskTable {
    /// A table that knows nobody.
    pub(super) fn new() -> Self {
        // SAFETY: no preconditions.
        let ticks = unsafe { libc::sysconf(libc::_SC_CLK_TCK) };
        Self {
            tasks: LruCache::new(MOST),
            holders: HashMap::new(),
            cgroups: host::cgroup2_mount(),
            nanos_per_tick: 1_000_000_000 / u64::try_from(ticks).unwrap_or(100).max(1),
        }
    }

    /// Remembers who holds sockets that are open now.
    pub(super) fn set_holders(&mut self, holders: HashMap<Tuple, u32>) {
        let holders = holders.into_iter().filter_map(|(tuple, pid)| {
            let owner = self.known(pid)?;
            Some((tuple, Owner { pid, tid: pid, ..owner }))
        });
        self.holders = holders.collect();
    }

    /// Sockets that listened, or were bound without a peer, when the agent started.
    pub(super) fn bound_before(&self) -> impl Iterator<Item = SocketOwner> + '_ {
        let bound = self.holders.iter().filter(|(tuple, _)| tuple.remote_port == 0);
        bound.map(|(tuple, owner)| SocketOwner {
            tuple: *tuple,
            owner: *owner,
            rank: Rank::Holder as u8,
            listening: (tuple.protocol == PROTO_TCP).into(),
            since: 0,
            inode: 0,
            announced: 0,
            connection: 0,
            reserved2: 0,
        })
    }

    /// Notes what a probe has reported of a process.
    pub(super) fn set(&mut self, owner: Owner) {
        self.tasks.put(owner.pid, owner);
    }

    /// Changes what is known of a process.
    pub(super) fn change(&mut self, pid: u32, change: impl FnOnce(&mut Owner)) {
        if let Some(task) = self.tasks.get_mut(&pid) {
            change(task);
        }
    }

    /// What is known of a process, or can be read.
    pub(super) fn known(&mut self, pid: u32) -> Option<Owner> {
        if let Some(task) = self.tasks.get(&pid) {
            return Some(*task);
        }
        let task = self.read(pid)?;
        self.tasks.put(pid, task);
        Some(task)
    }

    /// What is known of a process, without a look at `/proc`.
    pub(super) fn remembered(&mut self, pid: u32) -> Option<Owner> {
        self.tasks.get(&pid).copied()
    }

    /// Reads a process anew; if it is gone, `otherwise` is what is known of it.
    pub(super) fn refresh(&mut self, pid: u32, otherwise: Owner) -> Owner {
        let task = self.read(pid).unwrap_or(otherwise);
        self.tasks.put(pid, task);
        task
    }

    /// Reads all processes there are.
    pub(super) fn read_all(&mut self) {
        for pid in pids() {
            self.known(pid);
        }
    }

    fn read(&self, pid: u32) -> Option<Owner> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
        let groups = fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap_or_default();
        let mut owner = parse(pid, &stat, &status, self.nanos_per_tick)?;
        owner.cgroup = self.cgroup(&groups);
        Some(owner)
    }

    /// The id of the cgroup that a `/proc/PID/cgroup` names: its directory's inode.
    fn cgroup(&self, groups: &str) -> u64 {
        let path = groups.lines().find_map(|line| line.strip_prefix("0::"));
        let (Some(path), Some(mount)) = (path, &self.cgroups) else { return 0 };
        let directory = mount.join(path.trim_start_matches('/'));
        fs::metadata(directory).map_or(0, |metadata| metadata.ino())
    }
}

impl Tasks for TaskTable {
    fn owner(&mut self, pid: u32, tid: u32) -> Owner {
        let known = self.known(pid).unwrap_or_default();
        Owner { pid, tid, ..known }
    }

    fn is_of_kernel(&mut self, pid: u32) -> bool {
        fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| has_no_program(&stat))
    }

    fn holder(&mut self, tuple: &Tuple) -> Option<Owner> {
        if self.holders.is_empty() {
            return None;
        }
        let wildcard = Tuple { local: [0; 4], ..*tuple };
        self.holders.get(tuple).or_else(|| self.holders.get(&wildcard)).copied()
    }
}

/// The processes there are.
pub(super) fn pids() -> impl Iterator<Item = u32> {
    let entries = fs::read_dir("/proc").into_iter().flatten();
    entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
}

/// Whether the text of a process's `stat` is that of a thread of the kernel.
fn has_no_program(stat: &str) -> bool {
    /// `PF_KTHREAD`, the same since 2.6.26.
    const KERNEL_THREAD: u32 = 0x0020_0000;
    let flags = stat.rsplit_once(')').and_then(|(_, after)| after.split_whitespace().nth(6));
    flags
        .and_then(|flags| flags.parse::<u32>().ok())
        .is_some_and(|flags| flags & KERNEL_THREAD != 0)
}

/// A process from the text of its `stat` and `status`.
fn parse(pid: u32, stat: &str, status: &str, nanos_per_tick: u64) -> Option<Owner> {
    let (before, after) = stat.rsplit_once(')')?;
    let name = before.split_once('(')?.1.as_bytes();
    let ticks: u64 = after.split_whitespace().nth(19)?.parse().ok()?;
    let ids = |key: &str| -> Option<[u32; 2]> {
        let line = status.lines().find_map(|line| line.strip_prefix(key))?;
        let mut numbers = line.split_whitespace().map(str::parse);
        Some([numbers.next()?.ok()?, numbers.next()?.ok()?])
    };
    let ([uid, euid], [gid, egid]) = (ids("Uid:")?, ids("Gid:")?);
    let mut comm = [0; 16];
    let length = name.len().min(15);
    comm[..length].copy_from_slice(&name[..length]);
    let owner = Owner {
        start: ticks * nanos_per_tick,
        pid,
        tid: pid,
        uid,
        gid,
        euid,
        egid,
        ..Owner::default()
    };
    Some(owner.with_comm(comm))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_read_from_proc() {
        let stat = "7 (a) b) S 1 7 7 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 300 1 2 3";
        let status = "Name:\ta) b\nUid:\t1000\t1001\t1002\t1003\nGid:\t5\t6\t7\t8\n";
        let owner = parse(7, stat, status, 10_000_000).unwrap();
        assert_eq!((owner.start, owner.uid, owner.euid), (3_000_000_000, 1000, 1001));
        assert_eq!((owner.gid, owner.egid), (5, 6));
        assert_eq!(&owner.comm_bytes()[..5], b"a) b\0");
    }

    #[test]
    fn threads_of_the_kernel_are_told_by_their_flags() {
        let stat = |flags: u32| format!("7 (a) b) I 2 0 0 0 -1 {flags} 0 0 0 0");
        assert!(has_no_program(&stat(69_238_880)));
        assert!(!has_no_program(&stat(4_194_560)));
        assert!(!TaskTable::new().is_of_kernel(std::process::id()));
    }

    #[test]
    fn this_process_owns_and_others_are_unknown() {
        let mut table = TaskTable::new();
        let me = std::process::id();
        assert!(table.owner(me, me).start > 0);
        assert_eq!(table.owner(u32::MAX, 9).start, 0);
        table.change(me, |owner| owner.uid = 4242);
        assert_eq!(table.owner(me, me).uid, 4242);
    }
}
