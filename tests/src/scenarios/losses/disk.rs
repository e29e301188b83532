//! A disk that is full for a while.

use std::{
    fs::{self, File},
    io::{ErrorKind, Write as _},
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use tempfile::TempDir;

use super::{connections, settle};
use crate::{agent::Options, lab::Lab, load::bench::Bench};

/// Bytes of the disk: enough for all documents once it is emptied.
const SIZE: &str = "size=48m";
/// Connections while it is full. Their documents fit into the agent's queue.
const CONNECTIONS: u32 = 2_000;
/// Far beyond what the agent needs to notice something.
const PATIENCE: Duration = Duration::from_secs(60);

/// A small file system in memory.
struct Disk {
    directory: TempDir,
}

// === impl Disk ===

impl Disk {
    fn mount() -> Result<Self> {
        let directory = TempDir::new()?;
        mount(Some("tmpfs"), directory.path(), Some("tmpfs"), MsFlags::empty(), Some(SIZE))
            .context("mounting a small file system")?;
        Ok(Self { directory })
    }

    fn path(&self) -> &Path {
        self.directory.path()
    }

    fn ballast(&self) -> PathBuf {
        self.path().join("ballast")
    }

    /// Writes until nothing more can be written.
    fn fill(&self) -> Result<()> {
        let mut file = File::create(self.ballast())?;
        let block = [0; 4096];
        loop {
            match file.write(&block) {
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::StorageFull => return Ok(()),
                Err(error) => return Err(error).context("filling the disk"),
            }
        }
    }

    fn empty(&self) -> Result<()> {
        fs::remove_file(self.ballast()).context("emptying the disk")
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // What is left of it goes with the last open file.
        let _ = umount2(self.directory.path(), MntFlags::MNT_DETACH);
    }
}

/// Documents wait for as long as the disk is full; then each is written exactly once.
pub(super) fn full(lab: &Lab<'_>) -> Result<()> {
    let disk = Disk::mount()?;
    let options = Options { log: lab.log(), ..lab.options.clone() };
    let bench = Bench::start_in(&options, disk.path())?;
    disk.fill()?;
    let mut ends = connections(&bench, CONNECTIONS / 2)?;
    bench.agent.wait_logged("free some space", PATIENCE)?;
    ends += connections(&bench, CONNECTIONS / 2)?;
    disk.empty()?;
    bench.agent.wait_logged("takes documents again", PATIENCE)?;
    let known = bench.reader.wait(ends, PATIENCE);
    ensure!(known == ends, "{known} of {ends} ends are in documents after the disk was emptied");
    let outcome = settle(bench, &["output_retries"])?;
    for name in ["output_refused", "output_undelivered", "closed_lost"] {
        let lost = outcome.counter(name)?;
        ensure!(lost == 0, "{name} counts {lost}");
    }
    let reported = &outcome.reported;
    ensure!(reported.garbage.is_empty(), "documents are damaged: {:?}", reported.garbage.first());
    let twice = reported.ends.values().filter(|end| end.documents != 1).count();
    ensure!(
        twice == 0 && reported.ends.len() == ends,
        "{twice} of {ends} ends in several documents"
    );
    Ok(())
}
