//! Packets of connections whose socket is gone: TIME_WAIT, resets after close.

use core::mem::MaybeUninit;

use aya_ebpf::bindings::BPF_ANY;
use socket_common::{Counter, FAMILY_IPV6, Late, PROTO_TCP, Tuple, rules::Way};

use super::{entry::add, pending, submit};
use crate::{
    kernel::{core_offsets as at, packet::Packet, zero},
    maps::{LATE, count, settings},
};

/// What the closed flow with this tuple is found by. Where the kernel's structures are not known so far
/// that a packet tells its namespace, it is the flow that was closed last between the same ends.
#[inline(always)]
fn key(tuple: &mut Tuple) -> &Tuple {
    if at::net_device_nd_net().is_none() {
        tuple.netns = 0;
    }
    tuple
}

/// From now on packets with this tuple that have no socket belong to the closed flow.
#[inline(always)]
pub fn expect(tuple: &Tuple, flow: u64) {
    let mut tuple = *tuple;
    let tuple = key(&mut tuple);
    if let Some(previous) = LATE.get_ptr_mut(tuple) {
        // SAFETY: entries stay readable for the run of a program.
        let previous = unsafe { &mut *previous };
        if previous.last != 0 {
            submit::late(previous);
        }
    }
    let mut entry = MaybeUninit::<Late>::uninit();
    zero(entry.as_mut_ptr());
    // SAFETY: zeroes are valid.
    let entry = unsafe { entry.assume_init_mut() };
    entry.flow = flow;
    if LATE.insert(tuple, &*entry, BPF_ANY as u64).is_err() {
        count(Counter::LateTableFull);
    }
}

/// Whether a connection with this tuple has just ended.
#[inline(always)]
pub fn is_expected(tuple: &mut Tuple) -> bool {
    let netns = tuple.netns;
    let found = LATE.get_ptr_mut(key(tuple)).is_some();
    tuple.netns = netns;
    found
}

/// A packet of a closed connection that a listener, a request or a timewait socket is shown. Of a
/// handshake that another CPU has completed, and a connection that has ended since, it is shown twice.
#[inline(always)]
pub fn at_listener(buffer: &Packet, tuple: &mut Tuple, way: Way, now: u64) {
    if way == Way::In {
        if pending::seen_at_listener(buffer, now) {
            return;
        }
        pending::remember(buffer, now);
    }
    packet(buffer, tuple, way, now);
}

/// A packet without a live socket.
#[inline(always)]
pub fn packet(packet: &Packet, tuple: &mut Tuple, way: Way, now: u64) {
    counted(tuple, way, packet.packets, packet.bytes, now);
}

/// As [`packet`], where the numbers are known.
#[inline(always)]
pub fn counted(tuple: &mut Tuple, way: Way, packets: u64, bytes: u64, now: u64) {
    let Some(late) = LATE.get_ptr_mut(key(tuple)) else {
        count(Counter::LateUnmatched);
        return;
    };
    // SAFETY: as above.
    let late = unsafe { &mut *late };
    late.account(way, packets, bytes, now, add);
}

/// Whether a buffer that is dropped there is one that no live socket wants.
#[inline(always)]
pub fn is_orphan(location: u64) -> bool {
    let Some(settings) = settings() else { return false };
    let [v4, v4_end] = settings.tcp_v4_rcv;
    let [v6, v6_end] = settings.tcp_v6_rcv;
    (location >= v4 && location < v4_end) || (location >= v6 && location < v6_end)
}

/// A buffer that the TCP receive path drops because no live socket wants it.
#[inline(always)]
pub fn orphan(skb: usize, now: u64) {
    let Some(settings) = settings() else { return };
    let Some(buffer) = Packet::of(skb, Way::In) else { return };
    if buffer.protocol != PROTO_TCP || (buffer.family == FAMILY_IPV6 && settings.ipv6 == 0) {
        return;
    }
    if pending::seen_at_listener(&buffer, now) {
        return;
    }
    let mut tuple = buffer.tuple(Way::In, buffer.device_netns());
    packet(&buffer, &mut tuple, Way::In, now);
}
