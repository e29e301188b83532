//! Runs scenarios and tells how they went.

use std::{
    collections::BTreeSet,
    fmt,
    path::PathBuf,
    sync::{Mutex, PoisonError},
    thread,
    time::Instant,
};

use anyhow::{Context, Result, ensure};

use crate::{
    agent::{Doc, Options},
    expect::Session,
    lab::Lab,
    scenarios::{self, Needs, Scenario},
    schema::Schema,
    skip::Skip,
};

/// What to run, and how.
#[derive(Debug)]
pub struct Plan {
    /// The agent's executable.
    pub agent: PathBuf,
    /// The hook set it is to use.
    pub hooks: String,
    /// Only scenarios whose name contains this.
    pub filter: String,
    /// How many scenarios run at a time; those that start an agent run one by one.
    pub jobs: usize,
    /// Where the agents' logs are kept.
    pub logs: Option<PathBuf>,
}

/// How often which outcome came.
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
    fn add(&self, name: &str, start: Instant, result: &Result<()>) {
        let mut totals = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let seconds = start.elapsed().as_secs_f64();
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
/// If the agent that most scenarios share does not start.
pub fn run(plan: &Plan) -> Result<Totals> {
    let options = Options {
        program: plan.agent.clone(),
        hooks: plan.hooks.clone(),
        timeouts: Default::default(),
        settings: &[],
        log: plan.logs.as_ref().map(|logs| logs.join("shared.log")),
    };
    let (with_shared, with_own): (Vec<_>, Vec<_>) =
        chosen(plan).into_iter().partition(|(_, scenario)| scenario.needs == Needs::Shared);
    let report = Report::default();
    if !with_shared.is_empty() {
        let session = Session::start(&options);
        let session = session.with_context(|| format!("starting {}", plan.agent.display()))?;
        perform(plan, &options, Some(&session), &with_shared, plan.jobs, &report);

        let start = Instant::now();
        let documents = session.documents();
        let ended = session.stop().map(drop);
        report.add("all/ends_well_and_says_each_flow_once", start, &ended);
        let start = Instant::now();
        let fit = check_form(&documents);
        report.add("all/documents_fit_the_schema", start, &fit);
    }
    // One after the other, and without the shared agent: an agent sees the flows of all that runs, and
    // a scenario knows only its own.
    perform(plan, &options, None, &with_own, 1, &report);
    Ok(report.totals())
}

/// Runs scenarios, `jobs` at a time.
fn perform(
    plan: &Plan,
    options: &Options,
    shared: Option<&Session>,
    scenarios: &[(u16, &'static Scenario)],
    jobs: usize,
    report: &Report,
) {
    let queue = Mutex::new(scenarios.iter());
    let next = || queue.lock().unwrap_or_else(PoisonError::into_inner).next();
    let work = || {
        while let Some((number, scenario)) = next() {
            let lab = Lab {
                name: scenario.name,
                number: *number,
                shared,
                options,
                logs: plan.logs.as_deref(),
            };
            let start = Instant::now();
            let result = (scenario.run)(&lab);
            if let (Some(session), Err(_)) = (shared, &result) {
                session.forgive(scenario.name);
            }
            report.add(scenario.name, start, &result);
        }
    };
    thread::scope(|scope| {
        for _ in 0..jobs.max(1) {
            scope.spawn(work);
        }
    });
}

/// The names of the scenarios that a plan runs.
pub fn list(plan: &Plan) -> Vec<&'static str> {
    chosen(plan).into_iter().map(|(_, scenario)| scenario.name).collect()
}

/// Numbers stay the same whatever is filtered.
fn chosen(plan: &Plan) -> Vec<(u16, &'static Scenario)> {
    (0..)
        .zip(scenarios::all())
        .filter(|(_, scenario)| scenario.name.contains(&plan.filter))
        .filter(|(_, scenario)| scenario.hooks.is_none_or(|hooks| hooks == plan.hooks))
        .collect()
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
