//! The agent, the test runner and the first process of virtual machines, linked statically: they
//! run on any distribution, and from a bare initramfs.

use std::{env, path::PathBuf, process::Command};

use anyhow::{Context as _, Result};

use crate::{apt, command, paths::Paths, pins::Pins};

/// The built programs.
pub(crate) struct Programs {
    pub(crate) agent: PathBuf,
    pub(crate) scenarios: PathBuf,
    pub(crate) init: PathBuf,
}

/// Builds the programs with a profile of the workspace.
pub(super) fn programs(paths: &Paths, pins: &Pins, profile: &str) -> Result<Programs> {
    ensure_libc(paths, pins)?;
    let target = target();
    let mut cargo = command::cargo();
    cargo
        .args(["build", "--profile", profile, "--target", &target])
        .args(["--package", "socket-agent", "--package", "scenarios", "--package", "vm-init"])
        .current_dir(paths.root())
        .env("CARGO_TARGET_DIR", paths.target())
        .env("CARGO_ENCODED_RUSTFLAGS", "-Ctarget-feature=+crt-static");
    command::run(&mut cargo).context("build the agent and the test runner")?;
    let folder = if profile == "dev" { "debug" } else { profile };
    let dir = paths.target().join(target).join(folder);
    Ok(Programs {
        agent: dir.join("socket-agent"),
        scenarios: dir.join("scenarios"),
        init: dir.join("vm-init"),
    })
}

/// Installs the C compiler and the static C library where they are missing.
pub(crate) fn ensure_libc(paths: &Paths, pins: &Pins) -> Result<()> {
    // A compiler that does not find the library prints the name back.
    let found = command::output(Command::new("cc").arg("-print-file-name=libc.a"));
    if found.is_ok_and(|path| path.trim() != "libc.a") {
        return Ok(());
    }
    apt::install(paths, &pins.debian.libc, "the agent is linked statically")
}

/// Naming the target, even if it is the host, keeps the static flags from build scripts.
fn target() -> String {
    format!("{}-unknown-linux-gnu", env::consts::ARCH)
}
