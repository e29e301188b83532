//! What the kernel reports about eBPF programs and tables.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};
use aya::{
    maps::MapInfo,
    programs::loaded_programs,
    sys::{Stats, enable_stats},
};

use super::cost;

/// Name of a table, if it has one.
pub(super) fn table(id: u32) -> Option<String> {
    let info = MapInfo::from_id(id).ok()?;
    info.name_as_str().filter(|name| !name.is_empty()).map(str::to_owned)
}

/// Lets the kernel measure programs until this is dropped.
pub(super) fn measure() -> Result<impl Drop> {
    enable_stats(Stats::RunTime).context("bpf_stats (5.8)")
}

/// Runs and nanoseconds of each program of an agent.
pub(super) fn runs(agent: u32) -> Result<BTreeMap<String, (u64, u64)>> {
    let own: Vec<u32> = cost::kernel_memory(agent)?
        .into_iter()
        .filter_map(|(kind, id, _)| (kind == "program").then_some(id))
        .collect();
    let mut runs = BTreeMap::new();
    // A program of another process may be gone before it can be asked.
    for program in loaded_programs().filter_map(Result::ok) {
        if own.contains(&program.id()) {
            let name = program.name_as_str().unwrap_or("?").to_owned();
            let entry: &mut (u64, u64) = runs.entry(name).or_default();
            entry.0 += program.run_count();
            entry.1 += program.run_time().as_nanos() as u64;
        }
    }
    Ok(runs)
}
