//! The thread that empties the ring, from the start of the sensor to its end.

use std::{os::fd::OwnedFd, sync::Arc, sync::mpsc::Sender, thread::JoinHandle};

use anyhow::Context as _;
use linux::threads;
use metrics::Values;
use sensor::{Halves, SocketConfig, host::HostFacts};
use tokio::io::unix::AsyncFd;

use super::{Observed, Reader, Started, start};
use crate::services::{Metrics, Report, Shared, Stop, Stopper, raise_observer, trim};

/// Records of processes that the table takes in without being asked.
const MANY: usize = 64;

/// Events that are needed from the kernel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Interest {
    /// Flows, sockets and processes, with these settings.
    Flows(Box<SocketConfig>),
    /// Processes alone.
    Processes,
}

/// A sensor that runs, or is about to.
pub(crate) struct Service {
    shared: Arc<Shared>,
    interest: Interest,
    stopper: Stopper,
    thread: JoinHandle<()>,
    table: JoinHandle<()>,
}

// === impl Service ===

impl Service {
    /// Starts the threads. Whether the sensor starts is told to the dataset that reports flows. Without one
    /// this waits for it; if it cannot start, the log says why, and processes are read from `/proc`.
    ///
    /// # Errors
    /// The kernel gives no threads or descriptors.
    pub(crate) fn start(shared: &Arc<Shared>, interest: Interest) -> anyhow::Result<Self> {
        let stopper = Stopper::new()?;
        let stop = stopper.listener()?;
        let (sender, settled) = shared.events.prepare(interest == Interest::Processes)?;
        let (observed, of_table, wanted) =
            (Arc::clone(shared), Arc::clone(shared), interest.clone());
        let thread =
            threads::spawn("kernel-events", move || run(&observed, &wanted, &stop, sender))
                .context("cannot start a thread for the kernel's events")?;
        let table = threads::spawn("processes", move || {
            while of_table.events.processes.wait_for(MANY) {
                drop(of_table.processes());
            }
        })
        .context("cannot start a thread for the process table")?;
        if let Some(settled) = settled {
            // What starts the hooks does is no event of a dataset. Nothing is sent: it is dropped in time.
            let _ = settled.recv();
        }
        Ok(Self { shared: Arc::clone(shared), interest, stopper, thread, table })
    }

    /// Events that were requested.
    pub(crate) fn interest(&self) -> &Interest {
        &self.interest
    }

    /// Ends the sensor. The dataset that reports flows has ended.
    pub(crate) fn stop(self) {
        let Self { shared, interest: _, stopper, thread, table } = self;
        stopper.stop();
        shared.events.processes.close();
        shared.events.flows.close();
        for thread in [thread, table] {
            if thread.join().is_err() {
                log::error!(target: "sensor", "a thread of the kernel's events has panicked");
            }
        }
        shared.processes().feeds_no_more();
    }
}

fn run(
    shared: &Arc<Shared>,
    interest: &Interest,
    stop: &Stop,
    sender: Sender<anyhow::Result<Observed>>,
) {
    let result = match interest {
        Interest::Flows(config) => observe(shared, config, stop, sender),
        Interest::Processes => follow_processes(shared, stop, sender),
    };
    shared.events.end();
    if let Err(error) = result {
        log::error!(target: "sensor", "the kernel's events cannot be read: {error:#}");
    }
}

/// Starts a sensor, and empties its ring until the end.
fn observe(
    shared: &Arc<Shared>,
    config: &SocketConfig,
    stop: &Stop,
    sender: Sender<anyhow::Result<Observed>>,
) -> anyhow::Result<()> {
    let mut facts = HostFacts::probe_for_hooks().with_btf_file(config.btf.clone());
    let started = match start(config, &mut facts, &mut || scan(shared)) {
        Ok(started) => started,
        Err(error) => {
            // Refused if the dataset has ended meanwhile.
            let _ = sender.send(Err(error));
            return Ok(());
        }
    };
    drop(facts);
    let Started { choice, halves, degraded, tables, test, outcome } = started;
    let Halves { tables: source, records } = halves;
    let ring = records.descriptor().try_clone_to_owned().context("cannot duplicate the ring")?;
    raise_observer();
    shared.events.begin(Reader::new(records, Some(test)));
    let _ = sender.send(Ok(Observed { choice, source, degraded, tables, outcome }));
    drop(sender);
    empty(shared, ring, stop)
}

/// As [`observe`], with the hooks on processes alone.
fn follow_processes(
    shared: &Arc<Shared>,
    stop: &Stop,
    settled: Sender<anyhow::Result<Observed>>,
) -> anyhow::Result<()> {
    let halves = match start::processes(&mut || scan(shared)) {
        Ok(halves) => halves,
        Err(error) => {
            log::info!(target: "sensor", "processes are those that /proc has: {error:#}");
            return Ok(());
        }
    };
    let Halves { mut tables, records } = halves;
    let ring = records.descriptor().try_clone_to_owned().context("cannot duplicate the ring")?;
    trim();
    raise_observer();
    shared.events.begin(Reader::new(records, None));
    log::info!(target: "sensor", "the kernel tells of processes");
    drop(settled);
    let result = empty(shared, ring, stop);
    tables.detach();
    let mut values = tables.counters();
    values.extend(shared.processes().values());
    // Most are of flows, of which there are none.
    let values: Values = values.iter().filter(|(_, value)| *value > 0).collect();
    Report::new("sensor", &Metrics::default()).finish(&values);
    result
}

/// Reads the processes there are: at once, as of those that end before nothing is known but what the hooks
/// have told.
fn scan(shared: &Shared) {
    if let Err(error) = shared.processes().scan_proc() {
        log::warn!(target: "process", "{error}");
    }
}

/// Empties the ring whenever much is waiting in it, until the order to stop.
fn empty(shared: &Shared, ring: OwnedFd, stop: &Stop) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .build()
        .context("cannot start an event loop")?;
    let stop = stop.descriptor()?;
    runtime.block_on(async {
        // SAFETY: an owned descriptor, which keeps naming the ring for as long as it is registered.
        let ring = unsafe { AsyncFd::register(ring) }.context("cannot wait for the ring")?;
        // SAFETY: as above, with a pipe.
        let stop = unsafe { AsyncFd::register(stop) }.context("cannot wait for the end")?;
        loop {
            tokio::select! {
                biased;
                ended = stop.readable() => {
                    ended.context("cannot wait for the end")?.retain_ready();
                    return Ok(());
                }
                ready = ring.readable() => {
                    ready.context("cannot wait for the ring")?.clear_ready();
                    shared.events.drain_all();
                }
            }
        }
    })
}
