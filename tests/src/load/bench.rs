//! An agent, a namespace of its own to watch, and a reader of what it says.

use std::{io, path::Path};

use anyhow::{Context as _, Result};
use nix::{
    sys::{
        signal::{Signal, kill},
        statvfs::statvfs,
    },
    unistd::Pid,
};
use tempfile::TempDir;

use super::{expected_totals::Reported, reader::Reader, wire::Wire};
use crate::{
    agent::{Agent, Options, Stopped, Table},
    net::{Netns, link},
};

/// Counters of packets that are in no document.
const PACKETS: [&str; 5] =
    ["flow_table_full", "peer_table_full", "closed_lost_packets", "late_lost", "late_after_report"];

/// An agent under test, and where the traffic is that it is judged by.
#[derive(Debug)]
pub(crate) struct Bench {
    /// A namespace with a loopback interface.
    pub(crate) netns: Netns,
    pub(crate) agent: Agent,
    pub(crate) reader: Reader,
    /// What had crossed the namespace of this process before.
    host: Wire,
    _directory: Option<TempDir>,
}

/// Output of an agent, and its documents.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) stopped: Stopped,
    pub(crate) reported: Reported,
    /// What has crossed the namespace, by the kernel's own count.
    pub(crate) wire: Wire,
    /// What has crossed the namespace of this process meanwhile: traffic of others.
    others: Wire,
}

impl Bench {
    /// Starts an agent.
    pub(crate) fn start(options: &Options) -> Result<Self> {
        let netns = Netns::create()?;
        netns.run(|| link::up("lo"))?;
        Self::watch(options, netns)
    }

    /// Starts an agent that is judged by what happens in a namespace.
    pub(crate) fn watch(options: &Options, netns: Netns) -> Result<Self> {
        let directory = directory().context("making a directory for documents")?;
        let output = directory.path().join("documents");
        Self::start_with(options, netns, &output, Some(directory))
    }

    /// Starts an agent that writes documents into a directory.
    pub(crate) fn start_in(options: &Options, directory: &Path) -> Result<Self> {
        let netns = Netns::create()?;
        netns.run(|| link::up("lo"))?;
        Self::start_with(options, netns, &directory.join("documents"), None)
    }

    fn start_with(
        options: &Options,
        netns: Netns,
        output: &Path,
        directory: Option<TempDir>,
    ) -> Result<Self> {
        let reader = Reader::follow(output, netns.inode()?)?;
        let options = Options { output: Some(output.to_owned()), ..options.clone() };
        let here = Netns::current()?;
        let host = Wire::of(&here)?;
        let agent = Agent::start(&options, &here)?;
        Ok(Self { netns, agent, reader, host, _directory: directory })
    }

    /// A table of the agent's.
    pub(crate) fn table(&self, name: &str) -> Result<Table> {
        Table::of(self.agent.pid(), name)
    }

    /// Stops the agent's execution, so that its tables fill up, for as long as `work` takes.
    pub(crate) fn while_stopped<T>(&self, work: impl FnOnce() -> Result<T>) -> Result<T> {
        let pid = Pid::from_raw(self.agent.pid().cast_signed());
        kill(pid, Signal::SIGSTOP).context("stopping the agent")?;
        let result = work();
        kill(pid, Signal::SIGCONT).context("letting the agent go on")?;
        result
    }

    /// Ends the agent, which reports everything.
    pub(crate) fn finish(self) -> Result<Outcome> {
        let Self { netns, agent, mut reader, host, _directory } = self;
        let stopped = agent.stop()?;
        reader.end();
        let reported = reader.take();
        let others = Wire::of(&Netns::current()?)? - host;
        Ok(Outcome { stopped, reported, wire: Wire::of(&netns)?, others })
    }
}

/// In memory if there is room: a disk that is slower than the load would be measured with the agent.
fn directory() -> io::Result<TempDir> {
    const MEMORY: &str = "/dev/shm";
    const ENOUGH: u64 = 2 << 30;
    #[allow(clippy::useless_conversion)] // words have 32 bits on other machines
    let available = statvfs(MEMORY)
        .map_or(0, |fs| u64::from(fs.blocks_available()) * u64::from(fs.fragment_size()));
    if available >= ENOUGH { TempDir::new_in(MEMORY) } else { TempDir::new() }
}

impl Outcome {
    /// Holds the packets that crossed the namespace against those in documents, of which `earlier`
    /// ones were taken before; what is wrong, in words. What is missing is in counters, packet by
    /// packet. They count packets of the whole host, so that those of others are allowed for, and one
    /// of them counts packets that belong to no connection.
    pub(crate) fn unbalanced(&self, earlier: Wire) -> Option<String> {
        let sum = |wire: Wire| wire.packets_out + wire.packets_in;
        let (passed, said) = (sum(self.wire), sum(earlier) + sum(self.reported.wire));
        let count = |name: &&str| self.counter(name).unwrap_or(0);
        let lost: u64 = PACKETS.iter().map(count).sum();
        let unmatched = count(&"late_unmatched");
        let missing = passed.checked_sub(said);
        let least = lost.saturating_sub(sum(self.others));
        let right = missing.is_some_and(|missing| (least..=lost + unmatched).contains(&missing));
        (!right).then(|| {
            format!(
                "{passed} packets passed, {said} are in documents, {lost} were counted lost and \
                 {unmatched} as nobody's; {} of others passed",
                sum(self.others)
            )
        })
    }

    /// A counter of the agent's.
    pub(crate) fn counter(&self, name: &str) -> Result<u64> {
        let counter = self.stopped.counters.get(name).copied();
        counter.with_context(|| format!("the agent does not tell the counter {name}"))
    }
}
