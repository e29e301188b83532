//! Groups of datasets, each on a thread.

use std::sync::Arc;

use anyhow::{Context as _, anyhow};
use tokio::sync::mpsc::UnboundedSender;

use crate::{
    datasets::Configured,
    services::{Context, Metrics, Ready, Shared, Stopper, Updater, updates},
};
use linux::threads;
use pipeline::{Closed, Publisher};

/// What a dataset is given beside its options.
pub(super) struct Inputs {
    pub(super) shared: Arc<Shared>,
    pub(super) publisher: Publisher,
    pub(super) metrics: Metrics,
}

/// An event in the life of a dataset.
#[derive(Debug)]
pub(super) struct DatasetEvent {
    name: &'static str,
    kind: DatasetEventKind,
}

#[derive(Debug)]
enum DatasetEventKind {
    Ready,
    Ended(anyhow::Result<()>),
}

/// The datasets of this run.
#[derive(Default)]
pub(super) struct Group {
    members: Vec<Member>,
}

struct Member {
    dataset: Configured,
    updater: Updater<Configured>,
    /// `None` once it has been told to stop.
    stopper: Option<Stopper>,
    ready: bool,
    /// Result with which the dataset has ended.
    end: Option<anyhow::Result<()>>,
}

// === impl Group ===

impl Group {
    /// Starts the thread of a dataset.
    ///
    /// # Errors
    /// The kernel gives no thread.
    pub(super) fn start(
        &mut self,
        dataset: Configured,
        inputs: Inputs,
        events: &UnboundedSender<DatasetEvent>,
    ) -> anyhow::Result<()> {
        let name = dataset.name();
        let (ready, ended) = (events.clone(), events.clone());
        let (updater, updates) = updates()?;
        let stopper = Stopper::new()?;
        let Inputs { shared, publisher, metrics } = inputs;
        let context = Context {
            shared,
            publisher,
            metrics,
            stop: stopper.listener()?,
            // Nobody listens any more only if the agent is ending for another reason.
            ready: Ready::new(move || {
                drop(ready.send(DatasetEvent { name, kind: DatasetEventKind::Ready }));
            }),
            updates,
        };
        let observer = dataset.clone();
        let work = move || {
            let result = observer.run(context);
            drop(ended.send(DatasetEvent { name, kind: DatasetEventKind::Ended(result) }));
        };
        threads::spawn(name, work)
            .with_context(|| format!("cannot start a thread for the dataset {name}"))?;
        let stopper = Some(stopper);
        self.members.push(Member { dataset, updater, stopper, ready: false, end: None });
        Ok(())
    }

    /// The datasets with the options that they run with.
    pub(super) fn datasets(&self) -> impl Iterator<Item = &Configured> {
        self.members.iter().map(|member| &member.dataset)
    }

    /// Tells one to stop, or all of them.
    pub(super) fn stop(&mut self, name: Option<&str>) {
        let meant = |member: &&mut Member| name.is_none_or(|name| member.dataset.name() == name);
        for member in self.members.iter_mut().filter(meant) {
            if let Some(stopper) = member.stopper.take() {
                stopper.stop();
            }
        }
    }

    /// Gives a dataset other options, which it takes over while it runs.
    ///
    /// # Errors
    /// It cannot be woken.
    pub(super) fn update(&mut self, dataset: &Configured) -> anyhow::Result<()> {
        let same = |member: &&mut Member| member.dataset.name() == dataset.name();
        if let Some(member) = self.members.iter_mut().find(same) {
            member.updater.send(dataset.clone())?;
            member.dataset = dataset.clone();
        }
        Ok(())
    }

    /// Whether one that is called so observes, or has ended.
    pub(super) fn has_settled_one(&self, name: &str) -> bool {
        let mut meant = self.members.iter().filter(|member| member.dataset.name() == name);
        meant.all(|member| member.ready || member.end.is_some())
    }

    /// Forgets a dataset that has ended; how it ended. `None` while it has not.
    pub(super) fn take_ended(&mut self, name: &str) -> Option<anyhow::Result<()>> {
        let meant = |member: &Member| member.dataset.name() == name && member.end.is_some();
        let index = self.members.iter().position(meant)?;
        self.members.remove(index).end
    }

    /// Notes what has happened.
    pub(super) fn take(&mut self, event: DatasetEvent) {
        let Some(member) =
            self.members.iter_mut().find(|member| member.dataset.name() == event.name)
        else {
            return;
        };
        match event.kind {
            DatasetEventKind::Ready => member.ready = true,
            DatasetEventKind::Ended(result) => member.end = Some(result),
        }
    }

    /// Whether each dataset has started, or cannot.
    pub(super) fn has_settled(&self) -> bool {
        self.members.iter().all(|member| member.ready || member.end.is_some())
    }

    /// Whether all datasets have ended.
    pub(super) fn has_ended(&self) -> bool {
        self.members.iter().all(|member| member.end.is_some())
    }

    /// Whether a dataset that had started has ended.
    pub(super) fn has_end(&self) -> bool {
        self.members.iter().any(|member| member.ready && member.end.is_some())
    }

    /// Tells of those that cannot start.
    ///
    /// # Errors
    /// All of them: why.
    pub(super) fn judge_start(&mut self) -> anyhow::Result<()> {
        let failed = |member: &Member| !member.ready && matches!(member.end, Some(Err(_)));
        let mut errors: Vec<(&str, anyhow::Error)> = Vec::new();
        let mut left = Vec::new();
        for member in self.members.drain(..) {
            match member {
                Member { dataset, end: Some(Err(error)), ready: false, .. } => {
                    errors.push((dataset.name(), error));
                }
                other => left.push(other),
            }
        }
        self.members = left;
        debug_assert!(!self.members.iter().any(failed));
        if !self.members.is_empty() {
            for (name, error) in errors {
                log::error!(
                    target: "agent",
                    "the dataset {name} cannot start, the others go on: {error:#}"
                );
            }
            return Ok(());
        }
        let first = if errors.len() == 1 { errors.pop() } else { None };
        Err(match first {
            Some((_, error)) => error,
            None => {
                let each = errors.iter().map(|(name, error)| format!("{name}: {error:#}"));
                anyhow!("no dataset can start: {}", each.collect::<Vec<_>>().join("; "))
            }
        })
    }

    /// Result of the whole run.
    ///
    /// # Errors
    /// The first that failed, a gone reader last: that is no failure.
    pub(super) fn judge_end(self) -> anyhow::Result<()> {
        let mut result = Ok(());
        for Member { dataset, end, .. } in self.members {
            let name = dataset.name();
            let end = end.unwrap_or_else(|| Err(anyhow!("its thread ended with a panic")));
            let Err(error) = end else { continue };
            if !error.is::<Closed>() {
                return Err(error.context(format!("the dataset {name} failed")));
            }
            if result.is_ok() {
                result = Err(error);
            }
        }
        result
    }
}
