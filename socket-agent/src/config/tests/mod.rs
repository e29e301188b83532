//! Whole configurations: exact messages, overrides, files of Auditbeat.

mod accepted;
mod auditd;
mod messages;
mod overrides;

use std::path::Path;

use super::{Config, ConfigError, Override, Place, Problem, load::check};

/// Checks `text` as the file `agent.yml`.
fn read(text: &str, overrides: &[Override]) -> Result<(Config, Vec<Problem>), ConfigError> {
    let environment = |name: &str| match name {
        "HOOKS" => Some("kprobe".to_owned()),
        "BAD" => Some("30 parsecs".to_owned()),
        _ => None,
    };
    check(text, &Place::whole("agent.yml"), Path::new(""), overrides, &environment)
}

/// Reads a configuration that must be right, and returns it with its warnings as lines.
#[track_caller]
fn right(text: &str, overrides: &[Override]) -> (Config, String) {
    match read(text, overrides) {
        Ok((config, warnings)) => (config, lines(&warnings)),
        Err(error) => panic!("{error}"),
    }
}

/// Reads a configuration that must be wrong, and returns what is said.
#[track_caller]
fn wrong(text: &str, overrides: &[Override]) -> String {
    match read(text, overrides) {
        Ok((config, _)) => panic!("accepted: {config:?}"),
        Err(error) => error.to_string(),
    }
}

fn lines(problems: &[Problem]) -> String {
    problems.iter().map(Problem::to_string).collect::<Vec<_>>().join("\n")
}

/// A module with one more line, which is line 4.
fn module_with(line: &str) -> String {
    format!("modules:\n- module: system\n  datasets: [socket]\n  {line}\n")
}
