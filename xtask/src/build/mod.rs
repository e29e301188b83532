//! The eBPF object and the programs of user space.

pub(crate) mod ebpf;
mod userspace;

use anyhow::Result;

pub(crate) use self::userspace::{Programs, ensure_libc};
use crate::{paths::Paths, pins::Pins};

/// Builds the object, then the programs that embed it.
pub(crate) fn all(paths: &Paths, pins: &Pins, profile: &str) -> Result<Programs> {
    ebpf::object(paths, pins)?;
    userspace::programs(paths, pins, profile)
}
