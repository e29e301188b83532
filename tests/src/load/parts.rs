//! The loads.

use std::{
    cell::RefCell,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};

use super::{
    disk::Disk,
    expected_totals::{End, Transport},
    held::Held,
    measure::cost,
    names::{GREETING, name},
    report::{mib, percent},
    worker::{ANSWER, Ends, Job, REQUEST, address, datagram},
    worker_handle::LoadWorker,
};
use crate::net::Netns;

/// Network namespace and notes of a load.
pub(super) struct Site<'a> {
    /// The namespace it has for itself.
    pub(super) netns: &'a Netns,
    /// The agent's process id.
    pub(super) agent: u32,
    /// Notes for the report.
    pub(super) notes: RefCell<Vec<String>>,
    /// The disk that documents are written to, if it is to be full meanwhile.
    pub(super) disk: Option<&'a Disk>,
}

/// One kind of load.
pub(super) struct Part {
    pub(super) name: &'static str,
    /// Settings of the agent beyond the defaults.
    pub(super) settings: &'static [&'static str],
    /// `socket.flow_termination_timeout`.
    pub(super) termination: &'static str,
    /// How much there is of it in full, and in the warm-up.
    pub(super) full: u32,
    pub(super) warm: u32,
    /// Size of the disk that documents are written to; `None` where it does not matter.
    pub(super) disk: Option<&'static str>,
    /// What the agent may hold at the peak beyond what it held before, bytes; `None` if it is only to stay below
    /// what an agent may ever hold.
    pub(super) waiting: Option<u64>,
    /// Makes so much load, with addresses from a number on; returns all ends that there were.
    pub(super) make: fn(&Site<'_>, count: u32, first: u32) -> Result<Vec<End>>,
}

pub(super) const PARTS: &[Part] = &[
    Part {
        name: "load/short_connections",
        settings: &[],
        termination: "1s",
        full: 200_000,
        warm: 5_000,
        disk: None,
        waiting: None,
        make: short,
    },
    Part {
        name: "load/processes",
        settings: &[],
        termination: "1s",
        full: 1_000,
        warm: 100,
        disk: None,
        waiting: None,
        make: processes,
    },
    Part {
        name: "load/idle_connections",
        // Both ends are on this host, and all clients close before the servers do.
        settings: &["socket.tables.flows: 262144", "socket.tables.late: 131072"],
        termination: "20s",
        full: 100_000,
        warm: 2_000,
        disk: None,
        waiting: None,
        make: idle,
    },
    Part {
        name: "load/udp_peers",
        settings: &[],
        termination: "1s",
        full: 10_000,
        warm: 500,
        disk: None,
        waiting: None,
        make: udp,
    },
    Part {
        name: "load/names",
        // So long names are held, and with them memory.
        settings: &["socket.dns.minimum_ttl: 20s"],
        termination: "1s",
        full: 50_000,
        warm: 2_500,
        disk: None,
        waiting: None,
        make: names,
    },
    Part {
        name: "load/full_disk",
        settings: &[],
        termination: "1s",
        full: 30 * PACE,
        warm: 2_000,
        disk: Some("512m"),
        // The queue, and some for the flows and processes that are closed meanwhile.
        waiting: Some((16 + 8) << 20),
        make: full_disk,
    },
];

/// Connections a second while the disk is full.
const PACE: u32 = 2_000;
/// Request and answer.
const PAYLOAD: [u64; 2] = [REQUEST as u64, ANSWER as u64];
/// Connections of a process.
const FEW: u32 = 5;
/// Processes at a time.
const WAVE: u32 = 50;
/// Datagrams to a peer.
const EACH: u32 = 20;
/// How long idle connections are held: the agent looks at open flows every five seconds.
const HOLD: Duration = Duration::from_secs(11);

/// Short connections, 50 at a time, from five processes to two.
fn short(site: &Site<'_>, count: u32, first: u32) -> Result<Vec<End>> {
    dial(site, count, first, None)
}

/// Short connections at a steady pace, all of them while the disk is full. It gets its space back once they
/// are made.
fn full_disk(site: &Site<'_>, count: u32, first: u32) -> Result<Vec<End>> {
    let Some(disk) = site.disk else { return dial(site, count, first, None) };
    disk.fill()?;
    let begun = Instant::now();
    let ends = dial(site, count, first, Some(PACE))?;
    let seconds = begun.elapsed().as_secs_f64();
    let held = cost(site.agent)?;
    disk.empty()?;
    site.notes.borrow_mut().push(format!(
        "{:.0} connections a second for {seconds:.1} s of full disk, after which it held {}",
        f64::from(count) / seconds,
        mib(held.resident)
    ));
    Ok(ends)
}

/// Connections from five processes to two, so many a second of all together.
fn dial(site: &Site<'_>, count: u32, first: u32, pace: Option<u32>) -> Result<Vec<End>> {
    const CLIENTS: u32 = 5;
    let serve = Job::Serve { address: super::expected_totals::SERVER, threads: 40 };
    let mut servers = LoadWorker::start_all(site.netns, &[serve.clone(), serve])?;
    let mut jobs = Vec::new();
    let mut addresses = Vec::new();
    for server in &mut servers {
        addresses.push((server.server()?, server.pid()));
    }
    let each = count / CLIENTS;
    for (client, (server, _)) in (0..CLIENTS).zip(addresses.iter().cycle()) {
        jobs.push(Job::Dial {
            server: *server,
            first: first + client * each,
            count: each,
            threads: 10,
            pace: pace.map(|pace| pace / CLIENTS),
        });
    }
    let clients = LoadWorker::start_all(site.netns, &jobs)?;
    let mut ends = Vec::new();
    for (mut client, (_, server)) in clients.into_iter().zip(addresses.iter().cycle()) {
        let pid = client.pid();
        ends.extend(
            client.made(each)?.into_iter().flat_map(|made| End::both(made, pid, *server, PAYLOAD)),
        );
        client.end()?;
    }
    for server in servers {
        server.end()?;
    }
    Ok(ends)
}

/// Processes that live for some milliseconds, with a few connections each.
fn processes(site: &Site<'_>, count: u32, first: u32) -> Result<Vec<End>> {
    let mut server = LoadWorker::start(
        site.netns,
        &Job::Serve { address: super::expected_totals::SERVER, threads: 60 },
    )?;
    let address = server.server()?;
    let mut ends = Vec::new();
    let numbers: Vec<u32> = (0..count).collect();
    for wave in numbers.chunks(WAVE as usize) {
        let jobs: Vec<Job> = wave
            .iter()
            .map(|number| Job::Dial {
                server: address,
                first: first * FEW + number * FEW,
                count: FEW,
                threads: 1,
                pace: None,
            })
            .collect();
        for mut client in LoadWorker::start_all(site.netns, &jobs)? {
            let pid = client.pid();
            let made = client.made(FEW)?.into_iter();
            ends.extend(made.flat_map(|made| End::both(made, pid, server.pid(), PAYLOAD)));
            client.end()?;
        }
    }
    server.end()?;
    Ok(ends)
}

/// Connections over which nothing passes, all open at the same time.
fn idle(site: &Site<'_>, count: u32, first: u32) -> Result<Vec<End>> {
    let connections = Held::open(site.netns, first, count)?;
    let before = cost(site.agent)?;
    thread::sleep(HOLD);
    let held = cost(site.agent)?;
    site.notes.borrow_mut().push(format!(
        "with {} flows open: {}, {} of a core",
        connections.ends.len(),
        mib(held.resident),
        percent(held.cpu - before.cpu, HOLD)
    ));
    connections.close()
}

/// Datagrams from one socket to many peers.
fn udp(site: &Site<'_>, count: u32, first: u32) -> Result<Vec<End>> {
    let mut sink = LoadWorker::start(site.netns, &Job::Sink)?;
    let port = sink.server()?.port();
    let flood = Job::Flood { port, first, peers: count, each: EACH };
    let mut sender = LoadWorker::start(site.netns, &flood)?;
    let made = sender.made(count)?;
    let ends: Vec<End> = (first..)
        .zip(&made)
        .map(|(peer, ends)| End {
            transport: Transport::Udp,
            ends: *ends,
            pid: sender.pid(),
            direction: "egress",
            payload: [0; 2],
            // IPv4 and UDP headers.
            sent: Some((EACH.into(), u64::from(EACH) * (28 + datagram(peer) as u64))),
            named: false,
        })
        .collect();
    let received = made.first().map(|ends| receiver(*ends, sink.pid()));
    debug_assert!(made.first().is_none_or(|(_, there)| *there.ip() == address(first)));
    sender.end()?;
    sink.end()?;
    Ok(ends.into_iter().chain(received).collect())
}

/// A receiver has one peer, however many of its own addresses are written to; the first counts.
fn receiver((here, there): Ends, pid: u32) -> End {
    End {
        transport: Transport::Udp,
        ends: (there, here),
        pid,
        direction: "ingress",
        payload: [0; 2],
        sent: Some((0, 0)),
        named: false,
    }
}

/// Names, each asked for once and used once.
fn names(site: &Site<'_>, count: u32, first: u32) -> Result<Vec<End>> {
    let mut resolver = LoadWorker::start(site.netns, &Job::Resolve)?;
    resolver.server()?;
    let mut sink = LoadWorker::start(site.netns, &Job::Sink)?;
    let port = sink.server()?.port();
    let mut asking = LoadWorker::start(site.netns, &Job::Ask { port, first, count })?;
    let made = asking.made(count + 1)?;
    let (questions, made) = made.split_first().context("no conversation with the server")?;
    let mut all: Vec<End> = made
        .iter()
        .map(|ends| End {
            transport: Transport::Udp,
            ends: *ends,
            pid: asking.pid(),
            direction: "egress",
            payload: [0; 2],
            // IPv4 and UDP headers.
            sent: Some((1, 28 + GREETING as u64)),
            named: true,
        })
        .collect();
    all.extend(made.first().map(|ends| receiver(*ends, sink.pid())));
    let (here, there) = *questions;
    let question = |number: u32| 28 + 12 + name(number).len() as u64 + 2 + 4;
    let answer = |number: u32| question(number) + name(number).len() as u64 + 2 + 10 + 4;
    let numbers = || first..first + count;
    for (ends, pid, direction, bytes) in [
        ((here, there), asking.pid(), "egress", numbers().map(question).sum()),
        ((there, here), resolver.pid(), "ingress", numbers().map(answer).sum()),
    ] {
        let sent = Some((count.into(), bytes));
        let payload = [0; 2];
        let transport = Transport::Udp;
        all.push(End { transport, ends, pid, direction, payload, sent, named: false });
    }
    asking.end()?;
    resolver.end()?;
    sink.end()?;
    Ok(all)
}
