//! The queue with its outputs.

use std::{
    fmt, io,
    sync::{Arc, Mutex, PoisonError},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use crate::{Output, OutputCounters, Processors, Publisher, Tap, queue::Queue, worker::Worker};

/// Limits of a pipeline.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Bytes of documents that may wait for the slowest output.
    pub queue_bytes: usize,
    /// How long outputs have at the end for what still waits.
    pub shutdown_timeout: Duration,
}

/// Documents that were given up at the end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Undelivered {
    /// The number of documents, by output.
    pub outputs: Vec<(String, u64)>,
}

/// The queue, and a thread for each output.
pub struct Pipeline {
    queue: Arc<Queue>,
    options: Options,
    outputs: Vec<Running>,
}

struct Running {
    name: String,
    counters: Arc<Mutex<OutputCounters>>,
    thread: JoinHandle<()>,
}

// === impl Options ===

impl Default for Options {
    fn default() -> Self {
        Self { queue_bytes: 16 << 20, shutdown_timeout: Duration::from_secs(5) }
    }
}

// === impl Pipeline ===

impl Pipeline {
    /// Starts the outputs. `prepare` is what the thread of each does first.
    ///
    /// # Errors
    ///
    /// The kernel gives no thread.
    pub fn start(
        outputs: Vec<Box<dyn Output>>,
        options: Options,
        prepare: fn(),
    ) -> io::Result<Self> {
        let queue = Arc::new(Queue::new(outputs.len(), options.queue_bytes));
        let mut running = Vec::new();
        for (index, output) in outputs.into_iter().enumerate() {
            let (name, counters) = (output.name().to_owned(), Arc::default());
            let worker = Worker { index, output, counters: Arc::clone(&counters) };
            let queue = Arc::clone(&queue);
            let thread = thread::Builder::new().name("output".to_owned()).spawn(move || {
                prepare();
                worker.run(&queue);
            })?;
            running.push(Running { name, counters, thread });
        }
        Ok(Self { queue, options, outputs: running })
    }

    /// A way into the queue for a dataset, with its processors.
    pub fn publisher(&self, processors: Processors) -> Publisher {
        Publisher::new(Arc::clone(&self.queue), processors)
    }

    /// A live view with capacity for so many batches.
    pub fn tap(&self, capacity: usize) -> Tap {
        self.queue.tap(capacity)
    }

    /// Waits until everything that was published up to now is settled; `false` if that takes longer than
    /// `patience`.
    pub fn flush(&self, patience: Duration) -> bool {
        self.queue.flush(patience)
    }

    /// What each output has done, by its name.
    pub fn counters(&self) -> Vec<(&str, OutputCounters)> {
        self.outputs.iter().map(|output| (output.name.as_str(), output.counters())).collect()
    }

    /// Delivers what still waits, within [`Options::shutdown_timeout`], and ends the outputs.
    ///
    /// # Errors
    ///
    /// What could not be delivered.
    pub fn stop(self) -> Result<(), Undelivered> {
        self.queue.close(Instant::now() + self.options.shutdown_timeout);
        let mut undelivered = Vec::new();
        for output in self.outputs {
            let Running { name, counters, thread } = output;
            // A panic has been printed; what the output had not settled counts as undelivered.
            let lost = thread.join().is_err();
            let counters = *counters.lock().unwrap_or_else(PoisonError::into_inner);
            if counters.undelivered > 0 || lost {
                undelivered.push((name, counters.undelivered));
            }
        }
        if undelivered.is_empty() { Ok(()) } else { Err(Undelivered { outputs: undelivered }) }
    }
}

// === impl Running ===

impl Running {
    fn counters(&self) -> OutputCounters {
        *self.counters.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl Undelivered ===

impl fmt::Display for Undelivered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (name, documents)) in self.outputs.iter().enumerate() {
            let separator = if index == 0 { "" } else { ", " };
            write!(f, "{separator}{documents} documents did not reach {name}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Undelivered {}

#[cfg(test)]
mod tests;
