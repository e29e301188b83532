//! Tables of the kernel side that are full.

use anyhow::{Result, ensure};

use super::{bench, connections, retry, settle};
use crate::{
    endpoint::Family,
    fixture::Fixture,
    load::{worker::Job, worker_handle::LoadWorker},
};

/// Packets of sockets that have no flow are counted one by one, those of the handshake too.
pub(super) fn flows(fixture: &Fixture<'_>) -> Result<()> {
    retry(|| {
        let bench = bench(fixture, &["socket.tables.flows: 4"])?;
        let ends = connections(&bench, 200)?;
        let outcome = settle(bench, &["flow_table_full", "open_table_full"])?;
        let documents = outcome.reported.ends.len();
        ensure!(0 < documents && documents < ends, "{documents} of {ends} ends in 4 places");
        Ok(())
    })
}

/// Packets to peers for which the table has no entry left.
pub(super) fn peers(fixture: &Fixture<'_>) -> Result<()> {
    const PEERS: u32 = 50;
    const EACH: u32 = 3;
    retry(|| {
        let bench = bench(fixture, &["socket.tables.peers: 1"])?;
        let mut sink = LoadWorker::start(&bench.netns, &Job::Sink)?;
        let port = sink.server()?.port();
        let flood = Job::Flood { port, first: 0, peers: PEERS, each: EACH };
        let mut sender = LoadWorker::start(&bench.netns, &flood)?;
        sender.made(PEERS)?;
        sender.end()?;
        sink.end()?;
        let outcome = settle(bench, &["peer_table_full"])?;
        let lost = outcome.counter("peer_table_full")?;
        let without_place = u64::from(PEERS) + 1 - outcome.reported.ends.len() as u64;
        ensure!(
            lost == without_place * u64::from(EACH),
            "{lost} packets were counted, {without_place} peers have no document"
        );
        Ok(())
    })
}

/// Listeners of whom nobody can say who they belong to.
pub(super) fn owners(fixture: &Fixture<'_>) -> Result<()> {
    const LISTENERS: u64 = 20;
    let bench = bench(fixture, &["socket.tables.owners: 1"])?;
    let endpoint = fixture.loopback()?;
    let (server, _) = fixture.couple(&endpoint)?;
    for _ in 0..LISTENERS {
        server.listen(endpoint.any_port(Family::V4)?)?;
    }
    let full = settle(bench, &[])?.counter("owner_table_full")?;
    ensure!(full >= LISTENERS - 1, "{LISTENERS} listeners, one place, {full} were counted");
    Ok(())
}

/// What follows the end of a connection without an entry belongs to no flow.
pub(super) fn late(fixture: &Fixture<'_>) -> Result<()> {
    const PORTS: std::ops::Range<u16> = 900..905;
    retry(|| {
        let bench = bench(fixture, &["socket.tables.late: 1"])?;
        let jobs: Vec<Job> = PORTS.map(|port| Job::Redial { port }).collect();
        for mut client in LoadWorker::start_all(&bench.netns, &jobs)? {
            client.made(2)?;
            client.end()?;
        }
        let outcome = settle(bench, &["late_table_full", "late_unmatched"])?;
        let documents = outcome.reported.ends.len();
        ensure!(documents == 2 * PORTS.len(), "{documents} ends have a document");
        Ok(())
    })
}
