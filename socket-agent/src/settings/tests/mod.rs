//! Whole configurations: exact messages, overrides, files of Auditbeat.

mod accepted;
mod auditd;
mod beats;
mod files;
mod messages;
mod overrides;
mod reference;
mod sample;

use std::path::Path;

use config::{ConfigError, Location, Override, Problem};

use super::{
    Config, Loaded,
    load::{Host, check},
};
use config::paths::Defaults;

/// Checks `text` as the file `agent.yml`.
fn read(text: &str, overrides: &[Override]) -> Result<Loaded, ConfigError> {
    let environment = |name: &str| match name {
        "HOOKS" => Some("kprobe".to_owned()),
        "BAD" => Some("30 parsecs".to_owned()),
        _ => None,
    };
    let folders = Defaults { home: Path::new("/usr/bin"), config: Path::new("/etc/agent") };
    let host = Host { environment: &environment, folders };
    check(vec![(Location::whole("agent.yml"), text.to_owned())], overrides, host)
}

/// Checks `text` as a file in `folder`.
fn read_in(folder: &Path, text: &str) -> Result<Loaded, ConfigError> {
    let folders = Defaults { home: Path::new("/usr/bin"), config: folder };
    let host = Host { environment: &|_| None, folders };
    check(vec![(Location::whole("agent.yml"), text.to_owned())], &[], host)
}

/// Reads a configuration that must be right, and returns it with its warnings as lines.
#[track_caller]
fn right(text: &str, overrides: &[Override]) -> (Config, String) {
    match read(text, overrides) {
        Ok(Loaded { config, warnings, .. }) => (config, lines(&warnings)),
        Err(error) => panic!("{error}"),
    }
}

/// Reads a configuration that must be wrong, and returns what is said.
#[track_caller]
fn wrong(text: &str, overrides: &[Override]) -> String {
    match read(text, overrides) {
        Ok(Loaded { config, .. }) => panic!("accepted: {config:?}"),
        Err(error) => error.to_string(),
    }
}

/// Lets parts be configured that cannot run, as `--allow-inactive` does.
fn allow_inactive() -> Override {
    Override::from_option("--allow-inactive", "strict", "false")
}

/// Names of the datasets that share the module system, as messages list them.
fn of_system() -> String {
    let names = crate::datasets::in_module("system").map(|dataset| dataset.name);
    names.collect::<Vec<_>>().join(", ")
}

fn lines(problems: &[Problem]) -> String {
    problems.iter().map(Problem::to_string).collect::<Vec<_>>().join("\n")
}

/// A module with one more line, which is line 4.
fn module_with(line: &str) -> String {
    format!("modules:\n- module: system\n  datasets: [socket]\n  {line}\n")
}
