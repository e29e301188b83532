//! The rings of perf events that programs write to, one for each CPU. Kernel 4.4.

use std::{
    collections::VecDeque,
    os::fd::{BorrowedFd, OwnedFd},
    time::{Duration, Instant},
};

use nix::{
    sched::{CpuSet, sched_getaffinity, sched_setaffinity},
    time::{ClockId, clock_gettime},
    unistd::Pid,
};

use crate::sensor::{
    SensorError, TracefsConfig,
    ebpf::sys,
    perf::{Merge, Record, Rings, What},
};

/// How long a record may take from its time stamp until it can be read, nanoseconds.
const SETTLED: u64 = 20_000_000;
/// Pause between two warnings of lost records.
const WARN: Duration = Duration::from_secs(10);
const MAP: &str = "EVENTS";

/// Rings, and the records read from them, in the order of their time.
pub(in crate::sensor::ebpf) struct PerfRings {
    rings: Rings,
    merge: Merge,
    /// In order, and old enough.
    ready: VecDeque<Record>,
    lost: u64,
    /// When it was last warned of lost records.
    warned: Option<Instant>,
    finished: bool,
    /// Keeps the events where the programs find them.
    _map: OwnedFd,
}

impl PerfRings {
    /// Maps the rings and puts their events into `map`, a `BPF_MAP_TYPE_PERF_EVENT_ARRAY`.
    ///
    /// # Errors
    ///
    /// The kernel refuses events, memory, or the map's elements.
    pub(in crate::sensor::ebpf) fn open(
        map: BorrowedFd<'_>,
        config: &TracefsConfig,
    ) -> Result<Self, SensorError> {
        let failed = |source| SensorError::Map { map: MAP, source };
        let rings = Rings::for_programs(config.ring_size_exponent)
            .map_err(|error| failed(std::io::Error::other(error.to_string())))?;
        for (cpu, event) in rings.leaders() {
            sys::set_event(map, cpu, event).map_err(failed)?;
        }
        rings.enable().map_err(|error| failed(std::io::Error::other(error.to_string())))?;
        Ok(Self {
            rings,
            merge: Merge::new(config.perf_queue_size as usize),
            ready: VecDeque::new(),
            lost: 0,
            warned: None,
            finished: false,
            _map: map.try_clone_to_owned().map_err(failed)?,
        })
    }

    /// Calls `take` with the next record; `None` if there is none at the moment.
    pub(super) fn next<T>(&mut self, take: impl FnOnce(&[u8]) -> T) -> Option<T> {
        if self.ready.is_empty() {
            self.read();
        }
        loop {
            if let What::Sample(bytes) = self.ready.pop_front()?.what {
                return Some(take(&bytes));
            }
        }
    }

    fn read(&mut self) {
        // Before the rings are looked at: what is younger may have an older one behind it.
        let until = if self.finished { u64::MAX } else { monotonic().saturating_sub(SETTLED) };
        let Self { rings, merge, lost, .. } = self;
        let mut found = [0; 2];
        rings.read(&mut |record, cpu| match record {
            Some(Record { what: What::Lost(count), .. }) => found = [found[0] + count, cpu.into()],
            Some(record) => merge.push(record),
            // No other kind was asked for.
            None => {}
        });
        let [count, cpu] = found;
        if count > 0 {
            *lost += count;
            if self.warned.is_none_or(|at| at.elapsed() > WARN) {
                self.warned = Some(Instant::now());
                log::warn!(
                    target: "sensor",
                    "CPU {cpu}: {count} records lost: flows or processes are missing; raise \
                     socket.ring_size_exponent, or give the agent more CPU"
                );
            }
        }
        self.ready.extend(self.merge.take(until));
    }

    /// No program writes any more.
    pub(super) fn finish(&mut self) {
        self.finished = true;
        self.read();
        // The kernel tells what it has lost with the next record that finds room.
        let cpus: Vec<u32> = self.rings.leaders().map(|(cpu, _)| cpu).collect();
        if let Err(error) = mark(&cpus) {
            log::warn!(target: "sensor", "lost records may be more than records_lost: {error}");
        }
        self.read();
    }

    pub(super) fn descriptor(&self) -> BorrowedFd<'_> {
        self.rings.descriptor()
    }

    /// Records that found no room, and those that were given out behind younger ones.
    pub(super) fn lost(&self) -> (u64, u64) {
        (self.lost, self.merge.disordered())
    }
}

/// Makes a record on each of these CPUs: the thread is given the name that it has.
fn mark(cpus: &[u32]) -> nix::Result<()> {
    let this = Pid::from_raw(0);
    let before = sched_getaffinity(this)?;
    for cpu in cpus {
        let mut only = CpuSet::new();
        only.set(*cpu as usize)?;
        sched_setaffinity(this, &only)?;
        let mut name = [0u8; 16];
        // SAFETY: the name is read and written with as many bytes as it has at most.
        unsafe {
            libc::prctl(libc::PR_GET_NAME, name.as_mut_ptr());
            libc::prctl(libc::PR_SET_NAME, name.as_ptr());
        }
    }
    sched_setaffinity(this, &before)
}

/// The clock of the records.
fn monotonic() -> u64 {
    let now = clock_gettime(ClockId::CLOCK_MONOTONIC).map(Duration::from);
    now.map_or(u64::MAX, |now| u64::try_from(now.as_nanos()).unwrap_or(u64::MAX))
}
