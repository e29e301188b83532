//! Toolchains that rustup manages.

use std::path::{Path, PathBuf};

use super::{
    Toolchain,
    probe::{Rejection, probe},
};
use crate::{command, ui};

/// The first toolchain that will do, or why each will not.
pub(super) fn find(llvm: u32) -> Result<Toolchain, Vec<(String, Rejection)>> {
    let mut rejected = Vec::new();
    for name in installed() {
        match inspect(&name, llvm) {
            Ok(toolchain) => return Ok(toolchain),
            Err(rejection) => rejected.push((name, rejection)),
        }
    }
    Err(rejected)
}

/// Has rustup fetch the sources for the first toolchain that lacks nothing else.
pub(super) fn add_sources(rejected: &[(String, Rejection)], llvm: u32) -> Option<Toolchain> {
    let (name, _) = rejected.iter().find(|(_, why)| *why == Rejection::NoSources)?;
    ui::install(&format!("rust-src for rustup's {name}"), "eBPF needs a core of its own");
    let mut rustup = command::foreign("rustup");
    rustup.args(["component", "add", "rust-src", "--toolchain", name]);
    if command::output(&mut rustup).is_err() {
        ui::note("rustup cannot fetch rust-src; looking for a compiler of the distribution");
        return None;
    }
    inspect(name, llvm).ok()
}

fn inspect(name: &str, llvm: u32) -> Result<Toolchain, Rejection> {
    let mut rustup = command::foreign("rustup");
    rustup.args(["which", "--toolchain", name, "rustc"]);
    let rustc = command::output(&mut rustup).map_err(|_| Rejection::Missing)?;
    let rustc = PathBuf::from(rustc.trim());
    let cargo = rustc.parent().unwrap_or(Path::new("/")).join("cargo");
    probe(&cargo, &rustc, false, llvm)
}

/// Names of the toolchains, those that take unstable options by themselves first.
fn installed() -> Vec<String> {
    let list = command::output(command::foreign("rustup").args(["toolchain", "list"]));
    names(&list.unwrap_or_default())
}

fn names(list: &str) -> Vec<String> {
    // "stable-x86_64-unknown-linux-gnu (active, default)"; without any, a sentence.
    let mut names: Vec<String> = list
        .lines()
        .filter_map(|line| line.split_whitespace().next())
        .filter(|name| name.contains('-'))
        .map(str::to_owned)
        .collect();
    names.sort_by_key(|name| !name.starts_with("nightly"));
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nightly_comes_first() {
        let list =
            "stable-x86_64-unknown-linux-gnu (active, default)\nnightly-x86_64-unknown-linux-gnu\n";
        let wanted = ["nightly-x86_64-unknown-linux-gnu", "stable-x86_64-unknown-linux-gnu"];
        assert_eq!(names(list), wanted);
        assert!(names("no installed toolchains").is_empty());
    }
}
