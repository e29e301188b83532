//! Report of the tests.

use std::{fmt, ops::Add, time::Duration};

use crate::{ui, vm::Spent};

/// Counts of tests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Tally {
    pub(super) passed: u32,
    pub(super) failed: u32,
    pub(super) skipped: u32,
}

/// A test that did not pass, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Reason {
    pub(super) test: String,
    pub(super) why: String,
}

/// The tests of one kind on one kernel.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) kernel: String,
    pub(super) hooks: String,
    pub(super) tally: Tally,
    pub(super) failures: Vec<Reason>,
    pub(super) skips: Vec<Reason>,
    /// Time that an emulated machine took for it.
    pub(super) spent: Option<Spent>,
}

/// Everything that ran, or could not.
#[derive(Debug, Default)]
pub(super) struct Report {
    rows: Vec<Row>,
    /// Steps, other than tests, that failed.
    broken: Vec<Reason>,
    /// Steps, other than tests, that this machine cannot do.
    left_out: Vec<Reason>,
    /// What other runs do: when, and what.
    elsewhere: Vec<(String, String)>,
}

// === impl Reason ===

impl Reason {
    pub(super) fn new(test: impl Into<String>, why: impl Into<String>) -> Self {
        Self { test: test.into(), why: why.into() }
    }
}

// === impl Row ===

impl Row {
    pub(super) fn new(kernel: impl Into<String>, hooks: impl Into<String>) -> Self {
        Self { kernel: kernel.into(), hooks: hooks.into(), ..Self::default() }
    }

    /// Counts one more failure.
    pub(super) fn fail(&mut self, test: &str, why: impl Into<String>) {
        self.tally.failed += 1;
        self.failures.push(Reason::new(test, why));
    }

    /// Counts one more test that could not run.
    pub(super) fn skip(&mut self, test: &str, why: impl Into<String>) {
        self.tally.skipped += 1;
        self.skips.push(Reason::new(test, why));
    }

    fn title(&self) -> String {
        if self.hooks.is_empty() {
            self.kernel.clone()
        } else {
            format!("{} {}", self.kernel, self.hooks)
        }
    }
}

// === impl Report ===

impl Report {
    pub(super) fn add(&mut self, row: Row) {
        self.rows.push(row);
    }

    /// Keeps a step that failed.
    pub(super) fn broken(&mut self, step: &str, why: &str) {
        self.broken.push(Reason::new(step, why));
    }

    /// Keeps a step that was not done.
    pub(super) fn left_out(&mut self, step: &str, why: &str) {
        self.left_out.push(Reason::new(step, why));
    }

    /// Names what runs at another time, such as `not this turn`.
    pub(super) fn elsewhere(&mut self, when: &str, what: &str) {
        self.elsewhere.push((when.to_owned(), what.to_owned()));
    }

    /// Whether nothing failed.
    pub(super) fn is_good(&self) -> bool {
        self.broken.is_empty() && self.total().failed == 0
    }

    /// The table, every reason, and the totals on the last line.
    pub(super) fn render(&self) -> String {
        let heading =
            ["kernel", "hook set", "passed", "failed", "skipped", "minutes", "of processor"];
        let heading = heading.map(str::to_owned);
        let mut table = vec![heading.to_vec()];
        table.extend(self.rows.iter().map(|row| {
            let Tally { passed, failed, skipped } = row.tally;
            let hooks = if row.hooks.is_empty() { "-".to_owned() } else { row.hooks.clone() };
            let counts = [passed, failed, skipped].map(|count| count.to_string());
            let minutes = |time: Duration| format!("{:.1}", time.as_secs_f64() / 60.0);
            let spent = row.spent.map(|spent| [spent.wall, spent.processor].map(minutes).to_vec());
            [vec![row.kernel.clone(), hooks], counts.to_vec(), spent.unwrap_or_default()].concat()
        }));
        let mut text = format!("\n{}", ui::table(&table));
        for row in &self.rows {
            for Reason { test, why } in &row.skips {
                text.push_str(&format!("skipped: {}: {test}: {why}\n", row.title()));
            }
        }
        for Reason { test, why } in &self.left_out {
            text.push_str(&format!("not done: {test}: {why}\n"));
        }
        for (when, what) in &self.elsewhere {
            text.push_str(&format!("{when}: {what}\n"));
        }
        for row in &self.rows {
            for Reason { test, why } in &row.failures {
                text.push_str(&format!("failed: {}: {test}: {why}\n", row.title()));
            }
        }
        for Reason { test, why } in &self.broken {
            text.push_str(&format!("failed: {test}: {why}\n"));
        }
        text.push_str(&format!("{}\n", self.total()));
        text
    }

    fn total(&self) -> Tally {
        self.rows.iter().fold(Tally::default(), |sum, row| sum + row.tally)
    }
}

// === impl Tally ===

impl Add for Tally {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            passed: self.passed + other.passed,
            failed: self.failed + other.failed,
            skipped: self.skipped + other.skipped,
        }
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { passed, failed, skipped } = self;
        write!(f, "{passed} passed, {failed} failed, {skipped} skipped")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(passed: u32) -> Row {
        let mut row = Row::new("6.1", "kprobe");
        row.tally.passed = passed;
        row
    }

    #[test]
    fn the_last_line_is_the_total_and_skips_are_named() {
        let mut report = Report::default();
        report.add(row(3));
        let mut other = row(4);
        other.skip("veth", "no veth");
        report.add(other);
        let text = report.render();
        assert_eq!(text.lines().last(), Some("7 passed, 0 failed, 1 skipped"));
        assert!(text.contains("\nskipped: 6.1 kprobe: veth: no veth\n"), "{text}");
        assert!(report.is_good());
    }

    #[test]
    fn a_broken_step_fails_the_whole() {
        let mut report = Report::default();
        report.add(row(3));
        report.left_out("advisories", "no network");
        report.elsewhere("not this turn", "sid with kprobe (turn 2, 2026-12-01)");
        assert!(report.is_good());
        let text = report.render();
        assert!(text.contains("\nnot this turn: sid with kprobe (turn 2, 2026-12-01)\n"), "{text}");
        assert_eq!(text.lines().last(), Some("3 passed, 0 failed, 0 skipped"));
        report.broken("clippy", "a warning");
        assert!(!report.is_good());
    }

    #[test]
    fn a_failed_test_fails_the_whole() {
        let mut report = Report::default();
        let mut row = row(3);
        row.fail("udp", "one packet is missing");
        report.add(row);
        assert!(!report.is_good());
        assert!(report.render().contains("failed: 6.1 kprobe: udp: one packet is missing\n"));
    }
}
