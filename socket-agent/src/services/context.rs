//! Context that a dataset is given when it starts.

use std::sync::Arc;

use pipeline::Publisher;

use super::{Metrics, Shared, Stop, Updates};

/// What a dataset is given; its options are of type `O`.
pub(crate) struct Context<O> {
    /// Facts about this host that all datasets share.
    pub(crate) shared: Arc<Shared>,
    /// Destination of documents.
    pub(crate) publisher: Publisher,
    /// Log of changes of counters.
    pub(crate) metrics: Metrics,
    /// Signal to end.
    pub(crate) stop: Stop,
    /// To be notified once it observes.
    pub(crate) ready: Ready,
    /// Options that have been changed meanwhile.
    pub(crate) updates: Updates<O>,
}

/// Notifies that a dataset observes. An error that it returns before means that it cannot start.
#[derive(Default)]
pub(crate) struct Ready(Option<Box<dyn FnOnce() + Send>>);

// === impl Context ===

impl<O: 'static> Context<O> {
    /// The same with options of another type; those that have none are passed over.
    pub(crate) fn map<P: 'static>(
        self,
        options: impl Fn(O) -> Option<P> + Send + 'static,
    ) -> Context<P> {
        let Self { shared, publisher, metrics, stop, ready, updates } = self;
        Context { shared, publisher, metrics, stop, ready, updates: updates.map(options) }
    }
}

// === impl Ready ===

impl Ready {
    /// One that calls `notify`.
    pub(crate) fn new(notify: impl FnOnce() + Send + 'static) -> Self {
        Self(Some(Box::new(notify)))
    }

    /// Notifies that it observes.
    pub(crate) fn notify(self) {
        if let Some(notify) = self.0 {
            notify();
        }
    }
}
