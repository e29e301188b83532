//! The `cgroup` set: only interfaces that the kernel keeps stable. Kernel 5.10 or newer.

use aya_ebpf::{
    bindings::{
        BPF_SOCK_OPS_ACTIVE_ESTABLISHED_CB, BPF_SOCK_OPS_PASSIVE_ESTABLISHED_CB,
        BPF_SOCK_OPS_STATE_CB, BPF_SOCK_OPS_STATE_CB_FLAG, BPF_SOCK_OPS_TCP_CONNECT_CB,
        BPF_SOCK_OPS_TCP_LISTEN_CB,
    },
    macros::{cgroup_skb, cgroup_sock, sock_ops},
    programs::{SkBuffContext, SockContext, SockOpsContext},
};
use socket_common::{
    CopiedHook, ESTABLISHED,
    kernel::{
        is_inet,
        tcp_state::{CLOSE, LISTEN, SYN_SENT},
    },
    rules::Way,
};

use super::copies;
use crate::{
    dns, flow,
    kernel::{address, packet::Packet, sock::Sock},
};

/// Let the packet, or the call, go on.
const ALLOW: i32 = 1;

/// Value that the kernel takes for no answer.
const NO_ANSWER: u32 = u32::MAX;

#[inline(always)]
fn packet(ctx: &SkBuffContext, way: Way) -> i32 {
    let buffer = ctx.skb.skb;
    // SAFETY: the context of this run; the kernel sets the full socket for it.
    let sock = unsafe { (*buffer).__bindgen_anon_2.sk };
    // SAFETY: the kernel checks the pointer that was not null.
    if sock.is_null() || !is_inet(unsafe { (*sock).family } as u16) {
        return ALLOW;
    }
    let sock = Sock(address(sock));
    let mut packet = match Packet::shown(buffer, way) {
        Some(packet) => packet,
        None => match Packet::of(address(buffer), way) {
            Some(packet) => packet,
            None => return ALLOW,
        },
    };
    if let Some(flow) = flow::of_socket(&mut packet, sock, way) {
        dns::packet(ctx, &packet, flow, way);
    }
    ALLOW
}

#[cgroup_skb]
#[inline(always)]
pub fn cgroup_egress(ctx: SkBuffContext) -> i32 {
    packet(&ctx, Way::Out)
}

#[cgroup_skb]
#[inline(always)]
pub fn cgroup_ingress(ctx: SkBuffContext) -> i32 {
    packet(&ctx, Way::In)
}

#[inline(always)]
fn bound(ctx: &SockContext) -> i32 {
    let sock = Sock(address(ctx.sock));
    if sock.protocol() == socket_common::PROTO_UDP as u16 {
        flow::udp::bound(sock);
    }
    ALLOW
}

#[cgroup_sock(post_bind4)]
#[inline(always)]
pub fn cgroup_bind4(ctx: SockContext) -> i32 {
    bound(&ctx)
}

#[cgroup_sock(post_bind6)]
#[inline(always)]
pub fn cgroup_bind6(ctx: SockContext) -> i32 {
    bound(&ctx)
}

#[cgroup_sock(sock_release)]
#[inline(always)]
pub fn cgroup_release(ctx: SockContext) -> i32 {
    let sock = Sock(address(ctx.sock));
    if sock.protocol() == socket_common::PROTO_UDP as u16 {
        flow::udp::closed(sock);
    }
    ALLOW
}

/// A TCP socket begins to connect or to listen, behind the tracepoint, or changes state, ahead of it. Never
/// skipped. Only sockets that connect, listen or are accepted while it is there are shown in other changes.
#[sock_ops]
#[inline(always)]
pub fn cgroup_state(ctx: SockOpsContext) -> u32 {
    let op = ctx.op();
    match op {
        BPF_SOCK_OPS_TCP_CONNECT_CB
        | BPF_SOCK_OPS_ACTIVE_ESTABLISHED_CB
        | BPF_SOCK_OPS_PASSIVE_ESTABLISHED_CB
        | BPF_SOCK_OPS_TCP_LISTEN_CB => {
            let flags = ctx.cb_flags() | BPF_SOCK_OPS_STATE_CB_FLAG;
            let _ = ctx.set_cb_flags(flags as i32);
        }
        BPF_SOCK_OPS_STATE_CB => {}
        _ => {
            ctx.set_reply(NO_ANSWER);
            return ALLOW as u32;
        }
    }
    if op == BPF_SOCK_OPS_PASSIVE_ESTABLISHED_CB {
        copies::child(ESTABLISHED);
    }
    // SAFETY: the context of this run; the kernel sets the full socket for it.
    let sock = unsafe { (*ctx.ops).__bindgen_anon_2.sk };
    if sock.is_null() {
        return ALLOW as u32;
    }
    let sock = Sock(address(sock));
    let (old, new) = match op {
        BPF_SOCK_OPS_STATE_CB => (ctx.arg(0) as u8, ctx.arg(1) as u8),
        BPF_SOCK_OPS_TCP_CONNECT_CB => (CLOSE, SYN_SENT),
        BPF_SOCK_OPS_TCP_LISTEN_CB => (CLOSE, LISTEN),
        _ => return ALLOW as u32,
    };
    let turn = if op == BPF_SOCK_OPS_STATE_CB {
        copies::ahead_has_turn(CopiedHook::State, copies::change(sock, old, new))
    } else {
        // Behind the tracepoint.
        flow::tcp::has_missed(sock, new) && copies::recovered_later(CopiedHook::State)
    };
    if turn {
        flow::tcp::state_changed(sock, old, new);
    }
    ALLOW as u32
}
