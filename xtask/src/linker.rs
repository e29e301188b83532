//! bpf-linker, built against the LLVM of the eBPF compiler.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use crate::{apt, command, paths::Paths, pins::Pins, ui};

/// Finds the linker of the pinned version, or builds it.
pub(crate) fn ensure(paths: &Paths, pins: &Pins) -> Result<PathBuf> {
    let linker = paths.tool("bpf-linker");
    let (version, llvm) = (&pins.ebpf.bpf_linker, pins.ebpf.llvm);
    if is_version(&linker, version) {
        return Ok(linker);
    }
    let why = format!("bpf-linker is built against LLVM {llvm}");
    let prefix = PathBuf::from(format!("/usr/lib/llvm-{llvm}"));
    apt::install(paths, &pins.debian.libc, "a C compiler links what cargo builds")?;
    apt::install(paths, &pins.debian.llvm, &why)?;
    ui::install(&format!("bpf-linker {version}"), "it links the eBPF programs (about 2 minutes)");
    let mut cargo = command::cargo();
    cargo
        .args(["install", "bpf-linker", "--locked", "--force", "--no-default-features"])
        .args(["--version", version, "--features", &format!("llvm-{llvm}"), "--root"])
        .arg(paths.tools())
        .env("LLVM_PREFIX", prefix)
        .env_remove("CARGO_TARGET_DIR");
    command::run_logged(&mut cargo, &paths.log("bpf-linker")).context("build bpf-linker")?;
    Ok(linker)
}

/// Whether the tool runs and says that it has this version.
pub(crate) fn is_version(tool: &Path, version: &str) -> bool {
    let said = tool.is_file().then(|| command::output(command::foreign(tool).arg("--version")));
    said.and_then(Result::ok).is_some_and(|said| said.split_whitespace().nth(1) == Some(version))
}
