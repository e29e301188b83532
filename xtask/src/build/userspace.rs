//! The agent, the test runner and the first process of virtual machines, linked statically: they
//! run on any distribution, and from a bare initramfs.

use std::path::PathBuf;

use anyhow::{Context as _, Result};

use super::Target;
use crate::{command, paths::Paths, pins::Pins};

/// The built programs.
#[derive(Clone)]
pub(crate) struct Programs {
    pub(crate) agent: PathBuf,
    pub(crate) scenarios: PathBuf,
    pub(crate) init: PathBuf,
}

/// Builds the programs with a profile of the workspace, if `log` with eBPF programs that log.
pub(super) fn programs(
    paths: &Paths,
    pins: &Pins,
    target: &Target,
    profile: &str,
    log: bool,
) -> Result<Programs> {
    target.ensure(paths, pins)?;
    let mut flags = "-Ctarget-feature=+crt-static".to_owned();
    if let Some(linker) = target.linker() {
        flags.push_str(&format!("\x1f-Clinker={linker}"));
    }
    let mut cargo = target.cargo(paths, pins)?;
    // Naming the target, even if it is the host, keeps the static flags from build scripts.
    cargo
        .args(["--profile", profile, "--target", target.name()])
        .args(["--package", "socket-agent", "--package", "scenarios", "--package", "vm-init"])
        .current_dir(paths.root())
        .env("CARGO_TARGET_DIR", paths.target())
        .env("CARGO_ENCODED_RUSTFLAGS", flags);
    let arch = target.foreign_arch();
    if log {
        cargo.args(["--features", "socket-agent/ebpf-log"]);
        cargo.env("SOCKET_EBPF_OBJECT", paths.log_object(arch));
    } else if arch.is_some() {
        cargo.env("SOCKET_EBPF_OBJECT", paths.object(arch));
    }
    if arch.is_some() {
        cargo.env("SOCKET_EBPF_EARLY_OBJECT", paths.early_object(arch));
    }
    if !target.has_ebpf() {
        cargo.arg("--no-default-features");
    }
    command::run(&mut cargo).context("build the agent and the test runner")?;
    let folder = if profile == "dev" { "debug" } else { profile };
    let dir = paths.target().join(target.name()).join(folder);
    Ok(Programs {
        agent: dir.join("socket-agent"),
        scenarios: dir.join("scenarios"),
        init: dir.join("vm-init"),
    })
}
