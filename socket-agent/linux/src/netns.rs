//! Network namespaces: those of processes, found below `/proc`, and those that have a name.

use std::{
    collections::HashMap,
    fs::{self, File},
    io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    thread,
};

use nix::sched::{CloneFlags, setns};

/// Where iproute2 keeps namespaces that it names: they need no process to live.
const NAMED: &str = "/run/netns";

/// A way into a network namespace.
#[derive(Debug)]
pub struct Namespace {
    /// Inode number, which names it.
    pub inode: u32,
    /// A file that leads there.
    pub path: PathBuf,
}

impl Namespace {
    /// The way into the namespace of a process.
    pub fn of_process(pid: u32, inode: u32) -> Self {
        Self { inode, path: path(pid) }
    }

    /// Moves this thread there. Needs `CAP_SYS_ADMIN`.
    ///
    /// # Errors
    ///
    /// Not found if the file leads elsewhere by now; else the kernel's refusal.
    pub fn enter(&self) -> io::Result<()> {
        let file = File::open(&self.path)?;
        if file.metadata()?.ino() != u64::from(self.inode) {
            return Err(io::ErrorKind::NotFound.into());
        }
        setns(&file, CloneFlags::CLONE_NEWNET).map_err(|error| {
            let error = io::Error::from(error);
            io::Error::new(error.kind(), format!("setns: {error}; it needs CAP_SYS_ADMIN"))
        })
    }

    /// Runs `work` there, on a thread of its own.
    ///
    /// # Errors
    ///
    /// As [`enter`](Self::enter), or those of `work`.
    pub fn inside<T: Send>(&self, work: impl FnOnce() -> io::Result<T> + Send) -> io::Result<T> {
        thread::scope(|scope| {
            let body = || {
                self.enter()?;
                work()
            };
            let thread =
                thread::Builder::new().name("netns".to_owned()).spawn_scoped(scope, body)?;
            thread.join().unwrap_or_else(|_| Err(io::Error::other("a panic")))
        })
    }
}

/// A process in each network namespace, by the namespace's inode number.
///
/// # Errors
///
/// `/proc` cannot be listed.
pub fn of_processes() -> io::Result<HashMap<u32, u32>> {
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

/// All that can be found: those of processes, and those that have a name.
///
/// # Errors
///
/// `/proc` cannot be listed.
pub fn all() -> io::Result<Vec<Namespace>> {
    let mut found: HashMap<u32, PathBuf> =
        of_processes()?.into_iter().map(|(inode, pid)| (inode, path(pid))).collect();
    // Absent where nobody has named one.
    for entry in fs::read_dir(Path::new(NAMED)).into_iter().flatten().flatten() {
        if let Some(inode) = inode(&entry.path()) {
            found.entry(inode).or_insert_with(|| entry.path());
        }
    }
    Ok(found.into_iter().map(|(inode, path)| Namespace { inode, path }).collect())
}

/// The network namespace of a process.
pub fn of(pid: u32) -> Option<u32> {
    inode(&path(pid))
}

/// The network namespace of the agent.
///
/// # Errors
///
/// `/proc` is not mounted.
pub fn own() -> io::Result<u32> {
    let inode = fs::metadata("/proc/self/ns/net")?.ino();
    u32::try_from(inode).map_err(io::Error::other)
}

fn path(pid: u32) -> PathBuf {
    PathBuf::from(format!("/proc/{pid}/ns/net"))
}

fn inode(path: &Path) -> Option<u32> {
    u32::try_from(fs::metadata(path).ok()?.ino()).ok()
}
