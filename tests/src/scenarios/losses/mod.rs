//! Every place where something can be missed is made to miss something: what the documents lack is in
//! the counters, packet by packet.

mod disk;
mod ring;
mod sockets;
mod tables;

use anyhow::{Result, ensure};

use super::Scenario;
use crate::{
    agent::{Options, Timeouts},
    fixture::Fixture,
    load::{
        bench::{Bench, Outcome},
        expected_totals::SERVER,
        worker::Job,
        worker_handle::LoadWorker,
    },
};

/// By the counters they make count. Tables, ring and counters are the same for all hook sets, and those
/// that are only made smaller for it behave the same on every kernel.
pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario::own("losses/flow_table_full", tables::flows).only("cgroup").portable(),
    Scenario::own("losses/peer_table_full", tables::peers).only("cgroup").portable(),
    Scenario::own("losses/owner_table_full", tables::owners).only("cgroup").portable(),
    Scenario::own("losses/late_table_full", tables::late).only("cgroup").portable(),
    Scenario::own("losses/pending_missed", sockets::pending_full).only("cgroup").portable(),
    Scenario::own("losses/pending_held", sockets::pending_held).only("cgroup").portable(),
    Scenario::own("losses/syn_flood", sockets::syn_flood).only("cgroup").portable(),
    Scenario::own("losses/closed_lost", ring::closed).only("cgroup").portable(),
    Scenario::own("losses/process_lost", ring::processes).only("cgroup").portable(),
    Scenario::own("losses/socket_lost", ring::sockets).only("cgroup").portable(),
    Scenario::own("losses/late_lost", ring::late).only("cgroup").portable(),
    Scenario::own("losses/perf_rings", ring::perf).only("kprobe"),
    Scenario::own("losses/late_unmatched", sockets::refused).only("cgroup"),
    Scenario::own("losses/midway", sockets::midway).only("cgroup"),
    Scenario::own("losses/unparsed", sockets::headers).only("cgroup"),
    Scenario::own("losses/output_full_disk", disk::full).only("cgroup").portable(),
    Scenario::own("losses/output_closed", disk::closed).only("cgroup").portable(),
];

/// How often something is tried that packets of others on this host can spoil: the tables and counters
/// are those of the whole host.
const TRIES: u32 = 3;

/// The smallest ring.
const TINY_RING: &str = "socket.tables.ring: 4096";

fn bench(fixture: &Fixture<'_>, settings: &'static [&'static str]) -> Result<Bench> {
    bench_with(fixture, settings, Timeouts::default())
}

fn bench_with(
    fixture: &Fixture<'_>,
    settings: &'static [&'static str],
    timeouts: Timeouts,
) -> Result<Bench> {
    Bench::start(&Options { settings, timeouts, log: fixture.log(), ..fixture.options.clone() })
}

/// Short connections, some at a time; how many ends there were.
fn connections(bench: &Bench, count: u32) -> Result<usize> {
    let serve = Job::Serve { address: SERVER, threads: 10 };
    let mut server = LoadWorker::start(&bench.netns, &serve)?;
    let dial = Job::Dial { server: server.server()?, first: 0, count, threads: 10, pace: None };
    let mut client = LoadWorker::start(&bench.netns, &dial)?;
    let ends = 2 * client.made(count)?.len();
    client.end()?;
    server.end()?;
    Ok(ends)
}

/// Ends an agent; all packets must be in documents or in counters, and some in each of these.
fn settle(bench: Bench, counted: &[&str]) -> Result<Outcome> {
    let outcome = bench.finish()?;
    ensure!(outcome.stopped.status.success(), "the agent ended with {}", outcome.stopped.status);
    for name in counted {
        ensure!(
            outcome.counter(name)? > 0,
            "{name} counted nothing: {:?}",
            outcome.stopped.counters
        );
    }
    if let Some(wrong) = outcome.unbalanced(Default::default()) {
        anyhow::bail!("{wrong}: {:?}", outcome.stopped.counters);
    }
    Ok(outcome)
}

/// Tries until it is right, see [`TRIES`].
fn retry(mut attempt: impl FnMut() -> Result<()>) -> Result<()> {
    for _ in 1..TRIES {
        if attempt().is_ok() {
            return Ok(());
        }
    }
    attempt()
}
