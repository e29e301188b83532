//! Unit tests.

use std::{
    io::{BufRead as _, BufReader},
    process::{Command, Stdio},
};

use anyhow::{Context as _, Result};

use super::{
    printer::Printer,
    report::Row,
    work::{Done, Work},
};
use crate::{command, paths::Paths};

/// Runs the unit tests of the workspace.
pub(super) fn run(work: &mut Work<'_>) -> Result<Done> {
    // Machines that run meanwhile wait for answers; a compiler does not.
    let mut compile = command::cargo_in_background();
    command::run(test(&mut compile, work.paths).arg("--no-run"))
        .context("compile the unit tests")?;
    let mut tests = Parser::default();
    let result = cargo_test(work.paths, work.filter(), &mut tests);
    let failed_before = tests.row.tally.failed;
    match result {
        Err(error) => tests.row.fail("cargo test", format!("{error:#}")),
        // Such as a test program that crashed.
        Ok(false) if failed_before == 0 => {
            tests.row.fail("cargo test", "it ended with an error before every test had run");
        }
        Ok(_) => {}
    }
    let tally = tests.row.tally;
    work.report.add(tests.row);
    Ok(Done::Tests(tally))
}

fn test<'a>(cargo: &'a mut Command, paths: &Paths) -> &'a mut Command {
    cargo.args(["test", "--workspace", "--no-fail-fast"]).current_dir(paths.root())
}

/// Whether cargo found everything good.
fn cargo_test(paths: &Paths, filter: Option<&str>, tests: &mut Parser) -> Result<bool> {
    let mut cargo = command::cargo();
    // A test that cannot run here says so in its output, which is hidden otherwise.
    test(&mut cargo, paths)
        .args(["--", "--show-output"])
        .args(filter.into_iter().flat_map(|filter| filter.split(',')))
        .stdout(Stdio::piped());
    let mut child = cargo.spawn().context("start cargo test")?;
    let stdout = child.stdout.take().context("cargo test has no output")?;
    let mut printer = Printer::new("unit tests");
    for line in BufReader::new(stdout).split(b'\n') {
        let mut line = line.context("read the output of cargo test")?;
        if tests.push(&String::from_utf8_lossy(&line)) {
            line.push(b'\n');
            printer.push(&line);
        }
    }
    Ok(child.wait().context("wait for cargo test")?.success())
}

/// Reads what the test programs print. A test that cannot do its work on this machine prints a line
/// `skipped: REASON`.
#[derive(Debug)]
struct Parser {
    row: Row,
    /// Among the outputs of tests that passed: the test whose output this is, once it is known.
    successes: Option<Option<String>>,
    /// Tests of the current program that said they were skipped, but count as passed with it.
    unmade: u32,
}

// === impl Parser ===

impl Default for Parser {
    fn default() -> Self {
        Self { row: Row::new("unit tests", ""), successes: None, unmade: 0 }
    }
}

impl Parser {
    /// Takes one line; `false` for the output of a test that passed, which nobody needs.
    fn push(&mut self, line: &str) -> bool {
        if let Some(result) = line.strip_prefix("test result: ") {
            self.successes = None;
            self.count(result);
            return true;
        }
        match line {
            "successes:" => {
                self.successes = Some(None);
                return false;
            }
            "failures:" => {
                self.successes = None;
                return true;
            }
            _ => {}
        }
        let Some(current) = &mut self.successes else {
            self.single(line);
            return true;
        };
        if let Some(name) = line.strip_prefix("---- ").and_then(|l| l.strip_suffix(" stdout ----"))
        {
            *current = Some(name.to_owned());
        } else if let Some(why) = line.strip_prefix("skipped: ") {
            // The first such line counts.
            if let Some(name) = current.take() {
                self.row.skip(&name, why);
                self.unmade += 1;
            }
        }
        false
    }

    /// `test NAME ... ignored, WHY` and `test NAME ... FAILED`.
    fn single(&mut self, line: &str) {
        let Some((name, verdict)) =
            line.strip_prefix("test ").and_then(|test| test.split_once(" ... "))
        else {
            return;
        };
        if let Some(why) = verdict.strip_prefix("ignored") {
            let why = why.trim_start_matches(", ");
            self.row.skip(name, if why.is_empty() { "ignored without a reason" } else { why });
        } else if verdict == "FAILED" {
            self.row.fail(name, "its output is above");
        }
    }

    /// `ok. 3 passed; 0 failed; 1 ignored; ...`: failed and ignored ones were counted by name.
    fn count(&mut self, result: &str) {
        let count = |word: &str| {
            let entry =
                result.split(['.', ';']).map(str::trim).find_map(|part| part.strip_suffix(word));
            entry.and_then(|number| number.trim().parse::<u32>().ok())
        };
        let unmade = std::mem::take(&mut self.unmade);
        self.row.tally.passed += count("passed").unwrap_or(0).saturating_sub(unmade);
    }
}

#[cfg(test)]
mod tests {
    use super::{super::report::Tally, *};

    fn parse(text: &str) -> (Row, Vec<&str>) {
        let mut parser = Parser::default();
        let shown = text.lines().filter(|line| parser.push(line)).collect();
        (parser.row, shown)
    }

    #[test]
    fn counts_by_name() {
        let text = "test a ... ok\ntest b ... FAILED\ntest c ... ignored, needs a disk\n\
                    test result: FAILED. 1 passed; 1 failed; 1 ignored; 0 measured; 0 filtered out\n\
                    test result: ok. 4 passed; 0 failed; 0 ignored\n";
        let (row, shown) = parse(text);
        assert_eq!(row.tally, Tally { passed: 5, failed: 1, skipped: 1 });
        assert_eq!(row.skips[0].why, "needs a disk");
        assert_eq!(row.failures[0].test, "b");
        assert_eq!(shown.len(), 5);
    }

    #[test]
    fn a_test_that_says_it_skipped_did_not_pass() {
        let text = "test a ... ok\ntest b ... ok\n\nsuccesses:\n\n---- a stdout ----\nskipped: no \
                    schema here\nskipped: again\n\n---- b stdout ----\nchatter\n\n\nsuccesses:\n    \
                    a\n    b\n\ntest result: ok. 2 passed; 0 failed; 0 ignored\n";
        let mut row = Row::new("unit tests", "");
        row.skip("a", "no schema here");
        row.tally.passed = 1;
        let (parsed, shown) = parse(text);
        assert_eq!(parsed, row);
        assert!(!shown.contains(&"chatter"));
    }

    #[test]
    fn output_of_failed_tests_is_shown() {
        let text = "test a ... FAILED\n\nsuccesses:\n\nsuccesses:\n\nfailures:\n\n---- a stdout \
                    ----\nskip this\n\nfailures:\n    a\n\ntest result: FAILED. 0 passed; 1 failed\n";
        let (row, shown) = parse(text);
        assert_eq!(row.tally, Tally { passed: 0, failed: 1, skipped: 0 });
        assert!(shown.contains(&"skip this"));
    }
}
