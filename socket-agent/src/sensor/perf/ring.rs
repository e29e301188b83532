//! The memory that the kernel writes the records of one CPU to.

use std::{
    io,
    os::fd::AsRawFd,
    ptr::NonNull,
    sync::atomic::{AtomicU64, Ordering},
};

use super::attr::Event;
use linux::clock::Clock;

/// Offsets of `data_head` and `data_tail` in `struct perf_event_mmap_page`.
const HEAD: usize = 1024;
const TAIL: usize = 1032;

/// A mapped ring. The kernel writes at the head, this end reads at the tail.
#[derive(Debug)]
pub(super) struct Ring {
    memory: NonNull<u8>,
    page: usize,
    /// Bytes of the data part, a power of two.
    size: usize,
}

// SAFETY: the mapping belongs to this value alone.
unsafe impl Send for Ring {}

impl Ring {
    /// Maps a ring of `1 << exponent` pages for an event.
    pub(super) fn map(event: &Event, exponent: u32) -> io::Result<Self> {
        // SAFETY: no preconditions.
        let page = usize::try_from(unsafe { libc::sysconf(libc::_SC_PAGESIZE) })
            .map_err(io::Error::other)?;
        let size = page << exponent;
        // SAFETY: a fresh mapping of a descriptor that is open.
        let memory = unsafe {
            libc::mmap(
                std::ptr::null_mut(),
                page + size,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_SHARED,
                event.0.as_raw_fd(),
                0,
            )
        };
        if memory == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let memory = NonNull::new(memory.cast()).ok_or_else(|| io::Error::other("no memory"))?;
        Ok(Self { memory, page, size })
    }

    fn position(&self, at: usize) -> &AtomicU64 {
        // SAFETY: an aligned word of the first page, which both sides access atomically.
        unsafe { AtomicU64::from_ptr(self.memory.add(at).cast().as_ptr()) }
    }

    /// Calls `each` for every whole record, then gives their room back to the kernel.
    pub(super) fn read(&mut self, mut each: impl FnMut(&[u8])) {
        let head = self.position(HEAD).load(Ordering::Acquire);
        let mut tail = self.position(TAIL).load(Ordering::Relaxed);
        let mut record = Vec::new();
        while tail < head {
            let mut header = [0; 8];
            self.copy(tail, &mut header);
            let length = usize::from(u16::from_ne_bytes([header[6], header[7]]));
            if length < header.len() {
                tail = head; // Cannot happen; better to lose the rest than to spin.
                break;
            }
            record.resize(length, 0);
            self.copy(tail, &mut record);
            each(&record);
            tail += length as u64;
        }
        self.position(TAIL).store(tail, Ordering::Release);
    }

    /// Copies bytes from a position, around the end if need be.
    fn copy(&self, position: u64, to: &mut [u8]) {
        let start = usize::try_from(position & (self.size as u64 - 1)).unwrap_or(0);
        let first = to.len().min(self.size - start);
        // SAFETY: both parts are inside the data part of the mapping, and the kernel does not write
        // between tail and head.
        unsafe {
            let data = self.memory.add(self.page);
            data.add(start).copy_to_nonoverlapping(NonNull::from(&mut to[0]), first);
            if first < to.len() {
                let rest = to.len() - first;
                data.copy_to_nonoverlapping(NonNull::from(&mut to[first]), rest);
            }
        }
    }
}

impl Drop for Ring {
    fn drop(&mut self) {
        // SAFETY: the mapping that `map` made, used by nobody any more.
        unsafe { libc::munmap(self.memory.as_ptr().cast(), self.page + self.size) };
    }
}

/// Makes a page fault of this thread, which `event` samples with nothing but the time. Boottime
/// before, the sample's time, boottime after.
pub(in crate::sensor) fn fault_time(event: &Event) -> Option<(u64, u64, u64)> {
    let mut ring = Ring::map(event, 0).ok()?;
    let page = ring.page;
    // SAFETY: a fresh private mapping.
    let memory = unsafe {
        libc::mmap(
            std::ptr::null_mut(),
            page,
            libc::PROT_READ | libc::PROT_WRITE,
            libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
            -1,
            0,
        )
    };
    if memory == libc::MAP_FAILED || event.enable().is_err() {
        return None;
    }
    let before = Clock::boottime();
    // SAFETY: inside the mapping.
    unsafe { memory.cast::<u8>().write_volatile(1) };
    let after = Clock::boottime();
    let stopped = event.disable();
    // SAFETY: the mapping made above, used no more.
    unsafe { libc::munmap(memory, page) };
    stopped.ok()?;
    let mut times = Vec::new();
    // A sample of nothing but the time has the header before it.
    ring.read(|record| {
        if record.len() == 16
            && let Ok(time) = record[8..].try_into()
        {
            times.push(u64::from_ne_bytes(time));
        }
    });
    // Other faults may come first, such as that of the clock's page.
    times.last().map(|time| (before, *time, after))
}
