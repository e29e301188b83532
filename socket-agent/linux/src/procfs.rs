//! Reads `/proc/<pid>`.

use std::{
    fs::{self, File},
    io::{self, Read},
    path::{Path, PathBuf},
};

/// Most that is kept of a command line. Few are longer than 20 KiB.
const CMDLINE_MAX: u64 = 64 << 10;

/// A process as `/proc` shows it. Everything in it belongs to the same process.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// Field 22 of `stat`.
    pub start_ticks: u64,
    /// Process id of the parent.
    pub parent: u32,
    /// Name of the main thread, as in `comm`.
    pub comm: Box<str>,
    /// Arguments, each ended by a NUL.
    pub cmdline: Vec<u8>,
    /// Whether there is more of `cmdline` than was read.
    pub cmdline_truncated: bool,
    /// Target of `exe`.
    pub executable: Option<Box<str>>,
    /// Target of `cwd`.
    pub working_directory: Option<Box<str>>,
    /// Text of `cgroup`.
    pub cgroup: String,
}

/// A mounted proc file system.
#[derive(Clone, Debug)]
pub struct Proc {
    root: PathBuf,
}

impl Proc {
    /// The file system that is mounted at `root`.
    pub fn new(root: &Path) -> Self {
        Self { root: root.to_owned() }
    }

    /// The processes there are.
    pub fn pids(&self) -> io::Result<impl Iterator<Item = u32> + use<>> {
        let entries = fs::read_dir(&self.root)?;
        Ok(entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok()))
    }

    /// When a process started, in ticks; `None` if it is gone.
    pub fn start_ticks(&self, pid: u32) -> Option<u64> {
        let stat = fs::read(self.root.join(pid.to_string()).join("stat")).ok()?;
        Some(Stat::parse(&String::from_utf8_lossy(&stat))?.start_ticks)
    }

    /// Text of `cgroup`; empty if the process is gone.
    pub fn cgroup(&self, pid: u32) -> String {
        fs::read_to_string(self.root.join(pid.to_string()).join("cgroup")).unwrap_or_default()
    }

    /// Reads one process; `None` if it is gone. Links that may not be read are left out.
    pub fn read(&self, pid: u32) -> Option<Snapshot> {
        let directory = self.root.join(pid.to_string());
        let (cmdline, cmdline_truncated) = cmdline(&directory);
        let executable = link(&directory.join("exe"));
        let working_directory = link(&directory.join("cwd"));
        let cgroup = fs::read_to_string(directory.join("cgroup")).unwrap_or_default();
        // Last: who starts where this stat says existed all the while, so that none of the above
        // is of an earlier process with the same pid. The caller compares the start.
        let stat = fs::read(directory.join("stat")).ok()?;
        let stat = Stat::parse(&String::from_utf8_lossy(&stat))?;
        Some(Snapshot {
            start_ticks: stat.start_ticks,
            parent: stat.parent,
            comm: stat.comm,
            cmdline,
            cmdline_truncated,
            executable,
            working_directory,
            cgroup,
        })
    }
}

/// When a process started, in clock ticks after boot; `None` if it is gone.
pub fn start_ticks(pid: u32) -> Option<u64> {
    let stat = fs::read(format!("/proc/{pid}/stat")).ok()?;
    Some(Stat::parse(&String::from_utf8_lossy(&stat))?.start_ticks)
}

fn cmdline(directory: &Path) -> (Vec<u8>, bool) {
    let mut text = Vec::new();
    let read = File::open(directory.join("cmdline"))
        .and_then(|file| file.take(CMDLINE_MAX + 1).read_to_end(&mut text));
    if read.is_err() {
        text.clear();
    }
    let truncated = text.len() as u64 > CMDLINE_MAX;
    text.truncate(CMDLINE_MAX as usize);
    (text, truncated)
}

fn link(path: &Path) -> Option<Box<str>> {
    let target = fs::read_link(path).ok()?;
    let target = target.to_string_lossy();
    Some(target.strip_suffix(" (deleted)").unwrap_or(&target).into())
}

/// The fields of `/proc/<pid>/stat` that are needed.
#[derive(Debug, PartialEq, Eq)]
struct Stat {
    comm: Box<str>,
    parent: u32,
    start_ticks: u64,
}

impl Stat {
    /// The name may hold blanks and parentheses, so the last `)` ends it.
    ///
    /// Source: proc_pid_stat(5).
    fn parse(text: &str) -> Option<Self> {
        let (before, after) = text.rsplit_once(')')?;
        let (_pid, comm) = before.split_once('(')?;
        // `after` begins with field 3, the state.
        let mut fields = after.split_ascii_whitespace();
        let parent = fields.nth(1)?.parse().ok()?;
        let start_ticks = fields.nth(22 - 5)?.parse().ok()?;
        Some(Self { comm: comm.into(), parent, start_ticks })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stat_with_awkward_names() {
        let rest = "S 11 7 7 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 987654 1 2 3";
        for comm in ["bash", "a b", "a) S 99 (b", "((", ")", ""] {
            let stat = Stat::parse(&format!("7 ({comm}) {rest}\n")).unwrap();
            assert_eq!(&*stat.comm, comm);
            assert_eq!((stat.parent, stat.start_ticks), (11, 987_654));
        }
        for bad in ["", "7", "7 (x", "7 (x) S", "7 (x) S 11 7 7"] {
            assert_eq!(Stat::parse(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn this_process() {
        let proc = Proc::new(Path::new("/proc"));
        let me = proc.read(std::process::id()).unwrap();
        let executable = std::env::current_exe().unwrap();
        assert_eq!(me.executable.as_deref(), executable.to_str());
        assert_eq!(me.working_directory.as_deref(), std::env::current_dir().unwrap().to_str());
        assert_eq!(me.parent, std::os::unix::process::parent_id());
        assert!(!me.cmdline_truncated);
        let first = me.cmdline.split(|byte| *byte == 0).next().unwrap();
        assert_eq!(Some(first), std::env::args().next().as_deref().map(str::as_bytes));
        assert!(proc.pids().unwrap().any(|pid| pid == std::process::id()));
    }

    #[test]
    fn long_command_lines_are_cut() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("cmdline");
        fs::write(&path, vec![b'x'; CMDLINE_MAX as usize]).unwrap();
        assert_eq!(cmdline(directory.path()), (vec![b'x'; CMDLINE_MAX as usize], false));
        fs::write(&path, vec![b'x'; CMDLINE_MAX as usize + 1]).unwrap();
        assert_eq!(cmdline(directory.path()), (vec![b'x'; CMDLINE_MAX as usize], true));
    }
}
