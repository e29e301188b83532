//! The `kprobe` set: any kernel with kprobes and eBPF.

use aya_ebpf::{
    macros::{kprobe, kretprobe},
    programs::{ProbeContext, RetProbeContext},
};
use socket_common::{PROTO_TCP, Rank, rules::Way};

use crate::{
    flow,
    kernel::{core_offsets as at, field, sock::Sock, task::Task},
    outlet,
};

#[inline(always)]
fn argument(ctx: &ProbeContext, n: usize) -> usize {
    ctx.arg::<usize>(n).unwrap_or(0)
}

#[inline(always)]
fn output(ctx: &ProbeContext) -> u32 {
    let skb = argument(ctx, 2);
    // Replies for a socket that is gone may have only a sender; forwarded packets have neither.
    let own: usize = field(skb, at::sk_buff_sk());
    let sock = if own != 0 { own } else { argument(ctx, 1) };
    if sock != 0 {
        flow::packet(skb, Sock(sock), Way::Out);
    }
    0
}

/// `ip_output(net, sk, skb)`
#[kprobe]
#[inline(always)]
pub fn kprobe_output4(ctx: ProbeContext) -> u32 {
    output(&ctx)
}

/// `ip_mc_output(net, sk, skb)`: multicast and broadcast.
#[kprobe]
#[inline(always)]
pub fn kprobe_output4_multi(ctx: ProbeContext) -> u32 {
    output(&ctx)
}

/// `ip6_output(net, sk, skb)`
#[kprobe]
#[inline(always)]
pub fn kprobe_output6(ctx: ProbeContext) -> u32 {
    output(&ctx)
}

/// `sk_filter_trim_cap(sk, skb, cap)`
#[kprobe]
#[inline(always)]
pub fn kprobe_input(ctx: ProbeContext) -> u32 {
    flow::packet(argument(&ctx, 1), Sock(argument(&ctx, 0)), Way::In);
    0
}

/// `tcp_set_state(sk, state)`
#[cfg(not(feature = "perf"))]
#[kprobe]
#[inline(always)]
pub fn kprobe_state(ctx: ProbeContext) -> u32 {
    let sock = Sock(argument(&ctx, 0));
    flow::tcp::state_changed(sock, sock.state(), argument(&ctx, 1) as u8);
    0
}

/// `inet_csk_listen_start(sk, ...)`: listeners change state without `tcp_set_state`.
#[kprobe]
#[inline(always)]
pub fn kprobe_listen(ctx: ProbeContext) -> u32 {
    let sock = Sock(argument(&ctx, 0));
    if sock.is_inet() && sock.protocol() == PROTO_TCP as u16 {
        flow::owner::remember(
            sock,
            Task::current(),
            PROTO_TCP,
            Rank::Listener,
            flow::owner::Seen::Coming,
        );
    }
    outlet::flush(&ctx);
    0
}

/// `inet_csk_accept` returns the accepted socket.
#[kretprobe]
#[inline(always)]
pub fn kretprobe_accept(ctx: RetProbeContext) -> u32 {
    let sock = ctx.ret::<usize>();
    if sock != 0 {
        flow::owner::touched(Sock(sock), Rank::Opener);
    }
    0
}

/// `tcp_rcv_space_adjust(sk)`: data was copied to the receiver, in its own context.
#[kprobe]
#[inline(always)]
pub fn kprobe_tcp_received(ctx: ProbeContext) -> u32 {
    flow::owner::touched(Sock(argument(&ctx, 0)), Rank::FirstIo);
    0
}

/// `udp_recvmsg(sk, ...)`, `udpv6_recvmsg(sk, ...)`
#[kprobe]
#[inline(always)]
pub fn kprobe_udp_received(ctx: ProbeContext) -> u32 {
    flow::owner::touched(Sock(argument(&ctx, 0)), Rank::FirstIo);
    0
}

/// `udp_v4_get_port(sk, snum)`, `udp_v6_get_port(sk, snum)`
#[kprobe]
#[inline(always)]
pub fn kprobe_bind(ctx: ProbeContext) -> u32 {
    flow::udp::binding(Sock(argument(&ctx, 0)));
    0
}

/// `udp_destroy_sock(sk)`, `udpv6_destroy_sock(sk)`
#[kprobe]
#[inline(always)]
pub fn kprobe_closed(ctx: ProbeContext) -> u32 {
    flow::udp::closed(Sock(argument(&ctx, 0)));
    outlet::flush(&ctx);
    0
}
