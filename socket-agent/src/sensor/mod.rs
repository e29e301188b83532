//! What the kernel tells.

pub mod host;
