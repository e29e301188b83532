//! What the `kprobe` set attaches in place of raw tracepoints on kernels that have none: before 4.17.

use aya_ebpf::{EbpfContext as _, bindings::pt_regs, macros::kprobe, programs::ProbeContext};

use socket_common::kernel::tcp_state::{CLOSE, ESTABLISHED, SYN_SENT};

use crate::{
    flow,
    kernel::{now, read, sock::Sock},
    outlet,
};

/// `tcp_set_state(sk, state)`, if the state is this one. One program for all would need too much stack.
#[inline(always)]
fn state<const NEW: u8>(ctx: &ProbeContext) -> u32 {
    if ctx.arg::<u64>(1).unwrap_or(0) as u8 == NEW {
        let sock = Sock(ctx.arg::<usize>(0).unwrap_or(0));
        flow::tcp::state_changed(sock, sock.state(), NEW);
        outlet::flush(ctx);
    }
    0
}

/// `tcp_set_state(sk, TCP_SYN_SENT)`
#[kprobe]
#[inline(always)]
pub fn kprobe_opened(ctx: ProbeContext) -> u32 {
    state::<SYN_SENT>(&ctx)
}

/// `tcp_set_state(sk, TCP_ESTABLISHED)`
#[kprobe]
#[inline(always)]
pub fn kprobe_established(ctx: ProbeContext) -> u32 {
    state::<ESTABLISHED>(&ctx)
}

/// `tcp_set_state(sk, TCP_CLOSE)`
#[kprobe]
#[inline(always)]
pub fn kprobe_ended(ctx: ProbeContext) -> u32 {
    state::<CLOSE>(&ctx)
}

/// Where a function that has just been entered returns to.
#[inline(always)]
fn caller(ctx: &ProbeContext) -> u64 {
    let regs = ctx.as_ptr().cast::<pt_regs>();
    // SAFETY: the context of a kprobe program; the verifier checks the access.
    #[cfg(bpf_target_arch = "aarch64")]
    return unsafe { (*regs).regs[30] };
    // SAFETY: as above. The return address lies where the stack ends.
    #[cfg(not(bpf_target_arch = "aarch64"))]
    return read(unsafe { (*regs).rsp } as usize);
}

/// `kfree_skb(skb)`, from 5.17 on `kfree_skb_reason(skb, reason)`: a buffer is dropped. The receive path ends
/// here for packets that a timewait socket, or none, has dealt with.
#[kprobe]
#[inline(always)]
pub fn kprobe_dropped(ctx: ProbeContext) -> u32 {
    // Of all that is dropped hardly anything counts.
    if flow::late::is_orphan(caller(&ctx)) {
        flow::late::orphan(ctx.arg::<usize>(0).unwrap_or(0), now());
    }
    0
}
