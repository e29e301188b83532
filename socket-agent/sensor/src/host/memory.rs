//! Memory that is still to be had: of the machine, and of the control groups that this process is in.
//!
//! Source: `man 5 proc_meminfo`, `Documentation/admin-guide/cgroup-v2.rst`.

use std::{
    fs,
    path::{Path, PathBuf},
};

use super::mounts::{cgroup2_mount, memory_cgroup_mount};

/// Available memory, and what limits it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Memory {
    /// Bytes that can be had without anything being swapped out or killed.
    pub available: u64,
    /// What limits it: `this machine`, or the control group.
    pub limited_by: String,
}

impl Memory {
    /// What there is now; `None` where the kernel does not report it.
    pub fn available() -> Option<Self> {
        let machine = Self::of_machine()?;
        let groups = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
        Some(of_groups(&groups).into_iter().fold(machine, |least, group| {
            if group.available < least.available { group } else { least }
        }))
    }

    /// What the machine has, whatever this process may have of it; `None` where the kernel does not report it.
    pub fn of_machine() -> Option<Self> {
        let meminfo = fs::read_to_string("/proc/meminfo").ok()?;
        Some(Self { available: of_machine(&meminfo)?, limited_by: "of this machine".into() })
    }
}

/// `MemAvailable`; before 3.14 what is free and what files have in memory.
fn of_machine(meminfo: &str) -> Option<u64> {
    let kibibytes = |name: &str| -> Option<u64> {
        let line = meminfo.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
        line.split_whitespace().next()?.parse().ok()
    };
    let available = kibibytes("MemAvailable")
        .or_else(|| Some(kibibytes("MemFree")? + kibibytes("Cached").unwrap_or(0)));
    Some(available? * 1024)
}

/// What the groups have left that a process is in, and those above them.
fn of_groups(groups: &str) -> Vec<Memory> {
    let mut found = Vec::new();
    for line in groups.lines() {
        let mut fields = line.splitn(3, ':').skip(1);
        let (Some(controllers), Some(path)) = (fields.next(), fields.next()) else { continue };
        let v1 = controllers.split(',').any(|name| name == "memory");
        let (mount, limit, usage) = if v1 {
            (memory_cgroup_mount(), "memory.limit_in_bytes", "memory.usage_in_bytes")
        } else if controllers.is_empty() {
            (cgroup2_mount(), "memory.max", "memory.current")
        } else {
            continue;
        };
        let Some(mount) = mount else { continue };
        found.extend(upwards(&mount, path).filter_map(|group| left(&group, limit, usage)));
    }
    found
}

/// A group and those above it. One that this process is not shown as it is in a namespace ends at the mount.
fn upwards(mount: &Path, path: &str) -> impl Iterator<Item = PathBuf> {
    let group = mount.join(path.trim_start_matches('/'));
    let mount = mount.to_owned();
    let groups: Vec<PathBuf> = group.ancestors().map(Path::to_path_buf).collect();
    groups.into_iter().filter(move |group| group.starts_with(&mount))
}

/// What a group has left of its limit; `None` if it has none.
fn left(group: &Path, limit: &str, usage: &str) -> Option<Memory> {
    let number = |file: &str| -> Option<u64> {
        fs::read_to_string(group.join(file)).ok()?.trim().parse().ok()
    };
    Some(Memory {
        available: number(limit)?.saturating_sub(number(usage)?),
        limited_by: format!("of control group {}", group.display()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_machine_tells_what_can_be_had() {
        let new = "MemTotal:  131072 kB\nMemFree:  1000 kB\nMemAvailable:   65536 kB\n";
        assert_eq!(of_machine(new), Some(64 << 20));
        let old = "MemTotal:  131072 kB\nMemFree:  1024 kB\nBuffers: 5 kB\nCached:   1024 kB\n";
        assert_eq!(of_machine(old), Some(2 << 20));
        assert_eq!(of_machine(""), None);
        assert!(Memory::available().unwrap().available > 0);
    }

    #[test]
    fn a_group_has_left_what_it_does_not_use_and_none_above_it_has_less() {
        let mount = tempfile::tempdir().unwrap();
        let group = mount.path().join("a/b");
        fs::create_dir_all(&group).unwrap();
        for (path, max, current) in [("a", "9000\n", "2000\n"), ("a/b", "max\n", "1000\n")] {
            fs::write(mount.path().join(path).join("memory.max"), max).unwrap();
            fs::write(mount.path().join(path).join("memory.current"), current).unwrap();
        }
        let all: Vec<_> = upwards(mount.path(), "/a/b").collect();
        assert_eq!(all, [group, mount.path().join("a"), mount.path().to_owned()]);
        let left: Vec<_> = all
            .iter()
            .filter_map(|group| left(group, "memory.max", "memory.current"))
            .map(|memory| memory.available)
            .collect();
        assert_eq!(left, [7000]);
    }
}
