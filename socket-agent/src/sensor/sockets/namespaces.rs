//! Network namespaces: those of processes, and those that have a name.

use std::{
    collections::HashMap,
    fs::{self, File},
    io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use nix::sched::{CloneFlags, setns};

/// Where iproute2 keeps namespaces that it names: they need no process to live.
const NAMED: &str = "/run/netns";

/// A way into a network namespace.
pub(super) struct Namespace {
    /// Inode number, which names it.
    pub(super) inode: u32,
    /// A file that leads there.
    pub(super) path: PathBuf,
}

impl Namespace {
    /// Moves this thread there.
    ///
    /// # Errors
    ///
    /// Not found if the file leads elsewhere by now; else the kernel's refusal.
    pub(super) fn enter(&self) -> io::Result<()> {
        let file = File::open(&self.path)?;
        if file.metadata()?.ino() != u64::from(self.inode) {
            return Err(io::ErrorKind::NotFound.into());
        }
        setns(&file, CloneFlags::CLONE_NEWNET).map_err(|error| {
            let error = io::Error::from(error);
            io::Error::new(error.kind(), format!("setns: {error}; it needs CAP_SYS_ADMIN"))
        })
    }
}

/// The way into the namespace of a process.
pub(super) fn of_process(pid: u32, inode: u32) -> Namespace {
    Namespace { inode, path: PathBuf::from(format!("/proc/{pid}/ns/net")) }
}

/// All that can be found.
///
/// # Errors
///
/// `/proc` cannot be listed.
pub(super) fn all() -> io::Result<Vec<Namespace>> {
    let mut found: HashMap<u32, PathBuf> = HashMap::new();
    let mut add = |path: PathBuf| {
        // Kernel threads and processes that have just gone have none.
        if let Ok(meta) = fs::metadata(&path)
            && let Ok(inode) = u32::try_from(meta.ino())
        {
            found.entry(inode).or_insert(path);
        }
    };
    for entry in fs::read_dir("/proc")?.flatten() {
        if entry.file_name().to_str().is_some_and(|name| name.parse::<u32>().is_ok()) {
            add(entry.path().join("ns/net"));
        }
    }
    // Absent where nobody has named one.
    for entry in fs::read_dir(Path::new(NAMED)).into_iter().flatten().flatten() {
        add(entry.path());
    }
    Ok(found.into_iter().map(|(inode, path)| Namespace { inode, path }).collect())
}
