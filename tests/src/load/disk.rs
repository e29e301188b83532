//! A disk that can be filled.

use std::{
    fs::{self, File},
    io::{ErrorKind, Write as _},
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use tempfile::TempDir;

/// A small file system in memory.
#[derive(Debug)]
pub(crate) struct Disk {
    directory: TempDir,
}

// === impl Disk ===

impl Disk {
    /// One of this size, such as `48m`.
    pub(crate) fn mount(size: &str) -> Result<Self> {
        let directory = TempDir::new()?;
        let size = format!("size={size}");
        mount(
            Some("tmpfs"),
            directory.path(),
            Some("tmpfs"),
            MsFlags::empty(),
            Some(size.as_str()),
        )
        .context("mounting a small file system")?;
        Ok(Self { directory })
    }

    pub(crate) fn path(&self) -> &Path {
        self.directory.path()
    }

    fn ballast(&self) -> PathBuf {
        self.path().join("ballast")
    }

    /// Writes until nothing more can be written.
    pub(crate) fn fill(&self) -> Result<()> {
        let mut file = File::create(self.ballast())?;
        let block = vec![0; 1 << 20];
        loop {
            match file.write(&block) {
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::StorageFull => return Ok(()),
                Err(error) => return Err(error).context("filling the disk"),
            }
        }
    }

    /// Gives the space back.
    pub(crate) fn empty(&self) -> Result<()> {
        fs::remove_file(self.ballast()).context("emptying the disk")
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // What is left of it goes with the last open file.
        let _ = umount2(self.directory.path(), MntFlags::MNT_DETACH);
    }
}
