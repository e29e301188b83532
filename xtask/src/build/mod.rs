//! The eBPF objects and the programs of user space.

pub(crate) mod ebpf;
mod target;
mod userspace;

use anyhow::{Result, ensure};

pub(crate) use self::{target::Target, userspace::Programs};
use crate::{paths::Paths, pins::Pins};

/// Builds the objects, then the programs that embed them, for this machine.
pub(crate) fn all(paths: &Paths, pins: &Pins, profile: &str) -> Result<Programs> {
    for_target(paths, pins, &Target::host(), profile)
}

/// As [`all`], for a target.
pub(crate) fn for_target(
    paths: &Paths,
    pins: &Pins,
    target: &Target,
    profile: &str,
) -> Result<Programs> {
    with(paths, pins, target, profile, false)
}

/// As [`for_target`], if `log` with eBPF programs that log.
///
/// # Errors
/// There are no eBPF programs for the target.
pub(crate) fn with(
    paths: &Paths,
    pins: &Pins,
    target: &Target,
    profile: &str,
    log: bool,
) -> Result<Programs> {
    ensure!(
        target.has_ebpf() || !log,
        "--ebpf-log: an agent for {} has no eBPF programs that could log; leave it out",
        target.name()
    );
    if log {
        ebpf::log_objects(paths, pins, target.foreign_arch())?;
    } else if target.has_ebpf() {
        ebpf::objects(paths, pins, target.foreign_arch())?;
    }
    userspace::programs(paths, pins, target, profile, log)
}

/// Installs the C compiler and the static C library of this machine where they are missing.
pub(crate) fn ensure_libc(paths: &Paths, pins: &Pins) -> Result<()> {
    Target::host().ensure(paths, pins)
}
