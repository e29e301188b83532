//! Runs scenarios and tells how they went.

use std::{
    collections::BTreeSet,
    fmt,
    path::PathBuf,
    sync::{Mutex, PoisonError},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};

use crate::{
    agent::{Doc, Options},
    cost::Cost,
    expect::{Session, skips_probes},
    fixture::{Fixture, Guards},
    scenarios::{self, Act, Rest, Scenario, Watcher},
    skip::Skip,
    worker::Worker,
};
use ecs_schema::Schema;

/// Plan of a run.
#[derive(Debug)]
pub struct Plan {
    /// The agent's executable.
    pub agent: PathBuf,
    /// The hook set it is to use.
    pub hooks: String,
    /// Only scenarios whose name contains one of these; all if there is none.
    pub filter: Vec<String>,
    /// Leave out what comes out the same on every kernel.
    pub kernel_only: bool,
    /// Type information that the agents are given.
    pub btf: Option<PathBuf>,
    /// Whether the agents are told to take records from perf rings.
    pub perf_rings: bool,
    /// How many scenarios run at a time; those that start an agent run one by one.
    pub jobs: usize,
    /// Directory for the agents' logs.
    pub logs: Option<PathBuf>,
}

/// Numbers of scenarios by outcome.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Scenarios that passed.
    pub passed: u32,
    /// Scenarios that failed.
    pub failed: u32,
    /// Scenarios this machine cannot run.
    pub skipped: u32,
}

impl fmt::Display for Totals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { passed, failed, skipped } = self;
        write!(f, "{passed} passed, {failed} failed, {skipped} skipped")
    }
}

/// Prints what came out, as it comes out.
#[derive(Debug, Default)]
struct Report(Mutex<Totals>);

impl Report {
    fn add(&self, name: &str, took: Duration, result: &Result<()>) {
        let mut totals = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let seconds = took.as_secs_f64();
        match result {
            Ok(()) => {
                totals.passed += 1;
                println!("PASS {name} ({seconds:.1} s)");
            }
            Err(error) if error.downcast_ref::<Skip>().is_some() => {
                totals.skipped += 1;
                println!("SKIP {name} ({seconds:.1} s): {}", one_line(error));
            }
            Err(error) => {
                totals.failed += 1;
                println!("FAIL {name} ({seconds:.1} s): {}", one_line(error));
            }
        }
    }

    fn totals(&self) -> Totals {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn one_line(error: &anyhow::Error) -> String {
    format!("{error:#}").replace('\n', " | ")
}

/// Runs what the plan says and prints a line for each scenario.
///
/// # Errors
/// If an agent that scenarios share does not start.
pub fn run(plan: &Plan) -> Result<Totals> {
    let chosen = chosen(plan);
    let of = |watcher| -> Vec<Task> {
        let tasks = chosen.iter().filter(|task| task.scenario.watcher == watcher);
        tasks.copied().collect()
    };
    let report = Report::default();
    // One group after the other: an agent sees the flows of all that runs, and knows only its own.
    for watcher in Watcher::SHARED {
        let (tasks, cost) = (of(watcher), Cost::begin());
        if !tasks.is_empty() {
            watch(plan, watcher, tasks, &report)?;
            println!("COST {} {cost}", watcher.name());
        }
    }
    let cost = Cost::begin();
    let (options, guards) = (options(plan, Watcher::Own), Guards::default());
    for task in of(Watcher::Own) {
        let start = Instant::now();
        let fixture = fixture(plan, &options, &guards, None, task);
        let act = || match task.scenario.act {
            Act::Whole(run) => run(&fixture),
            Act::Before(run) => run(&fixture).and_then(|rest| rest(&fixture)),
        };
        let result = match act() {
            Err(error) if may_repeat(plan, &error) => {
                log_repetition(task, &error);
                act()
            }
            result => result,
        };
        report.add(task.scenario.name, start.elapsed(), &result);
    }
    println!("COST {} {cost}", Watcher::Own.name());
    Ok(report.totals())
}

/// A scenario with its number.
#[derive(Clone, Copy)]
struct Task {
    number: u16,
    scenario: &'static Scenario,
}

/// Runs the scenarios that share an agent.
fn watch(plan: &Plan, watcher: Watcher, tasks: Vec<Task>, report: &Report) -> Result<()> {
    let (options, guards) = (options(plan, watcher), Guards::default());
    let failed = |task: Task, start: Instant, error| {
        report.add(task.scenario.name, start.elapsed(), &Err(error));
    };
    let begun = in_parallel(plan.jobs, tasks, |task: Task| {
        let start = Instant::now();
        let rest: Rest = match task.scenario.act {
            Act::Whole(run) => Box::new(run),
            Act::Before(run) => match run(&fixture(plan, &options, &guards, None, task)) {
                Ok(rest) => rest,
                Err(error) => {
                    failed(task, start, error);
                    return None;
                }
            },
        };
        Some((task, rest))
    });

    let session = Session::start(&options);
    let session = session.with_context(|| format!("starting {}", plan.agent.display()))?;
    if watcher == Watcher::Prompt {
        session.degraded().iter().for_each(|hook| println!("DEGRADED {hook}"));
    }
    let again = Mutex::new(Vec::new());
    let act = |(task, rest): (Task, Rest), last: bool| {
        let (start, name) = (Instant::now(), task.scenario.name);
        Worker::take_spawned();
        match rest(&fixture(plan, &options, &guards, Some(&session), task)) {
            Ok(()) if session.decides_at_end(name) => return Some((name, start.elapsed())),
            Ok(()) => report.add(name, start.elapsed(), &Ok(())),
            Err(error) => {
                session.forgive(name);
                match task.scenario.act {
                    Act::Whole(run) if !last && may_repeat(plan, &error) => {
                        log_repetition(task, &error);
                        session.disown(Worker::take_spawned());
                        let rest: Rest = Box::new(run);
                        again.lock().unwrap_or_else(PoisonError::into_inner).push((task, rest));
                    }
                    _ => {
                        if error.downcast_ref::<Skip>().is_some() {
                            // What it had begun when it found that it cannot go on is not at issue.
                            session.disown(Worker::take_spawned());
                        }
                        failed(task, start, error);
                    }
                }
            }
        }
        None
    };
    let (alone, beside): (Vec<_>, Vec<_>) =
        begun.into_iter().partition(|(task, _)| task.scenario.alone);
    let mut open = in_parallel(plan.jobs, beside, |begun| act(begun, false));
    open.extend(in_parallel(1, alone, |begun| act(begun, false)));
    let tries = if skips_probes(&plan.hooks) { 2 } else { 1 };
    for left in (0..tries).rev() {
        let again = std::mem::take(&mut *again.lock().unwrap_or_else(PoisonError::into_inner));
        open.extend(in_parallel(1, again, |begun| act(begun, left == 0)));
    }

    let (start, documents) = (Instant::now(), session.documents());
    let ended = session.end();
    let took = start.elapsed();
    let ended = match ended {
        Ok(ended) => {
            for (name, took) in open {
                report.add(name, took, &ended.of(name));
            }
            ended.whole()
        }
        Err(error) => {
            for (name, took) in open {
                report.add(name, took, &Err(anyhow::anyhow!("the agent did not end well")));
            }
            Err(error)
        }
    };
    drop(guards);
    let name = watcher.name();
    report.add(&format!("{name}/ends_well_and_says_each_flow_once"), took, &ended);
    if watcher == Watcher::Prompt {
        let start = Instant::now();
        let fit = check_form(&documents);
        report.add(&format!("{name}/documents_fit_the_schema"), start.elapsed(), &fit);
    }
    Ok(())
}

/// An emulated machine can stand still for longer than a connection waits before it sends again, which
/// breaks what a scenario has agreed with its capture. There a failure counts only if it comes twice, the
/// second time with nothing beside it; three times where the kernel skips probes that interrupt each other, one hit in
/// some thousands, since a connection of which the last one is skipped has no end.
fn may_repeat(plan: &Plan, error: &anyhow::Error) -> bool {
    plan.kernel_only && error.downcast_ref::<Skip>().is_none()
}

fn log_repetition(task: Task, error: &anyhow::Error) {
    println!("AGAIN {}: {}", task.scenario.name, one_line(error));
}

fn options(plan: &Plan, watcher: Watcher) -> Options {
    Options {
        program: plan.agent.clone(),
        hooks: plan.hooks.clone(),
        timeouts: watcher.timeouts(),
        settings: watcher.settings(),
        modules: None,
        output: None,
        before: None,
        btf: plan.btf.clone(),
        perf_rings: plan.perf_rings,
        log: plan.logs.as_ref().map(|logs| logs.join(format!("{}.log", watcher.name()))),
    }
}

fn fixture<'r>(
    plan: &'r Plan,
    options: &'r Options,
    guards: &'r Guards,
    session: Option<&'r Session>,
    task: Task,
) -> Fixture<'r> {
    Fixture {
        name: task.scenario.name,
        number: task.number,
        shared: session,
        options,
        guards,
        logs: plan.logs.as_deref(),
    }
}

/// Does the same with everything, `jobs` at a time; returns what came out, as it came out.
fn in_parallel<T: Send, R: Send>(
    jobs: usize,
    items: Vec<T>,
    work: impl Fn(T) -> Option<R> + Sync,
) -> Vec<R> {
    let queue = Mutex::new(items.into_iter());
    let done = Mutex::new(Vec::new());
    let next = || queue.lock().unwrap_or_else(PoisonError::into_inner).next();
    let one_after_the_other = || {
        while let Some(item) = next() {
            if let Some(result) = work(item) {
                done.lock().unwrap_or_else(PoisonError::into_inner).push(result);
            }
        }
    };
    thread::scope(|scope| {
        for _ in 0..jobs.max(1) {
            scope.spawn(one_after_the_other);
        }
    });
    done.into_inner().unwrap_or_else(PoisonError::into_inner)
}

/// The names of the scenarios that a plan runs.
pub fn list(plan: &Plan) -> Vec<&'static str> {
    chosen(plan).into_iter().map(|task| task.scenario.name).collect()
}

/// Numbers stay the same whatever is filtered.
fn chosen(plan: &Plan) -> Vec<Task> {
    (0..)
        .zip(scenarios::all())
        .map(|(number, scenario)| Task { number, scenario })
        .filter(|Task { scenario, .. }| is_named(scenario.name, &plan.filter))
        .filter(|Task { scenario, .. }| scenario.hooks.is_none_or(|hooks| hooks == plan.hooks))
        .filter(|Task { scenario, .. }| !(plan.kernel_only && scenario.portable))
        .collect()
}

/// Whether a name contains one of some texts; every name does if there is none.
fn is_named(name: &str, filter: &[String]) -> bool {
    filter.is_empty() || filter.iter().any(|text| name.contains(text.as_str()))
}

fn check_form(documents: &[Doc]) -> Result<()> {
    let schema = Schema::load()?;
    let wrong: BTreeSet<String> =
        documents.iter().flat_map(|doc| schema.problems(doc.json())).collect();
    let first: Vec<String> = wrong.iter().take(10).cloned().collect();
    ensure!(wrong.is_empty(), "{} problems: {}", wrong.len(), first.join("; "));
    ensure!(!documents.is_empty(), "there were no documents to look at");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_may_hold_several_texts() {
        let filter = ["tcp/", "udp/"].map(str::to_owned);
        assert!(is_named("tcp/echo_v4", &filter) && is_named("udp/late", &filter));
        assert!(!is_named("ipv6_off/tcp_v4", &filter));
        assert!(is_named("ipv6_off/tcp_v4", &[]));
        // As an option without a text arrives.
        assert!(is_named("ipv6_off/tcp_v4", &[String::new()]));
    }
}
