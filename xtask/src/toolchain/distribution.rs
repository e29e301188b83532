//! The compiler that the distribution packages, with its sources in its own sysroot.

use std::path::Path;

use anyhow::{Result, anyhow};

use super::{
    Toolchain,
    probe::{Rejection, probe},
};
use crate::{apt, paths::Paths, pins::Pins};

/// Looks where packages install, not in PATH: rustup's programs come first there.
pub(super) fn find(llvm: u32) -> Result<Toolchain, Rejection> {
    probe(Path::new("/usr/bin/cargo"), Path::new("/usr/bin/rustc"), true, llvm)
}

/// Installs the packages; `reasons` says why what is there will not do.
pub(super) fn install(paths: &Paths, pins: &Pins, reasons: &str) -> Result<Toolchain> {
    let why = format!("a compiler for eBPF, since {reasons}");
    apt::install(paths, &pins.debian.rust, &why)?;
    find(pins.ebpf.llvm).map_err(|rejection| anyhow!("the packaged compiler {rejection}"))
}
