//! What is judged without running the sensor.

use std::process::Command;

use anyhow::Result;

use super::{Report, step};
use crate::{
    build::{self, Target},
    command, deny,
    paths::Paths,
    pins::Pins,
    ui,
};

/// Manifests of all workspaces.
const MANIFESTS: [&str; 3] = ["Cargo.toml", "socket-ebpf/Cargo.toml", "tests/fuzz/Cargo.toml"];

pub(super) fn run(report: &mut Report, paths: &Paths, pins: &Pins) {
    step(report, "rustfmt", || formatting(paths));
    step(report, "clippy", || clippy(paths));
    step(report, "clippy of the eBPF programs", || build::ebpf::clippy(paths, pins));
    without_programs(report, paths);
    step(report, "licences, bans and sources of dependencies", || {
        dependencies(paths, pins, &["licenses", "bans", "sources"])
    });
    match fetch_advisories(paths, pins) {
        Ok(()) => {
            step(report, "advisories", || {
                dependencies(paths, pins, &["--disable-fetch", "advisories"])
            });
        }
        Err(error) => {
            let why = format!("the advisory database cannot be reached ({error:#})");
            ui::note(&format!("advisories are not checked: {why}"));
            report.left_out("advisories", &why);
        }
    }
}

fn formatting(paths: &Paths) -> Result<()> {
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

fn clippy(paths: &Paths) -> Result<()> {
    let arguments = ["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"];
    command::run(in_root(paths, command::cargo()).args(arguments))
}

/// i386 stands for other machines: words and numbers have other sizes there, and there are no eBPF sets.
fn without_programs(report: &mut Report, paths: &Paths) {
    const WHAT: &str = "compile for i386";
    let target = Target::of_arch("i386");
    match target.has_library() {
        Ok(false) => {
            let why = format!("Rust's library for {} is not installed", target.name());
            ui::note(&format!("nothing is compiled for i386: {why}"));
            report.left_out(WHAT, &why);
        }
        found => {
            step(report, WHAT, || found.and_then(|_| compile(paths, &target)));
        }
    }
}

fn compile(paths: &Paths, target: &Target) -> Result<()> {
    let packages = ["socket-agent", "scenarios", "vm-init"].map(|name| ["--package", name]);
    let mut check = in_root(paths, command::cargo());
    check.arg("check").args(packages.as_flattened());
    command::run(check.args(["--no-default-features", "--target", target.name()]))
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
