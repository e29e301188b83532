//! What the kernel tells.

pub mod dns;
pub mod ebpf;
pub mod host;
pub mod sockets;
mod source;
pub mod tracefs;

pub use ebpf::SensorError;
pub use source::{Event, Source};
