//! What the eBPF programs and the agent say to each other.
//!
//! Every type here is `#[repr(C)]`, has no padding that is not named, and holds plain integers in
//! host byte order unless its docs say otherwise. Times are nanoseconds of the kernel's boottime
//! clock. [`rules`] is how both sides change them.
#![no_std]

#[cfg(test)]
extern crate std;

mod counter;
mod dns;
mod event;
mod flow;
pub mod kernel;
#[cfg(feature = "user")]
mod metrics;
pub mod rules;
mod settings;

#[cfg(feature = "user")]
pub use self::metrics::METRICS;
pub use counter::{COUNTERS, Counter};
pub use dns::{DNS_CAPACITY, DNS_PORT, DnsEvent};
pub use event::{
    ARGS_MAX, DATA_MAX, ExecEvent, ExitEvent, FlowEvent, ForkEvent, Header, LateEvent, NAME_MAX,
    NAMES_MAX, SocketEvent, kind, whole,
};
pub use flow::{
    Began, FLAG_EXISTING, FLAG_HANDSHAKE, FLAG_HAS_PEERS, Flow, Late, MOST_SUBFLOWS, Owner,
    PeerKey, Pending, Rank, SAMPLES, Sample, SocketOwner, SubflowWalk, Tcp, Traffic, Tuple,
};
pub use settings::{
    BEGUN, COPIED_HOOKS, CopiedHook, ESTABLISHED, HOOKS_COPIED, REPLIES_HIDDEN, REPORT_CONNECTIONS,
    REPORT_LISTENERS, SUBSTITUTES, Settings,
};

/// Address family in [`Tuple::family`]: IPv4 (also for IPv4-mapped IPv6 sockets).
pub const FAMILY_IPV4: u8 = 4;
/// Address family in [`Tuple::family`]: IPv6.
pub const FAMILY_IPV6: u8 = 6;
/// `IPPROTO_TCP`.
pub const PROTO_TCP: u8 = 6;
/// `IPPROTO_UDP`.
pub const PROTO_UDP: u8 = 17;
