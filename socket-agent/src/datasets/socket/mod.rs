//! The socket dataset: flows, open sockets, names from DNS.

mod agent;
pub(super) mod metrics;
mod names;
mod options;
mod prepare;
mod reload;
mod sockets;
mod tables;
mod ticks;
mod wall_clock;

use std::{os::fd::OwnedFd, time::Instant};

use anyhow::Context as _;
use config::rows::{Known, Setting};
use tokio::io::unix::AsyncFd;

use self::ticks::Ticks;
use super::{Module, Needs, dataset::Dataset};
use crate::services::{Context, raise_writer, trim};
use sensor::SocketConfig;

/// Flows of the kernel's sockets, with who is behind them.
pub(super) struct Socket;

impl Dataset for Socket {
    type Options = SocketConfig;

    const NAME: &'static str = "socket";
    const MODULE: Module = Module::Shared("system");
    const ROWS: &'static [Setting<SocketConfig>] = options::ROWS;
    const KNOWN: &'static [Known] = options::KNOWN;
    const SAMPLE: Option<&'static str> = Some(include_str!("sample.yml"));

    fn needs(options: &SocketConfig) -> Needs {
        Needs { flows: Some(Box::new(options.clone())), processes: true }
    }

    fn run(options: &SocketConfig, context: Context<SocketConfig>) -> anyhow::Result<()> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_io()
            .build()
            .context("cannot start the event loop")?;
        runtime.block_on(observe(options, context))
    }

    fn needs_restart(before: &SocketConfig, after: &SocketConfig) -> Vec<&'static str> {
        reload::needs_restart(before, after)
    }
}

async fn observe(
    config: &SocketConfig,
    Context { shared, publisher, metrics, stop, ready, updates }: Context<SocketConfig>,
) -> anyhow::Result<()> {
    let started = Instant::now();
    let mut agent = prepare::agent(config, &metrics, shared, publisher)?;
    trim();
    // What closes waits in tables of limited size until it is looked at.
    raise_writer();
    log::info!(
        target: "sensor",
        "ready: hooks={} after {} ms",
        agent.hooks(),
        started.elapsed().as_millis()
    );
    agent.drain()?;
    ready.notify();
    let records = agent.records_descriptor()?;
    // SAFETY: an owned descriptor, which keeps naming the event for as long as it is registered.
    let wake = unsafe { AsyncFd::register(records) }.context("cannot wait for records")?;
    // SAFETY: as above.
    let changed = unsafe { AsyncFd::register(updates.descriptor()?) };
    let changed = changed.context("cannot wait for changed options")?;
    // SAFETY: as above, with a pipe.
    let stop = unsafe { AsyncFd::register(stop.descriptor()?) };
    let stop = stop.context("cannot wait for the end")?;
    let dns = agent.dns_descriptor()?;
    // SAFETY: as above, with the descriptor that stands for the packet rings.
    let dns = dns.map(|dns| unsafe { AsyncFd::register(dns) }).transpose();
    let dns = dns.context("cannot wait for DNS packets")?;
    let ticks = Ticks::start()?;
    loop {
        tokio::select! {
            biased;
            ended = stop.readable() => {
                ended.context("cannot wait for the end")?.retain_ready();
                break;
            }
            ready = wake.readable() => {
                ready.context("cannot wait for records")?.clear_ready();
                agent.drain()?;
            }
            ready = changed.readable() => {
                ready.context("cannot wait for changed options")?.clear_ready();
                if let Some(options) = updates.take() {
                    agent.reconfigure(&options)?;
                }
            }
            () = arrival(dns.as_ref()) => agent.drain_dns(),
            expired = ticks.next() => {
                expired?;
                agent.tick()?;
                ticks.looked()?;
            }
        }
    }
    agent.finish()
}

/// Waits until the descriptor is readable; for ever without one.
async fn arrival(descriptor: Option<&AsyncFd<OwnedFd>>) {
    match descriptor {
        Some(descriptor) => match descriptor.readable().await {
            Ok(mut ready) => ready.clear_ready(),
            // Only when the event loop itself is at its end.
            Err(_) => std::future::pending().await,
        },
        None => std::future::pending().await,
    }
}
