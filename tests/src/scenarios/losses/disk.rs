//! Outputs that take nothing: a disk that is full for a while, and standard output without a reader.

use std::{
    io::{Read as _, pipe},
    net::{Ipv4Addr, TcpListener},
    process::{Command, Stdio},
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};

use super::{connections, settle};
use crate::{
    agent::Options,
    fixture::Fixture,
    load::{bench::Bench, disk::Disk},
};

/// Size of the disk: enough for all documents once it is emptied.
const SIZE: &str = "48m";
/// Connections while it is full. Their documents fit into the agent's queue.
const CONNECTIONS: u32 = 2_000;
/// Far beyond what the agent needs to notice something.
const PATIENCE: Duration = Duration::from_secs(60);

/// Documents wait for as long as the disk is full; then each is written exactly once.
pub(super) fn full(fixture: &Fixture<'_>) -> Result<()> {
    let disk = Disk::mount(SIZE)?;
    let options = Options { log: fixture.log(), ..fixture.options.clone() };
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

/// An agent that nobody reads from says so and ends with an error: it does not go on for nobody.
pub(super) fn closed(fixture: &Fixture<'_>) -> Result<()> {
    let (reader, writer) = pipe()?;
    drop(reader);
    // Something to report at the start.
    let _listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let mut command = Command::new(&fixture.options.program);
    // With a limit: one that hangs ends with success, which is wrong.
    let limit = format!("{}s", PATIENCE.as_secs());
    command.args(["run", "--hooks", &fixture.options.hooks, "--duration", &limit]);
    command.args(["-E", "socket.events=all"]);
    let mut agent = command.stdout(writer).stderr(Stdio::piped()).spawn().context("an agent")?;
    // The command has a copy of the pipe's end.
    drop(command);
    let mut log = String::new();
    agent.stderr.take().context("an agent without a log")?.read_to_string(&mut log)?;
    let status = agent.wait()?;
    ensure!(status.code() == Some(1), "the agent ended with {status}: {log}");
    for said in
        ["ERROR output: standard output: its reader is gone", "error: no output takes documents"]
    {
        ensure!(log.contains(said), "the log does not say {said:?}: {log}");
    }
    Ok(())
}
