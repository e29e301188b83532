//! ci/toolchain.toml: every version and package name the project depends on.

use std::{collections::BTreeMap, fs};

use anyhow::{Context as _, Result};
use serde::Deserialize;

use crate::paths::Paths;

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct Pins {
    pub(crate) ebpf: Ebpf,
    pub(crate) tools: Tools,
    pub(crate) debian: Debian,
    pub(crate) fresh: Fresh,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct Ebpf {
    /// Version of the compiler.
    pub(crate) compiler: String,
    /// Major version of LLVM in the compiler and linker.
    pub(crate) llvm: u32,
    pub(crate) bpf_linker: String,
    /// Rust target of the programs.
    pub(crate) target: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct Tools {
    pub(crate) cargo_deny: String,
}

/// Debian packages, by what needs them.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct Debian {
    pub(crate) rust: Vec<String>,
    pub(crate) clippy: Vec<String>,
    pub(crate) llvm: Vec<String>,
    pub(crate) libc: Vec<String>,
    pub(crate) audit: Vec<String>,
    /// By architecture of the guest.
    pub(crate) qemu: BTreeMap<String, Vec<String>>,
    pub(crate) tests: Vec<String>,
    pub(crate) audit_peers: Vec<String>,
    pub(crate) peers: Vec<String>,
    pub(crate) fuzz: Vec<String>,
    pub(crate) fresh: Vec<String>,
    /// C compiler and library, by Rust target.
    pub(crate) cross: BTreeMap<String, Vec<String>>,
}

/// A machine of somebody who begins.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct Fresh {
    /// Debian packages that are there beside those of a minimal system.
    pub(crate) packages: Vec<String>,
}

// === impl Pins ===

impl Pins {
    pub(crate) fn read(paths: &Paths) -> Result<Self> {
        let path = paths.root().join("ci/toolchain.toml");
        let text = fs::read_to_string(&path).with_context(|| format!("read {}", path.display()))?;
        toml::from_str(&text).with_context(|| format!("parse {}", path.display()))
    }
}
