//! Packets between sockets of this host and DNS servers, handed over as they are.

use aya_ebpf::{helpers::generated::bpf_skb_load_bytes, programs::SkBuffContext};
use socket_common::{
    Counter, DNS_CAPACITY, DNS_PORT, DnsEvent, Flow, Header, PROTO_TCP, Tuple,
    kernel::tcp_flag::{FIN, RST, SYN},
    kind,
    rules::Way,
};

use crate::{
    kernel::{copy, now, packet::Packet},
    maps::{count, settings},
    outlet::{DNS, wakeup},
};

/// Bytes that any packet has: the verifier wants to know of some.
const LEAST: u32 = 20;

/// A packet that a cgroup program is shown, and that is of this flow, if its far end is a DNS server. Of TCP
/// only what the server says is of use.
#[inline(always)]
pub fn packet(ctx: &SkBuffContext, packet: &Packet, flow: &Flow, way: Way) {
    if flow.tuple.remote_port != DNS_PORT {
        return;
    }
    let Some(settings) = settings() else { return };
    if settings.dns_snaplen == 0 || (packet.protocol == PROTO_TCP && !is_said(packet, way)) {
        return;
    }
    let length = ctx.len();
    let wanted = if length < settings.dns_snaplen { length } else { settings.dns_snaplen };
    if wanted as usize <= DNS_CAPACITY[0] {
        hand_over::<{ DNS_CAPACITY[0] }>(ctx, &flow.tuple, way, wanted);
    } else {
        hand_over::<{ DNS_CAPACITY[1] }>(ctx, &flow.tuple, way, wanted);
    }
}

/// Whether a segment is from the server and more than an acknowledgement.
#[inline(always)]
fn is_said(packet: &Packet, way: Way) -> bool {
    way == Way::In && (packet.is_payload() || packet.tcp_flags() & (FIN | SYN | RST) != 0)
}

#[inline(always)]
fn hand_over<const CAPACITY: usize>(ctx: &SkBuffContext, tuple: &Tuple, way: Way, wanted: u32) {
    let Some(mut slot) = DNS.reserve::<DnsEvent<CAPACITY>>(0) else {
        count(Counter::DnsDropped);
        return;
    };
    let event = slot.as_mut_ptr();
    // SAFETY: the slot has room for one event; all but the end of the data, of which the length tells, is
    // written before it is submitted.
    let copied = unsafe {
        (*event).header = Header { kind: kind::DNS, length: wanted };
        (*event).time = now();
        copy(&raw mut (*event).tuple, tuple);
        (*event).outgoing = (way == Way::Out) as u32;
        (*event).reserved = 0;
        // Read back, so that the compiler knows nothing of it and leaves both bounds to the verifier.
        let length = (&raw const (*event).header.length).read_volatile();
        let length = length.clamp(LEAST, CAPACITY as u32);
        (*event).header.length = length;
        let data = (&raw mut (*event).data).cast();
        bpf_skb_load_bytes(ctx.skb.skb.cast(), 0, data, length) == 0
    };
    if copied {
        slot.submit(wakeup(&DNS, size_of::<DnsEvent<CAPACITY>>()));
    } else {
        count(Counter::Unparsed);
        slot.discard(0);
    }
}
