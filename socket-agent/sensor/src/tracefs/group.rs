//! The group of probes that belongs to this process.
//!
//! Its name holds the process id and start time, so that several agents do not collide, and so that
//! an agent can tell the groups of those that were killed and clear them.

use std::{
    fs::{self, OpenOptions},
    io::{self, Write},
    path::{Path, PathBuf},
};

use super::mount::Tracing;
#[cfg(feature = "ebpf")]
use crate::SensorError;

const PREFIX: &str = "socket_agent_";

/// What the probes of eBPF programs begin with before 4.17, where these are written through tracefs too: the
/// number of their process follows.
const OF_PROGRAM: &str = "kprobes/aya_";
/// There since 4.17: probes are opened as perf events, and go with these.
#[cfg(feature = "ebpf")]
const KPROBE_EVENTS: &str = "/sys/bus/event_source/devices/kprobe";

/// Probes of this process. Dropping it removes them.
#[derive(Debug)]
pub(super) struct Group {
    events: PathBuf,
    directory: PathBuf,
    profile: PathBuf,
    name: String,
    /// What the name of each probe ends with: `kprobe_profile` has names of probes without their group.
    suffix: String,
    probes: Vec<String>,
}

/// The kernel's counts of one probe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Misses {
    /// Name of the probe within its group.
    pub(super) probe: String,
    /// Hits that the kernel did not pass on: another probe was running on that CPU, or too many calls of a function
    /// had not returned. Before 5.14 also reads for which there was no memory, of all agents' probes on the function.
    pub(super) count: u64,
    /// How many agents have this probe, this one among them.
    pub(super) agents: u64,
}

impl Group {
    /// A group without probes.
    pub(super) fn new(tracing: &Tracing) -> Self {
        let pid = std::process::id();
        let start = start_ticks(pid).unwrap_or(0);
        let name = format!("{PREFIX}{pid}_{start}");
        let suffix = format!("_{pid}_{start}");
        Self {
            events: tracing.file("kprobe_events"),
            directory: tracing.file("events").join(&name),
            profile: tracing.file("kprobe_profile"),
            name,
            suffix,
            probes: Vec::new(),
        }
    }

    /// The name under which the kernel knows one of its probes: group and event.
    pub(super) fn full_name(&self, event: &str) -> String {
        format!("{}/{event}{}", self.name, self.suffix)
    }

    /// Writes the line of a probe, which has to be of this group.
    ///
    /// # Errors
    ///
    /// The kernel refuses the line.
    pub(super) fn add(&mut self, event: &str, line: &str) -> io::Result<()> {
        append(&self.events, line)?;
        self.probes.push(event.to_owned());
        Ok(())
    }

    /// Removes one probe, whose perf events have to be closed.
    ///
    /// # Errors
    ///
    /// The kernel refuses it.
    pub(super) fn remove(&mut self, event: &str) -> io::Result<()> {
        append(&self.events, &format!("-:{}", self.full_name(event)))?;
        self.probes.retain(|probe| probe != event);
        Ok(())
    }

    /// Where the kernel describes a probe: `id` and `format`.
    pub(super) fn description(&self, event: &str) -> PathBuf {
        self.directory.join(format!("{event}{}", self.suffix))
    }

    /// What the kernel has not passed on, of each probe of which it has counted any.
    pub(super) fn missed(&self) -> Vec<Misses> {
        let text = fs::read_to_string(&self.profile).unwrap_or_default();
        misses(&text, &self.probes, &self.suffix)
    }

    /// Removes all probes.
    pub(super) fn clear(&mut self) {
        for probe in std::mem::take(&mut self.probes) {
            let probe = self.full_name(&probe);
            if let Err(error) = append(&self.events, &format!("-:{probe}")) {
                log::warn!(target: "sensor", "cannot remove probe {probe}: {error}");
            }
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.clear();
    }
}

/// Removes the groups of agents that are gone. Returns how many probes that were.
///
/// # Errors
///
/// The list of probes cannot be read.
pub(super) fn clear_stale(tracing: &Tracing) -> io::Result<usize> {
    let events = tracing.file("kprobe_events");
    let text = fs::read_to_string(&events)?;
    let stale = stale(&text, is_alive);
    let mut removed = 0;
    for probe in stale {
        match append(&events, &format!("-:{probe}")) {
            Ok(()) => removed += 1,
            // Still in use: of an agent in another pid namespace.
            Err(error) if error.raw_os_error() == Some(libc::EBUSY) => {}
            Err(error) => {
                log::warn!(target: "sensor", "cannot remove stale probe {probe}: {error}");
            }
        }
    }
    Ok(removed)
}

/// Removes the probes that were written for this process's eBPF programs, as before 4.17. Their loader cannot: it
/// tries while their perf events are open, and the kernel refuses it.
///
/// # Errors
///
/// The kernel refuses.
#[cfg(feature = "ebpf")]
pub(crate) fn clear_own_programs() -> Result<(), SensorError> {
    if Path::new(KPROBE_EVENTS).exists() {
        return Ok(());
    }
    // Without it no probe was written.
    let Ok(tracing) = Tracing::find(None) else { return Ok(()) };
    let events = tracing.file("kprobe_events");
    let refused = |error: io::Error| SensorError::Tracing {
        place: events.clone(),
        reason: error.to_string(),
        remedy: "run as root; the next start removes what is left",
    };
    let text = fs::read_to_string(&events).map_err(refused)?;
    for probe in of_programs(&text, std::process::id()) {
        append(&events, &format!("-:{probe}")).map_err(refused)?;
    }
    Ok(())
}

/// The probes in a list of probes that were written for the eBPF programs of a process.
#[cfg(feature = "ebpf")]
fn of_programs(text: &str, pid: u32) -> Vec<&str> {
    let group = format!("{OF_PROGRAM}{pid}_");
    let probes = text.lines().filter_map(|line| line.split_once(':')?.1.split_whitespace().next());
    probes.filter(|probe| probe.starts_with(&group)).collect()
}

/// The probes (`GROUP/EVENT`) in a list of probes whose agent is not alive.
fn stale(text: &str, alive: impl Fn(u32, Option<u64>) -> bool) -> Vec<String> {
    let probes = text.lines().filter_map(|line| {
        let (_, rest) = line.split_once(':')?;
        let probe = rest.split_whitespace().next()?;
        let is_alive = if let Some(rest) = probe.strip_prefix(OF_PROGRAM) {
            alive(rest.split_once('_')?.0.parse().ok()?, None)
        } else {
            let (pid, start) = probe.strip_prefix(PREFIX)?.split_once('/')?.0.split_once('_')?;
            alive(pid.parse().ok()?, Some(start.parse().ok()?))
        };
        (!is_alive).then(|| probe.to_owned())
    });
    probes.collect()
}

/// Whether there is a process with this number that began then.
fn is_alive(pid: u32, start: Option<u64>) -> bool {
    start_ticks(pid).is_some_and(|ticks| start.is_none_or(|start| start == ticks))
}

/// Misses of some probes in `kprobe_profile`, whose lines have a name, hits and misses.
fn misses(text: &str, probes: &[String], suffix: &str) -> Vec<Misses> {
    let lines: Vec<(&str, u64)> = text
        .lines()
        .filter_map(|line| {
            let mut fields = line.split_whitespace();
            Some((fields.next()?, fields.nth(1)?.parse().ok()?))
        })
        .collect();
    let of = |probe: &String| {
        let own = format!("{probe}{suffix}");
        let count = lines.iter().find(|(name, _)| *name == own)?.1;
        let agents = lines.iter().filter(|(name, _)| event(name) == Some(probe.as_str())).count();
        (count > 0).then(|| Misses { probe: probe.clone(), count, agents: agents as u64 })
    };
    probes.iter().filter_map(of).collect()
}

/// The probe that an agent, this one or another, has given a name `PROBE_PID_START`.
fn event(name: &str) -> Option<&str> {
    let mut parts = name.rsplitn(3, '_');
    let number = |part: Option<&str>| part.is_some_and(|part| part.parse::<u64>().is_ok());
    (number(parts.next()) && number(parts.next())).then_some(())?;
    parts.next()
}

fn append(path: &Path, line: &str) -> io::Result<()> {
    // Without appending, all probes of the host would be removed.
    let mut file = OpenOptions::new().append(true).open(path)?;
    file.write_all(format!("{line}\n").as_bytes())
}

/// When a process began, in clock ticks: field 22 of its `stat`.
fn start_ticks(pid: u32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(')')?.1.split_whitespace().nth(19)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_of_living_agents_and_of_others_are_left_alone() {
        let text = "p:kprobes/mine do_exit\n\
                    p:socket_agent_10_500/output4 ip_output skb=%dx:u64\n\
                    r4:socket_agent_11_600/accept inet_csk_accept sock=$retval:u64\n\
                    p:socket_agent_10_499/output4 ip_output\n\
                    p:socket_agent_x/y z\n\
                    p:kprobes/aya_10_p_ip_output_0x0_7 ip_output\n\
                    r:kprobes/aya_12_r_inet_csk_accept_0x0_9 inet_csk_accept\n";
        let found = stale(text, |pid, start| pid == 10 && start.is_none_or(|start| start == 500));
        let gone = ["socket_agent_11_600/accept", "socket_agent_10_499/output4"];
        assert_eq!(found[..2], gone);
        assert_eq!(found[2..], ["kprobes/aya_12_r_inet_csk_accept_0x0_9"]);
    }

    #[cfg(feature = "ebpf")]
    #[test]
    fn probes_of_other_processes_programs_are_left_alone() {
        let text = "p:kprobes/aya_10_p_ip_output_0x0_7 ip_output\n\
                    p:kprobes/aya_101_p_ip_output_0x0_7 ip_output\n\
                    r4:kprobes/aya_10_r_inet_csk_accept_0x0_9 inet_csk_accept\n\
                    p:kprobes/mine do_exit\n";
        let own = ["kprobes/aya_10_p_ip_output_0x0_7", "kprobes/aya_10_r_inet_csk_accept_0x0_9"];
        assert_eq!(of_programs(text, 10), own);
    }

    #[test]
    fn misses_are_those_of_own_probes() {
        let text = "  output4_10_500      100      3\n  other     5     7\n  input_10_500  1   2\n  \
                    state_10_500 4 0\n  output4_11_600 100 9\n  output4_multi_11_600 1 1\n  output4 7 8\n";
        let own = ["output4".into(), "input".into(), "state".into()];
        let misses = misses(text, &own, "_10_500");
        let found: Vec<_> = misses.iter().map(|one| (&*one.probe, one.count, one.agents)).collect();
        assert_eq!(found, [("output4", 3, 2), ("input", 2, 1)]);
    }

    #[test]
    fn this_process_has_a_start() {
        assert!(start_ticks(std::process::id()).is_some_and(|ticks| ticks > 0));
        assert_eq!(start_ticks(u32::MAX), None);
    }
}
