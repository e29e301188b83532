//! What is judged without running the sensor.

use std::process::Command;

use anyhow::Result;

use super::work::Done;
use crate::{build::Target, command, deny, paths::Paths, pins::Pins};

/// Manifests of all workspaces.
const MANIFESTS: [&str; 3] = ["Cargo.toml", "socket-ebpf/Cargo.toml", "tests/fuzz/Cargo.toml"];

pub(super) fn formatting(paths: &Paths) -> Result<()> {
    for manifest in MANIFESTS {
        command::run(in_root(paths, command::cargo()).args([
            "fmt",
            "--all",
            "--check",
            "--manifest-path",
            manifest,
        ]))?;
    }
    Ok(())
}

pub(super) fn clippy(paths: &Paths) -> Result<()> {
    let arguments = ["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"];
    command::run(in_root(paths, command::cargo()).args(arguments))
}

/// i386 stands for other machines: words and numbers have other sizes there, and there are no eBPF sets.
pub(super) fn without_programs(paths: &Paths) -> Result<Done> {
    let target = Target::of_arch("i386");
    if !target.has_library()? {
        let why = format!("Rust's library for {} is not installed", target.name());
        return Ok(Done::Not(why));
    }
    compile(paths, &target).map(|()| Done::Whole)
}

fn compile(paths: &Paths, target: &Target) -> Result<()> {
    let packages = ["socket-agent", "scenarios", "vm-init"].map(|name| ["--package", name]);
    let mut check = in_root(paths, command::cargo());
    check.arg("check").args(packages.as_flattened());
    command::run(check.args(["--no-default-features", "--target", target.name()]))
}

pub(super) fn licences(paths: &Paths, pins: &Pins) -> Result<()> {
    dependencies(paths, pins, &["licenses", "bans", "sources"])
}

/// Known faults of the dependencies.
pub(super) fn advisories(paths: &Paths, pins: &Pins) -> Result<Done> {
    if let Err(error) = fetch_advisories(paths, pins) {
        return Ok(Done::Not(format!("the advisory database cannot be reached ({error:#})")));
    }
    dependencies(paths, pins, &["--disable-fetch", "advisories"]).map(|()| Done::Whole)
}

fn dependencies(paths: &Paths, pins: &Pins, what: &[&str]) -> Result<()> {
    let deny = deny::ensure(paths, pins)?;
    for manifest in MANIFESTS {
        let mut command = in_root(paths, command::foreign(&deny));
        command.args(["--config", "deny.toml", "--manifest-path", manifest, "check"]).args(what);
        command::run_logged(&mut command, &paths.log("cargo-deny-check"))?;
    }
    Ok(())
}

fn fetch_advisories(paths: &Paths, pins: &Pins) -> Result<()> {
    let deny = deny::ensure(paths, pins)?;
    let mut fetch = in_root(paths, command::foreign(deny));
    fetch.args(["--config", "deny.toml", "fetch", "db"]).env("GIT_TERMINAL_PROMPT", "0");
    command::output(&mut fetch).map(|_| ())
}

fn in_root(paths: &Paths, mut command: Command) -> Command {
    command.current_dir(paths.root());
    command
}
