//! What the kernel tells.

pub mod ebpf;
