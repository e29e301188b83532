//! Processor time and memory of a process.

use std::{fs, time::Duration};

use anyhow::{Context as _, Result};

/// Processor time of all threads that a process has, to the nanosecond. What ended threads took is not
/// in it.
pub(super) fn cpu(pid: u32) -> Result<Duration> {
    let folder = format!("/proc/{pid}/task");
    let mut nanos = 0;
    for task in fs::read_dir(&folder).with_context(|| format!("reading {folder}"))? {
        let Ok(text) = fs::read_to_string(task?.path().join("schedstat")) else { continue };
        nanos += text.split(' ').next().and_then(|first| first.parse::<u64>().ok()).unwrap_or(0);
    }
    Ok(Duration::from_nanos(nanos))
}

/// Kernel memory of a process's tables and programs: kind, id, bytes, each once.
pub(super) fn kernel_memory(pid: u32) -> Result<Vec<(&'static str, u32, u64)>> {
    let folder = format!("/proc/{pid}/fdinfo");
    let mut found = Vec::new();
    for entry in fs::read_dir(&folder).with_context(|| format!("reading {folder}"))? {
        let Ok(text) = fs::read_to_string(entry?.path()) else { continue };
        let field = |name: &str| -> Option<u64> {
            text.lines().find_map(|line| line.strip_prefix(name))?.trim().parse().ok()
        };
        let kind = [("map", field("map_id:")), ("program", field("prog_id:"))];
        let of = kind.into_iter().find_map(|(kind, id)| Some((kind, id? as u32)));
        if let (Some((kind, id)), Some(bytes)) = (of, field("memlock:")) {
            found.push((kind, id, bytes));
        }
    }
    found.sort_unstable();
    found.dedup();
    Ok(found)
}
