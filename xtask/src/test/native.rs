//! Scenarios and loads on this machine.

use std::{
    io::{Read as _, Write as _},
    process::{Command, Stdio},
};

use anyhow::{Context as _, Result};

use super::{
    matrix::Outcome,
    report::{Report, Row},
    scenarios::{self, Run},
};
use crate::{build::Programs, command, ui};

/// What reports call this machine's kernel until its release is known.
const KERNEL: &str = "native";
/// The same under load.
const LOAD: &str = "native, load";

pub(super) fn run(
    report: &mut Report,
    programs: &Programs,
    hooks: &[String],
    filter: Option<&str>,
) {
    for set in hooks {
        ui::section(&format!("scenarios, {KERNEL}, {set}"));
        let arguments = scenarios::arguments(&programs.agent.to_string_lossy(), set, filter);
        report.add(row(programs, KERNEL, set, filter, &arguments));
    }
}

/// Loads, with a fraction of their size.
pub(super) fn load(
    report: &mut Report,
    programs: &Programs,
    hooks: &[String],
    filter: Option<&str>,
    divisor: u32,
) {
    for set in hooks {
        ui::section(&format!("load, {KERNEL}, {set}"));
        let agent = programs.agent.to_string_lossy();
        let arguments = scenarios::load_arguments(&agent, set, filter, divisor);
        report.add(row(programs, LOAD, set, filter, &arguments));
    }
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
    let (status, ended) = match follow(runner.args(arguments), &mut run) {
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
fn follow(command: &mut Command, run: &mut Run) -> Result<u8> {
    let mut child = command.stdout(Stdio::piped()).spawn().context("start the scenario runner")?;
    let mut stdout = child.stdout.take().context("the runner has no output")?;
    let mut buffer = [0; 4096];
    loop {
        let count = stdout.read(&mut buffer).context("read the runner's output")?;
        if count == 0 {
            break;
        }
        std::io::stdout().write_all(&buffer[..count]).context("write the runner's output")?;
        run.push(&buffer[..count]);
    }
    let status = child.wait().context("wait for the runner")?;
    Ok(status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(u8::MAX))
}
