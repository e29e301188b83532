//! Targets that programs are built for.

use std::{env, path::Path, process::Command};

use anyhow::{Context as _, Result, bail};

use crate::{apt, command, paths::Paths, pins::Pins, toolchain, ui};

/// A Rust target with glibc.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Target(String);

// === impl Target ===

impl Target {
    /// Target of the machine this runs on.
    pub(crate) fn host() -> Self {
        Self::of_arch(env::consts::ARCH)
    }

    /// By the name of a machine: Rust's, or for 32 bits of a PC `i386`.
    pub(crate) fn of_arch(arch: &str) -> Self {
        let arch = if ["i386", "x86"].contains(&arch) { "i686" } else { arch };
        Self(format!("{arch}-unknown-linux-gnu"))
    }

    /// By its name; only what ci/toolchain.toml has a compiler for.
    pub(crate) fn named(name: &str, pins: &Pins) -> Result<Self> {
        let target = Self(name.to_owned());
        if target == Self::host() || pins.debian.cross.contains_key(name) {
            return Ok(target);
        }
        let known: Vec<&str> = pins.debian.cross.keys().map(String::as_str).collect();
        bail!("unknown target {name}: ci/toolchain.toml has {}", known.join(", "))
    }

    pub(crate) fn name(&self) -> &str {
        &self.0
    }

    /// Whether the eBPF sets can be built: aya needs 64 bits.
    pub(super) fn has_ebpf(&self) -> bool {
        !self.0.starts_with("i686-")
    }

    /// The C compiler that links for it; `None` if that is this machine's own.
    pub(super) fn linker(&self) -> Option<String> {
        Some(format!("{}-linux-gnu-gcc", self.foreign_arch()?))
    }

    /// The architecture in its name; `None` if it is this machine's own.
    pub(super) fn foreign_arch(&self) -> Option<&str> {
        self.0.split('-').next().filter(|_| *self != Self::host())
    }

    /// Installs the C compiler and the static C library where they are missing.
    pub(super) fn ensure(&self, paths: &Paths, pins: &Pins) -> Result<()> {
        // A compiler that does not find the library prints the name back.
        let linker = self.linker();
        let mut compiler = Command::new(linker.as_deref().unwrap_or("cc"));
        let found = command::output(compiler.arg("-print-file-name=libc.a"));
        if !found.is_ok_and(|path| path.trim() != "libc.a") {
            let packages = linker.and_then(|_| pins.debian.cross.get(self.name()));
            let packages = packages.unwrap_or(&pins.debian.libc);
            apt::install(paths, packages, "the agent is linked statically")?;
        }
        Ok(())
    }

    /// Whether Rust's library for it is there for the compiler that runs this program.
    pub(crate) fn has_library(&self) -> Result<bool> {
        let rustc = env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
        let mut ask = Command::new(rustc);
        ask.args(["--print", "target-libdir", "--target", self.name()]);
        let sysroot_lib = command::output(&mut ask)
            .with_context(|| format!("the compiler does not know the target {}", self.name()))?;
        Ok(Path::new(sysroot_lib.trim()).is_dir())
    }

    /// A cargo that can build for it: the one that runs this program, if there is a library, or rustup
    /// fetches it; else that of the eBPF programs, which has the sources of the library.
    pub(super) fn cargo(&self, paths: &Paths, pins: &Pins) -> Result<Command> {
        let mut cargo = command::cargo();
        cargo.arg("build");
        if *self == Self::host() || self.has_library()? || self.fetch_library()? {
            return Ok(cargo);
        }
        ui::note(&format!("the library for {} is built from its sources", self.name()));
        let mut cargo = toolchain::ensure(paths, pins)?.cargo();
        cargo.args(["build", "-Zbuild-std=std,panic_abort"]);
        Ok(cargo)
    }

    /// Whether rustup gave the compiler the library.
    fn fetch_library(&self) -> Result<bool> {
        if command::find("rustup").is_none() {
            return Ok(false);
        }
        ui::install(&format!("rust-std for {}", self.name()), "the target was asked for");
        let mut rustup = Command::new("rustup");
        if let Err(error) = command::output(rustup.args(["target", "add", self.name()])) {
            ui::note(&format!("rustup cannot fetch it: {error:#}"));
            return Ok(false);
        }
        self.has_library()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_known_targets_are_taken() {
        let pins = Pins::read(&Paths::find().unwrap()).unwrap();
        for arch in ["aarch64", "i386"] {
            let target = Target::of_arch(arch);
            assert_eq!(Target::named(target.name(), &pins).unwrap(), target);
        }
        assert_eq!(Target::named(Target::host().name(), &pins).unwrap(), Target::host());
        let error = Target::named("mips-unknown-linux-gnu", &pins).unwrap_err().to_string();
        assert!(error.contains("aarch64-unknown-linux-gnu, i686-unknown-linux-gnu"), "{error}");
    }

    #[test]
    fn each_target_has_a_linker_and_64_bits_have_ebpf() {
        assert_eq!(Target::host().linker(), None);
        let i386 = Target::of_arch("i386");
        assert_eq!(i386.linker().as_deref(), Some("i686-linux-gnu-gcc"));
        assert!(!i386.has_ebpf());
        assert!(Target::of_arch("aarch64").has_ebpf());
    }
}
