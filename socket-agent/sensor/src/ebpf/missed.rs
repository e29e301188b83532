//! Runs of programs that the kernel skipped, because another was running on that CPU.

use std::os::fd::AsFd as _;

use super::{
    attach::Attached,
    sets::{COPIES, EVENT, only_finds_owner},
    sys,
    tables::Tables,
};

/// Runs that the kernel skipped, at most.
#[derive(Clone, Copy, Default)]
pub(super) struct Missed {
    /// Skipped runs of hooks of which each run counts.
    pub(super) programs: u64,
    /// Of hooks that only find out whose a socket is.
    pub(super) owners: u64,
}

impl Missed {
    /// Of these programs, less what copies of them stood in for.
    pub(super) fn of(programs: &[Attached], tables: &Tables) -> Self {
        let of = |wanted: &str| -> Option<u64> {
            let Attached { fd, .. } = programs.iter().find(|program| program.name == wanted)?;
            sys::recursion_misses(fd.as_ref()?.as_fd()).ok()
        };
        let stands_in =
            |name: &str| name.starts_with(EVENT) || COPIES.iter().any(|end| name.ends_with(end));
        let mut all = Self::default();
        for first in programs.iter().filter(|program| !stands_in(program.name)) {
            let missed = of(first.name).unwrap_or(0);
            // Of several copies one sees what another misses: at most the lowest number was seen by none,
            // and nothing of what a copy says it stood in for.
            let copies = COPIES.iter().filter_map(|end| of(&format!("{}{end}", first.name)));
            let left = missed.saturating_sub(tables.recovered(first.name));
            let missed = copies.min().map_or(missed, |least| least.min(left));
            if only_finds_owner(first.name, |name| of(name).is_some()) {
                all.owners += missed;
            } else {
                all.programs += missed;
            }
        }
        all
    }
}

/// Logs which programs the kernel has skipped, and how often.
pub(super) fn log_skipped<'a>(programs: impl Iterator<Item = &'a Attached>) {
    let counts = programs.filter_map(|Attached { name, fd, .. }| {
        let count = sys::recursion_misses(fd.as_ref()?.as_fd()).ok()?;
        (count > 0).then(|| format!("{name} {count}"))
    });
    let counts: Vec<String> = counts.collect();
    if !counts.is_empty() {
        log::info!(target: "sensor", "runs that the kernel skipped: {}", counts.join(", "));
    }
}
