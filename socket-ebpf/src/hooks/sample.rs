//! Run by the agent when it reports open flows (`BPF_PROG_TEST_RUN`), never attached. Kernel 5.10.

use aya_ebpf::{macros::raw_tracepoint, programs::RawTracePointContext};

use crate::{flow, kernel::sock::Sock, maps::SAMPLED};

/// (sock, ...): four addresses of `struct sock`, or 0.
#[raw_tracepoint]
#[inline(always)]
pub fn sample(ctx: RawTracePointContext) -> i32 {
    let Some(samples) = SAMPLED.get_ptr_mut(0) else { return 0 };
    // SAFETY: a valid element; the agent runs the program once at a time.
    let samples = unsafe { &mut *samples };
    macro_rules! take {
        ($($n:literal)*) => {
            $(flow::sample::take(Sock(ctx.arg::<u64>($n) as usize), &mut samples[$n]);)*
        };
    }
    take!(0 1 2 3);
    0
}
