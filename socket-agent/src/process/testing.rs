//! What the tests here share: kernel records, and a `/proc` made of plain files.

use std::{
    fs,
    os::unix::fs::{MetadataExt, symlink},
    path::Path,
};

use socket_common::{DATA_MAX, ExecEvent, Header, kind, whole};
use tempfile::TempDir;

use linux::procfs::Snapshot;

/// An exec record, and times in nanoseconds, as of a kernel whose paths cannot be followed.
pub(super) fn exec(pid: u32, start: u64, filename: &str, args: &[u8]) -> ExecEvent {
    exec_with(pid, start, filename, Paths::default(), args)
}

/// Paths of an exec record, each absolute; none if empty.
#[derive(Clone, Copy, Default)]
pub(super) struct Paths<'a> {
    pub(super) executable: &'a str,
    pub(super) directory: &'a str,
    pub(super) cgroup: &'a str,
    pub(super) legacy_cgroup: &'a str,
}

/// An exec record with everything in it that was asked for.
pub(super) fn exec_with(
    pid: u32,
    start: u64,
    filename: &str,
    paths: Paths<'_>,
    args: &[u8],
) -> ExecEvent {
    let mut event = ExecEvent {
        header: Header { kind: kind::EXEC, length: 0 },
        start,
        time: start,
        cgroup: 0,
        pid,
        parent: 1,
        uid: 0,
        gid: 0,
        euid: 0,
        egid: 0,
        args_total: args.len() as u32,
        args_length: args.len() as u32,
        filename_length: filename.len() as u32 + 1,
        executable_length: 0,
        directory_length: 0,
        cgroup_length: 0,
        flags: 0,
        reserved: 0,
        data: [0; DATA_MAX],
    };
    let mut data = filename.as_bytes().to_vec();
    data.push(0);
    for (path, flag) in [
        (paths.executable, whole::EXECUTABLE),
        (paths.directory, whole::DIRECTORY),
        (paths.cgroup, whole::CGROUP),
        (paths.legacy_cgroup, whole::LEGACY_CGROUP),
    ] {
        let before = data.len();
        for name in path.split('/').rev().filter(|name| !name.is_empty()) {
            data.extend_from_slice(name.as_bytes());
            data.push(0);
        }
        let length = (data.len() - before) as u32;
        event.flags |= if path.is_empty() { 0 } else { flag };
        match flag {
            whole::EXECUTABLE => event.executable_length = length,
            whole::DIRECTORY => event.directory_length = length,
            _ => event.cgroup_length += length,
        }
    }
    data.extend_from_slice(args);
    event.header.length = data.len() as u32;
    event.data[..data.len()].copy_from_slice(&data);
    event
}

pub(super) fn snapshot(comm: &str, cmdline: &[u8]) -> Snapshot {
    Snapshot { comm: comm.into(), cmdline: cmdline.to_vec(), ..Snapshot::default() }
}

/// A `/proc` in a temporary directory.
pub(super) struct FakeProc {
    directory: TempDir,
}

impl FakeProc {
    pub(super) fn new() -> Self {
        Self { directory: tempfile::tempdir().unwrap() }
    }

    pub(super) fn path(&self) -> &Path {
        self.directory.path()
    }

    pub(super) fn add(&self, pid: u32, start_ticks: u64, executable: &str, cmdline: &str) {
        let path = self.path().join(pid.to_string());
        fs::create_dir(&path).unwrap();
        let comm = executable.rsplit('/').next().unwrap();
        let zeros = "0 ".repeat(17);
        fs::write(path.join("stat"), format!("{pid} ({comm}) S 1 {zeros}{start_ticks} 0\n"))
            .unwrap();
        fs::write(path.join("cmdline"), cmdline.replace(' ', "\0") + "\0").unwrap();
        fs::write(path.join("cgroup"), "0::/user.slice\n").unwrap();
        symlink(executable, path.join("exe")).unwrap();
        symlink("/srv", path.join("cwd")).unwrap();
    }

    pub(super) fn set_cgroup(&self, pid: u32, text: &str) {
        fs::write(self.path().join(pid.to_string()).join("cgroup"), text).unwrap();
    }

    /// Mounts a cgroup v2 hierarchy that has these cgroups; returns their ids.
    pub(super) fn mount_cgroups<const N: usize>(&self, paths: [&str; N]) -> [u64; N] {
        let mount = self.path().join("cgroup2");
        fs::create_dir(self.path().join("self")).unwrap();
        let line = format!("cgroup2 {} cgroup2 rw 0 0\n", mount.display());
        fs::write(self.path().join("self/mounts"), line).unwrap();
        paths.map(|path| {
            let directory = mount.join(path.trim_start_matches('/'));
            fs::create_dir_all(&directory).unwrap();
            fs::metadata(directory).unwrap().ino()
        })
    }

    pub(super) fn remove(&self, pid: u32) {
        fs::remove_dir_all(self.path().join(pid.to_string())).unwrap();
    }
}
