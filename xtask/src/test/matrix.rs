//! What each hook set comes to on each kernel, and what it has to.

use std::{collections::BTreeMap, fmt, fs, path::Path};

use anyhow::{Context as _, Result};
use serde::Deserialize;

use super::report::Row;
use crate::{paths::Paths, ui};

/// Where a whole run writes its table.
const DOCUMENT: &str = "docs/kernels.md";
/// The hook sets, in the order of the table's columns.
const SETS: [&str; 4] = ["fentry", "kprobe", "cgroup", "tracefs"];
/// What the table follows there; all below it is written anew.
const MARK: &str = "<!-- Below this line `cargo xtask test` writes. -->";

/// How a hook set fares on a kernel.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Outcome {
    /// With all of its hooks.
    Passed,
    /// Without these hooks.
    Degraded(Vec<String>),
    /// Not at all, for this reason.
    Impossible(String),
    /// A scenario failed, or the run did not end.
    #[serde(skip)]
    Failed,
    /// It was left out.
    #[serde(skip)]
    Skipped,
}

/// One hook set on one kernel.
#[derive(Debug)]
struct Cell {
    release: String,
    tally: String,
    outcome: Outcome,
}

/// What is expected, and what came.
#[derive(Debug, Default)]
pub(super) struct Matrix {
    expected: BTreeMap<String, BTreeMap<String, Outcome>>,
    /// In the order they are listed.
    kernels: Vec<String>,
    cells: BTreeMap<(String, String), Cell>,
}

// === impl Outcome ===

impl Outcome {
    /// Whether this is what `self`, which is expected, allows.
    fn allows(&self, came: &Self) -> bool {
        match (self, came) {
            (Self::Impossible(part), Self::Impossible(reason)) => reason.contains(part),
            (expected, came) => expected == came,
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Passed => f.write_str("passed"),
            Self::Degraded(hooks) => write!(f, "degraded: without {}", hooks.join(", ")),
            Self::Impossible(reason) => write!(f, "impossible: {reason}"),
            Self::Failed => f.write_str("FAILED"),
            Self::Skipped => f.write_str("not run"),
        }
    }
}

// === impl Matrix ===

impl Matrix {
    /// Reads what is expected.
    pub(super) fn read(paths: &Paths) -> Result<Self> {
        let path = paths.root().join("ci/matrix.toml");
        let text = fs::read_to_string(&path).with_context(|| format!("read {}", path.display()))?;
        let expected =
            toml::from_str(&text).with_context(|| format!("parse {}", path.display()))?;
        Ok(Self { expected, ..Self::default() })
    }

    /// Takes what came; the row fails if something else is expected.
    pub(super) fn judge(&mut self, kernel: &str, release: &str, outcome: Outcome, row: &mut Row) {
        let set = row.hooks.clone();
        let expected = self.expected.get(kernel).and_then(|sets| sets.get(&set));
        match (expected, &outcome) {
            (_, Outcome::Failed | Outcome::Skipped) => {}
            (Some(expected), came) if expected.allows(came) => {}
            (expected, came) => {
                let expected = expected.map_or("nothing".to_owned(), Outcome::to_string);
                let why = format!("ci/matrix.toml expects {expected}; it came to: {came}");
                row.fail("matrix", why);
            }
        }
        if !self.kernels.iter().any(|known| known == kernel) {
            self.kernels.push(kernel.to_owned());
        }
        let cell = Cell { release: release.to_owned(), tally: row.tally.to_string(), outcome };
        self.cells.insert((kernel.to_owned(), set), cell);
    }

    /// Kernel by hook set, for people.
    pub(super) fn render(&self) -> String {
        if self.cells.is_empty() {
            return String::new();
        }
        format!("\n{}", ui::table(&self.table()))
    }

    /// Writes the table into the documentation.
    pub(super) fn document(&self, root: &Path) -> Result<()> {
        let path = root.join(DOCUMENT);
        let text = fs::read_to_string(&path).with_context(|| format!("read {}", path.display()))?;
        let (head, _) = text.split_once(MARK).with_context(|| {
            format!("{}: the line {MARK} is gone, so there is no place for it", path.display())
        })?;
        let mut lines = Vec::new();
        for (number, row) in self.table().iter().enumerate() {
            lines.push(format!("| {} |", row.join(" | ")));
            if number == 0 {
                lines.push(format!("|{}", "---|".repeat(row.len())));
            }
        }
        let new = format!("{head}{MARK}\n\n{}\n", lines.join("\n"));
        if new != text {
            fs::write(&path, new).with_context(|| format!("write {}", path.display()))?;
        }
        Ok(())
    }

    fn table(&self) -> Vec<Vec<String>> {
        let ran = |set: &&str| self.cells.keys().any(|(_, name)| name == set);
        let sets: Vec<&str> = SETS.into_iter().filter(ran).collect();
        let heading = ["kernel", "release"].into_iter().chain(sets.iter().copied());
        let mut table = vec![heading.map(str::to_owned).collect::<Vec<_>>()];
        for kernel in &self.kernels {
            let cell = |set: &&str| self.cells.get(&(kernel.clone(), (*set).to_owned()));
            let release = sets.iter().filter_map(cell).map(|cell| cell.release.clone());
            let release = release.into_iter().find(|release| !release.is_empty());
            let mut row = vec![kernel.clone(), release.unwrap_or_default()];
            row.extend(sets.iter().map(|set| match cell(set) {
                None => "-".to_owned(),
                Some(Cell { outcome: Outcome::Failed, tally, .. }) => format!("FAILED: {tally}"),
                Some(cell) => cell.outcome.to_string(),
            }));
            table.push(row);
        }
        table
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::List;

    fn matrix() -> Matrix {
        Matrix::read(&Paths::find().unwrap()).unwrap()
    }

    #[test]
    fn every_set_of_every_kernel_is_expected_to_come_to_something() {
        let (matrix, list) = (matrix(), List::read(&Paths::find().unwrap()).unwrap());
        let kernels = list.entries().iter().map(|entry| (&entry.name, &entry.hooks));
        let variants = list.variants().iter().map(|variant| (&variant.name, &variant.hooks));
        for (name, hooks) in kernels.chain(variants) {
            for set in hooks {
                assert!(SETS.contains(&set.as_str()), "{set}");
                assert!(matrix.expected[name].contains_key(set), "{name} {set}");
            }
        }
    }

    #[test]
    fn what_comes_out_otherwise_fails() {
        let degraded = |hook: &str| Outcome::Degraded(vec![hook.to_owned()]);
        let impossible = |why: &str| Outcome::Impossible(why.to_owned());
        for (kernel, set, outcome, good) in [
            ("6.12", "cgroup", Outcome::Passed, true),
            ("6.12", "cgroup", degraded("tp_late at kfree_skb"), false),
            ("6.1", "cgroup", degraded("tp_received at sock_recv_length"), true),
            ("6.1", "cgroup", Outcome::Passed, false),
            ("6.12 locked down", "cgroup", impossible("no: lockdown: confidentiality: x"), true),
            ("6.12 locked down", "cgroup", impossible("no memory"), false),
            ("7.77", "cgroup", Outcome::Passed, false),
            ("6.12", "cgroup", Outcome::Failed, true),
        ] {
            let (mut matrix, mut row) = (matrix(), Row::new(kernel, set));
            matrix.judge(kernel, "1.2.3", outcome.clone(), &mut row);
            assert_eq!(row.tally.failed == 0, good, "{kernel} {set} {outcome}");
        }
    }

    #[test]
    fn the_table_has_a_row_for_each_kernel() {
        let mut matrix = matrix();
        let cells = [("6.12", "kprobe"), ("6.1", "cgroup"), ("6.12", "cgroup")];
        for (kernel, set) in cells {
            matrix.judge(kernel, "1.2.3", Outcome::Passed, &mut Row::new(kernel, set));
        }
        let wanted = [
            ["kernel", "release", "kprobe", "cgroup"],
            ["6.12", "1.2.3", "passed", "passed"],
            ["6.1", "1.2.3", "-", "passed"],
        ];
        assert_eq!(matrix.table(), wanted.map(|row| row.map(str::to_owned).to_vec()).to_vec());
    }

    #[test]
    fn the_document_has_a_place_for_the_table() {
        let root = Paths::find().unwrap().root().to_owned();
        assert!(fs::read_to_string(root.join(DOCUMENT)).unwrap().contains(MARK));
    }
}
