//! Raw tracepoints, which several sets share.

use aya_ebpf::{macros::raw_tracepoint, programs::RawTracePointContext};
use socket_common::{
    BEGUN, CopiedHook, FAMILY_IPV4, PROTO_TCP, REPLIES_HIDDEN, Rank,
    kernel::{
        tcp_flag::SYN,
        tcp_state::{LISTEN, NEW_SYN_RECV, SYN_RECV, TIME_WAIT},
    },
    rules::{Way, tcp::is_full},
};

use super::copies::{self, Copy};
use crate::{
    flow,
    kernel::{core_offsets as at, field, now, packet::Packet, sock::Sock},
    maps::{FLOWS, LAST_SENT, SYN_ACK_SEEN, settings},
};

/// (sk, old state, new state). Kernel 4.16.
#[raw_tracepoint(tracepoint = "inet_sock_set_state")]
#[inline(always)]
pub fn tp_state(ctx: RawTracePointContext) -> i32 {
    state(&ctx, Copy::First)
}

/// As [`tp_state`]: sees the changes that it misses.
#[raw_tracepoint(tracepoint = "inet_sock_set_state")]
#[inline(always)]
pub fn tp_state_again(ctx: RawTracePointContext) -> i32 {
    state(&ctx, Copy::Middle)
}

/// As [`tp_state`]: sees the changes that interrupt [`tp_state_again`] while a task is put aside in
/// [`tp_state`].
#[raw_tracepoint(tracepoint = "inet_sock_set_state")]
#[inline(always)]
pub fn tp_state_third(ctx: RawTracePointContext) -> i32 {
    state(&ctx, Copy::Last)
}

#[inline(always)]
fn state(ctx: &RawTracePointContext, copy: Copy) -> i32 {
    let sock = Sock(ctx.arg::<u64>(0) as usize);
    let (old, new) = (ctx.arg::<u64>(1) as u8, ctx.arg::<u64>(2) as u8);
    if copy.has_turn(CopiedHook::State, copies::change(sock, old, new)) {
        if old == LISTEN && new == SYN_RECV {
            copies::child(BEGUN);
        }
        flow::tcp::state_changed(sock, old, new);
    }
    0
}

/// (sk): data was copied to the receiver, in its own context. Kernel 4.16.
#[raw_tracepoint(tracepoint = "tcp_rcv_space_adjust")]
#[inline(always)]
pub fn tp_tcp_received(ctx: RawTracePointContext) -> i32 {
    tcp_received(&ctx)
}

/// As [`tp_tcp_received`]. To be seen twice changes nothing.
#[raw_tracepoint(tracepoint = "tcp_rcv_space_adjust")]
#[inline(always)]
pub fn tp_tcp_received_again(ctx: RawTracePointContext) -> i32 {
    tcp_received(&ctx)
}

#[inline(always)]
fn tcp_received(ctx: &RawTracePointContext) -> i32 {
    let sock = Sock(ctx.arg::<u64>(0) as usize);
    if !flow::owner::is_settled(sock) {
        flow::owner::touched(sock, Rank::FirstIo);
    }
    0
}

/// (sk, result, flags): a receiving system call of any family returned. Kernel 6.3.
#[raw_tracepoint(tracepoint = "sock_recv_length")]
#[inline(always)]
pub fn tp_received(ctx: RawTracePointContext) -> i32 {
    received(&ctx)
}

/// As [`tp_received`]. To be seen twice changes nothing.
#[raw_tracepoint(tracepoint = "sock_recv_length")]
#[inline(always)]
pub fn tp_received_again(ctx: RawTracePointContext) -> i32 {
    received(&ctx)
}

#[inline(always)]
fn received(ctx: &RawTracePointContext) -> i32 {
    if ctx.arg::<u64>(1) as i32 > 0 {
        let sock = Sock(ctx.arg::<u64>(0) as usize);
        // Most sockets are of other families and have no flow.
        if !flow::owner::is_settled(sock) && sock.is_inet() {
            flow::owner::touched(sock, Rank::FirstIo);
        }
    }
    0
}

/// (skb, location, ...): a buffer was dropped. The receive path ends here for packets that a
/// timewait socket, or none, has dealt with.
#[raw_tracepoint(tracepoint = "kfree_skb")]
#[inline(always)]
pub fn tp_dropped(ctx: RawTracePointContext) -> i32 {
    dropped(&ctx, Copy::First)
}

/// As [`tp_dropped`].
#[raw_tracepoint(tracepoint = "kfree_skb")]
#[inline(always)]
pub fn tp_dropped_again(ctx: RawTracePointContext) -> i32 {
    dropped(&ctx, Copy::Last)
}

#[inline(always)]
fn dropped(ctx: &RawTracePointContext, copy: Copy) -> i32 {
    let skb = ctx.arg::<u64>(0) as usize;
    // Of all that is dropped hardly anything counts.
    if flow::late::is_orphan(ctx.arg(1)) && copy.has_turn(CopiedHook::Dropped, skb) {
        flow::late::orphan(skb, now());
    }
    0
}

/// (skb): a packet is given to a device. Only those that no cgroup program has seen are counted.
#[raw_tracepoint(tracepoint = "net_dev_queue")]
#[inline(always)]
pub fn tp_transmit(ctx: RawTracePointContext) -> i32 {
    let skb = ctx.arg::<u64>(0) as usize;
    let sock = Sock(field(skb, at::sk_buff_sk()));
    if sock.0 == 0 {
        // Forwarded packets have come in through a device.
        if field::<u32>(skb, at::sk_buff_skb_iif()) == 0 {
            without_socket(skb);
        }
        return 0;
    }
    let state = sock.state();
    if is_full(state) {
        return 0;
    }
    let Some(packet) = Packet::of(skb, Way::Out) else { return 0 };
    if packet.protocol != PROTO_TCP || is_shown_again(skb, &packet) {
        return 0;
    }
    if state == NEW_SYN_RECV && packet.tcp_flags() & SYN != 0 {
        // The SYN-ACK of a request socket passes the listener's program: over IPv4 on every kernel,
        // over IPv6 where one has been seen there.
        let seen = SYN_ACK_SEEN.get(0).is_some_and(|seen| *seen != 0);
        if packet.family == FAMILY_IPV4 || seen {
            return 0;
        }
    }
    flow::tcp::packet(&packet, sock, Way::Out);
    0
}

/// A packet of this host that has no socket: the SYN-ACK of a SYN cookie, or, before 6.13, a reply
/// over IPv6 for a socket that is gone. Since then resets have a tracepoint.
#[inline(always)]
fn without_socket(skb: usize) {
    if !Packet::is_ip(skb) {
        return;
    }
    let Some(mut packet) = Packet::of(skb, Way::Out) else { return };
    if packet.protocol != PROTO_TCP || is_shown_again(skb, &packet) {
        return;
    }
    let hidden = settings().is_some_and(|s| s.features & REPLIES_HIDDEN != 0);
    let cookie = packet.tcp_flags() & SYN != 0;
    if !cookie && (hidden || packet.family == FAMILY_IPV4) {
        return;
    }
    packet.undo_translation();
    let mut tuple = packet.tuple(Way::Out, packet.device_netns());
    flow::reply(&packet, &mut tuple, now());
}

/// A device stacked on another shows the same buffer again. Its address alone would not do: the next
/// reply is likely to be built in the memory of the last one.
#[inline(always)]
fn is_shown_again(skb: usize, packet: &Packet) -> bool {
    let Some(last) = LAST_SENT.get_ptr_mut(0) else { return false };
    // SAFETY: a valid element of this CPU.
    let last = unsafe { &mut *last };
    let device: u64 = field(skb, at::sk_buff_dev());
    let ends = packet.port_pair() ^ ((packet.device_netns() as u64) << 32);
    let again = last[0] == skb as u64 && last[1] == ends && last[2] != device;
    *last = [skb as u64, ends, device];
    again
}

/// (sk, skb, ...): a reset is sent in reply to `skb`; without one it was sent by the socket itself
/// and passed its program. Kernel 6.13 for what it is used for here.
#[raw_tracepoint(tracepoint = "tcp_send_reset")]
#[inline(always)]
pub fn tp_reset(ctx: RawTracePointContext) -> i32 {
    reset(&ctx, Copy::First)
}

/// As [`tp_reset`].
#[raw_tracepoint(tracepoint = "tcp_send_reset")]
#[inline(always)]
pub fn tp_reset_again(ctx: RawTracePointContext) -> i32 {
    reset(&ctx, Copy::Last)
}

#[inline(always)]
fn reset(ctx: &RawTracePointContext, copy: Copy) -> i32 {
    let sock = Sock(ctx.arg::<u64>(0) as usize);
    let skb = ctx.arg::<u64>(1) as usize;
    let object = if skb == 0 { sock.0 } else { skb };
    if !copy.has_turn(CopiedHook::Reset, object) || skb == 0 {
        return 0;
    }
    if sock.0 != 0 && sock.state() == TIME_WAIT {
        // Seen at the device.
        return 0;
    }
    let Some(trigger) = Packet::of(skb, Way::In) else { return 0 };
    if sock.0 == 0 && trigger.family == FAMILY_IPV4 {
        // Sent by a control socket of the kernel's, whose program sees it.
        return 0;
    }
    // No data, no options.
    let bytes = if trigger.family == FAMILY_IPV4 { 40 } else { 60 };
    if sock.0 != 0 {
        if let Some(flow) = FLOWS.get_ptr_mut(&sock.key()) {
            // SAFETY: entries stay readable for the run of a program.
            flow::tcp::sent(unsafe { &mut *flow }, 1, bytes, now());
            return 0;
        }
    }
    let mut tuple = trigger.tuple(Way::In, trigger.device_netns());
    flow::late::counted(&mut tuple, Way::Out, 1, bytes, now());
    0
}
