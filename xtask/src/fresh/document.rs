//! docs/fresh-machine.md: how it went the last time.

use std::{fs, time::SystemTime};

use anyhow::{Context as _, Result};

use super::{Outcome, inventory::Inventory};
use crate::paths::Paths;

const DOCUMENT: &str = "docs/fresh-machine.md";
/// What the outcome follows there; all below it is written anew.
const MARK: &str = "<!-- Below this line `cargo xtask fresh` writes. -->";

/// Facts for the document.
pub(super) struct Facts<'a> {
    pub(super) date: SystemTime,
    pub(super) debian: String,
    pub(super) commit: String,
    pub(super) kernel: String,
    pub(super) begun: &'a Inventory,
    pub(super) outcomes: &'a [Outcome],
}

pub(super) fn render(facts: &Facts<'_>) -> String {
    let Facts { date, debian, commit, kernel, begun, outcomes } = facts;
    let date = humantime::format_rfc3339_seconds(*date).to_string();
    let date = date.split('T').next().unwrap_or_default();
    let toolchains: Vec<&str> =
        begun.rust.iter().filter(|name| !name.contains(" of ")).map(String::as_str).collect();
    let mut text = format!(
        "On {date}, commit {commit}, Debian {debian} on Linux {kernel}, with {} packages and \
         rustup's {}.\n\n| command | outcome | minutes | packages | of rustup | tools built |\n\
         |---|---|---|---|---|---|\n",
        begun.packages.len(),
        toolchains.join(", ")
    );
    for Outcome { command, good, counts, took, added, announced: _ } in *outcomes {
        let outcome = match (counts, good) {
            (Some(counts), true) => counts.clone(),
            (Some(counts), false) => format!("FAILED: {counts}"),
            (None, true) => "passed".to_owned(),
            (None, false) => "FAILED".to_owned(),
        };
        let list = |names: &std::collections::BTreeSet<String>| {
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            if names.is_empty() { "-".to_owned() } else { names.join(", ") }
        };
        let minutes = took.as_secs_f64() / 60.0;
        text.push_str(&format!(
            "| `{command}` | {outcome} | {minutes:.1} | {} | {} | {} |\n",
            added.packages.len(),
            list(&added.rust),
            list(&added.tools)
        ));
    }
    for Outcome { command, announced, .. } in *outcomes {
        if !announced.is_empty() {
            text.push_str(&format!(
                "\n`{command}` said:\n\n```text\n{}\n```\n",
                announced.join("\n")
            ));
        }
    }
    text
}

/// Writes it below the mark.
pub(super) fn write(paths: &Paths, outcome: &str) -> Result<()> {
    let path = paths.root().join(DOCUMENT);
    let text = fs::read_to_string(&path).with_context(|| format!("read {}", path.display()))?;
    let (head, _) =
        text.split_once(MARK).with_context(|| format!("{}: no line {MARK}", path.display()))?;
    fs::write(&path, format!("{head}{MARK}\n\n{outcome}"))
        .with_context(|| format!("write {}", path.display()))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn the_document_has_a_place_for_the_outcome() {
        let path = Paths::find().unwrap().root().join(DOCUMENT);
        assert!(fs::read_to_string(path).unwrap().contains(MARK));
    }

    #[test]
    fn every_command_has_a_row() {
        let names = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
        let outcome = |command: &str, good, counts: Option<&str>| Outcome {
            command: command.to_owned(),
            good,
            counts: counts.map(str::to_owned),
            took: Duration::from_secs(90),
            announced: vec!["setup: installing x: y".to_owned()],
            added: Inventory {
                packages: names(&["llvm-22-dev 1", "x 2"]),
                rust: names(&["rust-src of stable"]),
                ..Inventory::default()
            },
        };
        let begun =
            Inventory { rust: names(&["stable", "rustc of stable"]), ..Inventory::default() };
        let text = render(&Facts {
            date: SystemTime::UNIX_EPOCH,
            debian: "12.11".to_owned(),
            commit: "abc".to_owned(),
            kernel: "6.1".to_owned(),
            begun: &begun,
            outcomes: &[
                outcome("run", true, None),
                outcome("test", false, Some("1 passed, 1 failed, 0 skipped")),
            ],
        });
        assert!(text.starts_with("On 1970-01-01, commit abc, Debian 12.11 on Linux 6.1"), "{text}");
        assert!(text.contains("| `run` | passed | 1.5 | 2 | rust-src of stable | - |"), "{text}");
        assert!(text.contains("| `test` | FAILED: 1 passed, 1 failed"), "{text}");
    }
}
