//! `socket-agent test`.

use std::process::ExitCode;

use super::{arguments::SourceArguments, report::print, run::load};

/// Checks the configuration and says that it is right.
pub(super) fn config(source: &SourceArguments) -> anyhow::Result<ExitCode> {
    load(&source.sources())?;
    print("Config OK\n")?;
    Ok(ExitCode::SUCCESS)
}
