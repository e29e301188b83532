//! `socket-agent run`.

use std::process::ExitCode;

use super::arguments::RunArguments;
use crate::{
    run::RunOptions,
    settings::{self, Loaded, Sources},
};
use config::Override;

pub(super) fn run(arguments: &RunArguments) -> anyhow::Result<ExitCode> {
    let loaded = load(&sources(arguments))?;
    let outputs = match &arguments.output_file {
        Some(path) => vec![outputs::plain_file(path.clone())],
        None => loaded.config.outputs.clone(),
    };
    let options = RunOptions { duration: arguments.duration, outputs };
    crate::run::run(&loaded.config, &options, &|| settings::load(&sources(arguments)))?;
    Ok(ExitCode::SUCCESS)
}

/// Options of their own come last, so that they win over `-E`.
fn sources(arguments: &RunArguments) -> Sources {
    let mut sources = arguments.source.sources();
    let options =
        [("--hooks", "socket.hooks", &arguments.hooks), ("--btf", "socket.btf", &arguments.btf)];
    for (option, key, value) in options {
        let change = value.as_deref().map(|value| Override::from_option(option, key, value));
        sources.overrides.extend(change);
    }
    sources
}

/// Reads the configuration, and logs where it came from and what became of it.
pub(super) fn load(sources: &Sources) -> anyhow::Result<Loaded> {
    let loaded = settings::load(sources)?;
    if loaded.files.is_empty() {
        let file = sources.default_file();
        log::info!(
            target: "config",
            "using the built-in defaults: no -c, and no {}",
            file.display()
        );
    }
    loaded.log();
    Ok(loaded)
}
