//! The `cgroup` set: only interfaces that the kernel keeps stable. Kernel 5.10 or newer.

use aya_ebpf::{
    macros::{cgroup_skb, cgroup_sock},
    programs::{SkBuffContext, SockContext},
};

use crate::{
    flow,
    kernel::{address, core_offsets as at, field, packet::Way, sock::Sock},
};

/// Let the packet, or the call, go on.
const ALLOW: i32 = 1;

#[inline(always)]
fn packet(ctx: &SkBuffContext, way: Way) -> i32 {
    let skb = address(ctx.skb.skb);
    // The kernel sets the full socket for the run of the program.
    flow::packet(skb, Sock(field(skb, at::sk_buff_sk())), way);
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
