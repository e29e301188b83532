//! Documents for whoever looks on.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
        mpsc::{Receiver, SyncSender, TrySendError, sync_channel},
    },
    time::Duration,
};

use crate::Batch;

/// A live view of the documents that go into the queue. It never makes anybody wait: what it does not
/// read in time is counted as missed.
#[derive(Debug)]
pub struct Tap {
    batches: Receiver<Arc<Batch>>,
    missed: Arc<AtomicU64>,
}

/// The end of a [`Tap`] at the queue.
#[derive(Debug)]
pub(crate) struct TapSender {
    batches: SyncSender<Arc<Batch>>,
    missed: Arc<AtomicU64>,
}

/// Both ends, with capacity for so many batches.
pub(crate) fn tap(capacity: usize) -> (TapSender, Tap) {
    let (sender, receiver) = sync_channel(capacity);
    let missed = Arc::new(AtomicU64::new(0));
    let sender = TapSender { batches: sender, missed: Arc::clone(&missed) };
    (sender, Tap { batches: receiver, missed })
}

// === impl Tap ===

impl Tap {
    /// The next batch; `None` if none comes in time, or the pipeline has ended.
    pub fn next(&self, patience: Duration) -> Option<Arc<Batch>> {
        self.batches.recv_timeout(patience).ok()
    }

    /// The number of documents that were not read in time.
    pub fn missed(&self) -> u64 {
        self.missed.load(Ordering::Relaxed)
    }
}

// === impl TapSender ===

impl TapSender {
    /// Offers a batch; `false` if nobody looks on any more.
    pub(crate) fn offer(&self, batch: &Arc<Batch>) -> bool {
        match self.batches.try_send(Arc::clone(batch)) {
            Ok(()) => true,
            Err(TrySendError::Full(batch)) => {
                self.missed.fetch_add(batch.len() as u64, Ordering::Relaxed);
                true
            }
            Err(TrySendError::Disconnected(_)) => false,
        }
    }
}
