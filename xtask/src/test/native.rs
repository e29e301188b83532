//! Scenarios and loads on this machine.

use std::{
    env::consts::ARCH,
    io::Read as _,
    process::{Command, Stdio},
};

use anyhow::{Context as _, Result};

use super::{
    matrix::Outcome,
    printer::Printer,
    report::{Report, Row, Tally},
    scenarios::{self, Run},
    work::{Done, Work},
};
use crate::{build::Programs, command};

/// What reports call this machine's kernel until its release is known.
const KERNEL: &str = "native";
/// The same under load.
const LOAD: &str = "native, load";

/// Scenarios with the hook sets of this machine.
pub(super) fn scenarios(work: &mut Work<'_>) -> Result<Done> {
    let (programs, filter) = (programs(work)?, work.filter().map(str::to_owned));
    let filter = filter.as_deref();
    let mut tally = Tally::default();
    for set in &work.list.native.hooks {
        let arguments = scenarios::arguments(&programs.agent.to_string_lossy(), set, filter);
        let row = row(&programs, KERNEL, set, filter, &arguments);
        tally = tally + row.tally;
        work.report.add(row);
    }
    Ok(Done::Tests(tally))
}

/// Loads of full size.
pub(super) fn loads(work: &mut Work<'_>) -> Result<Done> {
    let (programs, filter) = (programs(work)?, work.filter().map(str::to_owned));
    let hooks = &work.list.native.hooks;
    let tally = load(&mut work.report, &programs, hooks, filter.as_deref(), 1);
    Ok(Done::Tests(tally))
}

/// Loads, with a fraction of their size.
pub(super) fn load(
    report: &mut Report,
    programs: &Programs,
    hooks: &[String],
    filter: Option<&str>,
    divisor: u32,
) -> Tally {
    let mut tally = Tally::default();
    for set in hooks {
        let agent = programs.agent.to_string_lossy();
        let arguments = scenarios::load_arguments(&agent, set, filter, divisor);
        let row = row(programs, LOAD, set, filter, &arguments);
        tally = tally + row.tally;
        report.add(row);
    }
    tally
}

fn programs(work: &Work<'_>) -> Result<Programs> {
    work.programs.get(ARCH).cloned().context("the programs of this machine were not built")
}

fn row(
    programs: &Programs,
    kernel: &str,
    set: &str,
    filter: Option<&str>,
    arguments: &[String],
) -> Row {
    let Some(mut runner) = as_root(programs) else {
        return skipped(programs, kernel, arguments, set);
    };
    let mut run = Run::default();
    let mut printer = Printer::new(format!("{kernel} {set}"));
    let (status, ended) = match follow(runner.args(arguments), &mut run, &mut printer) {
        Ok(status) => (Some(status), String::new()),
        Err(error) => (None, format!("{error:#}")),
    };
    let (mut row, outcome, _) = run.finish(kernel, set, filter.is_some(), status, &ended);
    if let Outcome::Impossible(why) = outcome {
        row.fail("scenarios run", why);
    }
    row
}

/// The runner, if it can be root without asking anyone.
fn as_root(programs: &Programs) -> Option<Command> {
    if command::is_root() {
        return Some(Command::new(&programs.scenarios));
    }
    command::output(Command::new("sudo").args(["-n", "true"])).ok()?;
    let mut sudo = Command::new("sudo");
    sudo.arg("-n").arg(&programs.scenarios);
    Some(sudo)
}

/// Every scenario by name, none of which can run.
fn skipped(programs: &Programs, kernel: &str, arguments: &[String], set: &str) -> Row {
    let mut row = Row::new(kernel, set);
    let names = command::output(Command::new(&programs.scenarios).args(arguments).arg("--list"));
    match names {
        Ok(names) => {
            for name in names.lines() {
                row.skip(name, "needs root: run as root, or allow sudo without a password");
            }
        }
        Err(error) => row.fail("scenarios run --list", format!("{error:#}")),
    }
    row
}

/// Shows the output as it comes; the exit status, as a shell would tell it.
fn follow(command: &mut Command, run: &mut Run, printer: &mut Printer) -> Result<u8> {
    let mut child = command.stdout(Stdio::piped()).spawn().context("start the scenario runner")?;
    let mut stdout = child.stdout.take().context("the runner has no output")?;
    let mut buffer = [0; 4096];
    loop {
        let count = stdout.read(&mut buffer).context("read the runner's output")?;
        if count == 0 {
            break;
        }
        printer.push(&buffer[..count]);
        run.push(&buffer[..count]);
    }
    let status = child.wait().context("wait for the runner")?;
    Ok(status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(u8::MAX))
}
