//! The agent at work.

use anyhow::bail;

use crate::{cli::RunOptions, config::Config};

/// Observes flows until the time is up or a signal comes.
///
/// # Errors
/// Always, for now.
pub fn run(_config: Config, _options: RunOptions) -> anyhow::Result<()> {
    bail!("run: not built yet")
}
