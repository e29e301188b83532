//! Much traffic at a time, and an agent that has to account for all of it.
//!
//! Every load has a network namespace for itself. The totals it expects are the list of
//! connections that its processes kept, and the kernel's own count of what crossed the namespace.

pub(crate) mod bench;
pub(crate) mod disk;
pub(crate) mod expected_totals;
pub(crate) mod held;
pub(crate) mod measure;
mod names;
mod odd;
mod parts;
mod reader;
mod report;
pub(crate) mod wire;
pub(crate) mod worker;
pub(crate) mod worker_handle;

use std::{
    cell::RefCell,
    path::PathBuf,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};

pub use self::worker::main as worker;
use self::{
    bench::{Bench, Outcome},
    disk::Disk,
    expected_totals::{Findings, compare},
    measure::{Cost, SAME, cost, forget_peak, wait_below},
    parts::{PARTS, Part, Site},
    report::mib,
    wire::Wire,
};
use crate::{
    agent::{Options, Timeouts},
    runner::Totals,
};

/// Plan of a run.
#[derive(Debug)]
pub struct Plan {
    /// The agent's executable.
    pub agent: PathBuf,
    /// The hook set it is to use.
    pub hooks: String,
    /// Only loads whose name contains this.
    pub filter: String,
    /// Divides the size of every load.
    pub divisor: u32,
    /// Directory for the agents' logs.
    pub logs: Option<PathBuf>,
}

/// An agent never holds more than this, whatever the load: docs/load.md.
const MOST: u64 = 120 << 20;
/// How long documents may be missing until they are given up.
const PATIENCE: Duration = Duration::from_secs(20);
/// How long memory may stay as it is until no more will be given back: longer than names are held, and than the
/// agent waits between two looks at what it can let go.
const SETTLE: Duration = Duration::from_secs(60);
/// Counters of what is not in the documents.
const LOSSES: [&str; 9] = [
    "flow_table_full",
    "peer_table_full",
    "closed_lost",
    "owner_table_full",
    "pending_missed",
    "late_table_full",
    "late_lost",
    "late_after_report",
    "late_unmatched",
];

/// Counters of DNS traffic that gave no name.
const NAMES_LOST: [&str; 6] = [
    "dns_unseen",
    "dns_cut",
    "dns_names_evicted",
    "dns_ancestors_evicted",
    "dns_unclaimed",
    "dns_unasked",
];

/// The names of the loads that a plan runs.
pub fn list(plan: &Plan) -> impl Iterator<Item = &'static str> {
    PARTS.iter().map(|part| part.name).filter(|name| name.contains(&plan.filter))
}

/// Runs what the plan says and prints a line for each load.
pub fn run(plan: &Plan) -> Totals {
    let mut totals = Totals::default();
    for part in PARTS.iter().filter(|part| part.name.contains(&plan.filter)) {
        let start = Instant::now();
        let result = perform(plan, part);
        let seconds = start.elapsed().as_secs_f64();
        match result {
            Ok(()) => {
                totals.passed += 1;
                println!("PASS {} ({seconds:.1} s)", part.name);
            }
            Err(error) => {
                totals.failed += 1;
                println!("FAIL {} ({seconds:.1} s): {error:#}", part.name);
            }
        }
    }
    totals
}

fn perform(plan: &Plan, part: &Part) -> Result<()> {
    let log = format!("{}.log", part.name.replace('/', "-"));
    let disk = part.disk.map(Disk::mount).transpose()?;
    let options = Options {
        program: plan.agent.clone(),
        hooks: plan.hooks.clone(),
        timeouts: Timeouts { flow_termination: part.termination, ..Timeouts::default() },
        settings: part.settings,
        modules: None,
        btf: None,
        perf_rings: false,
        output: None,
        before: None,
        log: plan.logs.as_ref().map(|logs| logs.join(log)),
    };
    let bench = match &disk {
        Some(disk) => Bench::start_in(&options, disk.path()),
        None => Bench::start(&options),
    }?;
    let (agent, reader) = (bench.agent.pid(), &bench.reader);
    let site = Site { netns: &bench.netns, agent, notes: RefCell::default(), disk: None };
    let fresh = cost(agent)?;

    // Memory is compared with that after a little of the same: what is made once is made then.
    let warm = (part.make)(&site, part.warm, 0).context("warming up")?;
    reader.wait(warm.len(), PATIENCE);
    let before = settled(agent)?;
    site.notes.borrow_mut().clear();
    forget_peak(agent)?;
    let earlier = reader.take().wire;

    let site = Site { disk: disk.as_ref(), ..site };
    let (wire, begun) = (Wire::of(&bench.netns)?, Instant::now());
    let ends = (part.make)(&site, (part.full / plan.divisor.max(1)).max(1), part.warm)?;
    let made = begun.elapsed();
    reader.wait(ends.len(), PATIENCE);
    let bound = before.resident + before.resident / 10;
    let most = part.waiting.map_or(MOST, |waiting| before.resident + waiting);
    let after = wait_below(agent, bound, SETTLE)?;
    let notes = site.notes.take();
    let outcome = bench.finish()?;
    let mut findings = compare(&ends, &outcome.reported);
    judge(&mut findings, &outcome, earlier);
    let wire = outcome.wire - wire;
    memory(&mut findings, before, after, bound, most);

    let said = &outcome.reported;
    let cpu = after.cpu - before.cpu;
    let lost: Vec<String> = LOSSES
        .iter()
        .chain(&NAMES_LOST)
        .filter_map(|name| Some((name, outcome.counter(name).ok().filter(|count| *count > 0)?)))
        .map(|(name, count)| format!("{name} {count}"))
        .collect();
    println!(
        "{}: {} ends in {:.1} s, {} documents, counted lost: {}; {} packets, {} bytes sent, {} and {} in \
         documents;{} memory {} at the start, {} warm, {} at the peak, {} at the end; {:.2} s of CPU, \
         {:.1} us a document{}",
        part.name,
        ends.len(),
        made.as_secs_f64(),
        said.documents,
        if lost.is_empty() { "nothing".to_owned() } else { lost.join(", ") },
        wire.packets_out,
        wire.bytes_out,
        said.wire.packets_out,
        said.wire.bytes_out,
        if findings.unnamed > 0 {
            format!(" {} without name;", findings.unnamed)
        } else {
            String::new()
        },
        mib(fresh.resident),
        mib(before.resident),
        mib(after.peak),
        mib(after.resident),
        cpu.as_secs_f64(),
        cpu.as_secs_f64() * 1e6 / said.documents.max(1) as f64,
        notes.iter().map(|note| format!("; {note}")).collect::<String>(),
    );
    if findings.wrong > 0 {
        bail!("{} things are wrong: {}", findings.wrong, findings.examples());
    }
    Ok(())
}

/// Waits until what an agent holds is the same as two seconds before, but for a few pages.
fn settled(agent: u32) -> Result<Cost> {
    let mut before = cost(agent)?;
    let deadline = Instant::now() + SETTLE;
    loop {
        std::thread::sleep(Duration::from_secs(2));
        let now = cost(agent)?;
        let change = now.resident.abs_diff(before.resident);
        if change < SAME || Instant::now() > deadline {
            return Ok(now);
        }
        before = now;
    }
}

/// What is not in the documents is in the counters.
fn judge(findings: &mut Findings, outcome: &Outcome, earlier: Wire) {
    let count = |name: &str| outcome.counter(name).unwrap_or(0);
    let (missing, lost) = (findings.missing, count("closed_lost"));
    if missing != lost {
        findings.add(format_args!("{missing} ends have no document, closed_lost is {lost}"));
    }
    if let Some(wrong) = outcome.unbalanced(earlier) {
        findings.add(wrong);
    }
    let (unnamed, lost): (_, u64) =
        (findings.unnamed, NAMES_LOST.iter().map(|name| count(name)).sum());
    // Those of the warm-up are counted with them.
    if unnamed > lost {
        findings.add(format_args!("{unnamed} names are missing, {lost} were counted lost"));
    }
    let losses: u64 = LOSSES.iter().map(|name| count(name)).sum();
    if losses == 0 && findings.uneven > 0 {
        let (ends, first) = (findings.uneven, findings.first_uneven.clone());
        findings.add(format_args!("packets of {ends} ends, no loss was counted: {first}"));
    }
    let status = outcome.stopped.status;
    if !status.success() {
        findings.add(format_args!("the agent ended with {status}"));
    }
}

fn memory(findings: &mut Findings, before: Cost, after: Cost, bound: u64, most: u64) {
    if after.peak > most {
        findings.add(format_args!("{} at the peak, more than {}", mib(after.peak), mib(most)));
    }
    if after.resident > bound {
        findings.add(format_args!(
            "{} are held after the load, {} before it",
            mib(after.resident),
            mib(before.resident)
        ));
    }
}
