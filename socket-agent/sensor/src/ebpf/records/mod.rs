//! How records leave the kernel: by a ring buffer (5.8), or by the rings of perf events, one for each CPU.

mod parse;
mod perf;
mod ring;

use std::{
    os::fd::{AsFd, BorrowedFd},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

pub(super) use parse::{LONGEST, prefix};
pub(super) use perf::PerfRings;
pub(super) use ring::RingBuffer;

use crate::Event;

/// Source of the records.
pub(super) enum Source {
    Ring(RingBuffer),
    Perf(Box<PerfRings>),
}

/// Records with what could not be read of them.
pub(super) struct Records {
    source: Source,
    counters: Arc<RecordCounters>,
}

/// What was not read; kept where another thread can look.
#[derive(Debug)]
pub(super) struct RecordCounters {
    /// Records that were no known kind, or too short.
    unknown: AtomicU64,
    /// Of perf rings: records that found the ring of their CPU full, as the kernel reports it, and those that
    /// were given out behind younger ones.
    lost: Option<[AtomicU64; 2]>,
}

impl Records {
    pub(super) fn new(source: Source) -> Self {
        let lost = matches!(source, Source::Perf(_)).then(<[AtomicU64; 2]>::default);
        let counters = Arc::new(RecordCounters { unknown: AtomicU64::new(0), lost });
        Self { source, counters }
    }

    pub(super) fn counters(&self) -> Arc<RecordCounters> {
        Arc::clone(&self.counters)
    }

    fn count_lost(&self) {
        if let (Source::Perf(rings), Some(counters)) = (&self.source, &self.counters.lost) {
            let (lost, disordered) = rings.lost();
            for (counter, value) in counters.iter().zip([lost, disordered]) {
                counter.store(value, Ordering::Relaxed);
            }
        }
    }
}

impl crate::Records for Records {
    /// Takes the next record; `None` when there is none at the moment. Records that are no known kind or too
    /// short are passed over.
    fn next_event(&mut self) -> Option<Event> {
        loop {
            let record = match &mut self.source {
                Source::Ring(ring) => ring.next(parse::parse),
                Source::Perf(rings) => rings.next(parse::parse),
            };
            match record {
                Some(None) => self.counters.unknown.fetch_add(1, Ordering::Relaxed),
                Some(record) => return record,
                None => {
                    self.count_lost();
                    return None;
                }
            };
        }
    }

    fn finish(&mut self) {
        if let Source::Perf(rings) = &mut self.source {
            rings.finish();
        }
        self.count_lost();
    }

    fn descriptor(&self) -> BorrowedFd<'_> {
        match &self.source {
            Source::Ring(ring) => ring.as_fd(),
            Source::Perf(rings) => rings.descriptor(),
        }
    }
}

// === impl RecordCounters ===

impl RecordCounters {
    pub(super) fn unknown(&self) -> u64 {
        self.unknown.load(Ordering::Relaxed)
    }

    /// Of perf rings: records that found the ring of their CPU full, as the kernel reports it, and those that
    /// were given out behind younger ones.
    pub(super) fn lost(&self) -> Option<(u64, u64)> {
        let [lost, disordered] = self.lost.as_ref()?;
        Some((lost.load(Ordering::Relaxed), disordered.load(Ordering::Relaxed)))
    }
}
