//! The compiler of the eBPF programs: the one that ci/toolchain.toml names, or else one with its LLVM.

mod attempts;
mod distribution;
mod machine;
mod order;
mod probe;
mod rustup;

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result, anyhow};

use self::{
    attempts::Attempts,
    machine::Host,
    order::{Machine as _, Wanted},
    probe::{Rejection, Verdict},
    rustup::Rustup,
};
use crate::{apt, command, paths::Paths, pins::Pins, ui};

/// A compiler that can build `core` for eBPF.
#[derive(Clone, Debug)]
pub(crate) struct Toolchain {
    cargo: PathBuf,
    rustc: PathBuf,
    /// Takes unstable options without being told to.
    nightly: bool,
    origin: Origin,
    /// Its version, such as `1.95.0`.
    release: String,
}

/// Origin of a compiler.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Origin {
    /// rustup, under this name.
    Rustup(String),
    /// A package of the distribution.
    Package,
}

// === impl Toolchain ===

impl Toolchain {
    /// Name for messages.
    pub(crate) fn name(&self) -> String {
        match &self.origin {
            Origin::Rustup(name) => format!("rustup's {name}"),
            Origin::Package => format!("Debian's {}", self.release),
        }
    }

    /// Its cargo, cut off from the toolchain that runs this program.
    pub(crate) fn cargo(&self) -> Command {
        self.configure(command::foreign(&self.cargo))
    }

    /// Whether the toolchain has clippy.
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

/// Finds the compiler, or installs what makes one, and tells which it is and why.
pub(crate) fn ensure(paths: &Paths, pins: &Pins) -> Result<Toolchain> {
    let (toolchain, why) = choose(paths, pins)?;
    ui::note(&format!("{} compiles the eBPF programs: {why}", toolchain.name()));
    Ok(toolchain)
}

fn choose(paths: &Paths, pins: &Pins) -> Result<(Toolchain, String)> {
    let (version, llvm) = (&pins.ebpf.compiler, pins.ebpf.llvm);
    order::choose(Wanted { version, llvm }, &mut Host::new(paths, pins)).map_err(|reasons| {
        anyhow!(
            "no compiler for eBPF, which needs LLVM {llvm} and the sources of core: run `rustup \
             toolchain install {version} --profile minimal --component rust-src`, or as root on \
             Debian `apt-get install --no-install-recommends {packages}`; none, since {reasons}",
            packages = pins.debian.rust.join(" "),
            reasons = reasons.join("; "),
        )
    })
}

/// A compiler that most people have, beside the one that is taken.
pub(crate) struct Other {
    /// Name of a folder for what it builds.
    pub(crate) name: &'static str,
    /// The compiler, or why it cannot be used, with what to do.
    pub(crate) toolchain: Result<Toolchain, String>,
}

/// The compilers that the programs have to be built by as well: the pinned one, Debian's and rustup's nightly,
/// without the one that [`ensure`] takes. Nothing is installed for them.
pub(crate) fn others(paths: &Paths, pins: &Pins) -> Result<Vec<Other>> {
    let (taken, _) = choose(paths, pins)?;
    let mut host = Host::new(paths, pins);
    let list = host.toolchains().unwrap_or_default();
    let of_rustup = |is_it: &dyn Fn(&str, &Verdict) -> bool| {
        let (name, verdict) = list
            .iter()
            .find(|(name, verdict)| is_it(name, verdict))
            .ok_or_else(|| "rustup has none".to_owned())?;
        verdict.clone().map_err(|rejection| match rejection {
            Rejection::NoSources { .. } => format!(
                "it {rejection}: `rustup component add rust-src --toolchain {name}` adds it"
            ),
            _ => format!("it {rejection}"),
        })
    };
    let packaged = host.packaged().map_err(|rejection| {
        let names = pins.debian.rust.join(" ");
        format!("/usr/bin/rustc {rejection}: `apt-get install --no-install-recommends {names}`")
    });
    let version = &pins.ebpf.compiler;
    let pinned =
        of_rustup(&|_, verdict| verdict.as_ref().is_ok_and(|found| found.release == *version));
    let nightly = of_rustup(&|name, _| name.starts_with("nightly"));
    Ok([("rustup-pinned", pinned), ("debian", packaged), ("rustup-nightly", nightly)]
        .into_iter()
        .filter(|(_, other)| !other.as_ref().is_ok_and(|other| other.rustc == taken.rustc))
        .map(|(name, toolchain)| Other { name, toolchain })
        .collect())
}

/// Lets what could not be fetched a short while ago be tried again.
pub(crate) fn try_again(paths: &Paths) {
    Attempts::of(paths).forget();
}

/// Installs the linter of a compiler, where there is one.
///
/// # Errors
/// It cannot be installed, or the compiler has no linter.
pub(crate) fn ensure_clippy(paths: &Paths, pins: &Pins, toolchain: &Toolchain) -> Result<()> {
    const WHY: &str = "the linter of the eBPF programs";
    if toolchain.has_clippy() {
        return Ok(());
    }
    match &toolchain.origin {
        Origin::Package => apt::install(paths, &pins.debian.clippy, WHY),
        Origin::Rustup(name) => {
            ui::install(&format!("clippy for rustup's {name}"), WHY);
            let rustup = Rustup::find().map_err(|reason| anyhow!(reason))?;
            rustup.add("clippy", name).context("add clippy")
        }
    }
}
