//! The `cgroup` set: only interfaces that the kernel keeps stable. Kernel 5.10 or newer.

use aya_ebpf::{
    macros::{cgroup_skb, cgroup_sock},
    programs::{SkBuffContext, SockContext},
};

use crate::{
    dns, flow,
    kernel::{
        address,
        packet::{Packet, Way},
        sock::{Sock, is_inet},
    },
};

/// Let the packet, or the call, go on.
const ALLOW: i32 = 1;

#[inline(always)]
fn packet(ctx: &SkBuffContext, way: Way) -> i32 {
    let buffer = ctx.skb.skb;
    // SAFETY: the context of this run; the kernel sets the full socket for it.
    let sock = unsafe { (*buffer).__bindgen_anon_2.sk };
    // SAFETY: the kernel checks the pointer that was not null.
    if sock.is_null() || !is_inet(unsafe { (*sock).family }) {
        return ALLOW;
    }
    let sock = Sock(address(sock));
    let packet = match Packet::shown(buffer, way) {
        Some(packet) => packet,
        None => match Packet::of(address(buffer), way) {
            Some(packet) => packet,
            None => return ALLOW,
        },
    };
    if let Some(flow) = flow::of_socket(&packet, sock, way) {
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
