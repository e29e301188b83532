//! The thread of an output: delivers batch after batch, and tries again what failed.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Instant,
};

use crate::{Delivery, Output, output::Failure, packed::Damaged, queue::Queue};

/// What an output has done since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OutputCounters {
    /// Documents that it has taken.
    pub delivered: u64,
    /// Documents that it has refused for ever.
    pub refused: u64,
    /// Documents that were given up: at the end, or because it takes nothing any more.
    pub undelivered: u64,
    /// Tries that failed and were repeated.
    pub retries: u64,
}

/// An output with what it has done.
pub(crate) struct Worker {
    pub(crate) index: usize,
    pub(crate) output: Box<dyn Output>,
    pub(crate) counters: Arc<Mutex<OutputCounters>>,
}

/// A failure that lasts.
struct Trouble {
    since: Instant,
    message: String,
}

// === impl Worker ===

impl Worker {
    /// Delivers until the queue is at its end.
    pub(crate) fn run(mut self, queue: &Queue) {
        let mut number = 0;
        let mut trouble: Option<Trouble> = None;
        while let Some(batch) = queue.batch(number) {
            let batch = match batch {
                Ok(batch) => batch,
                Err(Damaged { documents }) => {
                    self.lose(documents);
                    queue.settle(self.index);
                    number += 1;
                    continue;
                }
            };
            let mut delivery = Delivery::new(batch);
            let done = self.deliver(&mut delivery, queue, &mut trouble);
            self.count(|counters| {
                counters.delivered += delivery.taken();
                counters.refused += delivery.refused();
            });
            if !done {
                let waiting = queue.waiting(self.index);
                let settled = delivery.taken() + delivery.refused();
                self.count(|counters| counters.undelivered += waiting.saturating_sub(settled));
                queue.abandon(self.index);
                return;
            }
            queue.settle(self.index);
            number += 1;
        }
    }

    /// Whether all documents were settled; else the output is at its end.
    fn deliver(
        &mut self,
        delivery: &mut Delivery,
        queue: &Queue,
        trouble: &mut Option<Trouble>,
    ) -> bool {
        let mut backoff = self.output.backoff();
        loop {
            let before = delivery.next();
            let failure = match self.output.publish(delivery) {
                Ok(()) if delivery.is_done() => {
                    self.recovered(trouble);
                    return true;
                }
                // What is left pending without a failure is to be sent again at once, if there is progress.
                Ok(()) if delivery.next() > before => continue,
                Ok(()) => Failure::retry("nothing of a batch was taken"),
                Err(failure) => failure,
            };
            if failure.is_final {
                self.report(&failure, queue, trouble);
                return false;
            }
            self.count(|counters| counters.retries += 1);
            self.report(&failure, queue, trouble);
            if delivery.next() > before {
                backoff.reset();
            }
            if !queue.pause(backoff.pause()) {
                return false;
            }
        }
    }

    /// Counts documents that were damaged while they waited.
    fn lose(&self, documents: u64) {
        self.count(|counters| counters.undelivered += documents);
        log::error!(
            target: "output",
            "{}: {documents} documents that waited are damaged and lost: memory was overwritten; please \
             report this",
            self.output.name()
        );
    }

    /// Logs a failure once for as long as it lasts.
    fn report(&self, failure: &Failure, queue: &Queue, trouble: &mut Option<Trouble>) {
        if trouble.as_ref().is_some_and(|known| known.message == failure.message) {
            return;
        }
        let name = self.output.name();
        if failure.is_final {
            log::error!(target: "output", "{name}: {}; it gets no more documents", failure.message);
        } else {
            log::warn!(
                target: "output",
                "{name}: {}; {} documents wait, and are sent again until they are taken",
                failure.message,
                queue.waiting(self.index)
            );
        }
        let since = trouble.as_ref().map_or_else(Instant::now, |known| known.since);
        *trouble = Some(Trouble { since, message: failure.message.clone() });
    }

    fn recovered(&self, trouble: &mut Option<Trouble>) {
        let Some(Trouble { since, .. }) = trouble.take() else { return };
        let name = self.output.name();
        let time = std::time::Duration::from_secs(since.elapsed().as_secs());
        let time = humantime::format_duration(time);
        log::info!(target: "output", "{name}: takes documents again after {time}; nothing was lost");
    }

    fn count(&self, change: impl FnOnce(&mut OutputCounters)) {
        change(&mut self.counters.lock().unwrap_or_else(PoisonError::into_inner));
    }
}
