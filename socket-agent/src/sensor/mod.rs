//! What the kernel tells.

pub mod ebpf;
pub mod host;
