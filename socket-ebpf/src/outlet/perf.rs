//! Records leave by the rings of perf events, one for each CPU. Kernel 4.4.
//!
//! The kernel wants the context of a program for it, which the flow core knows nothing of: records are
//! put together in slots of this CPU and leave when the program ends. The programs of kprobes and
//! tracepoints do not interrupt each other: the kernel skips the second.

use core::marker::PhantomData;

use aya_ebpf::{
    EbpfContext,
    bindings::BPF_F_CURRENT_CPU,
    helpers::generated::bpf_perf_event_output,
    macros::map,
    maps::{PerCpuArray, PerfEventByteArray},
};
use socket_common::{Counter, FlowEvent, Header, LateEvent, SocketEvent, kind};

use crate::{
    flow::submit::lose,
    maps::{count, count_many},
};

/// Closed flows and process events.
#[map]
pub static EVENTS: PerfEventByteArray = PerfEventByteArray::new(0);

/// Records of the program that runs on this CPU.
#[map]
pub static SLOTS: PerCpuArray<SlotBuffer> = PerCpuArray::with_max_entries(SLOTS_MAX, 0);

/// No program hands over more: a flow that was left behind, and what became of the socket.
const SLOTS_MAX: u32 = 2;

/// The longest of the records that wait.
const LONGEST: usize = if size_of::<FlowEvent>() > size_of::<SocketEvent>() {
    size_of::<FlowEvent>()
} else {
    size_of::<SocketEvent>()
};

const _: () = assert!(size_of::<LateEvent>() <= LONGEST);

/// Room for any of them; [`Header::kind`] is 0 if there is none.
#[repr(C)]
pub struct SlotBuffer {
    words: [u64; LONGEST / 8],
}

/// Room for a record.
pub struct Slot<T: 'static> {
    buffer: *mut SlotBuffer,
    record: PhantomData<T>,
}

impl<T> Slot<T> {
    /// Where the record is to be written, all of it.
    #[inline(always)]
    pub fn as_mut_ptr(&mut self) -> *mut T {
        self.buffer.cast()
    }

    /// Hands over what was written, when the program ends.
    #[inline(always)]
    pub fn submit(self) {}
}

/// Room for a record; `None` if the program has handed over more than any does.
#[inline(always)]
pub fn reserve<T: 'static>() -> Option<Slot<T>> {
    let buffer = match free(0) {
        Some(buffer) => buffer,
        None => free(1)?,
    };
    Some(Slot { buffer, record: PhantomData })
}

#[inline(always)]
fn header(buffer: *mut SlotBuffer) -> *mut Header {
    buffer.cast()
}

#[inline(always)]
fn free(index: u32) -> Option<*mut SlotBuffer> {
    let buffer = SLOTS.get_ptr_mut(index)?;
    // SAFETY: a valid element of this CPU.
    let kind = unsafe { (*header(buffer)).kind };
    if kind == 0 { Some(buffer) } else { None }
}

/// The program ends: what it has handed over leaves.
#[inline(always)]
pub fn flush<C: EbpfContext>(ctx: &C) {
    leave(ctx, 0);
    leave(ctx, 1);
}

/// Lets the record of a slot leave. What finds no room is counted: a table to keep it in would take it only
/// from the stack before 4.18, where it does not fit.
#[inline(always)]
fn leave<C: EbpfContext>(ctx: &C, index: u32) {
    let Some(buffer) = SLOTS.get_ptr_mut(index) else { return };
    // SAFETY: a valid element of this CPU.
    let what = unsafe { (*header(buffer)).kind };
    if what == 0 {
        return;
    }
    if !output(ctx, buffer.cast(), LONGEST as u64) {
        lost(what, buffer);
    }
    // SAFETY: as above.
    unsafe { (*header(buffer)).kind = 0 }
}

/// Hands over bytes of a map value; `false` if the ring of this CPU is full, which kernels before 5.1
/// do not say.
#[inline(always)]
pub fn output<C: EbpfContext>(ctx: &C, from: *const u8, length: u64) -> bool {
    // SAFETY: a map of perf events; the verifier checks that there are so many bytes.
    let result = unsafe {
        bpf_perf_event_output(
            ctx.as_ptr(),
            (&raw const EVENTS).cast_mut().cast(),
            BPF_F_CURRENT_CPU,
            from.cast_mut().cast(),
            length,
        )
    };
    result == 0
}

#[inline(always)]
fn lost(what: u32, buffer: *mut SlotBuffer) {
    match what {
        kind::FLOW => {
            let event = buffer.cast::<FlowEvent>();
            // SAFETY: a record of this kind.
            lose(unsafe { &(*event).flow });
        }
        kind::LATE => {
            let event = buffer.cast::<LateEvent>();
            // SAFETY: as above.
            count_many(Counter::LateLost, unsafe { (*event).late.traffic.packets() });
        }
        _ => count(Counter::SocketLost),
    }
}
