//! An agent that does not come to empty the ring.

use anyhow::{Result, ensure};

use super::{TINY_RING, bench, connections, retry, settle};
use crate::{
    fixture::Fixture,
    load::{worker::Job, worker_handle::LoadWorker},
};

/// Closed flows wait in the spill table; what finds that full too is lost, flow by flow.
pub(super) fn closed(fixture: &Fixture<'_>) -> Result<()> {
    retry(|| {
        let bench = bench(fixture, &[TINY_RING, "socket.tables.spill: 8"])?;
        let ends = bench.while_stopped(|| connections(&bench, 100))?;
        let outcome = settle(bench, &["closed_lost", "closed_lost_packets", "spilled"])?;
        let documents = outcome.reported.ends.len() as u64;
        let lost = outcome.counter("closed_lost")?;
        ensure!(
            documents + lost == ends as u64,
            "{ends} ends, {documents} in documents, {lost} counted lost"
        );
        Ok(())
    })
}

/// What finds the perf ring of its CPU full is lost. Kernels before 5.1 do not tell the programs: there only the
/// number of records is known, those of processes included.
pub(super) fn perf(fixture: &Fixture<'_>) -> Result<()> {
    retry(|| {
        let bench =
            bench(fixture, &["socket.record_buffer: perf", "socket.ring_size_exponent: 1"])?;
        let ends = bench.while_stopped(|| connections(&bench, 100))? as u64;
        let outcome = bench.finish()?;
        ensure!(
            outcome.stopped.status.success(),
            "the agent ended with {}",
            outcome.stopped.status
        );
        let documents = outcome.reported.ends.len() as u64;
        let (reported, records) =
            (outcome.counter("closed_lost")?, outcome.counter("records_lost")?);
        let missing = ends.saturating_sub(documents);
        ensure!(missing > 0, "{ends} ends, {documents} in documents: nothing was lost");
        let counted = if reported > 0 { reported == missing } else { records >= missing };
        ensure!(
            counted && documents <= ends,
            "{ends} ends, {documents} in documents, {reported} and {records} counted lost"
        );
        Ok(())
    })
}

/// Of a process whose records are lost only the kernel's short name is known.
pub(super) fn processes(fixture: &Fixture<'_>) -> Result<()> {
    retry(|| {
        let bench = bench(fixture, &[TINY_RING])?;
        let ends = bench.while_stopped(|| {
            connections(&bench, 50)?;
            connections(&bench, 1)
        })?;
        let outcome = settle(bench, &["process_lost", "process_unresolved"])?;
        let last = outcome.reported.ends.len();
        ensure!(last == 100 + ends, "{last} ends have a document");
        Ok(())
    })
}

/// What is reported of sockets gives way where the ring is full; their flows do not.
pub(super) fn sockets(fixture: &Fixture<'_>) -> Result<()> {
    retry(|| {
        let bench = bench(fixture, &[TINY_RING, "socket.events: all"])?;
        let ends = bench.while_stopped(|| connections(&bench, 100))?;
        let outcome = settle(bench, &["socket_lost"])?;
        let documents = outcome.reported.ends.len();
        ensure!(documents == ends, "{ends} ends, {documents} flows in documents");
        Ok(())
    })
}

/// Late packets of a connection, when a newer one between the same ends needs their entry.
pub(super) fn late(fixture: &Fixture<'_>) -> Result<()> {
    retry(|| {
        let bench = bench(fixture, &[TINY_RING])?;
        bench.while_stopped(|| {
            connections(&bench, 50)?;
            let mut client = LoadWorker::start(&bench.netns, &Job::Redial { port: 999 })?;
            client.made(2)?;
            client.end()
        })?;
        settle(bench, &["late_lost"]).map(drop)
    })
}
