//! A disk that is full for a while.

use std::time::Duration;

use anyhow::{Result, ensure};

use super::{connections, settle};
use crate::{
    agent::Options,
    lab::Lab,
    load::{bench::Bench, disk::Disk},
};

/// Size of the disk: enough for all documents once it is emptied.
const SIZE: &str = "48m";
/// Connections while it is full. Their documents fit into the agent's queue.
const CONNECTIONS: u32 = 2_000;
/// Far beyond what the agent needs to notice something.
const PATIENCE: Duration = Duration::from_secs(60);

/// Documents wait for as long as the disk is full; then each is written exactly once.
pub(super) fn full(lab: &Lab<'_>) -> Result<()> {
    let disk = Disk::mount(SIZE)?;
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
