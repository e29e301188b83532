//! Programs that watch: the agent, or a peer.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail, ensure};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use super::{OTHERS, agent::Started, cost, figures::of_other_build, pin};
use crate::net::Netns;

/// Something that can be started.
#[derive(Debug)]
pub(super) struct Subject {
    pub(super) name: String,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    Agent { program: PathBuf, hooks: String },
    Peer { words: Vec<String> },
}

/// A subject at work.
pub(super) struct Running<'a> {
    subject: &'a Subject,
    process: Process,
}

enum Process {
    Agent(Started),
    Peer(Child),
}

/// How long a peer may take until it watches, and to end.
const PATIENCE: Duration = Duration::from_secs(20);
/// Between two looks at a peer.
const LOOK: Duration = Duration::from_millis(20);

// === impl Subject ===

impl Subject {
    /// The agent with each hook set, `other` build of it with the same, and peers, `NAME=COMMAND` each.
    pub(super) fn all(
        agent: &Path,
        other: Option<&Path>,
        hooks: &[String],
        peers: &[String],
    ) -> Result<Vec<Self>> {
        let mut all = Vec::new();
        for hooks in hooks {
            let of = |name, program: &Path| Self {
                name,
                kind: Kind::Agent { program: program.to_owned(), hooks: hooks.clone() },
            };
            all.push(of(hooks.clone(), agent));
            all.extend(other.map(|other| of(of_other_build(hooks), other)));
        }
        for peer in peers {
            let (name, words) = peer.split_once('=').context("--peer: expected NAME=COMMAND")?;
            let words: Vec<String> = words.split_whitespace().map(str::to_owned).collect();
            ensure!(!words.is_empty(), "--peer: {name} has no command");
            all.push(Self { name: name.to_owned(), kind: Kind::Peer { words } });
        }
        Ok(all)
    }
}

// === impl Running ===

impl<'a> Running<'a> {
    /// Starts it, on the processor that traffic leaves alone, and waits until it watches.
    pub(super) fn start(subject: &'a Subject, netns: &Netns) -> Result<Self> {
        let process = match &subject.kind {
            Kind::Agent { program, hooks } => Process::Agent(Started::new(program, hooks, &[])?),
            Kind::Peer { words } => Process::Peer(peer(words, netns)?),
        };
        Ok(Self { subject, process })
    }

    pub(super) fn name(&self) -> &'a str {
        &self.subject.name
    }

    /// Processor time so far.
    pub(super) fn cpu(&self) -> Result<Duration> {
        match &self.process {
            Process::Agent(agent) => cost::cpu(agent.pid()),
            Process::Peer(child) => cost::cpu(child.id()),
        }
    }

    /// Ends it: the losses that it has counted itself.
    pub(super) fn stop(self) -> Result<Vec<(String, u64)>> {
        match self.process {
            Process::Agent(agent) => Ok(agent.stop()?.losses()),
            Process::Peer(mut child) => {
                kill(Pid::from_raw(child.id().cast_signed()), Signal::SIGINT)
                    .context("ending a peer")?;
                let ended = wait(|| Ok(child.try_wait()?.is_some()));
                if !matches!(ended, Ok(true)) {
                    child.kill().context("ending a peer")?;
                    child.wait().context("waiting for a peer")?;
                }
                Ok(Vec::new())
            }
        }
    }
}

/// Starts a peer in the namespace of the traffic. It watches once it holds a packet socket, or a
/// program that is attached.
fn peer(words: &[String], netns: &Netns) -> Result<Child> {
    let (program, arguments) = words.split_first().context("a peer without a command")?;
    let errors = tempfile::NamedTempFile::new().context("making a file for errors")?;
    let mut child = netns.run(|| {
        pin::on(OTHERS, || {
            let mut command = Command::new(program);
            command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null());
            command.stderr(errors.reopen().context("opening a file for errors")?);
            command.spawn().with_context(|| format!("starting {program}"))
        })
    })?;
    let watches = wait(|| {
        if let Some(status) = child.try_wait()? {
            let said = fs::read_to_string(errors.path()).unwrap_or_default();
            let why = said.lines().find(|line| line.contains("fail")).or(said.lines().last());
            bail!("it ended at once ({status}): {}", why.unwrap_or("it said nothing"));
        }
        watches(child.id())
    });
    match watches {
        Ok(true) => Ok(child),
        Ok(false) | Err(_) => {
            // Both fail only for one that has ended.
            let _ = child.kill();
            let _ = child.wait();
            watches?;
            bail!("{program} does not watch after {PATIENCE:?}")
        }
    }
}

fn wait(mut done: impl FnMut() -> Result<bool>) -> Result<bool> {
    let deadline = Instant::now() + PATIENCE;
    while Instant::now() < deadline {
        if done()? {
            return Ok(true);
        }
        thread::sleep(LOOK);
    }
    Ok(false)
}

fn watches(pid: u32) -> Result<bool> {
    // The ninth field of each line but the first is the inode.
    let table = fs::read_to_string(format!("/proc/{pid}/net/packet")).unwrap_or_default();
    let packet: Vec<String> = table
        .lines()
        .skip(1)
        .filter_map(|line| Some(format!("socket:[{}]", line.split_whitespace().nth(8)?)))
        .collect();
    for entry in fs::read_dir(format!("/proc/{pid}/fd"))? {
        let Ok(target) = fs::read_link(entry?.path()) else { continue };
        let target = target.to_string_lossy();
        if target.contains("bpf_link")
            || target.contains("perf_event")
            || packet.iter().any(|socket| *socket == target)
        {
            return Ok(true);
        }
    }
    Ok(false)
}
