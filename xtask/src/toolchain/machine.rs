//! The machine that this runs on, as the choice of a compiler sees it.

use anyhow::{Context as _, bail};

use super::{attempts::Attempts, distribution, order::Machine, probe::Verdict, rustup::Rustup};
use crate::{apt, command, paths::Paths, pins::Pins, ui};

/// Facts about this machine.
pub(super) struct Host<'a> {
    paths: &'a Paths,
    pins: &'a Pins,
    attempts: Attempts,
}

// === impl Host ===

impl<'a> Host<'a> {
    pub(super) fn new(paths: &'a Paths, pins: &'a Pins) -> Self {
        Self { paths, pins, attempts: Attempts::of(paths) }
    }

    fn offered_llvm(&self) -> Option<u32> {
        // The first of the packages is the compiler, the others are of the same version.
        self.pins.debian.rust.first().and_then(|package| distribution::offered(package))
    }
}

impl Machine for Host<'_> {
    fn toolchains(&mut self) -> Result<Vec<(String, Verdict)>, String> {
        let ebpf = &self.pins.ebpf;
        Rustup::find().map(|rustup| rustup.toolchains(&ebpf.compiler, ebpf.llvm))
    }

    fn fetch(&mut self, version: &str) -> Result<(), String> {
        let rustup = Rustup::find()?;
        self.attempts.once(&format!("rustup-{version}"), || {
            ui::install(
                &format!("rustup's {version} with rust-src"),
                "it compiles the eBPF programs (about 1 minute)",
            );
            rustup.fetch(version)
        })
    }

    fn add_sources(&mut self, name: &str) -> Result<(), String> {
        let rustup = Rustup::find()?;
        self.attempts.once(&format!("rust-src-{name}"), || {
            ui::install(
                &format!("rust-src for rustup's {name}"),
                "the eBPF programs need a core of their own",
            );
            rustup.add("rust-src", name)
        })
    }

    fn packaged(&mut self) -> Verdict {
        distribution::find(self.pins.ebpf.llvm)
    }

    fn offered(&mut self) -> Result<Option<u32>, String> {
        if command::find("apt-cache").is_none() {
            return Err("there is no apt".to_owned());
        }
        Ok(self.offered_llvm())
    }

    fn refresh(&mut self) -> Result<(), String> {
        if !command::is_root() {
            return Err("as root, `apt-get update` might find another".to_owned());
        }
        let llvm = self.pins.ebpf.llvm;
        self.attempts.once("package-lists", || {
            apt::refresh(self.paths, &format!("they know no compiler of LLVM {llvm}"))?;
            if self.offered_llvm() != Some(llvm) {
                bail!("its lists are new");
            }
            Ok(())
        })
    }

    fn install(&mut self) -> Result<Vec<String>, String> {
        let packages = &self.pins.debian.rust;
        if !command::is_root() {
            let names = packages.join(" ");
            return Err(format!(
                "Debian's compiler takes `sudo apt-get install --no-install-recommends {names}`"
            ));
        }
        self.attempts.once("packages", || {
            apt::upgrade(self.paths, packages, "they compile the eBPF programs")
                .context("Debian's compiler cannot be installed")
        })
    }

    fn note(&mut self, text: &str) {
        ui::note(text);
    }
}
