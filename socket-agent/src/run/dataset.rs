//! Datasets as threads.

use std::{sync::Arc, thread};

use anyhow::{Context as _, anyhow};
use tokio::sync::mpsc::UnboundedSender;

use super::{shared::Shared, stop::Stop};
use pipeline::{Closed, Publisher};

/// Something that observes and writes documents.
pub(super) struct Dataset {
    name: &'static str,
    body: Box<Body>,
}

/// Starts to observe, notifies [`Context::ready`], works until [`Context::stop`], and reports what is
/// left.
type Body = dyn FnOnce(Context) -> anyhow::Result<()> + Send;

/// What a dataset is given.
pub(super) struct Context {
    /// What all know of this host.
    pub(super) shared: Arc<Shared>,
    /// Where documents go.
    pub(super) publisher: Publisher,
    /// When to end.
    pub(super) stop: Stop,
    /// To be told once it observes.
    pub(super) ready: Ready,
}

/// Tells that a dataset observes. An error that it returns before means that it cannot start.
#[derive(Default)]
pub(super) struct Ready(Option<Box<dyn FnOnce() + Send>>);

/// What happens to a dataset.
#[derive(Debug)]
pub(super) struct Event {
    name: &'static str,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    Ready,
    Ended(anyhow::Result<()>),
}

/// The datasets of this run.
#[derive(Debug, Default)]
pub(super) struct Group {
    members: Vec<Member>,
}

#[derive(Debug)]
struct Member {
    name: &'static str,
    ready: bool,
    /// How it ended.
    end: Option<anyhow::Result<()>>,
}

// === impl Dataset ===

impl Dataset {
    pub(super) fn new(
        name: &'static str,
        body: impl FnOnce(Context) -> anyhow::Result<()> + Send + 'static,
    ) -> Self {
        Self { name, body: Box::new(body) }
    }
}

// === impl Context ===

impl Context {
    pub(super) fn new(shared: &Arc<Shared>, publisher: Publisher, stop: Stop) -> Self {
        Self { shared: Arc::clone(shared), publisher, stop, ready: Ready::default() }
    }
}

// === impl Ready ===

impl Ready {
    /// Tells that it observes.
    pub(super) fn notify(self) {
        if let Some(notify) = self.0 {
            notify();
        }
    }
}

// === impl Group ===

impl Group {
    /// Starts the thread of a dataset.
    ///
    /// # Errors
    /// The kernel gives no thread.
    pub(super) fn start(
        &mut self,
        dataset: Dataset,
        mut context: Context,
        events: &UnboundedSender<Event>,
    ) -> anyhow::Result<()> {
        let Dataset { name, body } = dataset;
        let (ready, ended) = (events.clone(), events.clone());
        // Nobody listens any more only if the agent is ending for another reason.
        context.ready =
            Ready(Some(Box::new(move || drop(ready.send(Event { name, kind: Kind::Ready })))));
        let work = move || {
            let result = body(context);
            drop(ended.send(Event { name, kind: Kind::Ended(result) }));
        };
        thread::Builder::new()
            .name(name.to_owned())
            .spawn(work)
            .with_context(|| format!("cannot start a thread for the dataset {name}"))?;
        self.members.push(Member { name, ready: false, end: None });
        Ok(())
    }

    /// Notes what has happened.
    pub(super) fn take(&mut self, event: Event) {
        let Some(member) = self.members.iter_mut().find(|member| member.name == event.name) else {
            return;
        };
        match event.kind {
            Kind::Ready => member.ready = true,
            Kind::Ended(result) => member.end = Some(result),
        }
    }

    /// Whether each has started, or cannot.
    pub(super) fn has_settled(&self) -> bool {
        self.members.iter().all(|member| member.ready || member.end.is_some())
    }

    /// Whether one that had started has ended.
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
                Member { name, end: Some(Err(error)), ready: false } => errors.push((name, error)),
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

    /// How it all ended.
    ///
    /// # Errors
    /// The first that failed, a gone reader last: that is no failure.
    pub(super) fn judge_end(self) -> anyhow::Result<()> {
        let mut result = Ok(());
        for Member { name, end, .. } in self.members {
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
