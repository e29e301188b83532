//! The agent at work: starts the datasets, waits until it is told to stop, and lets each report what
//! is left.
//!
//! Every dataset has a thread of its own, so that none waits for another; they share the output,
//! what describes this host ([`Shared`]), and the order to stop. A further one is a function like
//! [`socket::run`] and a line in [`datasets`].

mod audit;
mod changes;
mod dataset;
mod memory;
mod priority;
mod shared;
mod socket;
mod stop;

pub(crate) use shared::Shared;
pub(crate) use socket::start as start_sensor;

use std::{sync::Arc, time::Duration};

use anyhow::Context as _;
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::mpsc,
};

use self::{
    dataset::{Context, Dataset, Event, Group},
    stop::Stopper,
};
use crate::{
    cli::RunOptions,
    config::{Config, OutputTarget},
    output::{Output, OutputError, Sink},
};

/// Runs the datasets until the time is up or a signal comes.
///
/// # Errors
///
/// No dataset can start, one of them fails while it runs, or the output cannot be written.
pub fn run(config: &Config, options: &RunOptions) -> anyhow::Result<()> {
    memory::share_heap();
    // Opened first: a mistake in its name must not cost a start of the sensor.
    let output = match &options.output {
        OutputTarget::Stdout => Output::stdout()?,
        OutputTarget::File(path) => Output::file(path)?,
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start the event loop")?;
    let result = runtime.block_on(supervise(config, options.duration, output));
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

/// What the configuration asks for.
fn datasets(config: &Config) -> Vec<Dataset> {
    let mut datasets = Vec::new();
    let metrics = config.metrics.clone();
    if let Some(config) = config.socket.clone() {
        datasets
            .push(Dataset::new("socket", move |context| socket::run(&config, &metrics, context)));
    }
    if let Some(config) = config.audit.clone() {
        datasets.push(Dataset::new("auditd", move |context| audit::run(&config, context)));
    }
    datasets
}

async fn supervise(
    config: &Config,
    duration: Option<Duration>,
    output: Output,
) -> anyhow::Result<()> {
    // Signals are caught before anything is attached, so that none ends the agent in between.
    let mut terminate = signal(SignalKind::terminate()).context("cannot catch SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot catch SIGINT")?;
    let signals = async {
        tokio::select! {
            _ = terminate.recv() => "SIGTERM",
            _ = interrupt.recv() => "SIGINT",
        }
    };
    tokio::pin!(signals);

    let shared = Arc::new(Shared::read()?);
    let sink = Sink::new(output, priority::raise_writer).context("cannot start the output")?;
    let stopper = Stopper::new()?;
    let (events, mut news) = mpsc::unbounded_channel();
    let mut group = Group::default();
    for dataset in datasets(config) {
        let context = Context::new(&shared, sink.clone(), stopper.listener()?);
        group.start(dataset, context, &events)?;
    }
    drop(events);

    let mut reason = loop {
        tokio::select! {
            biased;
            reason = &mut signals => break Some(reason),
            event = news.recv() => match event {
                Some(event) => {
                    group.take(event);
                    if group.has_settled() { break None }
                }
                None => break None,
            },
        }
    };
    group.judge_start()?;
    if reason.is_none() {
        reason = Some(tokio::select! {
            biased;
            reason = &mut signals => reason,
            () = sleep(duration) => "the time is up",
            name = first_end(&mut news, &mut group) => name,
        });
    }
    log::info!(target: "agent", "stopping: {}", reason.unwrap_or_default());
    stopper.stop();
    while let Some(event) = news.recv().await {
        group.take(event);
    }
    // Also those that were still about to start when the order to stop came.
    group.judge_start()?;
    group.judge_end()
}

async fn sleep(duration: Option<Duration>) {
    match duration {
        Some(duration) => tokio::time::sleep(duration).await,
        None => std::future::pending().await,
    }
}

/// Waits until a dataset that has started is at its end.
async fn first_end(news: &mut mpsc::UnboundedReceiver<Event>, group: &mut Group) -> &'static str {
    while let Some(event) = news.recv().await {
        group.take(event);
        if group.has_end() {
            break;
        }
    }
    "a dataset has ended"
}
