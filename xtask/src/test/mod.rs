use crate::{cli::TestOptions, paths::Paths, pins::Pins};
use anyhow::Result;
use std::process::ExitCode;
pub(crate) fn run(_: &Paths, _: &Pins, _: &TestOptions) -> Result<ExitCode> {
    Ok(ExitCode::SUCCESS)
}
