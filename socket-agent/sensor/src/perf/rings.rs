//! One ring per CPU, into which all events of that CPU write.

use std::{
    io,
    os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd},
};

use super::{
    attr::{Attr, ClockSource, Event},
    cpus,
    record::Record,
    ring::Ring,
};

/// Error of a system call, and its object.
#[derive(Debug, thiserror::Error)]
#[error("{what}: {source}")]
pub(crate) struct RingsError {
    what: String,
    source: io::Error,
}

impl RingsError {
    fn with(what: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        move |source| Self { what: what.into(), source }
    }
}

/// The ring of one CPU and the events that write to it.
struct Cpu {
    number: u32,
    /// Owns the ring; reports threads.
    leader: Event,
    ring: Ring,
    events: Vec<Event>,
}

/// All rings.
pub(crate) struct Rings {
    cpus: Vec<Cpu>,
    clock: ClockSource,
    wakeup: u32,
    /// Becomes readable when any ring has much in it.
    poll: OwnedFd,
    /// Whether events can be asked for their number.
    has_ids: bool,
}

impl Rings {
    /// Maps a ring of `1 << exponent` pages on each CPU, for trace events.
    ///
    /// # Errors
    ///
    /// The kernel refuses events or memory.
    pub(crate) fn open(exponent: u32) -> Result<Self, RingsError> {
        Self::open_with(exponent, |clock, wakeup, cpu| {
            Attr::tasks(clock, wakeup, true)
                .open(Some(cpu))
                .or_else(|_| Attr::tasks(clock, wakeup, false).open(Some(cpu)))
        })
    }

    /// As [`Rings::open`], for what eBPF programs write.
    ///
    /// # Errors
    ///
    /// Those of [`Self::open`].
    #[cfg(feature = "ebpf")]
    pub(crate) fn for_programs(exponent: u32) -> Result<Self, RingsError> {
        Self::open_with(exponent, |clock, wakeup, cpu| {
            Attr::programs(clock, wakeup).open(Some(cpu))
        })
    }

    /// Of each CPU: its number, and the event that writes to its ring.
    #[cfg(feature = "ebpf")]
    pub(crate) fn leaders(&self) -> impl Iterator<Item = (u32, BorrowedFd<'_>)> {
        self.cpus.iter().map(|cpu| (cpu.number, cpu.leader.0.as_fd()))
    }

    fn open_with(
        exponent: u32,
        leader: impl Fn(ClockSource, u32, u32) -> io::Result<Event>,
    ) -> Result<Self, RingsError> {
        let wakeup = (4096u32 << exponent) / 4;
        let mut clock = ClockSource::Monotonic;
        let leader = |clock: ClockSource, cpu: u32| leader(clock, wakeup, cpu);
        let numbers = cpus::online().map_err(RingsError::with("listing the CPUs"))?;
        if let Some(first) = numbers.first()
            && leader(clock, *first).is_err()
        {
            clock = ClockSource::Scheduler;
        }
        // SAFETY: no preconditions; the result is checked.
        let poll = unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) };
        if poll < 0 {
            return Err(RingsError::with("epoll_create1")(io::Error::last_os_error()));
        }
        // SAFETY: a descriptor that was just opened.
        let poll = unsafe { OwnedFd::from_raw_fd(poll) };
        let (mut cpus, mut has_ids) = (Vec::new(), true);
        for number in numbers {
            let leader = match leader(clock, number) {
                Ok(leader) => leader,
                // It went offline just now.
                Err(error) if error.raw_os_error() == Some(libc::ENODEV) => continue,
                Err(error) => {
                    return Err(RingsError::with(format!("perf event on CPU {number}"))(error));
                }
            };
            has_ids &= leader.id().is_ok();
            let ring = Ring::map(&leader, exponent)
                .map_err(RingsError::with(format!("mapping the ring of CPU {number}")))?;
            watch(&poll, &leader).map_err(RingsError::with("epoll_ctl"))?;
            cpus.push(Cpu { number, leader, ring, events: Vec::new() });
        }
        Ok(Self { cpus, clock, wakeup, poll, has_ids })
    }

    /// The clock of the records.
    pub(crate) fn clock(&self) -> ClockSource {
        self.clock
    }

    /// Whether the kernel has `PERF_EVENT_IOC_ID`.
    pub(crate) fn has_ids(&self) -> bool {
        self.has_ids
    }

    /// Becomes readable when a quarter of a ring is full.
    pub(crate) fn descriptor(&self) -> BorrowedFd<'_> {
        self.poll.as_fd()
    }

    /// Adds a trace event on all CPUs; with a filter only the hits that match.
    ///
    /// # Errors
    ///
    /// The kernel refuses it. Nothing is left behind.
    pub(crate) fn add(
        &mut self,
        id: u32,
        filter: Option<&std::ffi::CStr>,
    ) -> Result<(), RingsError> {
        let attr = Attr::tracepoint(id, self.clock, self.wakeup);
        let mut events = Vec::new();
        for cpu in &self.cpus {
            let what = || format!("perf event on CPU {}", cpu.number);
            let event = attr.open(Some(cpu.number)).map_err(RingsError::with(what()))?;
            event.output_to(cpu.leader.0.as_fd()).map_err(RingsError::with(what()))?;
            if let Some(filter) = filter {
                event.filter(filter).map_err(RingsError::with("filter"))?;
            }
            events.push(event);
        }
        for (cpu, event) in self.cpus.iter_mut().zip(events) {
            cpu.events.push(event);
        }
        Ok(())
    }

    /// Starts all events.
    ///
    /// # Errors
    ///
    /// The kernel refuses.
    pub(crate) fn enable(&self) -> Result<(), RingsError> {
        for cpu in &self.cpus {
            for event in cpu.events.iter().chain([&cpu.leader]) {
                event.enable().map_err(RingsError::with("enabling an event"))?;
            }
        }
        Ok(())
    }

    /// Stops and closes all events. What is in the rings can still be read.
    pub(crate) fn close_events(&mut self) {
        for cpu in &mut self.cpus {
            for event in &cpu.events {
                // One that does not stop ends with its descriptor.
                let _ = event.disable();
            }
            cpu.events.clear();
            let _ = cpu.leader.disable();
        }
    }

    /// Reads what is in the rings. Records of one CPU come in order, nearly.
    pub(crate) fn read(&mut self, each: &mut dyn FnMut(Option<Record>, u32)) {
        for cpu in &mut self.cpus {
            let number = cpu.number;
            cpu.ring.read(|bytes| each(Record::parse(bytes), number));
        }
    }
}

fn watch(poll: &OwnedFd, event: &Event) -> io::Result<()> {
    // Level triggers would wake for as long as the ring is not read to its end.
    let mut wanted = libc::epoll_event { events: (libc::EPOLLIN | libc::EPOLLET) as u32, u64: 0 };
    // SAFETY: both descriptors are open, and the structure outlives the call.
    let result = unsafe {
        libc::epoll_ctl(
            poll.as_raw_fd(),
            libc::EPOLL_CTL_ADD,
            event.0.as_raw_fd(),
            std::ptr::from_mut(&mut wanted),
        )
    };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}
