//! A network namespace held by a descriptor.

use std::{
    fs::{self, File},
    io,
    os::{
        fd::{AsFd, BorrowedFd},
        unix::fs::MetadataExt,
    },
    path::Path,
    thread,
};

use anyhow::{Context, Result, anyhow};
use nix::sched::{CloneFlags, setns, unshare};

/// A network namespace. Dropping it lets the kernel remove the namespace once its last process and
/// socket are gone.
#[derive(Debug)]
pub struct Netns {
    file: File,
}

impl Netns {
    /// The namespace this process runs in.
    pub fn current() -> Result<Self> {
        Ok(Self { file: open_own().context("opening this thread's network namespace")? })
    }

    /// A new namespace with only a loopback interface, which is down.
    ///
    /// Needs `CAP_SYS_ADMIN`.
    pub fn create() -> Result<Self> {
        // A thread of its own: unshare moves only the calling thread.
        let made = thread::spawn(|| -> io::Result<File> {
            unshare(CloneFlags::CLONE_NEWNET)?;
            open_own()
        });
        let file = made
            .join()
            .map_err(|_| anyhow!("the thread that makes a network namespace panicked"))?
            .context("making a network namespace (needs root)")?;
        Ok(Self { file })
    }

    /// Runs `work` on a thread inside the namespace: sockets it opens and processes it starts belong
    /// there.
    pub fn run<T: Send>(&self, work: impl FnOnce() -> Result<T> + Send) -> Result<T> {
        thread::scope(|scope| {
            scope
                .spawn(|| {
                    setns(&self.file, CloneFlags::CLONE_NEWNET)
                        .context("entering a network namespace (needs root)")?;
                    work()
                })
                .join()
                .map_err(|_| anyhow!("a thread inside a network namespace panicked"))?
        })
    }

    /// Sets what `/proc/sys` has below a path, such as `net/ipv4/tcp_fin_timeout`, for this namespace.
    pub fn set(&self, path: &str, value: &str) -> Result<()> {
        let path = Path::new("/proc/sys").join(path);
        self.run(|| fs::write(&path, value).with_context(|| format!("setting {}", path.display())))
    }

    /// Another holder of the same namespace.
    pub fn share(&self) -> Result<Self> {
        Ok(Self { file: self.file.try_clone().context("sharing a network namespace")? })
    }

    /// The number under which `/proc/<pid>/ns/net` shows it.
    pub fn inode(&self) -> Result<u64> {
        Ok(self.file.metadata().context("reading the namespace's inode")?.ino())
    }
}

impl AsFd for Netns {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

fn open_own() -> io::Result<File> {
    // `/proc/thread-self` is of 3.17.
    File::open(format!("/proc/self/task/{}/ns/net", nix::unistd::gettid()))
}
