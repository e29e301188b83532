//! Sensors: eBPF programs or probes of the kernel, and the facts that they report.

mod btf;
pub mod dns;
#[cfg(feature = "ebpf")]
pub mod ebpf;
#[cfg(not(feature = "ebpf"))]
#[path = "no_ebpf.rs"]
pub mod ebpf;
mod error;
pub mod host;
mod metrics;
mod options;
mod perf;
mod reach;
mod self_test;
pub mod sockets;
mod source;
pub mod tracefs;

pub use self::metrics::METRICS;
pub use error::{Degraded, SensorError};
pub use options::{
    DnsConfig, DnsType, HookSet, RecordBuffer, SocketConfig, SocketEvents, Tables, TracefsConfig,
};
pub use reach::HostNetworks;
pub use self_test::{Outcome, SelfTest};
pub use source::{Event, Halves, Records, Source};
