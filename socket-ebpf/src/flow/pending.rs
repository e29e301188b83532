//! Handshakes: packets of connections that have no socket yet.

use aya_ebpf::bindings::BPF_NOEXIST;
use socket_common::{Pending, Tuple};

use super::entry::add;
use crate::{
    kernel::{
        packet::{Packet, RST, SYN, Way},
        sock::Sock,
    },
    maps::PENDING,
};

/// A packet that a listener or a request socket handles. False if it belongs to no handshake.
#[inline(always)]
pub fn packet(packet: &Packet, tuple: &Tuple, listener: Sock, way: Way, now: u64) -> bool {
    if PENDING.get_ptr_mut(tuple).is_none() {
        if way != Way::In || packet.tcp_flags() & (SYN | RST) != SYN {
            return false;
        }
        let fresh = Pending { listener: listener.key(), first: now, ..Pending::default() };
        let _ = PENDING.insert(tuple, &fresh, BPF_NOEXIST as u64);
    }
    let Some(pending) = PENDING.get_ptr_mut(tuple) else { return false };
    // SAFETY: entries stay readable for the run of a program.
    let pending = unsafe { &mut *pending };
    pending.last = now;
    add(&mut pending.traffic, way, packet.packets, packet.bytes);
    true
}
