//! How records leave the kernel: by a ring buffer (5.8), or by the rings of perf events, one for each CPU.

mod parse;
mod perf;
mod ring;

use std::os::fd::{AsFd, BorrowedFd};

pub(super) use parse::{LONGEST, read};
pub(super) use perf::PerfRings;
pub(super) use ring::RingBuffer;

use crate::Event;

/// Where the agent takes records from.
pub(super) enum Source {
    Ring(RingBuffer),
    Perf(Box<PerfRings>),
}

/// Records with what could not be read of them.
pub(super) struct Records {
    source: Source,
    /// Records that were no known kind, or too short.
    unknown: u64,
}

impl Records {
    pub(super) fn new(source: Source) -> Self {
        Self { source, unknown: 0 }
    }

    /// Takes the next record; `None` when there is none at the moment. Records that are no known kind or too
    /// short are passed over.
    pub(super) fn next(&mut self) -> Option<Event> {
        loop {
            let record = match &mut self.source {
                Source::Ring(ring) => ring.next(parse::parse)?,
                Source::Perf(rings) => rings.next(parse::parse)?,
            };
            if record.is_some() {
                return record;
            }
            self.unknown += 1;
        }
    }

    /// No program writes any more: what is there is all there will be.
    pub(super) fn finish(&mut self) {
        if let Source::Perf(rings) = &mut self.source {
            rings.finish();
        }
    }

    /// Becomes readable when much is waiting.
    pub(super) fn descriptor(&self) -> BorrowedFd<'_> {
        match &self.source {
            Source::Ring(ring) => ring.as_fd(),
            Source::Perf(rings) => rings.descriptor(),
        }
    }

    pub(super) fn unknown(&self) -> u64 {
        self.unknown
    }

    /// Of perf rings: records that found the ring of their CPU full, as the kernel tells it, and those that
    /// were given out behind younger ones.
    pub(super) fn lost(&self) -> Option<(u64, u64)> {
        match &self.source {
            Source::Ring(_) => None,
            Source::Perf(rings) => Some(rings.lost()),
        }
    }
}
