//! Many short connections.

use std::{collections::HashMap, net::SocketAddr};

use anyhow::{Context, Result, bail, ensure};

use super::Scenario;
use crate::{
    endpoint::Family,
    expect::Side,
    fixture::Fixture,
    worker::{Command, Reply, Sock, Worker},
};

pub(super) const SCENARIOS: &[Scenario] = &[Scenario::shared("crowd/2000_connections", many)];

const SERVERS: usize = 2;
const CLIENTS: usize = 4;
const EACH: u32 = 500;

/// 2,000 connections of a few milliseconds from four processes to two.
fn many(fixture: &Fixture<'_>) -> Result<()> {
    let endpoint = fixture.loopback()?;
    let mut servers = Vec::new();
    for _ in 0..SERVERS {
        let server = Worker::spawn(&endpoint.netns, "server")?;
        let listener = server.listen(endpoint.any_port(Family::V4)?)?;
        let count = EACH * (CLIENTS / SERVERS) as u32;
        server.begin(&Command::Serve { fd: listener.fd, count, bytes: 64 })?;
        servers.push((server, listener.local));
    }
    let mut clients = Vec::new();
    for (_, address) in servers.iter().cycle().take(CLIENTS) {
        let client = Worker::spawn(&endpoint.netns, "client")?;
        client.begin(&Command::Burst { address: *address, count: EACH, bytes: 64 })?;
        clients.push(client);
    }

    let mut sides = Vec::new();
    let mut dialled = HashMap::new();
    for client in &clients {
        for (local, remote) in connections_of(client)? {
            dialled.insert((remote, local), ());
            sides.push(Side::connected(client, sock(local, remote))?.ended("fin_local"));
        }
    }
    for (server, _) in &servers {
        for ends in connections_of(server)? {
            dialled.remove(&ends).with_context(|| format!("{ends:?} was not dialled"))?;
            let (local, remote) = ends;
            sides.push(Side::accepted(server, sock(local, remote))?.ended("fin_remote"));
        }
    }
    ensure!(dialled.is_empty(), "{} connections were never accepted", dialled.len());
    ensure!(sides.len() == 2 * CLIENTS * EACH as usize, "only {} ends", sides.len());
    fixture.shared()?.expect_all(fixture.name, &sides, &endpoint.capture)
}

fn connections_of(worker: &Worker) -> Result<Vec<(SocketAddr, SocketAddr)>> {
    match worker.finish()? {
        Reply::ManyConnections(ends) => Ok(ends),
        other => bail!("expected connections, got {other:?}"),
    }
}

fn sock(local: SocketAddr, remote: SocketAddr) -> Sock {
    Sock { fd: -1, local, peer: Some(remote) }
}
