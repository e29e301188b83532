//! Handing closed flows to the agent: by the ring, or, when that is full, by the spill table.

use aya_ebpf::{bindings::BPF_ANY, helpers::generated::bpf_ringbuf_query, maps::RingBuf};
use socket_common::{
    Counter, Flow, FlowEvent, Header, Late, LateEvent, SocketEvent, SocketOwner, Traffic, kind,
};

use crate::{
    kernel::copy,
    maps::{EVENTS, SPILL, count, count_many},
};

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

/// Hands over a closed flow.
#[inline(always)]
pub fn flow(flow: &Flow) {
    if let Some(mut slot) = EVENTS.reserve::<FlowEvent>(0) {
        let event = slot.as_mut_ptr();
        // SAFETY: the slot has room for one event; both fields are written before it is submitted.
        unsafe {
            (*event).header = Header { kind: kind::FLOW, length: 0 };
            copy(&raw mut (*event).flow, flow);
        }
        slot.submit(wakeup(&EVENTS, size_of::<FlowEvent>()));
        return;
    }
    if SPILL.insert(&flow.id, flow, BPF_ANY as u64).is_ok() {
        count(Counter::Spilled);
    } else {
        count(Counter::ClosedLost);
        count_many(Counter::ClosedLostPackets, packets(&flow.traffic));
    }
}

/// Packets both ways.
#[inline(always)]
pub fn packets(traffic: &Traffic) -> u64 {
    traffic.packets_in.wrapping_add(traffic.packets_out)
}

/// Hands over late packets whose table entry is needed for a newer flow.
#[inline(always)]
pub fn late(late: &Late) {
    let Some(mut slot) = EVENTS.reserve::<LateEvent>(0) else {
        count_many(Counter::LateLost, packets(&late.traffic));
        return;
    };
    let event = slot.as_mut_ptr();
    // SAFETY: as above.
    unsafe {
        (*event).header = Header { kind: kind::LATE, length: 0 };
        copy(&raw mut (*event).late, late);
    }
    slot.submit(wakeup(&EVENTS, size_of::<LateEvent>()));
}

/// Tells of a socket that has come, or gone if `closed` is a time; `port` is its local port, which
/// may not have been known before.
#[inline(always)]
pub fn socket(socket: &SocketOwner, sock: u64, port: u16, closed: u64) {
    let Some(mut slot) = EVENTS.reserve::<SocketEvent>(0) else {
        count(Counter::SocketLost);
        return;
    };
    let event = slot.as_mut_ptr();
    // SAFETY: as above.
    unsafe {
        (*event).header = Header { kind: kind::SOCKET, length: 0 };
        copy(&raw mut (*event).socket, socket);
        if (*event).socket.tuple.local_port == 0 {
            (*event).socket.tuple.local_port = port;
        }
        (*event).sock = sock;
        (*event).closed = closed;
    }
    slot.submit(wakeup(&EVENTS, size_of::<SocketEvent>()));
}

/// Tells of a connection that has been established.
#[inline(always)]
pub fn connected(flow: &Flow) {
    let Some(mut slot) = EVENTS.reserve::<FlowEvent>(0) else {
        count(Counter::SocketLost);
        return;
    };
    let event = slot.as_mut_ptr();
    // SAFETY: as above.
    unsafe {
        (*event).header = Header { kind: kind::CONNECTED, length: 0 };
        copy(&raw mut (*event).flow, flow);
    }
    slot.submit(wakeup(&EVENTS, size_of::<FlowEvent>()));
}
