//! Processes that hold sockets.

use std::{
    collections::{HashMap, hash_map::Entry},
    fs, io,
    path::Path,
};

use super::{Holder, OpenSocket};
use linux::procfs;

/// User and group ids of a process, real and effective, in the initial user namespace.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ids {
    /// Real user id.
    pub uid: u32,
    /// Effective user id.
    pub euid: u32,
    /// Real group id.
    pub gid: u32,
    /// Effective group id.
    pub egid: u32,
}

/// Fills in who holds each socket, by reading where the descriptors of all processes lead.
///
/// # Errors
///
/// `/proc` cannot be listed.
pub(super) fn find(sockets: &mut [OpenSocket]) -> io::Result<()> {
    let wanted = sockets.iter().map(|socket| socket.inode).filter(|inode| *inode != 0);
    let mut holders: HashMap<u64, Option<Holder>> = wanted.map(|inode| (inode, None)).collect();
    for entry in fs::read_dir("/proc")?.flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else {
            continue;
        };
        let directory = entry.path();
        // Read once, for the first of its descriptors that matters.
        let mut holder: Option<Option<Holder>> = None;
        // It may be gone, or not be ours to look into.
        for descriptor in fs::read_dir(directory.join("fd")).into_iter().flatten().flatten() {
            let Some(inode) = inode_of(&descriptor.path()) else { continue };
            let Entry::Occupied(mut slot) = holders.entry(inode) else { continue };
            let Some(new) = *holder.get_or_insert_with(|| read(pid, &directory)) else { break };
            let earlier = slot.get().is_some_and(|old| age(&old) <= age(&new));
            if !earlier {
                slot.insert(Some(new));
            }
        }
    }
    for socket in sockets {
        socket.holder = holders.get(&socket.inode).copied().flatten();
    }
    Ok(())
}

fn age(holder: &Holder) -> (u64, u32) {
    (holder.start_ticks, holder.pid)
}

/// `socket:[4711]`
fn inode_of(descriptor: &Path) -> Option<u64> {
    let target = fs::read_link(descriptor).ok()?;
    target.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok()
}

fn read(pid: u32, directory: &Path) -> Option<Holder> {
    let ids = ids(&fs::read_to_string(directory.join("status")).ok()?)?;
    let start_ticks = procfs::start_ticks(pid)?;
    Some(Holder { pid, start_ticks, ids })
}

/// The lines `Uid:` and `Gid:`: real, effective, saved, file system.
fn ids(status: &str) -> Option<Ids> {
    let line = |name: &str| {
        let rest = status.lines().find_map(|line| line.strip_prefix(name))?;
        let mut numbers = rest.split_ascii_whitespace().map(str::parse);
        Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
    };
    let (uid, euid) = line("Uid:")?;
    let (gid, egid) = line("Gid:")?;
    Some(Ids { uid, euid, gid, egid })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_of_a_status() {
        let status = "Name:\ta\nUmask:\t0022\nUid:\t1\t2\t3\t4\nGid:\t5\t6\t7\t8\n";
        assert_eq!(ids(status), Some(Ids { uid: 1, euid: 2, gid: 5, egid: 6 }));
        assert_eq!(ids("Name:\ta\nUid:\t1\n"), None);
        assert_eq!(ids(""), None);
    }
}
