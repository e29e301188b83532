//! In place of what the kernel reports about eBPF programs, in builds without the feature `ebpf`.

use std::{collections::BTreeMap, fs::File};

use anyhow::{Result, bail};

/// Nobody asks for the name of a table.
pub(super) fn table(_id: u32) -> Option<String> {
    None
}

/// Fails: this build cannot measure programs.
pub(super) fn measure() -> Result<File> {
    bail!("this build cannot ask the kernel for eBPF programs")
}

/// No runs of programs.
pub(super) fn runs(_agent: u32) -> Result<BTreeMap<String, (u64, u64)>> {
    Ok(BTreeMap::new())
}
