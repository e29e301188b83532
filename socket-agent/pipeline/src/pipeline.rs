//! The queue with its outputs.

use std::{
    fmt, io,
    sync::{Arc, Mutex, PoisonError},
    thread::JoinHandle,
    time::{Duration, Instant},
};

use linux::threads;

use crate::{Output, OutputCounters, Processors, Publisher, Tap, queue::Queue, worker::Worker};

/// Limits of a pipeline.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Bytes of documents that may wait for the slowest output; packed documents count as what they take.
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

/// A pipeline at its end.
#[derive(Clone, Debug)]
pub struct Stopped {
    outputs: Vec<(String, OutputCounters)>,
}

/// The queue, a thread for each output, and one that packs what waits.
pub struct Pipeline {
    queue: Arc<Queue>,
    options: Options,
    outputs: Vec<Running>,
    packing: JoinHandle<()>,
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
            let thread = threads::spawn("output", move || {
                prepare();
                worker.run(&queue);
            })?;
            running.push(Running { name, counters, thread });
        }
        let to_pack = Arc::clone(&queue);
        let packing = threads::spawn("packing", move || {
            prepare();
            to_pack.pack();
        })?;
        Ok(Self { queue, options, outputs: running, packing })
    }

    /// A way into the queue for a dataset, with its processors.
    pub fn publisher(&self, processors: Processors) -> Publisher {
        Publisher::new(Arc::clone(&self.queue), processors)
    }

    /// A live view with capacity for so many batches.
    pub fn tap(&self, capacity: usize) -> Tap {
        self.queue.tap(capacity)
    }

    /// Has a function called once no output takes documents any more, though none is published; at once if that is
    /// so already.
    pub fn at_end(&self, call: impl FnOnce() + Send + 'static) {
        self.queue.at_end(Box::new(call));
    }

    /// Whether no output takes documents any more.
    pub fn is_at_end(&self) -> bool {
        self.queue.is_abandoned()
    }

    /// Waits until everything that was published up to now is settled; `false` if that takes longer than
    /// `patience`.
    pub fn flush(&self, patience: Duration) -> bool {
        self.queue.flush(patience)
    }

    /// Counters of each output, by its name.
    pub fn counters(&self) -> Vec<(&str, OutputCounters)> {
        self.outputs.iter().map(|output| (output.name.as_str(), output.counters())).collect()
    }

    /// Bytes of documents that wait to be taken by each output.
    pub fn queued(&self) -> usize {
        self.queue.size()
    }

    /// Delivers what still waits, within [`Options::shutdown_timeout`], and ends the outputs.
    pub fn stop(self) -> Stopped {
        self.queue.close(Instant::now() + self.options.shutdown_timeout);
        let mut outputs = Vec::new();
        for Running { name, counters, thread } in self.outputs {
            if thread.join().is_err() {
                log::error!(target: "output", "{name}: its thread has panicked; please report this");
            }
            let counters = *counters.lock().unwrap_or_else(PoisonError::into_inner);
            outputs.push((name, counters));
        }
        if self.packing.join().is_err() {
            log::error!(target: "output", "packing has panicked; please report this");
        }
        Stopped { outputs }
    }
}

// === impl Stopped ===

impl Stopped {
    /// Counters of each output, by its name.
    pub fn counters(&self) -> &[(String, OutputCounters)] {
        &self.outputs
    }

    /// Whether every document has reached every output.
    ///
    /// # Errors
    ///
    /// What was given up.
    pub fn result(&self) -> Result<(), Undelivered> {
        let given_up = self.outputs.iter().filter(|(_, counters)| counters.undelivered > 0);
        let outputs: Vec<(String, u64)> =
            given_up.map(|(name, counters)| (name.clone(), counters.undelivered)).collect();
        if outputs.is_empty() { Ok(()) } else { Err(Undelivered { outputs }) }
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
