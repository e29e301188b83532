//! The agent on this machine.

use std::{
    os::unix::process::CommandExt as _,
    path::Path,
    process::{Command, ExitCode},
};

use anyhow::{Context as _, Result, bail};

use crate::{build, command, paths::Paths, pins::Pins};

/// Builds the agent and becomes it, so that signals reach it directly.
pub(crate) fn run(paths: &Paths, pins: &Pins, arguments: &[String]) -> Result<ExitCode> {
    let programs = build::all(paths, pins, "release")?;
    let mut agent = as_root(&programs.agent)?;
    let error = agent.arg("run").args(arguments).exec();
    Err(error).with_context(|| format!("start {}", programs.agent.display()))
}

fn as_root(program: &Path) -> Result<Command> {
    if command::is_root() {
        return Ok(Command::new(program));
    }
    if command::find("sudo").is_none() {
        bail!(
            "the agent needs root and there is no sudo: as root, run `{} run`",
            program.display()
        );
    }
    let mut sudo = Command::new("sudo");
    sudo.arg(program);
    Ok(sudo)
}
