//! `cargo xtask test`: checks, unit tests, and scenarios here and in virtual machines.

mod checks;
mod compilers;
mod groups;
mod machines;
mod matrix;
mod native;
mod printer;
mod progress;
mod report;
mod scenarios;
mod selection;
mod turn;
mod unit;
mod work;

use std::{collections::BTreeMap, process::ExitCode, sync::mpsc, thread, time::Instant};

use anyhow::Result;

pub(crate) use self::turn::TURNS;
use self::{
    groups::Group,
    machines::{Kernels, Queue},
    matrix::Matrix,
    progress::{Kind, Progress},
    report::{Report, Row},
    selection::{Boot, Chosen},
    work::{Done, Plan, Work},
};
use crate::{
    apt, build,
    cli::{LoadOptions, TestOptions},
    kernel::List,
    paths::Paths,
    pins::Pins,
    ui,
};

/// Runs everything that can run, whatever failed before, and reports it at the end.
pub(crate) fn run(paths: &Paths, pins: &Pins, options: &TestOptions) -> Result<ExitCode> {
    let list = List::read(paths)?;
    let mut matrix = Matrix::read(paths)?;
    let mut report = Report::default();
    let filter = options.filter.as_deref();

    let every = selection::all(&list, filter);
    unknown(&mut report, options, &every);
    let today = turn::today();
    let chosen = chosen(options, today);
    let (boots, others) = selection::choose(every, chosen);
    let plan = Plan { options, boots };
    let groups = groups::choose(&plan);
    elsewhere(&mut report, chosen, &groups.only_with_all, &others, today);

    let names = groups.groups.iter().map(|group| group.name).collect::<Vec<_>>();
    let keep = filter.is_none() && options.vm.is_empty();
    let progress = Progress::begin(paths, &names, groups.alone, keep);
    let mut queued = if options.no_vm { Vec::new() } else { plan.boots.clone() };
    machines::sort(&mut queued, |title| progress.before(title));
    progress.expect_machines(queued.iter().map(Boot::title).collect(), options.machines.into());
    progress.announce();

    let programs = BTreeMap::new();
    let mut work =
        Work { paths, pins, list: &list, plan: &plan, report, has_objects: false, programs };
    let (alone, beside) = groups.groups.split_at(groups.alone);
    let (stop, stopped) = mpsc::channel::<()>();
    thread::scope(|scope| {
        let progress = &progress;
        scope.spawn(move || progress.tick(&stopped));
        // The network is slow while the processors compile.
        let kernels = scope.spawn(|| {
            if options.vm.is_empty() {
                install_programs(paths, pins);
            }
            machines::fetch(paths, pins, &list, &queued)
        });
        alone.iter().for_each(|group| perform(group, &mut work, progress));
        if !kernels.is_finished() {
            ui::note("waiting for programs and kernels that are still fetched");
        }
        let kernels = kernels.join().unwrap_or_default();
        beside_machines(&mut work, &mut matrix, progress, &kernels, queued.clone(), beside);
        drop(stop);
    });

    let Work { mut report, .. } = work;
    if options.no_vm {
        let why = "--no-vm leaves virtual machines out";
        machines::skip(&mut report, &mut matrix, &plan.boots, why);
    } else if options.all
        && keep
        && let Err(error) = matrix.document(paths.root(), &list, &turn::date(today))
    {
        report.broken("table of kernels", &format!("{error:#}"));
    }
    eprintln!("\nall of it took {}", progress.took());
    print!("{}{}", matrix.render(), report.render());
    Ok(if report.is_good() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The machines that the options choose.
fn chosen(options: &TestOptions, today: u64) -> Chosen<'_> {
    match options {
        TestOptions { vm, .. } if !vm.is_empty() => Chosen::Named(vm),
        TestOptions { all: false, .. } => Chosen::Short,
        TestOptions { turn, .. } => Chosen::Turn(turn.unwrap_or_else(|| turn::of_day(today))),
    }
}

/// Runs the machines, and groups meanwhile.
fn beside_machines<'a>(
    work: &mut Work<'a>,
    matrix: &mut Matrix,
    progress: &Progress,
    kernels: &Kernels,
    boots: Vec<Boot<'a>>,
    groups: &[&Group],
) {
    let programs = work.programs.clone();
    // Without programs every machine would fail for what has failed already.
    let boots = if programs.is_empty() { Vec::new() } else { boots };
    let queue = Queue::new(work.paths, &programs, kernels, progress, boots);
    thread::scope(|scope| {
        for _ in 1..work.plan.options.machines {
            scope.spawn(|| queue.work());
        }
        groups.iter().for_each(|group| perform(group, work, progress));
        queue.work();
    });
    let filtered = work.filter().is_some();
    queue.judge(&mut work.report, matrix, &work.plan.boots, filtered);
}

/// Does one part of the whole and keeps how it ended.
fn perform(group: &Group, work: &mut Work<'_>, progress: &Progress) {
    let name = group.name;
    progress.started(Kind::Step, name);
    let start = Instant::now();
    let result = group.run(work);
    let took = start.elapsed();
    // What has failed may have ended early.
    progress.ended(Kind::Step, name, took, result.is_ok());
    match result {
        Ok(Done::Whole) => ui::ended(name, "ok", took),
        Ok(Done::Tests(tally)) => ui::ended(name, &tally.to_string(), took),
        Ok(Done::Not(why)) => {
            ui::note(&format!("{name} is left out: {why}"));
            work.report.left_out(name, &why);
        }
        Err(error) => {
            let why = format!("{error:#}");
            ui::ended(name, &format!("FAILED: {why}"), took);
            work.report.broken(name, &why);
        }
    }
}

/// Names what other runs do.
fn elsewhere(
    report: &mut Report,
    chosen: Chosen<'_>,
    only_with_all: &[&Group],
    others: &[Boot<'_>],
    today: u64,
) {
    let machines = selection::left_out(others, chosen, today);
    let (when, what) = match chosen {
        Chosen::Named(_) => return,
        Chosen::Short => {
            let groups = only_with_all.iter().map(|group| group.name.to_owned());
            let all: Vec<String> = groups.chain(machines).collect();
            ("only with --all", Some(all.join("; ")).filter(|all| !all.is_empty()))
        }
        Chosen::Turn(turn) => {
            let own = turn::of_day(today);
            let by = if turn == own { "today's" } else { "chosen by hand" };
            ui::note(&format!("turn {turn} of {TURNS}, {by}; {} is turn {own}", turn::date(today)));
            ("not this turn", machines)
        }
    };
    if let Some(what) = what {
        ui::note(&format!("{when}: {what}"));
        report.elsewhere(when, &what);
    }
}

/// A machine that is asked for and not listed is a failure.
fn unknown(report: &mut Report, options: &TestOptions, boots: &[Boot<'_>]) {
    for name in options.vm.iter().filter(|name| boots.iter().all(|boot| boot.name != **name)) {
        let mut known: Vec<&str> = boots.iter().map(|boot| boot.name).collect();
        known.dedup();
        let mut row = Row::new(name, "");
        row.fail("--vm", format!("no such machine; there are: {}", known.join(", ")));
        report.add(row);
    }
}

/// Programs that tests run against the agent. Tests that miss one are skipped by name.
fn install_programs(paths: &Paths, pins: &Pins) {
    let why = "tests run them against the agent";
    let audit = "tests compare audit rules and events with theirs";
    for result in [
        apt::install(paths, &pins.debian.tests, why),
        apt::install_stopped(paths, &pins.debian.audit, audit),
    ] {
        if let Err(error) = result {
            ui::note(&format!("{error:#}"));
        }
    }
}

/// Puts the agent under load.
pub(crate) fn load(paths: &Paths, pins: &Pins, options: &LoadOptions) -> Result<ExitCode> {
    let list = List::read(paths)?;
    let programs = build::all(paths, pins, "release")?;
    let mut report = Report::default();
    let filter = options.filter.as_deref();
    native::load(&mut report, &programs, &list.native.hooks, filter, options.divisor);
    print!("{}", report.render());
    Ok(if report.is_good() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
