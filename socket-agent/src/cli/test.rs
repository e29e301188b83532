//! `socket-agent test`.

use std::process::ExitCode;

use super::{arguments::SourceArguments, report::print, run::load};

/// Checks the configuration and says that it is right.
pub(super) fn config(source: &SourceArguments) -> anyhow::Result<ExitCode> {
    load(&source.sources())?;
    print("Config OK\n")?;
    Ok(ExitCode::SUCCESS)
}

/// Tries each output of the configuration and says what was found.
pub(super) fn output(source: &SourceArguments) -> anyhow::Result<ExitCode> {
    let loaded = load(&source.sources())?;
    let mut status = ExitCode::SUCCESS;
    let mut text = String::new();
    for output in &loaded.config.outputs {
        let found = match output.probe() {
            Ok(found) => format!("OK: {}", found.join("; ")),
            Err(error) => {
                status = ExitCode::FAILURE;
                format!("failed: {error}")
            }
        };
        text += &format!("output.{} {found}\n", output.name());
    }
    print(&text)?;
    Ok(status)
}
