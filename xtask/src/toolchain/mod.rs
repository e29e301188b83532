//! The compiler of the eBPF programs: any that has the sources of `core` and the pinned LLVM.

mod distribution;
mod probe;
mod rustup;

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Result, bail};

use crate::{apt, command, paths::Paths, pins::Pins};

/// A compiler that can build `core` for eBPF.
#[derive(Debug)]
pub(crate) struct Toolchain {
    cargo: PathBuf,
    rustc: PathBuf,
    /// Takes unstable options without being told to.
    nightly: bool,
    /// Came from a Debian package.
    packaged: bool,
}

// === impl Toolchain ===

impl Toolchain {
    /// Its cargo, cut off from the toolchain that runs this program.
    pub(crate) fn cargo(&self) -> Command {
        self.configure(command::foreign(&self.cargo))
    }

    /// Whether it comes with the linter.
    fn has_clippy(&self) -> bool {
        ["cargo-clippy", "clippy-driver"].iter().all(|tool| self.dir().join(tool).is_file())
    }

    /// Its own linter, whatever else is in PATH; the first argument is the one cargo would give.
    pub(crate) fn clippy(&self) -> Command {
        let mut clippy = self.configure(command::foreign(self.dir().join("cargo-clippy")));
        clippy.arg("clippy");
        clippy
    }

    fn configure(&self, mut command: Command) -> Command {
        command.env("CARGO", &self.cargo).env("RUSTC", &self.rustc);
        if !self.nightly {
            command.env("RUSTC_BOOTSTRAP", "1");
        }
        command
    }

    fn dir(&self) -> &Path {
        self.cargo.parent().unwrap_or(Path::new("/"))
    }
}

/// Finds the compiler, or installs what makes one: a rustup toolchain that is complete comes before
/// the distribution's; where there is neither, packages come before changing a rustup toolchain.
pub(crate) fn ensure(paths: &Paths, pins: &Pins) -> Result<Toolchain> {
    let llvm = pins.ebpf.llvm;
    let rejected = match rustup::find(llvm) {
        Ok(toolchain) => return Ok(toolchain),
        Err(rejected) => rejected,
    };
    let unpackaged = match distribution::find(llvm) {
        Ok(toolchain) => return Ok(toolchain),
        Err(rejection) => rejection,
    };
    let mut reasons: Vec<String> =
        rejected.iter().map(|(name, rejection)| format!("rustup's {name} {rejection}")).collect();
    reasons.push(format!("/usr/bin/rustc {unpackaged}"));
    let reasons = reasons.join("; ");
    let error = match distribution::install(paths, pins, &reasons) {
        Ok(toolchain) => return Ok(toolchain),
        Err(error) => error,
    };
    match rustup::add_sources(&rejected, llvm) {
        Some(toolchain) => Ok(toolchain),
        None => bail!(
            "no compiler for eBPF, which needs LLVM {llvm} and the sources of core ({reasons}): \
             run `rustup toolchain install {name} --component rust-src`, or as root on Debian \
             `apt-get install --no-install-recommends {packages}` (tried: {error:#})",
            name = pins.ebpf.rustup_toolchain,
            packages = pins.debian.rust.join(" "),
        ),
    }
}

/// Installs the linter of a packaged compiler, where there is one.
///
/// # Errors
/// It cannot be installed, or the compiler has no linter.
pub(crate) fn ensure_clippy(paths: &Paths, pins: &Pins, toolchain: &Toolchain) -> Result<()> {
    if toolchain.has_clippy() {
        return Ok(());
    }
    if !toolchain.packaged {
        bail!("{} has no clippy: run `rustup component add clippy`", toolchain.dir().display());
    }
    apt::install(paths, &pins.debian.clippy, "the linter of the eBPF programs")
}
