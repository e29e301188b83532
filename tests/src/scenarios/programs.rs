//! The programs that an agent has loaded, as the running kernel sees them.

use anyhow::{Result, ensure};

use super::Scenario;
use crate::{agent::kernel_version, fixture::Fixture, skip::skip};

pub(super) const SCENARIOS: &[Scenario] =
    &[Scenario::shared("programs/verifier_is_far_from_giving_up", verified)];

/// Instructions that the verifier looks at in one program before it gives up; `BPF_COMPLEXITY_LIMIT_INSNS`,
/// since 5.2. It does so for each path, so that the number is a property of program and kernel.
const LIMIT: u64 = 1_000_000;
/// The same for programs that kernels before 5.2 load.
const LIMIT_EARLY: u64 = 131_072;

fn verified(fixture: &Fixture<'_>) -> Result<()> {
    if fixture.options.hooks == "tracefs" {
        return Err(skip("the set tracefs loads no programs of this project"));
    }
    if kernel_version() < (5, 16) {
        return Err(skip("kernels before 5.16 do not say what the verifier has looked at"));
    }
    let limit = if fixture.options.is_early() { LIMIT_EARLY } else { LIMIT };
    let programs = loaded(fixture.shared()?.pid())?;
    ensure!(programs.len() > 10, "the agent has loaded no more than {programs:?}");
    let large: Vec<_> =
        programs.iter().filter(|(_, count)| *count == 0 || *count >= limit / 10 * 9).collect();
    ensure!(large.is_empty(), "of {limit}: {large:?}");
    Ok(())
}

/// The programs of a process, each with what the verifier has looked at.
#[cfg(feature = "ebpf")]
fn loaded(pid: u32) -> Result<Vec<(String, u64)>> {
    use std::{collections::BTreeSet, fs};

    use anyhow::Context as _;
    use aya::programs::loaded_programs;

    let folder = format!("/proc/{pid}/fdinfo");
    let mut own = BTreeSet::new();
    for entry in fs::read_dir(&folder).with_context(|| format!("reading {folder}"))? {
        // A descriptor may have been closed meanwhile.
        let Ok(text) = fs::read_to_string(entry?.path()) else { continue };
        let id = text.lines().find_map(|line| line.strip_prefix("prog_id:"));
        own.extend(id.and_then(|id| id.trim().parse::<u32>().ok()));
    }
    // A program of another process may be gone before it can be asked.
    let all = loaded_programs().filter_map(Result::ok);
    Ok(all
        .filter(|program| own.contains(&program.id()))
        .map(|program| {
            let name = program.name_as_str().unwrap_or("?").to_owned();
            (name, program.verified_instruction_count().unwrap_or(0).into())
        })
        .collect())
}

#[cfg(not(feature = "ebpf"))]
fn loaded(_pid: u32) -> Result<Vec<(String, u64)>> {
    Err(skip("this build cannot ask the kernel for eBPF programs"))
}
