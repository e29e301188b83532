//! Settings that the agent gives the programs, in a one-element array.

#[cfg(feature = "user")]
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// Bit of [`Settings::features`]: replies that the kernel sends without a socket (resets, TIME_WAIT
/// acknowledgements) carry the socket they answer for and pass no cgroup program (6.13).
pub const REPLIES_HIDDEN: u32 = 2;

/// Bit of [`Settings::features`]: listeners and bound UDP sockets that come and go are reported.
pub const REPORT_LISTENERS: u32 = 4;
/// Bit of [`Settings::features`]: TCP connections that come and go are reported.
pub const REPORT_CONNECTIONS: u32 = 8;

/// Bit of [`Settings::features`]: a task may be put aside in the midst of a tracepoint program, and another
/// that comes to the same program on that CPU meanwhile is skipped (7.0). Hooks are there twice then.
pub const HOOKS_COPIED: u32 = 16;

/// Hooks whose copies record what they have handled, where [`HOOKS_COPIED`] is set.
#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CopiedHook {
    /// `inet_sock_set_state`.
    State = 0,
    /// `kfree_skb`.
    Dropped = 1,
    /// `tcp_send_reset`.
    Reset = 2,
    /// `sched_process_exec`.
    Exec = 3,
    /// `sched_process_fork`.
    Fork = 4,
    /// `sched_process_exit`.
    Exit = 5,
}

/// Number of [`CopiedHook`]s; no more than the alignment of what hooks are shown.
pub const COPIED_HOOKS: u32 = 6;

/// Number of programs that may substitute the first copy of a hook: the second copy, the last, and a program of another kind.
pub const SUBSTITUTES: u32 = 3;

/// Index behind those of substitutes: connections from a listener whose beginning a copy was shown.
pub const BEGUN: u32 = SUBSTITUTES * COPIED_HOOKS;
/// Index behind [`BEGUN`]: connections from a listener that came to be established. Of those whose beginning all
/// copies were skipped for nothing is missing: that tells nothing yet.
pub const ESTABLISHED: u32 = BEGUN + 1;

/// Settings of the kernel side.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
#[cfg_attr(feature = "user", derive(FromBytes, IntoBytes, KnownLayout, Immutable))]
pub struct Settings {
    /// Pause after which [`Flow::resumed`](crate::Flow::resumed) is set, nanoseconds.
    pub idle_ns: u64,
    /// Nanoseconds that the boottime clock is ahead of the monotonic clock. Only programs for kernels that
    /// give no other than the latter (before 5.8) read it.
    pub boottime_ahead: u64,
    /// Address range of `tcp_v4_rcv`; zero if unknown.
    pub tcp_v4_rcv: [u64; 2],
    /// Address range of `tcp_v6_rcv`; zero if unknown.
    pub tcp_v6_rcv: [u64; 2],
    /// `FEATURE_*` bits.
    pub features: u32,
    /// 0 switches IPv6 off.
    pub ipv6: u32,
    /// Bytes of a DNS packet that are handed over, from its network header on; 0 for none.
    pub dns_snaplen: u32,
    /// Zero.
    pub reserved: u32,
}
