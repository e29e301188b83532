//! An agent whose documents go nowhere.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};

use super::{OTHERS, pin};
use crate::{
    agent::{Agent, Options, Stopped, Timeouts},
    net::Netns,
};

/// The defaults of the agent: a bench measures what users have.
const DEFAULTS: Timeouts =
    Timeouts { flow_inactive: "30s", flow_termination: "5s", socket_inactive: "1m" };
/// Counters above zero that mean that something is missing from the documents.
const LOSSES: [&str; 13] = [
    "flow_table_full",
    "open_table_full",
    "peer_table_full",
    "closed_lost",
    "process_lost",
    "owner_table_full",
    "pending_missed",
    "late_table_full",
    "late_lost",
    "late_after_report",
    "socket_lost",
    "table_read_failures",
    "samples_lost",
];

/// An agent that observes.
pub(super) struct Started {
    agent: Agent,
    /// From its start until it observed.
    pub(super) took: Duration,
}

/// An agent that has ended.
pub(super) struct Ended(Stopped);

// === impl Started ===

impl Started {
    /// Starts it on the processor that traffic leaves alone.
    pub(super) fn new(
        program: &Path,
        hooks: &str,
        settings: &'static [&'static str],
    ) -> Result<Self> {
        let options = Options {
            program: program.to_owned(),
            hooks: hooks.to_owned(),
            timeouts: DEFAULTS,
            settings,
            modules: None,
            btf: None,
            perf_rings: false,
            output: Some("/dev/null".into()),
            log: None,
            before: None,
        };
        let netns = Netns::current()?;
        let start = Instant::now();
        let agent = pin::on(OTHERS, || Agent::start(&options, &netns))?;
        Ok(Self { agent, took: start.elapsed() })
    }

    pub(super) fn pid(&self) -> u32 {
        self.agent.pid()
    }

    /// Ends it, which lets it report everything.
    pub(super) fn stop(self) -> Result<Ended> {
        let stopped = self.agent.stop()?;
        ensure!(stopped.status.success(), "the agent ended with {}", stopped.status);
        Ok(Ended(stopped))
    }
}

// === impl Ended ===

impl Ended {
    /// Losses that it has counted.
    pub(super) fn losses(&self) -> Vec<(String, u64)> {
        let counter = |name: &&str| self.0.counters.get(*name).copied();
        let counts = LOSSES.iter().filter_map(|name| Some(((*name).to_owned(), counter(name)?)));
        counts.filter(|(_, count)| *count > 0).collect()
    }

    /// Documents of flows that it has written.
    pub(super) fn reported(&self) -> Result<u64> {
        let line = self
            .0
            .log
            .iter()
            .rev()
            .filter(|line| line.contains("\"reported\""))
            .find_map(|line| line.split_once("totals "));
        let (_, totals) = line.context("the agent logged no totals")?;
        let totals: serde_json::Value = serde_json::from_str(totals)?;
        totals.get("reported").and_then(serde_json::Value::as_u64).context("totals without reports")
    }
}
