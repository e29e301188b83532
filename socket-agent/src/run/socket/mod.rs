//! The socket dataset: chooses a hook set, starts the sensor, reports flows.

mod agent;
mod names;
mod prepare;
mod sockets;
mod tables;
mod ticks;
mod wall_clock;

use std::{os::fd::OwnedFd, sync::Arc, time::Instant};

use anyhow::Context as _;
use tokio::io::unix::AsyncFd;

use self::ticks::Ticks;
use super::{dataset::Context, memory, priority};
use crate::settings::Metrics;
use sensor::SocketConfig;

/// Observes flows until it is told to stop, then reports what is left.
///
/// # Errors
///
/// No hook set can be used, the output cannot be written, or the kernel refuses to be read.
pub(super) fn run(
    config: &SocketConfig,
    metrics: &Metrics,
    context: Context,
) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .build()
        .context("cannot start the event loop")?;
    let shared = Arc::clone(&context.shared);
    let result = runtime.block_on(observe(config, metrics, context));
    shared.feeds_no_more();
    result
}

async fn observe(
    config: &SocketConfig,
    metrics: &Metrics,
    Context { shared, publisher, stop, ready }: Context,
) -> anyhow::Result<()> {
    let started = Instant::now();
    let mut agent = prepare::agent(config, metrics, shared, publisher)?;
    memory::trim();
    priority::raise_observer();
    log::info!(
        target: "sensor",
        "ready: hooks={} after {} ms",
        agent.hooks(),
        started.elapsed().as_millis()
    );
    // From here on other datasets can wait for what the kernel tells of processes.
    agent.drain()?;
    ready.notify();
    let ring = agent.ring_descriptor()?;
    // SAFETY: an owned descriptor, which keeps naming the ring for as long as it is registered.
    let wake = unsafe { AsyncFd::register(ring) }.context("cannot wait for the ring")?;
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
                ready.context("cannot wait for the ring")?.clear_ready();
                agent.drain()?;
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
