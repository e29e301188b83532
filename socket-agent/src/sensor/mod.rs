//! What the kernel tells.

pub mod dns;
pub mod ebpf;
pub mod host;
mod netns;
pub mod sockets;
mod source;
pub mod tracefs;

pub use ebpf::SensorError;
pub use source::{Event, Source};
