//! Processor time and memory of a running process.

use std::{
    fs,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use nix::unistd::{SysconfVar, sysconf};

/// Memory and time of a process at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Cost {
    /// Resident memory, bytes: what is mapped from files and shared with the kernel included.
    pub(crate) resident: u64,
    /// Its peak since the last [`forget_peak`].
    pub(crate) peak: u64,
    /// Processor time in user and kernel mode so far.
    pub(crate) cpu: Duration,
    /// Number of times that it went to sleep.
    pub(crate) sleeps: u64,
}

/// Reads what a process costs.
pub(crate) fn cost(pid: u32) -> Result<Cost> {
    let read = |name: &str| {
        let path = format!("/proc/{pid}/{name}");
        fs::read_to_string(&path).with_context(|| format!("reading {path}"))
    };
    let status = read("status")?;
    let field = |name: &str| -> Result<u64> {
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        let number = line.and_then(|rest| rest.split_ascii_whitespace().nth(1)?.parse().ok());
        number.with_context(|| format!("/proc/{pid}/status has no {name}"))
    };
    let stat = read("stat")?;
    // The name in parentheses may hold blanks; user and kernel time are the 12th and 13th behind it.
    let (_, rest) = stat.rsplit_once(')').context("an odd /proc/PID/stat")?;
    let ticks: u64 = rest
        .split_ascii_whitespace()
        .skip(11)
        .take(2)
        .map(|field| field.parse::<u64>().unwrap_or(0))
        .sum();
    let rate = sysconf(SysconfVar::CLK_TCK)?.and_then(|rate| u32::try_from(rate).ok());
    let mut sleeps = 0;
    for task in fs::read_dir(format!("/proc/{pid}/task"))? {
        let text = fs::read_to_string(task?.path().join("status")).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
        sleeps += line.and_then(|number| number.trim().parse::<u64>().ok()).unwrap_or(0);
    }
    Ok(Cost {
        resident: field("VmRSS")? * 1024,
        peak: field("VmHWM")? * 1024,
        cpu: Duration::from_millis(ticks * 1000 / u64::from(rate.unwrap_or(100))),
        sleeps,
    })
}

/// Lets the peak of a process begin anew at what it holds now.
pub(crate) fn forget_peak(pid: u32) -> Result<()> {
    let path = format!("/proc/{pid}/clear_refs");
    fs::write(&path, "5").with_context(|| format!("writing {path}"))
}

/// Changes of what a process holds that are smaller are none.
pub(crate) const SAME: u64 = 128 << 10;

/// Waits until a process holds at most `bound` bytes, or until what it holds has not changed for so long: as long as
/// there is still something that it may let go.
pub(crate) fn wait_below(pid: u32, bound: u64, quiet: Duration) -> Result<Cost> {
    let (mut held, mut since) = (0, Instant::now());
    loop {
        let now = cost(pid)?;
        if now.resident.abs_diff(held) >= SAME {
            (held, since) = (now.resident, Instant::now());
        }
        if now.resident <= bound || since.elapsed() >= quiet {
            return Ok(now);
        }
        std::thread::sleep(Duration::from_millis(100));
    }
}
