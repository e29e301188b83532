//! `perf_event_open` and what it is given. Source: include/uapi/linux/perf_event.h.

use std::{
    ffi::CStr,
    fs, io,
    os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd},
};

/// Event source of kprobes. Kernel 4.17.
const KPROBE_SOURCE: &str = "/sys/bus/event_source/devices/kprobe/type";

const TYPE_SOFTWARE: u32 = 1;
const TYPE_TRACEPOINT: u32 = 2;

const COUNT_SW_PAGE_FAULTS: u64 = 2;
const COUNT_SW_CPU_MIGRATIONS: u64 = 4;
/// Counts nothing. Kernel 3.12.
const COUNT_SW_DUMMY: u64 = 9;
/// Events that eBPF programs write. Kernel 4.4.
#[cfg(feature = "ebpf")]
const COUNT_SW_BPF_OUTPUT: u64 = 10;

/// What each sample holds: thread, time, CPU, and the raw record of the trace event.
const SAMPLE: u64 = TID | TIME | CPU | RAW;
const TID: u64 = 1 << 1;
const TIME: u64 = 1 << 2;
const CPU: u64 = 1 << 7;
const RAW: u64 = 1 << 10;

const DISABLED: u64 = 1;
const COMM: u64 = 1 << 9;
const TASK: u64 = 1 << 13;
const WATERMARK: u64 = 1 << 14;
const SAMPLE_ID_ALL: u64 = 1 << 18;
/// Kernel 4.1.
const USE_CLOCKID: u64 = 1 << 25;

const IOC_ENABLE: libc::c_ulong = 0x2400;
const IOC_DISABLE: libc::c_ulong = 0x2401;
const IOC_SET_OUTPUT: libc::c_ulong = 0x2405;
const IOC_SET_FILTER: libc::c_ulong = 0x4000_2406 | ((size_of::<usize>() as libc::c_ulong) << 16);
/// Kernel 4.1.
const IOC_SET_BPF: libc::c_ulong = 0x4004_2408;
/// Kernel 3.12, and some older ones of distributions.
const IOC_ID: libc::c_ulong = 0x8000_2407 | ((size_of::<usize>() as libc::c_ulong) << 16);

const FLAG_FD_CLOEXEC: libc::c_ulong = 8;

/// The clock that stamps samples.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ClockSource {
    /// `CLOCK_MONOTONIC`. Kernel 4.1.
    Monotonic,
    /// The scheduler's clock, whose relation to the others has to be measured.
    Scheduler,
}

/// `struct perf_event_attr` up to `PERF_ATTR_SIZE_VER3`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Attr {
    kind: u32,
    size: u32,
    config: u64,
    sample_period: u64,
    sample_type: u64,
    read_format: u64,
    flags: u64,
    wakeup: u32,
    bp_type: u32,
    config1: u64,
    config2: u64,
    branch_sample_type: u64,
    sample_regs_user: u64,
    sample_stack_user: u32,
    clockid: i32,
}

const _: () = assert!(size_of::<Attr>() == 96);

impl Attr {
    fn new(kind: u32, config: u64, clock: ClockSource, wakeup: u32) -> Self {
        let clocked = match clock {
            ClockSource::Monotonic => USE_CLOCKID,
            ClockSource::Scheduler => 0,
        };
        Self {
            kind,
            size: size_of::<Self>() as u32,
            config,
            sample_period: 1,
            sample_type: SAMPLE,
            flags: DISABLED | WATERMARK | SAMPLE_ID_ALL | clocked,
            wakeup,
            clockid: libc::CLOCK_MONOTONIC,
            ..Self::default()
        }
        .without_clock_unless(clock == ClockSource::Monotonic)
    }

    fn without_clock_unless(self, clocked: bool) -> Self {
        if clocked { self } else { Self { clockid: 0, ..self } }
    }

    /// Every hit of the trace event with this id; the reader is woken when `wakeup` bytes wait.
    pub(crate) fn tracepoint(id: u32, clock: ClockSource, wakeup: u32) -> Self {
        Self::new(TYPE_TRACEPOINT, id.into(), clock, wakeup)
    }

    /// No samples, but a record for each new or ended thread, and each new name.
    pub(crate) fn tasks(clock: ClockSource, wakeup: u32, dummy: bool) -> Self {
        let config = if dummy { COUNT_SW_DUMMY } else { COUNT_SW_CPU_MIGRATIONS };
        let attr = Self::new(TYPE_SOFTWARE, config, clock, wakeup);
        Self { sample_period: 0, flags: attr.flags | COMM | TASK, ..attr }
    }

    /// What eBPF programs write, and a record for each new name of a thread; the reader is woken when `wakeup`
    /// bytes wait. Kernel 4.4.
    #[cfg(feature = "ebpf")]
    pub(crate) fn programs(clock: ClockSource, wakeup: u32) -> Self {
        let attr = Self::new(TYPE_SOFTWARE, COUNT_SW_BPF_OUTPUT, clock, wakeup);
        Self { flags: attr.flags | COMM, ..attr }
    }

    /// Every page fault: a thing that a thread can do to get a sample with the time in it.
    pub(crate) fn page_faults() -> Self {
        let attr = Self::new(TYPE_SOFTWARE, COUNT_SW_PAGE_FAULTS, ClockSource::Scheduler, 1);
        Self { sample_type: TIME, ..attr }
    }

    /// A kprobe on the entry of `function`, by the number of the event source of kprobes, with no samples.
    fn kprobe(source: u32, function: &CStr) -> Self {
        Self {
            kind: source,
            size: size_of::<Self>() as u32,
            flags: DISABLED,
            config1: function.as_ptr() as u64,
            ..Self::default()
        }
    }

    /// Opens it on one CPU, for all threads, or for the calling thread on any CPU.
    ///
    /// # Errors
    ///
    /// The kernel refuses it.
    pub(crate) fn open(&self, cpu: Option<u32>) -> io::Result<Event> {
        let (pid, cpu) = match cpu {
            Some(cpu) => (-1, libc::c_int::try_from(cpu).unwrap_or(libc::c_int::MAX)),
            None => (0, -1),
        };
        let open = |flags: libc::c_ulong| {
            // SAFETY: the attribute is of the size it names; the result is checked.
            unsafe {
                libc::syscall(
                    libc::SYS_perf_event_open,
                    std::ptr::from_ref(self),
                    pid,
                    cpu,
                    -1,
                    flags,
                )
            }
        };
        let mut result = open(FLAG_FD_CLOEXEC);
        if result < 0 && io::Error::last_os_error().raw_os_error() == Some(libc::EINVAL) {
            // The flag is of 3.14.
            result = open(0);
        }
        if result < 0 {
            return Err(io::Error::last_os_error());
        }
        let descriptor = i32::try_from(result).map_err(io::Error::other)?;
        // SAFETY: a descriptor that was just opened and is owned by nobody else.
        Ok(Event(unsafe { OwnedFd::from_raw_fd(descriptor) }))
    }
}

/// Number of the event source of kprobes; `None` if this kernel has none. Kernel 4.17.
pub(crate) fn kprobe_source() -> Option<u32> {
    fs::read_to_string(KPROBE_SOURCE).ok()?.trim().parse().ok()
}

/// Puts a kprobe on the entry of `function`, disabled.
///
/// # Errors
///
/// The kernel refuses it.
pub(crate) fn open_kprobe(source: u32, function: &CStr) -> io::Result<Event> {
    // The name outlives the call, and the kernel copies it.
    Attr::kprobe(source, function).open(Some(0))
}

/// An open perf event.
#[derive(Debug)]
pub(crate) struct Event(pub(super) OwnedFd);

impl Event {
    fn ioctl(&self, request: libc::c_ulong, argument: usize) -> io::Result<()> {
        // SAFETY: the requests used here take a number, or a pointer that is valid for the call.
        let result = unsafe { libc::ioctl(self.0.as_raw_fd(), request as _, argument) };
        if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
    }

    /// Starts the event.
    pub(crate) fn enable(&self) -> io::Result<()> {
        self.ioctl(IOC_ENABLE, 0)
    }

    /// Stops the event.
    pub(crate) fn disable(&self) -> io::Result<()> {
        self.ioctl(IOC_DISABLE, 0)
    }

    /// Writes into the ring of another event of the same CPU.
    pub(crate) fn output_to(&self, ring: BorrowedFd<'_>) -> io::Result<()> {
        self.ioctl(IOC_SET_OUTPUT, usize::try_from(ring.as_raw_fd()).map_err(io::Error::other)?)
    }

    /// Lets pass only the samples that match, for example `location >= 0x10`.
    pub(crate) fn filter(&self, text: &CStr) -> io::Result<()> {
        self.ioctl(IOC_SET_FILTER, text.as_ptr() as usize)
    }

    /// Attaches an eBPF program.
    pub(crate) fn set_program(&self, program: BorrowedFd<'_>) -> io::Result<()> {
        self.ioctl(IOC_SET_BPF, usize::try_from(program.as_raw_fd()).map_err(io::Error::other)?)
    }

    /// The kernel's number of this event.
    pub(crate) fn id(&self) -> io::Result<u64> {
        let mut id = 0u64;
        self.ioctl(IOC_ID, std::ptr::from_mut(&mut id) as usize)?;
        Ok(id)
    }
}
