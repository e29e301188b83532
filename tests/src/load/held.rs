//! Connections over which nothing passes, all open at the same time.

use anyhow::Result;

use super::{
    expected_totals::{End, SERVER},
    worker::Job,
    worker_handle::LoadWorker,
};
use crate::net::Netns;

/// Connections of a pair of workers: fewer than the usual hard limits of descriptors.
const EACH: u32 = 15_000;

/// Pairs of workers, client and server, that hold connections.
pub(crate) struct Held {
    pairs: Vec<(LoadWorker, LoadWorker)>,
    /// Both ends of each connection.
    pub(crate) ends: Vec<End>,
}

impl Held {
    /// Opens so many connections, with addresses from a number on.
    pub(crate) fn open(netns: &Netns, first: u32, count: u32) -> Result<Self> {
        let mut begun = Vec::new();
        for start in (0..count).step_by(EACH as usize) {
            let count = EACH.min(count - start);
            let mut server = LoadWorker::start(netns, &Job::Keep { address: SERVER, count })?;
            let hold = Job::Hold { server: server.server()?, first: first + start, count };
            begun.push((LoadWorker::start(netns, &hold)?, server, count));
        }
        let (mut pairs, mut ends) = (Vec::new(), Vec::new());
        for (mut client, mut server, count) in begun {
            let (here, there) = (client.pid(), server.pid());
            let made = client.made(count)?.into_iter();
            ends.extend(made.flat_map(|ends| End::both(ends, here, there, [0; 2])));
            client.expect("held")?;
            server.expect("held")?;
            pairs.push((client, server));
        }
        Ok(Self { pairs, ends })
    }

    /// Closes them: all clients, then the servers.
    pub(crate) fn close(self) -> Result<Vec<End>> {
        let Self { mut pairs, ends } = self;
        for (client, _) in &mut pairs {
            client.go_on()?;
        }
        for (mut client, mut server) in pairs {
            client.expect("closed")?;
            server.expect("closed")?;
            client.end()?;
            server.end()?;
        }
        Ok(ends)
    }
}
