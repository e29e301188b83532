//! The reader's end of a ring buffer: `BPF_MAP_TYPE_RINGBUF` (Linux 5.8).
//!
//! The kernel lays the data pages out twice, one after the other, so that a record that goes beyond
//! the end can be read in one piece. Of the second copy only as much is mapped here as the longest
//! record needs: every mapped page counts as memory of the agent.

use std::{
    io,
    os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd},
    ptr::NonNull,
    sync::atomic::{AtomicU32, AtomicUsize, Ordering},
};

use libc::c_void;

/// `BPF_RINGBUF_BUSY_BIT`: reserved, and not submitted yet.
const BUSY: u32 = 1 << 31;
/// `BPF_RINGBUF_DISCARD_BIT`.
const DISCARDED: u32 = 1 << 30;
/// `BPF_RINGBUF_HDR_SZ`.
const HEADER: usize = 8;
/// Bytes that are read before their space is released to the kernel: each release costs the programs a cache miss.
const RELEASE_BYTES: usize = 32 << 10;

/// Pages shared with the kernel.
#[derive(Debug)]
struct Pages {
    start: NonNull<c_void>,
    length: usize,
}

/// A ring buffer and how far it has been read.
#[derive(Debug)]
pub(in crate::ebpf) struct RingBuffer {
    fd: OwnedFd,
    /// The reader's position.
    consumer: Pages,
    /// The writers' position, then the data.
    producer: Pages,
    page: usize,
    /// Bytes of data, a power of two.
    size: usize,
    longest: usize,
    position: usize,
    /// The position that the kernel knows of: what is before it is released.
    released: usize,
    /// The writers' position when it was last looked at.
    written: usize,
}

// === impl Pages ===

impl Pages {
    fn map(fd: BorrowedFd<'_>, offset: usize, length: usize, protection: i32) -> io::Result<Self> {
        // SAFETY: a new mapping; the kernel checks descriptor, offset and length.
        let start = unsafe {
            libc::mmap(
                std::ptr::null_mut(),
                length,
                protection,
                libc::MAP_SHARED,
                fd.as_raw_fd(),
                offset as libc::off_t,
            )
        };
        if start == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let start = NonNull::new(start).ok_or_else(|| io::Error::other("mapped at zero"))?;
        Ok(Self { start, length })
    }

    /// The position in the first word.
    fn position(&self) -> &AtomicUsize {
        // SAFETY: the mapping begins with the position, and lives as long as `self`.
        unsafe { AtomicUsize::from_ptr(self.start.as_ptr().cast()) }
    }
}

impl Drop for Pages {
    fn drop(&mut self) {
        // SAFETY: mapped by `map` with this length.
        unsafe { libc::munmap(self.start.as_ptr(), self.length) };
    }
}

// SAFETY: the mapping may be used by any thread.
unsafe impl Send for Pages {}

// === impl RingBuffer ===

impl RingBuffer {
    /// Maps a ring of `size` bytes whose records have at most `longest`.
    ///
    /// # Errors
    ///
    /// The descriptor is none of a ring buffer, or there is no memory.
    pub(in crate::ebpf) fn map(fd: OwnedFd, size: u32, longest: usize) -> io::Result<Self> {
        // SAFETY: has no preconditions.
        let page = usize::try_from(unsafe { libc::sysconf(libc::_SC_PAGESIZE) });
        let page = page.map_err(io::Error::other)?;
        let size = size as usize;
        if !size.is_power_of_two() {
            return Err(io::Error::other("its size is no power of two"));
        }
        let again = (HEADER + longest).next_multiple_of(page).min(size);
        let consumer = Pages::map(fd.as_fd(), 0, page, libc::PROT_READ | libc::PROT_WRITE)?;
        let producer = Pages::map(fd.as_fd(), page, page + size + again, libc::PROT_READ)?;
        let position = consumer.position().load(Ordering::Acquire);
        Ok(Self {
            fd,
            consumer,
            producer,
            page,
            size,
            longest,
            position,
            released: position,
            written: position,
        })
    }

    /// Calls `take` with the next record; `None` if there is none at the moment. A record that is longer
    /// than any should be is cut.
    pub(in crate::ebpf) fn next<T>(&mut self, mut take: impl FnMut(&[u8]) -> T) -> Option<T> {
        loop {
            if self.position == self.written {
                self.written = self.producer.position().load(Ordering::Acquire);
                if self.position == self.written {
                    self.release();
                    return None;
                }
            }
            let at = self.page + (self.position & (self.size - 1));
            // SAFETY: within the mapping, which has all data pages; records begin at multiples of eight.
            let start = unsafe { self.producer.start.as_ptr().cast::<u8>().add(at) };
            // SAFETY: as above; a record begins with its length, which its writer changes.
            let header = unsafe { AtomicU32::from_ptr(start.cast()) }.load(Ordering::Acquire);
            if header & BUSY != 0 {
                self.release();
                return None;
            }
            let length = (header & !(BUSY | DISCARDED)) as usize;
            let taken = (header & DISCARDED == 0).then(|| {
                let length = length.min(self.longest);
                // SAFETY: the mapping goes on behind the data for the longest record, and the record is
                // not written to until the position behind it has been released.
                take(unsafe { std::slice::from_raw_parts(start.add(HEADER), length) })
            });
            self.position = self.position.wrapping_add((HEADER + length).next_multiple_of(8));
            if self.position.wrapping_sub(self.released) >= RELEASE_BYTES {
                self.release();
            }
            if taken.is_some() {
                return taken;
            }
        }
    }

    /// Advances the consumer position, so that the kernel can use the space of what has been read.
    fn release(&mut self) {
        if self.released != self.position {
            self.released = self.position;
            self.consumer.position().store(self.position, Ordering::Release);
        }
    }
}

impl AsFd for RingBuffer {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}
