//! `cargo xtask fresh`: the first commands of a newcomer, in a Debian root with nothing in it but Rust and a
//! clone. By hand before a release: it takes as long as the tests without virtual machines do.

mod document;
mod inventory;
mod root;

use std::{
    fs::{self, File},
    io::{BufRead as _, BufReader, Write as _},
    process::{ExitCode, Stdio},
    time::{Duration, Instant, SystemTime},
};

use anyhow::{Context as _, Result, bail};

use self::{inventory::Inventory, root::Root};
use crate::{apt, cli::FreshOptions, command, kernel::List, paths::Paths, pins::Pins, ui};

/// What README.md tells a newcomer to run; the tests without virtual machines, which would be fetched.
const COMMANDS: [&[&str]; 2] =
    [&["cargo", "xtask", "run", "--", "--duration", "10s"], &["cargo", "xtask", "test", "--no-vm"]];

/// Outcome of one of them.
#[derive(Debug)]
struct Outcome {
    command: String,
    good: bool,
    /// What it says at its end, if that is a count of tests.
    counts: Option<String>,
    took: Duration,
    /// The lines that announce what is installed, and which compiler is taken.
    announced: Vec<String>,
    added: Inventory,
}

/// Makes the root, runs the commands in it one after the other, and writes down how they went.
pub(crate) fn run(paths: &Paths, pins: &Pins, options: &FreshOptions) -> Result<ExitCode> {
    if !command::is_root() {
        bail!("making a root takes root: run it as root");
    }
    apt::install(paths, &pins.debian.fresh, "they make a Debian root")?;
    let list = List::read(paths)?;
    let root = Root::make(paths, list.sources(root::SUITE)?, &pins.fresh.packages)?;
    let begun = Inventory::of(&root)?;
    let mut outcomes = Vec::new();
    let mut before = begun.clone();
    for line in COMMANDS {
        let (outcome, after) = one(paths, &root, line, &before)?;
        let good = outcome.good;
        outcomes.push(outcome);
        before = after;
        if !good {
            break;
        }
    }
    let text = document::render(&document::Facts {
        date: SystemTime::now(),
        debian: root.version(),
        commit: root.commit(),
        kernel: rustix::system::uname().release().to_string_lossy().into_owned(),
        begun: &begun,
        outcomes: &outcomes,
    });
    println!("\n{text}");
    document::write(paths, &text)?;
    if options.keep {
        ui::note(&format!("the root is left in {}", root.dir().display()));
    } else {
        root.remove()?;
    }
    let good = outcomes.len() == COMMANDS.len() && outcomes.iter().all(|outcome| outcome.good);
    Ok(if good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Runs a command in the root and shows what it prints.
fn one(
    paths: &Paths,
    root: &Root,
    line: &[&str],
    before: &Inventory,
) -> Result<(Outcome, Inventory)> {
    let name = line.join(" ");
    ui::section(&format!("{name}, in {}", root.dir().display()));
    let log = paths.log(&format!("fresh-{}", line.get(2).unwrap_or(&"command")));
    if let Some(folder) = log.parent() {
        fs::create_dir_all(folder).with_context(|| format!("create {}", folder.display()))?;
    }
    let mut kept = File::create(&log).with_context(|| format!("create {}", log.display()))?;
    let start = Instant::now();
    let mut child = root
        .command(line)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .context("enter the root")?;
    let stdout = child.stdout.take().context("the command has no output")?;
    let mut said = Said::default();
    for text in BufReader::new(stdout).split(b'\n') {
        let text = text.context("read the output of the command")?;
        let text = String::from_utf8_lossy(&text);
        println!("{text}");
        writeln!(kept, "{text}").with_context(|| format!("write {}", log.display()))?;
        said.line(&text);
    }
    let status = child.wait().context("wait for the command")?;
    let took = start.elapsed();
    let after = Inventory::of(root)?;
    let Said { announced, counts } = said;
    let added = after.without(before);
    Ok((Outcome { command: name, good: status.success(), counts, took, announced, added }, after))
}

/// What is worth keeping of what a command prints.
#[derive(Debug, Default)]
struct Said {
    announced: Vec<String>,
    counts: Option<String>,
}

// === impl Said ===

impl Said {
    fn line(&mut self, line: &str) {
        let chosen = line.starts_with("note: ") && line.contains(" compiles the eBPF programs: ");
        if (line.starts_with("setup: ") || chosen) && !self.announced.iter().any(|old| old == line)
        {
            self.announced.push(line.to_owned());
        }
        // Every run of scenarios has such a line too; the last is the sum.
        let parts: Vec<&str> = line.split(", ").collect();
        if let [passed, failed, skipped] = parts[..]
            && passed.ends_with(" passed")
            && failed.ends_with(" failed")
            && skipped.ends_with(" skipped")
        {
            self.counts = Some(line.to_owned());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_commands_are_those_of_the_readme() {
        let readme = Paths::find().unwrap().root().join("README.md");
        let readme = fs::read_to_string(readme).unwrap();
        assert!(readme.contains(&format!("# {}\n", COMMANDS[0].join(" "))));
        assert!(readme.contains(&format!("# {}\n", COMMANDS[1][..3].join(" "))));
        assert!(readme.contains(COMMANDS[1][3]));
    }

    #[test]
    fn announcements_and_the_sum_are_kept() {
        let mut said = Said::default();
        for line in [
            "setup: installing package lists: why",
            "note: rustup's 1.95.0 compiles the eBPF programs: why",
            "note: rustup's 1.95.0 compiles the eBPF programs: why",
            "note: something else",
            "scenarios: hooks=cgroup kernel=6.18 180 passed, 0 failed, 0 skipped",
            "700 passed, 0 failed, 3 skipped",
            "one, two, three",
        ] {
            said.line(line);
        }
        assert_eq!(said.announced.len(), 2, "{said:?}");
        assert_eq!(said.counts.as_deref(), Some("700 passed, 0 failed, 3 skipped"));
    }
}
