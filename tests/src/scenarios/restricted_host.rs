//! Hosts that forbid something: `doctor` tells what and why, and the agent takes what is left.

use std::{
    env, fs, io,
    process::{Command, Stdio},
};

use anyhow::{Context, Result, ensure};
use nix::{
    mount::{MsFlags, mount},
    sched::{CloneFlags, unshare},
};

use super::{Scenario, pair::Pair};
use crate::{agent::Options, endpoint::Family, expect::Session, fixture::Fixture, skip::skip};

/// None of them depends on the set that runs beside: `auto` is what is tried.
pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario::own("surroundings/kernel_addresses_hidden", addresses_hidden).only("cgroup"),
    Scenario::own("surroundings/kprobes_switched_off", kprobes_off).only("cgroup"),
    Scenario::own("surroundings/tracefs_read_only", tracefs_read_only).only("cgroup"),
    Scenario::own("surroundings/few_capabilities", few_capabilities).only("cgroup"),
];

/// Set where nobody minds: on a machine that is made for one run.
const DISPOSABLE: &str = "DISPOSABLE_MACHINE";

/// A file of the kernel's with other contents, until it is dropped.
struct Switch {
    path: &'static str,
    before: String,
}

impl Switch {
    /// # Errors
    /// A skip where it would change a machine that is used for something else, or is not there.
    fn set(path: &'static str, value: &str) -> Result<Self> {
        if env::var_os(DISPOSABLE).is_none() {
            return Err(skip(format!("it would change {path} of this machine")));
        }
        let before = fs::read_to_string(path).map_err(|error| skip(format!("{path}: {error}")))?;
        fs::write(path, value).with_context(|| format!("writing {value} to {path}"))?;
        Ok(Self { path, before })
    }
}

impl Drop for Switch {
    fn drop(&mut self) {
        // It could be written a moment ago; if not now, later scenarios fail.
        let _ = fs::write(self.path, &self.before);
    }
}

/// What `doctor` says of one facility, whether it is there, and the set it would take.
struct Diagnosis(String);

impl Diagnosis {
    fn of(options: &Options) -> Result<Self> {
        let mut command = Command::new(&options.program);
        command.arg("doctor").stdin(Stdio::null()).stderr(Stdio::inherit());
        options.set_environment(&mut command);
        let output = command.output().context("starting the agent's program")?;
        ensure!(output.status.success(), "doctor ended with {}", output.status);
        Ok(Self(String::from_utf8_lossy(&output.stdout).into_owned()))
    }

    /// `facility` has to be told as missing, with these words and a remedy.
    fn lacks(&self, facility: &str, words: &str) -> Result<()> {
        let mut lines = self.0.lines().skip_while(|line| !line.starts_with(facility));
        let line = lines.next().with_context(|| format!("nothing of {facility}: {}", self.0))?;
        let said = line[facility.len()..].trim_start();
        let missing = said.starts_with("no ") || said.starts_with("? ");
        ensure!(missing && said.contains(words), "{facility}: {said}");
        let remedy = lines.next().unwrap_or_default();
        ensure!(remedy.trim_start().starts_with("->"), "no remedy for {facility}: {remedy}");
        Ok(())
    }

    /// The set that it would take.
    fn choice(&self) -> Result<&str> {
        let line = self.0.lines().find_map(|line| line.strip_prefix("hook set "));
        Ok(line.with_context(|| format!("no hook set: {}", self.0))?.trim())
    }
}

/// Starts an agent that takes what it can; it has to take what `doctor` says, and say why not a
/// better one. A conversation has to be counted as on any host, and nothing lost but what the counters
/// `reported` count.
fn watches(
    fixture: &Fixture<'_>,
    options: &Options,
    diagnosis: &Diagnosis,
    reported: &[&str],
) -> Result<()> {
    let endpoint = fixture.loopback()?;
    let session = Session::start(options)?;
    let chosen = diagnosis.choice()?;
    let log = session.log();
    let taken = log.iter().any(|line| line.contains(&format!("ready: hooks={chosen}")));
    ensure!(taken, "doctor takes {chosen}, the agent said {log:?}");
    let pair = Pair::meet(fixture, &endpoint, Family::V4)?;
    pair.echo(700)?;
    pair.close_client_first()?;
    let (client, server) = pair.sides("fin_local", "fin_remote")?;
    session.expect(fixture.name, &client, &endpoint.capture)?;
    session.expect(fixture.name, &server, &endpoint.capture)?;
    session.end()?.whole_but(reported)
}

fn auto(fixture: &Fixture<'_>, before: Option<fn() -> io::Result<()>>) -> Options {
    Options { hooks: "auto".to_owned(), log: fixture.log(), before, ..fixture.options.clone() }
}

/// `kernel.kptr_restrict=2` hides addresses from root as well: late packets are not told from others.
fn addresses_hidden(fixture: &Fixture<'_>) -> Result<()> {
    let _hidden = Switch::set("/proc/sys/kernel/kptr_restrict", "2")?;
    let options = auto(fixture, None);
    let diagnosis = Diagnosis::of(&options)?;
    diagnosis.lacks("kernel symbols", "kptr_restrict 2")?;
    watches(fixture, &options, &diagnosis, &[])
}

fn kprobes_off(fixture: &Fixture<'_>) -> Result<()> {
    let _off = Switch::set("/sys/kernel/debug/kprobes/enabled", "0")?;
    let options = auto(fixture, None);
    let diagnosis = Diagnosis::of(&options)?;
    diagnosis.lacks("kprobes", "enabled is 0")?;
    diagnosis.lacks("tracefs", "enabled is 0")?;
    let chosen = diagnosis.choice()?;
    ensure!(!["kprobe", "tracefs"].contains(&chosen), "doctor takes {chosen}");
    watches(fixture, &options, &diagnosis, &[])
}

fn tracefs_read_only(fixture: &Fixture<'_>) -> Result<()> {
    let options = auto(fixture, Some(read_only_tracefs));
    let diagnosis = Diagnosis::of(&options)?;
    diagnosis.lacks("tracefs", "kprobe_events")?;
    watches(fixture, &options, &diagnosis, &[])
}

/// In a mount namespace of its own.
fn read_only_tracefs() -> io::Result<()> {
    let none = None::<&std::ffi::CStr>;
    unshare(CloneFlags::CLONE_NEWNS)?;
    mount(none, c"/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none)?;
    // Where debugfs shows it, it is there a second time.
    for (kind, target) in [(c"tmpfs", c"/sys/kernel/debug"), (c"tracefs", c"/sys/kernel/tracing")] {
        match mount(Some(kind), target, Some(kind), MsFlags::empty(), none) {
            Ok(()) | Err(nix::errno::Errno::EBUSY) => {}
            Err(error) => return Err(error.into()),
        }
        // The mount alone: the file system would stay read-only for all who mount it later.
        let flags = MsFlags::MS_REMOUNT | MsFlags::MS_BIND | MsFlags::MS_RDONLY;
        mount(none, target, none, flags, none)?;
    }
    Ok(())
}

/// As in a container that was given what programs need, and nothing else.
fn few_capabilities(fixture: &Fixture<'_>) -> Result<()> {
    let options = auto(fixture, Some(keep_few_capabilities));
    let diagnosis = Diagnosis::of(&options)?;
    diagnosis.lacks("CAP_SYS_PTRACE", "not held")?;
    // Other network namespaces cannot be entered, nor packets captured.
    let reported = ["socket_namespaces_missed", "dns_namespaces_missed"];
    watches(fixture, &options, &diagnosis, &reported)
}

/// Root keeps across `execve` what is in the bounding set.
fn keep_few_capabilities() -> io::Result<()> {
    const NET_ADMIN: libc::c_ulong = 12;
    const PERFMON: libc::c_ulong = 38;
    const BPF: libc::c_ulong = 39;
    const LAST: libc::c_ulong = 63;
    for capability in 0..=LAST {
        if [NET_ADMIN, PERFMON, BPF].contains(&capability) {
            continue;
        }
        // SAFETY: integers only.
        let dropped = unsafe { libc::prctl(libc::PR_CAPBSET_DROP, capability, 0, 0, 0) };
        if dropped < 0 {
            let error = io::Error::last_os_error();
            // Beyond the last one that this kernel knows.
            return if error.raw_os_error() == Some(libc::EINVAL) { Ok(()) } else { Err(error) };
        }
    }
    Ok(())
}
