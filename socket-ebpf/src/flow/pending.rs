//! Handshakes: packets of connections that have no socket yet.

use core::mem::MaybeUninit;

use aya_ebpf::bindings::BPF_ANY;
#[cfg(not(feature = "perf"))]
use socket_common::Tcp;
use socket_common::{Counter, FLAG_HANDSHAKE, Flow, Pending, Traffic, Tuple};

use super::entry::{account, add};
use crate::{
    kernel::{
        packet::{Packet, RST, SYN, Way},
        sock::Sock,
        zero,
    },
    maps::{FLOWS, LAST_HANDSHAKE, PENDING, count},
};

/// Shorter than TCP waits before it sends again, nanoseconds.
const SOON: u64 = 100_000_000;

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
    let same = now.wrapping_sub(last[3]) < SOON && packet.is([last[0], last[1], last[2]]);
    if same {
        last[0] = 0;
    }
    same
}

#[inline(always)]
fn counted(packet: &Packet, tuple: &Tuple, listener: Sock, way: Way, now: u64) -> bool {
    let opens = way == Way::In && packet.tcp_flags() & (SYN | RST) == SYN;
    if let Some(pending) = PENDING.get_ptr_mut(tuple) {
        // SAFETY: entries stay readable for the run of a program.
        let pending = unsafe { &mut *pending };
        if pending.child == 0 {
            pending.last = now;
            add(&mut pending.traffic, way, packet.packets, packet.bytes);
            return true;
        }
        if !opens {
            return of_child(packet, tuple, pending.child, way, now);
        }
    }
    opens && begun(packet, tuple, listener, now)
}

/// The first SYN, or that of a connection after one between the same ends. False if there is no room for it.
#[inline(always)]
fn begun(packet: &Packet, tuple: &Tuple, listener: Sock, now: u64) -> bool {
    let mut fresh = MaybeUninit::<Pending>::uninit();
    zero(fresh.as_mut_ptr());
    // SAFETY: zeroes are valid.
    let fresh = unsafe { fresh.assume_init_mut() };
    fresh.listener = listener.key();
    fresh.first = now;
    fresh.last = now;
    fresh.traffic.packets_in = packet.packets;
    fresh.traffic.bytes_in = packet.bytes;
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

/// Adds to the child's flow what the handshake has counted so far.
#[inline(always)]
pub fn take(handshake: &mut Pending, flow: &mut Flow) {
    let Traffic { packets_out, bytes_out, packets_in, bytes_in } = handshake.traffic;
    handshake.taken = Traffic { packets_out, bytes_out, packets_in, bytes_in };
    add(&mut flow.traffic, Way::Out, packets_out, bytes_out);
    add(&mut flow.traffic, Way::In, packets_in, bytes_in);
    flow.flags |= FLAG_HANDSHAKE;
}

/// What the handshake has counted since.
#[inline(always)]
fn left(handshake: &Pending) -> Traffic {
    let (all, taken) = (&handshake.traffic, &handshake.taken);
    Traffic {
        packets_out: all.packets_out.wrapping_sub(taken.packets_out),
        bytes_out: all.bytes_out.wrapping_sub(taken.bytes_out),
        packets_in: all.packets_in.wrapping_sub(taken.packets_in),
        bytes_in: all.bytes_in.wrapping_sub(taken.bytes_in),
    }
}

/// Whether a connection has been established for so long that no CPU is still at a packet which it took for one
/// of the handshake.
#[cfg(not(feature = "perf"))]
#[inline(always)]
pub fn is_over(flow: &Flow, now: u64) -> bool {
    let Tcp { connect_ns, .. } = flow.tcp;
    connect_ns != 0 && now > flow.first.wrapping_add(connect_ns).wrapping_add(SOON)
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
            let Traffic { packets_out, bytes_out, packets_in, bytes_in } = left(handshake);
            // Of two CPUs that come here one takes it. An element that is out of the table may be another's.
            if PENDING.remove(&tuple).is_err() {
                return;
            }
            add(&mut flow.traffic, Way::Out, packets_out, bytes_out);
            add(&mut flow.traffic, Way::In, packets_in, bytes_in);
        }
    }
    flow.flags &= !FLAG_HANDSHAKE;
}
