//! Records leave by a ring buffer. Kernel 5.8.

use aya_ebpf::{
    helpers::generated::bpf_ringbuf_query,
    macros::map,
    maps::{RingBuf, ring_buf::RingBufEntry},
};

/// Closed flows and process events.
#[map]
pub static EVENTS: RingBuf = RingBuf::with_byte_size(4096, 0);

/// DNS packets.
#[map]
pub static DNS: RingBuf = RingBuf::with_byte_size(4096, 0);

/// `BPF_RB_NO_WAKEUP`.
const NO_WAKEUP: u64 = 1;
/// `BPF_RB_FORCE_WAKEUP`.
const FORCE_WAKEUP: u64 = 2;
/// `BPF_RB_AVAIL_DATA`.
const AVAILABLE: u64 = 0;
/// The agent looks at the ring several times a second; it is woken earlier each time that so much more
/// is waiting. A power of two.
const WAKE_EVERY: u64 = 256 * 1024;

/// Flags for the submission of a record of `length` bytes to a ring: a wake-up costs more than ten records, so
/// there is none but for the record with which much is waiting.
#[inline(always)]
pub fn wakeup(ring: &'static RingBuf, length: usize) -> u64 {
    // SAFETY: a ring buffer.
    let waiting = unsafe { bpf_ringbuf_query((&raw const *ring).cast_mut().cast(), AVAILABLE) };
    // Reserved already, with a header of eight bytes, and rounded up.
    let record = length as u64 + 16;
    if waiting >= WAKE_EVERY && waiting & (WAKE_EVERY - 1) < record {
        FORCE_WAKEUP
    } else {
        NO_WAKEUP
    }
}

/// Room for a record.
pub struct Slot<T: 'static>(RingBufEntry<T>);

impl<T> Slot<T> {
    /// Where the record is to be written, all of it.
    #[inline(always)]
    pub fn as_mut_ptr(&mut self) -> *mut T {
        self.0.as_mut_ptr()
    }

    /// Hands over what was written.
    #[inline(always)]
    pub fn submit(self) {
        self.0.submit(wakeup(&EVENTS, size_of::<T>()));
    }
}

/// Room for a record; `None` if the ring is full.
#[inline(always)]
pub fn reserve<T: 'static>() -> Option<Slot<T>> {
    EVENTS.reserve::<T>(0).map(Slot)
}

/// The program ends: records have left already.
#[inline(always)]
pub fn flush<C>(_: &C) {}
