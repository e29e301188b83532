//! The kernel-event service: the records of the sensor, handed over to those who need them.
//!
//! A thread of its own empties the sensor's ring whenever much is waiting in it. Flows and sockets go into
//! a queue for the one dataset that reports them, processes into one for the process table. Both are bounded:
//! where one is full, records stay in the ring, and what finds no place there the kernel counts. That thread
//! looks nothing up and makes no document; whoever needs what is in the ring at this moment moves it
//! himself ([`KernelEvents::drain`]) rather than wait.

mod handover;
mod reader;
mod service;
mod start;

use std::{
    fmt,
    os::fd::{AsFd, OwnedFd},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        mpsc::{Receiver, Sender, channel},
    },
};

use anyhow::{Context as _, anyhow};
use nix::sys::eventfd::{EfdFlags, EventFd};
use socket_common::{ExecEvent, ExitEvent, ForkEvent};

use self::{handover::Handover, reader::Reader, start::Started};
use super::Shared;
use sensor::{Event, Source};

pub(crate) use service::{Interest, Service};
pub(crate) use start::{ipv6, start};

/// Records that are moved before others may look at the queues.
const BATCH: usize = 1024;
/// Flows and sockets that may wait for their dataset.
const FLOWS: usize = 4096;
/// Records of processes that may wait for the table. Those of programs are large.
const PROCESSES: usize = 512;

/// What a dataset is given of the sensor's records.
#[expect(clippy::large_enum_variant, reason = "nearly all are of the large kind")]
pub(crate) enum Delivered {
    /// Any record but that of a program.
    Event(Event),
    /// A process replaced its image.
    Executed(u32),
}

/// A record for the process table.
pub(crate) enum ProcessEvent {
    /// A process replaced its image.
    Exec(Box<ExecEvent>),
    /// A process was created.
    Fork(ForkEvent),
    /// A process left.
    Exit(ExitEvent),
}

/// The kernel-event service: the sensor's records and the queues that they are handed over by.
pub(crate) struct KernelEvents {
    /// `None` while no sensor runs. Locked before the queues.
    reader: Mutex<Option<Reader>>,
    flows: Handover<Delivered>,
    processes: Handover<ProcessEvent>,
    /// The sensor on its way to the dataset that reports flows.
    starting: Mutex<Option<Receiver<Start>>>,
    /// Wakes that dataset.
    arrived: Mutex<Option<Arc<EventFd>>>,
}

/// Result of starting a sensor.
type Start = anyhow::Result<Observed>;

/// Result of moving records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Moved {
    /// All there was.
    All,
    /// There may be more.
    Batch,
    /// What the queues had capacity for: one of them is full.
    Full,
}

/// A sensor that runs, without its records.
pub(crate) struct Observed {
    /// Which set it is, and how it came to that.
    pub(crate) choice: sensor::host::Choice,
    /// Tables of the sensor.
    pub(crate) source: Box<dyn Source>,
    /// The hooks that it has to do without.
    pub(crate) degraded: Vec<sensor::Degraded>,
    /// How large its tables are, which may be less than the configuration says.
    pub(crate) tables: sensor::Tables,
    /// Result of the test of its set.
    pub(crate) outcome: sensor::Outcome,
}

/// Records for the dataset that reports flows.
pub(crate) struct FlowSource {
    shared: Arc<Shared>,
    arrived: Arc<EventFd>,
}

// === impl KernelEvents ===

impl Default for KernelEvents {
    fn default() -> Self {
        Self {
            reader: Mutex::default(),
            flows: Handover::new(FLOWS),
            processes: Handover::new(PROCESSES),
            starting: Mutex::default(),
            arrived: Mutex::default(),
        }
    }
}

impl KernelEvents {
    /// Moves what is in the ring to the queues; whether that was all of it: what finds a queue full stays.
    pub(crate) fn drain(&self) -> bool {
        loop {
            match self.move_batch() {
                Moved::All => return true,
                Moved::Full => return false,
                Moved::Batch => {}
            }
        }
    }

    /// Whether the dataset that reports flows is so far behind that no more can be handed over.
    pub(super) fn is_stalled(&self) -> bool {
        self.flows.lock().is_full()
    }

    fn move_batch(&self) -> Moved {
        let moved = self.move_some();
        self.processes.notify();
        moved
    }

    fn move_some(&self) -> Moved {
        let mut reader = lock(&self.reader);
        let Some(reader) = reader.as_mut() else { return Moved::All };
        let (mut flows, mut processes) = (self.flows.lock(), self.processes.lock());
        for _ in 0..BATCH {
            if flows.is_full() || processes.is_full() {
                return Moved::Full;
            }
            let Some(event) = reader.next() else { return Moved::All };
            match event {
                Event::Exec(exec) => {
                    flows.push(Delivered::Executed(exec.pid));
                    processes.push(ProcessEvent::Exec(exec));
                }
                Event::Fork(fork) => {
                    flows.push(Delivered::Event(Event::Fork(fork)));
                    processes.push(ProcessEvent::Fork(fork));
                }
                Event::Exit(exit) => {
                    flows.push(Delivered::Event(Event::Exit(exit)));
                    processes.push(ProcessEvent::Exit(exit));
                }
                other => flows.push(Delivered::Event(other)),
            }
        }
        Moved::Batch
    }

    /// Takes the records of processes that wait for the table.
    pub(super) fn take_processes(&self) -> Vec<ProcessEvent> {
        self.processes.take(Vec::new())
    }

    /// Waits for the sensor to start, and takes it. For the one dataset that reports flows.
    ///
    /// # Errors
    /// It cannot start.
    pub(crate) fn flows(shared: &Arc<Shared>) -> anyhow::Result<(Observed, FlowSource)> {
        let events = &shared.events;
        let starting = lock(&events.starting).take();
        let starting = starting.ok_or_else(|| anyhow!("nobody has started the sensor"))?;
        let observed =
            starting.recv().map_err(|_| anyhow!("the sensor's thread has panicked"))??;
        let arrived = lock(&events.arrived).clone();
        let arrived = arrived.ok_or_else(|| anyhow!("the sensor has ended"))?;
        Ok((observed, FlowSource { shared: Arc::clone(shared), arrived }))
    }

    /// Prepares for a sensor, of flows or of processes alone; returns where it has to go, and in the second
    /// case the other end of that.
    fn prepare(
        &self,
        only_processes: bool,
    ) -> anyhow::Result<(Sender<Start>, Option<Receiver<Start>>)> {
        let (sender, receiver) = channel();
        let flags = EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK;
        let arrived = EventFd::from_value_and_flags(0, flags).context("cannot make an event")?;
        *lock(&self.arrived) = Some(Arc::new(arrived));
        self.processes.open();
        if only_processes {
            return Ok((sender, Some(receiver)));
        }
        *lock(&self.starting) = Some(receiver);
        self.flows.open();
        Ok((sender, None))
    }

    fn begin(&self, reader: Reader) {
        *lock(&self.reader) = Some(reader);
    }

    /// No more records come; those that wait for a dataset are dropped: it has ended.
    fn end(&self) {
        self.flows.close();
        self.processes.close();
        *lock(&self.reader) = None;
        *lock(&self.starting) = None;
    }

    /// Moves all there is, and waits wherever a queue is full. For the thread of the service.
    fn drain_all(&self) {
        while !self.drain() {
            self.wake();
            self.flows.wait_for_capacity();
            self.processes.wait_for_capacity();
        }
        self.wake();
    }

    /// Wakes the dataset if something waits for it.
    fn wake(&self) {
        if self.flows.is_empty() {
            return;
        }
        if let Some(arrived) = &*lock(&self.arrived) {
            // Refused only where it has been woken more often than a number can count.
            let _ = arrived.write(1);
        }
    }
}

impl fmt::Debug for KernelEvents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KernelEvents").finish_non_exhaustive()
    }
}

// === impl FlowSource ===

impl FlowSource {
    /// Takes all that waits, also in the ring, in exchange for an empty list.
    pub(crate) fn take(&self, empty: Vec<Delivered>) -> Vec<Delivered> {
        let events = &self.shared.events;
        loop {
            let all = events.drain();
            // At once: what a record lacks /proc may not have for long. And they may have been what was full.
            drop(self.shared.processes());
            if all || !events.flows.is_empty() {
                return events.flows.take(empty);
            }
        }
    }

    /// Another descriptor that becomes readable when much was waiting in the ring.
    ///
    /// # Errors
    /// The process has no more descriptors.
    pub(crate) fn descriptor(&self) -> anyhow::Result<OwnedFd> {
        self.arrived.as_fd().try_clone_to_owned().context("cannot duplicate an event")
    }

    /// The sensor is detached: what is there is all there will be.
    pub(crate) fn finish(&self) {
        if let Some(reader) = &mut *lock(&self.shared.events.reader) {
            reader.finish();
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
