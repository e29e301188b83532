//! The `fentry` set: BTF trampolines. Kernel 5.5 (x86_64), 6.4 (arm64).

use aya_ebpf::{
    macros::{fentry, fexit},
    programs::{FEntryContext, FExitContext},
};
use socket_common::{Rank, rules::Way};

use crate::{
    flow,
    kernel::{address, core_offsets as at, field, sock::Sock},
};

macro_rules! argument {
    ($ctx:expr, $n:expr) => {
        address($ctx.arg::<*const u8>($n))
    };
}

#[inline(always)]
fn output(skb: usize, sender: usize) -> i32 {
    // Replies for a socket that is gone may have only a sender; forwarded packets have neither.
    let own: usize = field(skb, at::sk_buff_sk());
    let sock = if own != 0 { own } else { sender };
    if sock != 0 {
        flow::packet(skb, Sock(sock), Way::Out);
    }
    0
}

/// (net, sk, skb)
#[fentry(function = "ip_output")]
#[inline(always)]
pub fn fentry_output4(ctx: FEntryContext) -> i32 {
    output(argument!(ctx, 2), argument!(ctx, 1))
}

/// (net, sk, skb): multicast and broadcast.
#[fentry(function = "ip_mc_output")]
#[inline(always)]
pub fn fentry_output4_multi(ctx: FEntryContext) -> i32 {
    output(argument!(ctx, 2), argument!(ctx, 1))
}

/// (net, sk, skb)
#[fentry(function = "ip6_output")]
#[inline(always)]
pub fn fentry_output6(ctx: FEntryContext) -> i32 {
    output(argument!(ctx, 2), argument!(ctx, 1))
}

/// (sk, skb, cap)
#[fentry(function = "sk_filter_trim_cap")]
#[inline(always)]
pub fn fentry_input(ctx: FEntryContext) -> i32 {
    flow::packet(argument!(ctx, 1), Sock(argument!(ctx, 0)), Way::In);
    0
}

/// Returns the accepted socket. The arguments changed in 6.10; the kernel's own count of them
/// decides where the result stands, so the agent picks between this and the older form.
#[fexit(function = "inet_csk_accept")]
#[inline(always)]
pub fn fexit_accept(ctx: FExitContext) -> i32 {
    accepted(argument!(ctx, 2))
}

/// (sk, flags, err, kern) before 6.10.
#[fexit(function = "inet_csk_accept")]
#[inline(always)]
pub fn fexit_accept_4(ctx: FExitContext) -> i32 {
    accepted(argument!(ctx, 4))
}

#[inline(always)]
fn accepted(sock: usize) -> i32 {
    if sock != 0 {
        flow::owner::touched(Sock(sock), Rank::Opener);
    }
    0
}

/// (sk, snum)
#[fentry(function = "udp_v4_get_port")]
#[inline(always)]
pub fn fentry_bind4(ctx: FEntryContext) -> i32 {
    bind(argument!(ctx, 0))
}

/// (sk, snum)
#[fentry(function = "udp_v6_get_port")]
#[inline(always)]
pub fn fentry_bind6(ctx: FEntryContext) -> i32 {
    bind(argument!(ctx, 0))
}

/// (sk, ...)
#[fentry(function = "udp_recvmsg")]
#[inline(always)]
pub fn fentry_received4(ctx: FEntryContext) -> i32 {
    received(argument!(ctx, 0))
}

/// (sk, ...)
#[fentry(function = "udpv6_recvmsg")]
#[inline(always)]
pub fn fentry_received6(ctx: FEntryContext) -> i32 {
    received(argument!(ctx, 0))
}

/// (sk)
#[fentry(function = "udp_destroy_sock")]
#[inline(always)]
pub fn fentry_closed4(ctx: FEntryContext) -> i32 {
    closed(argument!(ctx, 0))
}

/// (sk)
#[fentry(function = "udpv6_destroy_sock")]
#[inline(always)]
pub fn fentry_closed6(ctx: FEntryContext) -> i32 {
    closed(argument!(ctx, 0))
}

#[inline(always)]
fn bind(sock: usize) -> i32 {
    flow::udp::binding(Sock(sock));
    0
}

#[inline(always)]
fn received(sock: usize) -> i32 {
    flow::owner::touched(Sock(sock), Rank::FirstIo);
    0
}

#[inline(always)]
fn closed(sock: usize) -> i32 {
    flow::udp::closed(Sock(sock));
    0
}

/// As [`fexit_accept`]. To be seen twice changes nothing.
#[fexit(function = "inet_csk_accept")]
#[inline(always)]
pub fn fexit_accept_again(ctx: FExitContext) -> i32 {
    accepted(argument!(ctx, 2))
}

/// As [`fexit_accept_4`]. To be seen twice changes nothing.
#[fexit(function = "inet_csk_accept")]
#[inline(always)]
pub fn fexit_accept_4_again(ctx: FExitContext) -> i32 {
    accepted(argument!(ctx, 4))
}

/// As [`fentry_bind4`]. To be seen twice changes nothing.
#[fentry(function = "udp_v4_get_port")]
#[inline(always)]
pub fn fentry_bind4_again(ctx: FEntryContext) -> i32 {
    bind(argument!(ctx, 0))
}

/// As [`fentry_bind6`]. To be seen twice changes nothing.
#[fentry(function = "udp_v6_get_port")]
#[inline(always)]
pub fn fentry_bind6_again(ctx: FEntryContext) -> i32 {
    bind(argument!(ctx, 0))
}

/// As [`fentry_received4`]. To be seen twice changes nothing.
#[fentry(function = "udp_recvmsg")]
#[inline(always)]
pub fn fentry_received4_again(ctx: FEntryContext) -> i32 {
    received(argument!(ctx, 0))
}

/// As [`fentry_received6`]. To be seen twice changes nothing.
#[fentry(function = "udpv6_recvmsg")]
#[inline(always)]
pub fn fentry_received6_again(ctx: FEntryContext) -> i32 {
    received(argument!(ctx, 0))
}

/// As [`fentry_closed4`]. To be seen twice changes nothing.
#[fentry(function = "udp_destroy_sock")]
#[inline(always)]
pub fn fentry_closed4_again(ctx: FEntryContext) -> i32 {
    closed(argument!(ctx, 0))
}

/// As [`fentry_closed6`]. To be seen twice changes nothing.
#[fentry(function = "udpv6_destroy_sock")]
#[inline(always)]
pub fn fentry_closed6_again(ctx: FEntryContext) -> i32 {
    closed(argument!(ctx, 0))
}
