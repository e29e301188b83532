//! The way of a dataset into the pipeline.

use std::{fmt, sync::Arc, time::Duration};

use ecs::{Encode, EventSink};

use crate::{Processors, processor::Processed, queue::Queue};

/// No output takes documents any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Closed;

/// Publishes the events of one dataset. Each has counts of its own.
pub struct Publisher {
    queue: Arc<Queue>,
    processors: Processors,
    documents: u64,
    waited: Duration,
    /// No output takes documents any more.
    closed: bool,
}

// === impl Publisher ===

impl Publisher {
    pub(crate) fn new(queue: Arc<Queue>, processors: Processors) -> Self {
        Self { queue, processors, documents: 0, waited: Duration::ZERO, closed: false }
    }

    /// Publishes an event. Waits while the queue is full.
    ///
    /// # Errors
    ///
    /// No output takes documents any more.
    pub fn publish(&mut self, event: &impl Encode) -> Result<(), Closed> {
        let processed = if self.processors.is_empty() {
            Processed::Event(event)
        } else {
            match self.processors.apply(event) {
                Some(document) => Processed::Document(document),
                None => return Ok(()),
            }
        };
        self.waited += self.queue.push(|out| processed.write(out))?;
        self.documents += 1;
        Ok(())
    }

    /// Whether outputs still take documents.
    ///
    /// # Errors
    ///
    /// None does any more, and [`emit`](EventSink::emit) has found out.
    pub fn check(&self) -> Result<(), Closed> {
        if self.closed { Err(Closed) } else { Ok(()) }
    }

    /// Has everything that was published delivered soon, however little it is.
    pub fn push(&self) {
        self.queue.seal();
    }

    /// The number of documents that went into the queue.
    pub fn documents(&self) -> u64 {
        self.documents
    }

    /// The number of documents that processors have dropped.
    pub fn dropped(&self) -> u64 {
        self.processors.dropped()
    }

    /// How long this publisher has waited for a full queue.
    pub fn waited(&self) -> Duration {
        self.waited
    }
}

/// As [`Publisher::publish`], for code that cannot stop in between: [`Publisher::check`] reports a failure.
impl EventSink for Publisher {
    fn emit(&mut self, event: &impl Encode) {
        self.closed |= self.publish(event).is_err();
    }
}

impl fmt::Debug for Publisher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { queue: _, processors: _, documents, waited, closed: _ } = self;
        f.debug_struct("Publisher")
            .field("documents", documents)
            .field("waited", waited)
            .finish_non_exhaustive()
    }
}

// === impl Closed ===

impl fmt::Display for Closed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no output takes documents any more")
    }
}

impl std::error::Error for Closed {}
