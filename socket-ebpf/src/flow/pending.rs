//! Handshakes: packets of connections that have no socket yet.

use core::mem::MaybeUninit;

use aya_ebpf::bindings::BPF_ANY;
use socket_common::{Flow, Pending, Traffic, Tuple};

use super::entry::{account, add};
use crate::{
    kernel::{
        packet::{Packet, RST, SYN, Way},
        sock::Sock,
        zero,
    },
    maps::{FLOWS, LAST_HANDSHAKE, PENDING},
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
    let child = match PENDING.get_ptr_mut(tuple) {
        // SAFETY: entries stay readable for the run of a program.
        Some(pending) => Some(unsafe { (*pending).child }),
        None => None,
    };
    if opens && child != Some(0) {
        // The first SYN, or that of a connection after one between the same ends.
        let mut fresh = MaybeUninit::<Pending>::uninit();
        zero(fresh.as_mut_ptr());
        // SAFETY: zeroes are valid.
        let fresh = unsafe { fresh.assume_init_mut() };
        fresh.listener = listener.key();
        fresh.first = now;
        let _ = PENDING.insert(tuple, fresh, BPF_ANY as u64);
    } else if let Some(child) = child.filter(|child| *child != 0) {
        return of_child(packet, tuple, child, way, now);
    }
    let Some(pending) = PENDING.get_ptr_mut(tuple) else { return false };
    // SAFETY: as above.
    let pending = unsafe { &mut *pending };
    pending.last = now;
    add(&mut pending.traffic, way, packet.packets, packet.bytes);
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

/// Adds to the child's flow what the handshake has counted and no flow has taken yet.
#[inline(always)]
pub fn take(handshake: &mut Pending, flow: &mut Flow) {
    let Traffic { packets_out, bytes_out, packets_in, bytes_in } = handshake.traffic;
    let before = handshake.taken;
    handshake.taken = Traffic { packets_out, bytes_out, packets_in, bytes_in };
    add(
        &mut flow.traffic,
        Way::Out,
        packets_out.wrapping_sub(before.packets_out),
        bytes_out.wrapping_sub(before.bytes_out),
    );
    add(
        &mut flow.traffic,
        Way::In,
        packets_in.wrapping_sub(before.packets_in),
        bytes_in.wrapping_sub(before.bytes_in),
    );
}

/// The connection is over: takes what another CPU still counted for its handshake while the flow was
/// made, and forgets the handshake.
#[inline(always)]
pub fn finish(flow: &mut Flow, sock: Sock) {
    // On the stack: kernels before 4.18 take no key from a table.
    let tuple = flow.tuple;
    let Some(handshake) = PENDING.get_ptr_mut(&tuple) else { return };
    // SAFETY: entries stay readable for the run of a program.
    let handshake = unsafe { &mut *handshake };
    if handshake.child == sock.key() {
        take(handshake, flow);
        let _ = PENDING.remove(&tuple);
    }
}
