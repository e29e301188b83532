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

use std::{sync::Arc, time::Duration};

use anyhow::Context as _;
use pipeline::{
    Closed, Output, OutputCounters, Pipeline, Processors, Stopped,
    output::{Console, File},
};
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::mpsc,
};

use self::{
    changes::line,
    dataset::{Context, Dataset, Event, Group},
    stop::Stopper,
};
use crate::settings::{Config, OutputTarget};

/// What the command line says beside the configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RunOptions {
    /// Stop after this long; `None` means to run until a signal.
    pub duration: Option<Duration>,
    /// Where documents go: `--output-file`, else what the configuration says.
    pub output: OutputTarget,
}

/// Runs the datasets until the time is up or a signal comes.
///
/// # Errors
///
/// No dataset can start, one of them fails while it runs, or the output cannot be written.
pub fn run(config: &Config, options: &RunOptions) -> anyhow::Result<()> {
    memory::share_heap();
    // Opened first: a mistake in its name must not cost a start of the sensor.
    let output: Box<dyn Output> = match &options.output {
        OutputTarget::Stdout => Box::new(Console::stdout().context("cannot use standard output")?),
        OutputTarget::File(path) => Box::new(File::open(path)?),
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start the event loop")?;
    let result = runtime.block_on(supervise(config, options.duration, output));
    match result {
        // The output has logged why; nothing is wrong, there is just nobody left to write to.
        Err(error) if error.is::<Closed>() => Ok(()),
        other => other,
    }
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
    output: Box<dyn Output>,
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
    let pipeline =
        Pipeline::start(vec![output], pipeline::Options::default(), priority::raise_writer)
            .context("cannot start the output")?;
    let stopper = Stopper::new()?;
    let (events, mut news) = mpsc::unbounded_channel();
    let mut group = Group::default();
    for dataset in datasets(config) {
        let context =
            Context::new(&shared, pipeline.publisher(Processors::default()), stopper.listener()?);
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
    let ended = group.judge_end();
    let stopped = pipeline.stop();
    report_outputs(&stopped);
    ended?;
    stopped.result().map_err(Into::into)
}

/// Logs what all outputs together have done.
fn report_outputs(stopped: &Stopped) {
    let sum = |count: fn(&OutputCounters) -> u64| {
        stopped.counters().iter().map(|(_, counters)| count(counters)).sum()
    };
    let delivered = vec![("output_delivered", sum(|counters| counters.delivered))];
    log::info!(target: "output", "totals {}", line(delivered));
    let counters = vec![
        ("output_refused", sum(|counters| counters.refused)),
        ("output_retries", sum(|counters| counters.retries)),
        ("output_undelivered", sum(|counters| counters.undelivered)),
    ];
    log::info!(target: "output", "counters {}", line(counters));
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
