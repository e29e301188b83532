//! Handing closed flows to the agent: by the outlet, or, when that is full, by the spill table.

#[cfg(not(feature = "perf"))]
use aya_ebpf::bindings::BPF_ANY;
use socket_common::{
    Counter, Flow, FlowEvent, Header, Late, LateEvent, SocketEvent, SocketOwner, kind,
};

#[cfg(not(feature = "perf"))]
use crate::maps::SPILL;
use crate::{
    kernel::copy,
    log::debug,
    maps::{count, count_many},
    outlet,
};

/// Hands over a closed flow.
#[inline(always)]
pub fn flow(flow: &Flow) {
    debug!(
        "flow {} of process {} is over: {} packets",
        flow.id,
        flow.owner.pid,
        flow.traffic.packets()
    );
    if let Some(mut slot) = outlet::reserve::<FlowEvent>() {
        let event = slot.as_mut_ptr();
        // SAFETY: the slot has room for one event; both fields are written before it is submitted.
        unsafe {
            (*event).header = Header { kind: kind::FLOW, length: 0 };
            copy(&raw mut (*event).flow, flow);
        }
        slot.submit();
        return;
    }
    #[cfg(not(feature = "perf"))]
    if SPILL.insert(&flow.id, flow, BPF_ANY as u64).is_ok() {
        count(Counter::Spilled);
        return;
    }
    lose(flow);
}

/// Counts a closed flow that cannot be kept.
#[inline(always)]
pub fn lose(flow: &Flow) {
    count(Counter::ClosedLost);
    count_many(Counter::ClosedLostPackets, flow.traffic.packets());
}

/// Hands over late packets whose table entry is needed for a newer flow.
#[inline(always)]
pub fn late(late: &Late) {
    let Some(mut slot) = outlet::reserve::<LateEvent>() else {
        count_many(Counter::LateLost, late.traffic.packets());
        return;
    };
    let event = slot.as_mut_ptr();
    // SAFETY: as above.
    unsafe {
        (*event).header = Header { kind: kind::LATE, length: 0 };
        copy(&raw mut (*event).late, late);
    }
    slot.submit();
}

/// Tells of a socket that has come, or gone if `closed` is a time; `port` is its local port, which
/// may not have been known before.
#[inline(always)]
pub fn socket(socket: &SocketOwner, sock: u64, port: u16, closed: u64) {
    let Some(mut slot) = outlet::reserve::<SocketEvent>() else {
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
    slot.submit();
}

/// Tells of a connection that has been established.
#[inline(always)]
pub fn connected(flow: &Flow) {
    let Some(mut slot) = outlet::reserve::<FlowEvent>() else {
        count(Counter::SocketLost);
        return;
    };
    let event = slot.as_mut_ptr();
    // SAFETY: as above.
    unsafe {
        (*event).header = Header { kind: kind::CONNECTED, length: 0 };
        copy(&raw mut (*event).flow, flow);
    }
    slot.submit();
}
