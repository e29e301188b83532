//! How an agent ended, and what it may have lost.

use std::collections::BTreeMap;

use anyhow::{Result, bail};

use crate::agent::{Doc, Stopped, kernel_version};

/// The agent's counters, by name.
pub(super) type Counters = BTreeMap<String, u64>;

/// Counters that may be above zero without anything being lost.
const HARMLESS: [&str; 13] = [
    "spilled",
    "midway",
    "owners_missed",
    "late_unmatched",
    "samples_disordered",
    "records_disordered",
    "dns_ancestors_evicted",
    "dns_malformed",
    "dns_networks_unknown",
    "dns_segments_lost",
    "dns_unasked",
    "dns_unclaimed",
    "dns_unseen",
];
/// Counters that have to be there.
const COUNTERS: [&str; 12] = [
    "flow_table_full",
    "peer_table_full",
    "closed_lost",
    "spilled",
    "process_lost",
    "owner_table_full",
    "pending_missed",
    "late_unmatched",
    "late_table_full",
    "unparsed",
    "midway",
    "late_lost",
];

/// Verdict on an agent that has ended.
#[derive(Debug)]
pub struct Ended {
    pub(super) documents: Vec<Doc>,
    /// Faults of the whole run.
    pub(super) wrong: Vec<String>,
    /// What was wrong with documents that came at the end, by scenario.
    pub(super) by_scenario: BTreeMap<&'static str, Vec<String>>,
}

impl Ended {
    /// How the documents of one scenario came out, those that came at the end.
    pub fn of(&self, scenario: &str) -> Result<()> {
        complain(self.by_scenario.get(scenario).map(Vec::as_slice).unwrap_or_default())
    }

    /// Result of the whole run.
    pub fn whole(&self) -> Result<()> {
        complain(&self.wrong)
    }

    /// As [`Ended::whole`], where these counters may count losses.
    pub fn whole_but(&self, counters: &[&str]) -> Result<()> {
        let allowed = |wrong: &&String| {
            counters.iter().any(|name| wrong.starts_with(&format!("the loss counter {name} is ")))
        };
        complain(&self.wrong.iter().filter(|wrong| !allowed(wrong)).cloned().collect::<Vec<_>>())
    }
}

/// Fails with the first few things that are wrong.
pub(super) fn complain(wrong: &[String]) -> Result<()> {
    let first = wrong.iter().take(10).map(String::as_str).collect::<Vec<_>>().join("; ");
    let more = wrong.len().saturating_sub(10);
    match more {
        _ if wrong.is_empty() => Ok(()),
        0 => bail!("{first}"),
        _ => bail!("{first}; {more} more"),
    }
}

/// What is wrong with how an agent ended and what it counted.
pub(super) fn ended_well(stopped: &Stopped, hooks: &str) -> Vec<String> {
    let Stopped { status, documents, garbage, counters, log } = stopped;
    let mut wrong = Vec::new();
    if !status.success() {
        wrong.push(format!("the agent ended with {status}"));
    }
    if let Some(line) = garbage.first() {
        wrong.push(format!("{} lines of output are no documents: {line}", garbage.len()));
    }
    if let Some(line) = log.iter().find(|line| line.contains("panicked")) {
        wrong.push(format!("the agent panicked: {line}"));
    }
    let lost = lost(counters, hooks, documents.len());
    if lost.iter().any(|wrong| wrong.contains("programs_missed")) {
        let which = log.iter().filter(|line| line.contains("runs that the kernel skipped"));
        wrong.extend(which.map(|line| format!("the agent says: {line}")));
    }
    wrong.extend(lost);
    wrong
}

/// Whether packets are seen by kprobes that may interrupt each other. The kernel skips one that does, and counts it;
/// before 4.15 probes run with interrupts disabled.
pub fn skips_probes(hooks: &str) -> bool {
    hooks == "tracefs" && kernel_version() >= (4, 15)
}

/// What the agent itself says that it has lost.
///
/// That a packet is missing because a probe was skipped shows in its flow; probes on other functions are
/// skipped as well, and a few are in every long run. From 7.0 on a change of state may be missed by all copies
/// of its hook where thousands of tasks share a slow processor: most changes say nothing, and one that does shows
/// in its flow.
fn lost(counters: &Counters, hooks: &str, documents: usize) -> Vec<String> {
    const FEW: u64 = 10;
    // Interrupts meet a probe at work once in some thousand hits, of which a connection makes some ten.
    let skips = FEW.max(documents as u64 / 100);
    let changing = kernel_version() >= (7, 0);
    let skipped = counters.get("programs_missed").copied().unwrap_or(0);
    let by_nature = |name: &str, value: u64| match name {
        "programs_missed" => (skips_probes(hooks) && value <= skips) || (changing && value <= FEW),
        // The first packet of a connection was one of them.
        "pending_missed" => skips_probes(hooks) && value <= skipped,
        _ => false,
    };
    let missing = COUNTERS
        .iter()
        .filter(|name| !counters.contains_key(**name))
        .map(|name| format!("the agent does not tell the counter {name}"));
    let lost = counters
        .iter()
        .filter(|(name, value)| **value > 0 && !HARMLESS.contains(&name.as_str()))
        .filter(|(name, value)| !by_nature(name, **value))
        .map(|(name, value)| format!("the loss counter {name} is {value}"));
    missing.chain(lost).collect()
}
