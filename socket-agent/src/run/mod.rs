//! The agent at work: chooses a hook set, starts the sensor, reports flows until it is told to stop,
//! then reports what is left.

mod agent;
mod prepare;
mod tables;

use std::time::{Duration, Instant};

use anyhow::Context;
use tokio::{
    io::unix::AsyncFd,
    signal::unix::{SignalKind, signal},
    time::{MissedTickBehavior, interval},
};

use crate::{
    cli::RunOptions,
    config::{Config, OutputTarget},
    output::{Output, OutputError},
};

/// How often the ring is emptied, if it does not fill up sooner.
const TICK: Duration = Duration::from_millis(100);

/// Observes flows until the time is up or a signal comes.
///
/// # Errors
///
/// No hook set can be used, the output cannot be written, or the kernel refuses to be read.
pub fn run(config: Config, options: RunOptions) -> anyhow::Result<()> {
    // Opened first: a mistake in its name must not cost a start of the sensor.
    let output = match &options.output {
        OutputTarget::Stdout => Output::stdout()?,
        OutputTarget::File(path) => Output::file(path)?,
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start the event loop")?;
    let result = runtime.block_on(observe(&config, options.duration, output));
    match result {
        Err(error) if is_closed(&error) => {
            log::info!(target: "output", "the reader is gone; stopping");
            Ok(())
        }
        other => other,
    }
}

fn is_closed(error: &anyhow::Error) -> bool {
    matches!(error.downcast_ref(), Some(OutputError::Closed { .. }))
}

async fn observe(
    config: &Config,
    duration: Option<Duration>,
    output: Output,
) -> anyhow::Result<()> {
    // Signals are caught before anything is attached, so that none ends the agent in between.
    let mut terminate = signal(SignalKind::terminate()).context("cannot catch SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot catch SIGINT")?;
    let started = Instant::now();
    let mut agent = prepare::agent(config, output)?;
    log::info!(
        target: "sensor",
        "ready: hooks={} after {} ms",
        agent.hooks(),
        started.elapsed().as_millis()
    );
    let ring = agent.ring_descriptor()?;
    // SAFETY: an owned descriptor, which keeps naming the ring for as long as it is registered.
    let wake = unsafe { AsyncFd::register(ring) }.context("cannot wait for the ring")?;
    let mut ticks = interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let end = async {
        match duration {
            Some(duration) => tokio::time::sleep(duration).await,
            None => std::future::pending().await,
        }
    };
    tokio::pin!(end);
    let reason = loop {
        tokio::select! {
            biased;
            _ = terminate.recv() => break "SIGTERM",
            _ = interrupt.recv() => break "SIGINT",
            () = &mut end => break "the time is up",
            ready = wake.readable() => {
                ready.context("cannot wait for the ring")?.clear_ready();
                agent.drain()?;
            }
            _ = ticks.tick() => agent.tick()?,
        }
    };
    log::info!(target: "sensor", "stopping: {reason}");
    agent.finish()
}
