//! Throughput with and without somebody who watches.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    path::PathBuf,
    process::{Child, ChildStdout, Command, Stdio},
    time::Duration,
};

use anyhow::{Context as _, Result};

use super::{
    OTHERS, TRAFFIC,
    line::Line,
    pin,
    subject::{Running, Subject},
    worker::Load,
};
use crate::{
    net::{Netns, link},
    worker::executable,
};

/// Plan of a comparison.
#[derive(Debug)]
pub struct Traffic {
    /// The agent's executable.
    pub agent: PathBuf,
    /// Another build of it, compared as well.
    pub other: Option<PathBuf>,
    /// The hook sets it is run with.
    pub hooks: Vec<String>,
    /// `NAME=COMMAND` of each peer; words are separated by blanks.
    pub peers: Vec<String>,
    /// Kinds of traffic.
    pub loads: Vec<Load>,
    /// Runs of each load with each subject, every one between two without any.
    pub pairs: u32,
    /// Length of a run.
    pub time: Duration,
}

/// Client and server, both on one processor.
pub(super) struct Couple {
    server: Child,
    client: Child,
    answers: BufReader<ChildStdout>,
}

// === impl Couple ===

impl Couple {
    pub(super) fn start(netns: &Netns) -> Result<Self> {
        let program = executable()?;
        let start = |end: &str| -> Result<Child> {
            let mut command = Command::new(&program);
            command.args(["bench-worker", end]).stdin(Stdio::piped()).stdout(Stdio::piped());
            command.spawn().with_context(|| format!("starting the {end} of the bench"))
        };
        let (mut server, mut client) =
            netns.run(|| pin::on(TRAFFIC, || Ok((start("server")?, start("client")?))))?;
        let mut ports = String::new();
        let said = server.stdout.take().context("a server without output")?;
        BufReader::new(said).read_line(&mut ports).context("reading the server's ports")?;
        let answers = BufReader::new(client.stdout.take().context("a client without output")?);
        let mut couple = Self { server, client, answers };
        couple.send_line(ports.trim_end())?;
        Ok(couple)
    }

    fn send_line(&mut self, line: &str) -> Result<()> {
        let input = self.client.stdin.as_mut().context("a client without input")?;
        writeln!(input, "{line}").context("telling the client what to do")
    }

    /// Makes a load for some time: operations and nanoseconds.
    pub(super) fn drive(&mut self, load: Load, time: Duration) -> Result<(u64, u64)> {
        self.send_line(&format!("{} {}", load.name(), time.as_millis()))?;
        let mut answer = String::new();
        self.answers.read_line(&mut answer).context("reading from the client")?;
        let numbers = answer.trim_end().split_once(' ').context("the client has ended")?;
        Ok((numbers.0.parse()?, numbers.1.parse()?))
    }
}

impl Drop for Couple {
    fn drop(&mut self) {
        for child in [&mut self.client, &mut self.server] {
            // Fails only for one that has ended.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// A namespace with a loopback interface.
pub(super) fn new_namespace() -> Result<Netns> {
    let netns = Netns::create()?;
    netns.run(|| link::up("lo"))?;
    Ok(netns)
}

/// Runs it and says every sample.
///
/// # Errors
/// There are no two processors, this is not root, or the traffic fails. A subject that does not work
/// is left out and said.
pub fn run(plan: &Traffic) -> Result<()> {
    pin::here(OTHERS)?;
    let mut subjects = Subject::all(&plan.agent, plan.other.as_deref(), &plan.hooks, &plan.peers)?;
    let netns = new_namespace()?;
    let mut couple = Couple::start(&netns)?;
    // Pages, caches and TIME_WAIT sockets are then as they will be.
    round(plan, &mut couple, None, false)?;
    round(plan, &mut couple, None, true)?;
    for _ in 0..plan.pairs {
        let mut failed = Vec::new();
        for subject in &subjects {
            match Running::start(subject, &netns) {
                Ok(running) => {
                    round(plan, &mut couple, Some(&running), true)?;
                    for (counter, count) in running.stop()? {
                        Line::Lost { subject: &subject.name, counter, count }.say()?;
                    }
                }
                Err(error) => {
                    let reason = format!("{error:#}");
                    Line::LeftOut { subject: &subject.name, reason }.say()?;
                    failed.push(subject.name.clone());
                }
            }
            round(plan, &mut couple, None, true)?;
        }
        subjects.retain(|subject| !failed.contains(&subject.name));
    }
    Ok(())
}

/// Runs each load once.
fn round(plan: &Traffic, couple: &mut Couple, with: Option<&Running>, say: bool) -> Result<()> {
    for &load in &plan.loads {
        let before = with.map(Running::cpu).transpose()?.unwrap_or_default();
        let (operations, nanos) = couple.drive(load, plan.time)?;
        let after = with.map(Running::cpu).transpose()?.unwrap_or_default();
        if say {
            Line::Sample {
                subject: with.map(Running::name),
                load: load.name(),
                operations,
                nanos,
                subject_nanos: after.saturating_sub(before).as_nanos() as u64,
            }
            .say()?;
        }
    }
    Ok(())
}
