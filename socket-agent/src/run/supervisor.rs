//! Starts, watches and ends the datasets and what they share.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use config::ConfigError;
use pipeline::{Closed, Output, Pipeline, Processors};
use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    sync::{mpsc, oneshot},
};

use super::{
    Reread,
    group::{DatasetEvent, Group, Inputs},
    reports::CommonReports,
};
use crate::{
    datasets::{Configured, Needs},
    services::{Interest, Service, Shared, raise_writer},
    settings::Config,
};

/// Starts, watches and ends the datasets and what they share.
pub(super) struct Supervisor<'a> {
    /// Configuration with which the agent was started.
    pub(super) started: Config,
    /// The last configuration that was read without errors.
    pub(super) config: Config,
    /// What was last said of a configuration that is wrong.
    pub(super) wrong: Option<ConfigError>,
    pub(super) reread: Reread<'a>,
    shared: Arc<Shared>,
    pipeline: Pipeline,
    reports: CommonReports,
    pub(super) service: Option<Service>,
    pub(super) group: Group,
    events: mpsc::UnboundedSender<DatasetEvent>,
    news: mpsc::UnboundedReceiver<DatasetEvent>,
    /// Resolves once no output takes documents any more.
    outputs_end: oneshot::Receiver<()>,
    signals: Signals,
    /// An order to reload came before all datasets had started.
    asked_to_reload: bool,
}

/// The signals that the agent listens to.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
}

/// Request that a signal makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asked {
    /// To end, for this reason.
    Stop(&'static str),
    /// To read the configuration again.
    Reload,
}

// === impl Supervisor ===

impl<'a> Supervisor<'a> {
    /// Catches signals and starts the output. To be called within an event loop.
    pub(super) fn new(
        config: &Config,
        outputs: Vec<Box<dyn Output>>,
        reread: Reread<'a>,
    ) -> anyhow::Result<Self> {
        let signals = Signals::catch()?;
        let shared = Arc::new(Shared::read()?);
        let options = pipeline::Options::default();
        let pipeline =
            Pipeline::start(outputs, options, raise_writer).context("cannot start the outputs")?;
        let (ended, outputs_end) = oneshot::channel();
        // Nobody listens any more only if the agent is ending for another reason.
        pipeline.at_end(move || {
            let _ = ended.send(());
        });
        let reports = CommonReports::new(&config.metrics, &shared);
        let (events, news) = mpsc::unbounded_channel();
        Ok(Self {
            started: config.clone(),
            config: config.clone(),
            wrong: None,
            reread,
            shared,
            pipeline,
            reports,
            service: None,
            group: Group::default(),
            events,
            news,
            outputs_end,
            signals,
            asked_to_reload: false,
        })
    }

    /// From the start of the datasets to the end of all.
    pub(super) async fn run(mut self, duration: Option<Duration>) -> anyhow::Result<()> {
        self.start_service(interest(&self.config))?;
        for dataset in self.config.datasets.clone() {
            self.start(dataset)?;
        }
        let mut reason = self.settle().await;
        self.group.judge_start()?;
        if reason.is_none() {
            reason = Some(self.watch(duration).await?);
        }
        log::info!(target: "agent", "stopping: {}", reason.unwrap_or_default());
        self.group.stop(None);
        while !self.group.has_ended() {
            self.next_event().await;
        }
        // Also those that were still about to start when the order to stop came.
        self.group.judge_start()?;
        if let Some(service) = self.service.take() {
            service.stop();
        }
        let ended = self.group.judge_end();
        let no_output = self.pipeline.is_at_end();
        let stopped = self.pipeline.stop();
        self.reports.finish(&stopped);
        ended?;
        if no_output {
            return Err(Closed.into());
        }
        stopped.result().map_err(Into::into)
    }

    /// Waits until each dataset has started, or cannot; a reason to stop, if one comes before. An order to
    /// reload is followed afterwards.
    async fn settle(&mut self) -> Option<&'static str> {
        while !self.group.has_settled() {
            let Self { signals, news, .. } = self;
            tokio::select! {
                biased;
                asked = signals.next() => match asked {
                    Asked::Stop(reason) => return Some(reason),
                    Asked::Reload => self.asked_to_reload = true,
                },
                Some(event) = news.recv() => self.group.take(event),
            }
        }
        None
    }

    /// Waits for a reason to stop.
    async fn watch(&mut self, duration: Option<Duration>) -> anyhow::Result<&'static str> {
        let up = sleep(duration);
        tokio::pin!(up);
        let mut looked = Instant::now();
        loop {
            if self.group.has_end() {
                return Ok("a dataset has ended");
            }
            if std::mem::take(&mut self.asked_to_reload) {
                self.reload().await?;
            }
            let Self { signals, news, config, reports, outputs_end, .. } = self;
            // From the last look on: whatever happens meanwhile does not put the next one off.
            let look = config.reload.enabled.then_some(config.reload.period);
            let look = look.map(|period| period.saturating_sub(looked.elapsed()));
            tokio::select! {
                biased;
                asked = signals.next() => match asked {
                    Asked::Stop(reason) => return Ok(reason),
                    Asked::Reload => self.reload().await?,
                },
                () = sleep(look) => {
                    looked = Instant::now();
                    self.look().await?;
                }
                () = reports.due() => self.reports.log(&self.pipeline),
                () = &mut up => return Ok("the time is up"),
                Ok(()) = outputs_end => return Ok("no output takes documents any more"),
                Some(event) = news.recv() => self.group.take(event),
            }
        }
    }

    /// Starts the thread of a dataset.
    pub(super) fn start(&mut self, dataset: Configured) -> anyhow::Result<()> {
        let inputs = Inputs {
            shared: Arc::clone(&self.shared),
            publisher: self.pipeline.publisher(processors(&self.started)),
            metrics: self.started.metrics.clone(),
        };
        self.group.start(dataset, inputs, &self.events)
    }

    /// Starts a sensor, if anything is needed of the kernel.
    pub(super) fn start_service(&mut self, interest: Option<Interest>) -> anyhow::Result<()> {
        if let Some(interest) = interest {
            self.service = Some(Service::start(&self.shared, interest)?);
        }
        Ok(())
    }

    /// Waits for the next thing that happens to a dataset.
    pub(super) async fn next_event(&mut self) {
        if let Some(event) = self.news.recv().await {
            self.group.take(event);
        }
    }
}

/// What the documents of a dataset go through.
fn processors(config: &Config) -> Processors {
    Processors::new(config.processors.iter().map(processors::Configured::build).collect())
}

/// Needs of the datasets that the kernel has to meet.
pub(super) fn interest(config: &Config) -> Option<Interest> {
    let needs = config.datasets.iter().map(Configured::needs);
    let Needs { flows, processes } = needs.fold(Needs::default(), Needs::and);
    match flows {
        Some(config) => Some(Interest::Flows(config)),
        None => processes.then_some(Interest::Processes),
    }
}

async fn sleep(duration: Option<Duration>) {
    match duration {
        Some(duration) => tokio::time::sleep(duration).await,
        None => std::future::pending().await,
    }
}

// === impl Signals ===

impl Signals {
    fn catch() -> anyhow::Result<Self> {
        let terminate = signal(SignalKind::terminate()).context("cannot catch SIGTERM")?;
        let interrupt = signal(SignalKind::interrupt()).context("cannot catch SIGINT")?;
        let hangup = signal(SignalKind::hangup()).context("cannot catch SIGHUP")?;
        Ok(Self { terminate, interrupt, hangup })
    }

    async fn next(&mut self) -> Asked {
        tokio::select! {
            biased;
            _ = self.terminate.recv() => Asked::Stop("SIGTERM"),
            _ = self.interrupt.recv() => Asked::Stop("SIGINT"),
            _ = self.hangup.recv() => Asked::Reload,
        }
    }
}
