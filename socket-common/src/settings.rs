//! What the agent tells the programs, in a one-element array.

/// Bit of [`Settings::features`]: `bpf_ktime_get_boot_ns` exists (5.8).
pub const FEATURE_BOOTTIME: u32 = 1;
/// Bit of [`Settings::features`]: replies that the kernel sends without a socket (resets, TIME_WAIT
/// acknowledgements) carry the socket they answer for and pass no cgroup program (6.13).
pub const REPLIES_HIDDEN: u32 = 2;

/// Bit of [`Settings::features`]: listeners and bound UDP sockets that come and go are told.
pub const TELL_LISTENERS: u32 = 4;
/// Bit of [`Settings::features`]: TCP connections that come and go are told.
pub const TELL_CONNECTIONS: u32 = 8;

/// Settings of the kernel side.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct Settings {
    /// Pause after which [`Flow::resumed`](crate::Flow::resumed) is set, nanoseconds.
    pub idle_ns: u64,
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
