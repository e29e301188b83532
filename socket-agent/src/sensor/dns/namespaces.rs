//! Network namespaces that processes live in, found below `/proc`.

use std::{
    collections::HashMap,
    fs::{self, File},
    io,
    os::unix::fs::MetadataExt,
    path::PathBuf,
    thread,
};

use nix::sched::{CloneFlags, setns};

/// A process in each network namespace, by the namespace's inode number.
///
/// # Errors
///
/// `/proc` cannot be listed.
pub(super) fn all() -> io::Result<HashMap<u32, u32>> {
    let mut found = HashMap::new();
    for entry in fs::read_dir("/proc")? {
        let Some(pid) = entry?.file_name().to_str().and_then(|name| name.parse().ok()) else {
            continue;
        };
        // Kernel threads and processes that have just gone have none.
        if let Some(netns) = of(pid) {
            found.entry(netns).or_insert(pid);
        }
    }
    Ok(found)
}

/// The network namespace of a process.
pub(super) fn of(pid: u32) -> Option<u32> {
    u32::try_from(fs::metadata(path(pid)).ok()?.ino()).ok()
}

/// The network namespace of the agent.
///
/// # Errors
///
/// `/proc` is not mounted.
pub(super) fn own() -> io::Result<u32> {
    let inode = fs::metadata("/proc/self/ns/net")?.ino();
    u32::try_from(inode).map_err(io::Error::other)
}

/// Runs `work` inside the network namespace of a process, on a thread of its own.
///
/// # Errors
///
/// The process is gone or has moved on, or the namespace may not be entered (`CAP_SYS_ADMIN`).
pub(super) fn inside<T: Send>(
    pid: u32,
    netns: u32,
    work: impl FnOnce() -> io::Result<T> + Send,
) -> io::Result<T> {
    let file = File::open(path(pid))?;
    if file.metadata()?.ino() != u64::from(netns) {
        return Err(io::ErrorKind::NotFound.into());
    }
    thread::scope(|scope| {
        let body = || {
            setns(&file, CloneFlags::CLONE_NEWNET)?;
            work()
        };
        let thread = thread::Builder::new().name("netns".to_owned()).spawn_scoped(scope, body)?;
        thread.join().unwrap_or_else(|_| Err(io::Error::other("a panic")))
    })
}

fn path(pid: u32) -> PathBuf {
    PathBuf::from(format!("/proc/{pid}/ns/net"))
}
