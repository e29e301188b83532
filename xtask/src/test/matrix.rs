//! What each hook set comes to on each kernel, and what it has to.

use std::{collections::BTreeMap, fmt, fs, path::Path};

use anyhow::{Context as _, Result};
use serde::Deserialize;

use super::report::Row;
use crate::{kernel::List, paths::Paths, ui};

/// Document in which a whole run writes its table.
const DOCUMENT: &str = "docs/kernels.md";
/// The hook sets, in the order of the table's columns.
const SETS: [&str; 4] = ["fentry", "kprobe", "cgroup", "tracefs"];
/// What the table follows there; all below it is written anew.
const MARK: &str = "<!-- Below this line `cargo xtask test --all` writes. -->";

/// Outcome of a hook set on a kernel.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Outcome {
    /// With all of its hooks.
    Passed,
    /// The set ran without these hooks.
    Degraded(Vec<String>),
    /// Not at all, for this reason.
    Impossible(String),
    /// A scenario failed, or the run did not end.
    #[serde(skip)]
    Failed,
    /// The hook set was left out.
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

/// Expected and actual outcomes.
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

    /// Writes what came to the documentation. What did not run keeps its row and its date; what is no longer
    /// listed goes.
    pub(super) fn document(&self, root: &Path, list: &List, date: &str) -> Result<()> {
        let path = root.join(DOCUMENT);
        let text = fs::read_to_string(&path).with_context(|| format!("read {}", path.display()))?;
        let (head, old) = text.split_once(MARK).with_context(|| {
            format!("{}: the line {MARK} is gone, so there is no place for it", path.display())
        })?;
        let kernels = list.entries().iter().filter(|entry| !entry.hooks.is_empty());
        let kernels = kernels.map(|entry| entry.name.as_str());
        let variants = list.variants().iter().map(|variant| variant.name.as_str());
        let rows = self.rows(old, kernels.chain(variants), date);
        let new = format!("{head}{MARK}\n\n{}\n", rows.join("\n"));
        if new != text {
            fs::write(&path, new).with_context(|| format!("write {}", path.display()))?;
        }
        Ok(())
    }

    /// Lines of the table in the documentation: `old` ones where nothing new came.
    fn rows<'a>(&self, old: &str, names: impl Iterator<Item = &'a str>, date: &str) -> Vec<String> {
        let line = |cells: &[String]| format!("| {} |", cells.join(" | "));
        let heading = ["kernel", "release", "when"].into_iter().chain(SETS).map(str::to_owned);
        let heading: Vec<String> = heading.collect();
        let mut rows = vec![line(&heading), format!("|{}", "---|".repeat(heading.len()))];
        let old: Vec<&str> = match old.trim().split_once('\n') {
            Some((first, rest)) if first == rows[0] => rest.lines().collect(),
            _ => Vec::new(),
        };
        for name in names {
            if self.kernels.iter().any(|kernel| kernel == name) {
                let mut row = self.row(name, &SETS);
                row.insert(2, date.to_owned());
                rows.push(line(&row));
            } else {
                let begin = format!("| {name} | ");
                rows.extend(
                    old.iter().find(|row| row.starts_with(&begin)).map(|row| (*row).into()),
                );
            }
        }
        rows
    }

    fn table(&self) -> Vec<Vec<String>> {
        let ran = |set: &&str| self.cells.keys().any(|(_, name)| name == set);
        let sets: Vec<&str> = SETS.into_iter().filter(ran).collect();
        let heading = ["kernel", "release"].into_iter().chain(sets.iter().copied());
        let mut table = vec![heading.map(str::to_owned).collect::<Vec<_>>()];
        table.extend(self.kernels.iter().map(|kernel| self.row(kernel, &sets)));
        table
    }

    /// Name, release, and what each set came to.
    fn row(&self, kernel: &str, sets: &[&str]) -> Vec<String> {
        let cell = |set: &&str| self.cells.get(&(kernel.to_owned(), (*set).to_owned()));
        let release = sets.iter().filter_map(cell).map(|cell| cell.release.clone());
        let release = release.into_iter().find(|release| !release.is_empty());
        let mut row = vec![kernel.to_owned(), release.unwrap_or_default()];
        row.extend(sets.iter().map(|set| match cell(set) {
            None => "-".to_owned(),
            Some(Cell { outcome: Outcome::Failed, tally, .. }) => format!("FAILED: {tally}"),
            Some(cell) => cell.outcome.to_string(),
        }));
        row
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
    fn what_did_not_run_keeps_its_row_in_the_document() {
        let mut matrix = matrix();
        let head = "| kernel | release | when | fentry | kprobe | cgroup | tracefs |";
        let old = |name: &str| format!("| {name} | 1 | 2026-11-22 | passed | - | - | - |");
        let text =
            [head, "|---|---|---|---|---|---|---|", &old("6.1"), &old("gone"), &old("6.1 by x")];
        let text = format!("\n\n{}\n", text.join("\n"));
        let names = ["6.12", "6.1", "6.1 by x", "never ran"];
        assert_eq!(matrix.rows(&text, names.into_iter(), "")[2..], [old("6.1"), old("6.1 by x")]);
        matrix.judge("6.12", "1.2.3", Outcome::Passed, &mut Row::new("6.12", "kprobe"));
        let new = "| 6.12 | 1.2.3 | 2026-11-30 | - | passed | - | - |".to_owned();
        let rows = matrix.rows(&text, names.into_iter(), "2026-11-30");
        assert_eq!(rows[2..], [new.clone(), old("6.1"), old("6.1 by x")]);
        // Of a table with other columns nothing can be kept.
        let rows = matrix.rows("\n| kernel | x |\n", names.into_iter(), "2026-11-30");
        assert_eq!(rows[2..], [new]);
    }

    #[test]
    fn the_document_has_a_place_for_the_table_and_rows_to_keep() {
        let paths = Paths::find().unwrap();
        let text = fs::read_to_string(paths.root().join(DOCUMENT)).unwrap();
        let (_, old) = text.split_once(MARK).unwrap();
        let name = "6.1";
        let rows = Matrix::default().rows(old, [name].into_iter(), "");
        assert_eq!(rows.len(), 3, "{rows:?}");
    }
}
