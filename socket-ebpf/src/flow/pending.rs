//! Handshakes: packets of connections that have no socket yet.

use core::mem::MaybeUninit;

use aya_ebpf::bindings::BPF_ANY;
use socket_common::{
    Counter, Flow, Pending, Tuple,
    rules::{
        Way,
        handshake::{REPETITION_NS, Step, step},
    },
};

use super::entry::{account, add};
use crate::{
    kernel::{packet::Packet, sock::Sock, zero},
    maps::{FLOWS, LAST_HANDSHAKE, PENDING, count},
};

/// A packet that a listener or a request socket handles. False if it belongs to no handshake.
#[inline(always)]
pub fn packet(packet: &Packet, tuple: &Tuple, listener: Sock, way: Way, now: u64) -> bool {
    let counted = counted(packet, tuple, listener, way, now);
    if counted && way == Way::In {
        remember(packet, now);
    }
    counted
}

/// This CPU has just counted a received packet at the listener.
#[inline(always)]
pub fn remember(packet: &Packet, now: u64) {
    if let Some(last) = LAST_HANDSHAKE.get_ptr_mut(0) {
        let [buffer, numbers, rest] = packet.tcp_identity();
        // SAFETY: a valid element of this CPU.
        unsafe { *last = [buffer, numbers, rest, now] }
    }
}

/// Whether this CPU has just counted a received packet at the listener. The kernel looks for the socket
/// anew when another CPU has made the child first, and filters the same packet again: at the child, or
/// at what is left of it.
#[inline(always)]
pub fn seen_at_listener(packet: &Packet, now: u64) -> bool {
    let Some(last) = LAST_HANDSHAKE.get_ptr_mut(0) else { return false };
    // SAFETY: a valid element of this CPU.
    let last = unsafe { &mut *last };
    // A repetition of a packet may come in the same memory, but not so soon.
    let same = now.wrapping_sub(last[3]) < REPETITION_NS && packet.is([last[0], last[1], last[2]]);
    if same {
        last[0] = 0;
    }
    same
}

#[inline(always)]
fn counted(packet: &Packet, tuple: &Tuple, listener: Sock, way: Way, now: u64) -> bool {
    // SAFETY: entries stay readable for the run of a program.
    let known = PENDING.get_ptr_mut(tuple).map(|pending| unsafe { &mut *pending });
    let child = known.as_ref().map(|pending| pending.child);
    match (step(child, way, packet.tcp_flags()), known) {
        (Step::Count, Some(pending)) => {
            pending.account(way, packet.packets, packet.bytes, now, add);
            true
        }
        (Step::Child(child), _) => of_child(packet, tuple, child, way, now),
        (Step::Begin, _) => begun(packet, tuple, listener, now),
        _ => false,
    }
}

/// The first SYN, or that of a connection after one between the same ends. False if there is no room for it.
#[inline(always)]
fn begun(packet: &Packet, tuple: &Tuple, listener: Sock, now: u64) -> bool {
    let mut fresh = MaybeUninit::<Pending>::uninit();
    zero(fresh.as_mut_ptr());
    // SAFETY: zeroes are valid.
    let fresh = unsafe { fresh.assume_init_mut() };
    fresh.begin(listener.key(), packet.packets, packet.bytes, now);
    if PENDING.insert(tuple, &*fresh, BPF_ANY as u64).is_err() {
        count(Counter::PendingFull);
        return false;
    }
    true
}

/// A packet that reached the listener although another CPU has just made the child: it is the child's.
#[inline(always)]
fn of_child(packet: &Packet, tuple: &Tuple, child: u64, way: Way, now: u64) -> bool {
    let Some(flow) = FLOWS.get_ptr_mut(&child) else { return false };
    // SAFETY: entries stay readable for the run of a program.
    let flow = unsafe { &mut *flow };
    if flow.tuple != *tuple {
        return false;
    }
    account(flow, way, packet.packets, packet.bytes, now)
}

/// The handshake of a flow is over, or the connection is: takes what another CPU still counted for it while the
/// flow was made, and forgets it.
#[inline(always)]
pub fn finish(flow: &mut Flow) {
    // On the stack: kernels before 4.18 take no key from a table.
    let tuple = flow.tuple;
    if let Some(handshake) = PENDING.get_ptr_mut(&tuple) {
        // SAFETY: entries stay readable for the run of a program.
        let handshake = unsafe { &mut *handshake };
        if handshake.child == flow.sock {
            let left = handshake.untaken();
            // Of two CPUs that come here one takes it. An element that is out of the table may be another's.
            if PENDING.remove(&tuple).is_err() {
                return;
            }
            flow.traffic.account_both(&left, add);
        }
    }
    flow.forget_handshake();
}
