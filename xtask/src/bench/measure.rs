//! Running a program and seeing what it takes.

use std::{
    fs::{self, File},
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};

use anyhow::{Context as _, Result, bail};
use wait4::Wait4 as _;

use crate::command;

/// Processor time and memory of a program.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cost {
    /// Processor time, of user and system.
    pub(super) cpu: Duration,
    /// The most memory that it had at a time, bytes.
    pub(super) memory: u64,
}

/// Runs a program several times on one processor and gives the best run: what else the machine
/// does can only add to its time. Standard output goes to a file.
pub(super) fn best(runs: u32, output: &Path, program: &[String]) -> Result<Cost> {
    let mut best = once(output, program)?;
    for _ in 1..runs {
        let cost = once(output, program)?;
        best = Cost { cpu: best.cpu.min(cost.cpu), memory: best.memory.max(cost.memory) };
    }
    Ok(best)
}

fn once(output: &Path, program: &[String]) -> Result<Cost> {
    let name = program.first().context("an empty command")?;
    let create =
        |path: &Path| File::create(path).with_context(|| format!("create {}", path.display()));
    let errors = output.with_extension("err");
    // The command becomes the program, so that what it takes is the program's alone.
    let mut command = Command::new("taskset");
    command.args(["--cpu-list", "0"]).args(program);
    command.stdin(Stdio::null()).stdout(create(output)?).stderr(create(&errors)?);
    let mut child = command.spawn().context("start taskset")?;
    let usage = child.wait4().with_context(|| format!("wait for {name}"))?;
    if !usage.status.success() {
        let text = fs::read_to_string(&errors).unwrap_or_default();
        bail!("{name} failed ({}): {}", usage.status, command::last_lines(&text, 3).trim());
    }
    Ok(Cost { cpu: usage.rusage.utime + usage.rusage.stime, memory: usage.rusage.maxrss })
}
