//! What an agent takes itself: time, memory, start.

use std::{
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Result, ensure};
use clap::ValueEnum;

use super::{
    OTHERS,
    agent::Started,
    cost, kernel,
    line::Line,
    pin,
    traffic::{Couple, new_namespace},
    worker::Load,
};
use crate::{
    load::{held::Held, measure, wire::Wire},
    net::Netns,
};

/// A group of figures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Part {
    /// From the start until it observes.
    Startup,
    /// Time and memory while nothing happens.
    Idle,
    /// Time for a document and for packets, memory with many flows, what programs take, and what is lost.
    Flows,
}

/// Plan of the measurements.
#[derive(Debug)]
pub struct Figures {
    /// The agent's executable.
    pub agent: PathBuf,
    /// Another build of it, measured as well.
    pub other: Option<PathBuf>,
    /// The hook sets it is run with.
    pub hooks: Vec<String>,
    /// Parts to measure.
    pub parts: Vec<Part>,
    /// Number of starts.
    pub starts: u32,
    /// Length of the idle measurement.
    pub idle: Duration,
    /// How long connections are made as fast as one processor can.
    pub sustained: Duration,
    /// Flows that are open at the same time.
    pub flows: u32,
}

/// How long programs are measured under a load.
const PROGRAMS: Duration = Duration::from_secs(2);
/// The same for the agent's time for packets.
const PACKETS: Duration = Duration::from_secs(5);
/// An agent that was started needs so long until it is quiet.
const SETTLED: Duration = Duration::from_secs(6);
/// Late packets are waited for, then documents are written: `socket.flow_termination_timeout` and more.
const REPORTED: Duration = Duration::from_secs(8);
/// Open flows are looked at every five seconds.
const LOOKED: Duration = Duration::from_secs(12);
/// Memory is given back within this time.
const RELEASED: Duration = Duration::from_secs(25);
const MIB: f64 = (1 << 20) as f64;

/// Measures and says every figure. A hook set that does not work here is left out and said.
///
/// # Errors
/// There are no two processors, this is not root, or the traffic fails.
pub fn run(plan: &Figures) -> Result<()> {
    pin::here(OTHERS)?;
    let builds = std::iter::once((&plan.agent, false));
    let builds: Vec<_> = builds.chain(plan.other.iter().map(|other| (other, true))).collect();
    for (hooks, (program, other)) in
        plan.hooks.iter().flat_map(|hooks| builds.iter().map(move |build| (hooks, *build)))
    {
        let name = if other { of_other_build(hooks) } else { hooks.clone() };
        let subject = Subject { plan, program, hooks, name };
        for part in &plan.parts {
            let measured = match part {
                Part::Startup => subject.startup(),
                Part::Idle => subject.idle(),
                Part::Flows => subject.flows(),
            };
            if let Err(error) = measured {
                let reason = format!("{part:?} failed: {error:#}");
                Line::LeftOut { subject: &subject.name, reason }.say()?;
                break;
            }
        }
    }
    Ok(())
}

struct Subject<'a> {
    plan: &'a Figures,
    program: &'a Path,
    hooks: &'a str,
    /// Name of its figures.
    name: String,
}

/// What a hook set of the other build is called.
pub(super) fn of_other_build(hooks: &str) -> String {
    format!("{hooks}, other build")
}

// === impl Subject ===

impl Subject<'_> {
    fn say(&self, figure: &str, value: f64) -> Result<()> {
        Line::Figure { subject: &self.name, figure, value }.say()
    }

    fn start(&self) -> Result<Started> {
        Started::new(self.program, self.hooks, &[])
    }

    /// Several starts, each a value of its own.
    fn startup(&self) -> Result<()> {
        for _ in 0..self.plan.starts {
            let agent = self.start()?;
            let took = agent.took;
            let cpu = cost::cpu(agent.pid())?;
            agent.stop()?;
            self.say("start to all hooks attached ms", took.as_secs_f64() * 1e3)?;
            self.say("start to all hooks attached, CPU ms", cpu.as_secs_f64() * 1e3)?;
        }
        Ok(())
    }

    fn idle(&self) -> Result<()> {
        let agent = self.start()?;
        thread::sleep(SETTLED);
        let before = (cost::cpu(agent.pid())?, measure::cost(agent.pid())?);
        thread::sleep(self.plan.idle);
        let after = (cost::cpu(agent.pid())?, measure::cost(agent.pid())?);
        let seconds = self.plan.idle.as_secs_f64();
        let cpu = (after.0 - before.0).as_secs_f64();
        self.say("idle CPU % of a core", cpu / seconds * 100.0)?;
        self.say("idle wake-ups a second", (after.1.sleeps - before.1.sleeps) as f64 / seconds)?;
        self.say("resident idle MiB", after.1.resident as f64 / MIB)?;
        agent.stop().map(drop)
    }

    fn flows(&self) -> Result<()> {
        let netns = new_namespace()?;
        let mut couple = Couple::start(&netns)?;
        self.documents(&mut couple, &netns)?;
        self.memory(&netns)?;
        self.programs(&mut couple)
    }

    /// As many connections as one processor can make, and after them other packets.
    fn documents(&self, couple: &mut Couple, netns: &Netns) -> Result<()> {
        let agent = self.start()?;
        let before = cost::cpu(agent.pid())?;
        let (connections, nanos) = couple.drive(Load::Crr, self.plan.sustained)?;
        thread::sleep(REPORTED);
        let used = cost::cpu(agent.pid())? - before;

        let (before, packets) = (cost::cpu(agent.pid())?, Wire::of(netns)?);
        couple.drive(Load::Udp, PACKETS)?;
        couple.drive(Load::Rr, PACKETS)?;
        let (packets, more) = (Wire::of(netns)? - packets, cost::cpu(agent.pid())? - before);
        let ended = agent.stop()?;

        let documents = ended.reported()?;
        ensure!(documents > 0, "no flow was reported");
        self.say("connections a second", connections as f64 / nanos as f64 * 1e9)?;
        self.say("flow documents", documents as f64)?;
        self.say("agent CPU us a document", used.as_secs_f64() * 1e6 / documents as f64)?;
        let millions = (packets.packets_in + packets.packets_out) as f64 / 1e6;
        self.say("agent CPU ms a million packets", more.as_secs_f64() * 1e3 / millions)?;
        let losses = ended.losses();
        self.say("kinds of losses", losses.len() as f64)?;
        for (counter, count) in losses {
            Line::Lost { subject: &self.name, counter, count }.say()?;
        }
        Ok(())
    }

    /// Many flows at a time: each connection has two, as both ends are here.
    fn memory(&self, netns: &Netns) -> Result<()> {
        let agent = Started::new(self.program, self.hooks, &["socket.tables.late: 131072"])?;
        thread::sleep(SETTLED);
        let before = measure::cost(agent.pid())?;
        let connections = self.plan.flows / 2;
        let open = Held::open(netns, 0, connections)?;
        thread::sleep(LOOKED);
        let held = measure::cost(agent.pid())?;
        open.close()?;
        let bound = before.resident + before.resident / 20;
        let after = measure::wait_below(agent.pid(), bound, RELEASED)?;
        self.say("resident before flows MiB", before.resident as f64 / MIB)?;
        self.say("resident with flows MiB", held.resident as f64 / MIB)?;
        self.say("resident peak MiB", after.peak as f64 / MIB)?;
        self.say("resident after flows MiB", after.resident as f64 / MIB)?;
        self.kernel_memory(agent.pid())?;
        agent.stop().map(drop)
    }

    fn kernel_memory(&self, agent: u32) -> Result<()> {
        let mut programs = 0;
        for (kind, id, bytes) in cost::kernel_memory(agent)? {
            if kind == "program" {
                programs += bytes;
                continue;
            }
            let table = kernel::table(id).unwrap_or_else(|| format!("table {id}"));
            Line::Table { subject: &self.name, table, bytes }.say()?;
        }
        Line::Table { subject: &self.name, table: "programs".into(), bytes: programs }.say()
    }

    /// The kernel's own measurement of each program, under each load.
    fn programs(&self, couple: &mut Couple) -> Result<()> {
        let agent = self.start()?;
        let _measuring = kernel::measure()?;
        for load in Load::ALL {
            let before = kernel::runs(agent.pid())?;
            let start = Instant::now();
            couple.drive(load, PROGRAMS)?;
            ensure!(start.elapsed() >= PROGRAMS, "the load ended early");
            for (program, (count, nanos)) in kernel::runs(agent.pid())? {
                let known = before.get(&program).copied().unwrap_or_default();
                let (runs, nanos) = (count - known.0, nanos - known.1);
                if runs > 0 {
                    let (subject, load) = (self.hooks, load.name());
                    Line::Program { subject, program, load, runs, nanos }.say()?;
                }
            }
        }
        agent.stop().map(drop)
    }
}
