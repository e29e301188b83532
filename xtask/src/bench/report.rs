//! Results: a table for the terminal, JSON and Markdown for docs/bench.

use std::{
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};
use serde::Serialize;

use super::machine::Machine;
use crate::ui;

#[derive(Serialize)]
pub(super) struct Report {
    pub(super) title: String,
    pub(super) machine: Machine,
    pub(super) tables: Vec<Table>,
    /// What the figures are and what they are not.
    pub(super) notes: Vec<String>,
}

#[derive(Serialize)]
pub(super) struct Table {
    pub(super) title: String,
    /// Heading of the rows.
    pub(super) rows_are: &'static str,
    pub(super) columns: Vec<String>,
    pub(super) rows: Vec<Row>,
}

#[derive(Serialize)]
pub(super) struct Row {
    pub(super) name: String,
    pub(super) values: Vec<Value>,
    /// Published by others, not measured here.
    pub(super) quoted: bool,
}

/// A figure; `None` where there is none.
#[derive(Serialize)]
#[serde(untagged)]
pub(super) enum Value {
    Whole(u64),
    Tenths(f64),
    Thousandths(f64),
    Text(String),
    None,
}

impl Value {
    pub(super) fn text(&self) -> String {
        match self {
            Self::Whole(number) => grouped(*number),
            Self::Tenths(number) => format!("{number:.1}"),
            Self::Thousandths(number) => format!("{number:.3}"),
            Self::Text(text) => text.clone(),
            Self::None => "-".to_owned(),
        }
    }
}

/// `1234567` with spaces between thousands.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(' ');
        }
        text.push(digit);
    }
    text
}

impl Table {
    fn cells(&self) -> Vec<Vec<String>> {
        let heading = std::iter::once(self.rows_are).chain(self.columns.iter().map(String::as_str));
        let row = |row: &Row| {
            let name =
                if row.quoted { format!("{} (published)", row.name) } else { row.name.clone() };
            std::iter::once(name).chain(row.values.iter().map(Value::text)).collect()
        };
        std::iter::once(heading.map(str::to_owned).collect())
            .chain(self.rows.iter().map(row))
            .collect()
    }
}

impl Report {
    /// For a terminal.
    pub(super) fn text(&self) -> String {
        let mut text = format!("{}\n{}\n", self.title, self.machine.line());
        for table in &self.tables {
            let _ = write!(text, "\n{}\n{}", table.title, ui::table(&table.cells()));
        }
        text.push('\n');
        for note in &self.notes {
            let _ = writeln!(text, "- {note}");
        }
        text
    }

    fn markdown(&self) -> String {
        let mut text = format!("# {}\n\nMeasured on: {}.\n", self.title, self.machine.line());
        for table in &self.tables {
            let _ = write!(text, "\n## {}\n\n", table.title);
            for (index, row) in table.cells().iter().enumerate() {
                let _ = writeln!(text, "| {} |", row.join(" | "));
                if index == 0 {
                    let _ = writeln!(text, "|---|{}", "---:|".repeat(row.len() - 1));
                }
            }
        }
        text.push('\n');
        for note in &self.notes {
            let _ = writeln!(text, "- {note}");
        }
        text
    }

    /// Writes both files and names them.
    pub(super) fn save(&self, folder: &Path, name: &str) -> Result<[PathBuf; 2]> {
        fs::create_dir_all(folder).with_context(|| format!("create {}", folder.display()))?;
        let json = serde_json::to_string_pretty(self).context("express the results")?;
        let files = ["json", "md"].map(|end| folder.join(format!("{name}.{end}")));
        for (file, text) in files.iter().zip([json + "\n", self.markdown()]) {
            fs::write(file, text).with_context(|| format!("write {}", file.display()))?;
        }
        Ok(files)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_readable() {
        assert_eq!(grouped(0), "0");
        assert_eq!(grouped(999), "999");
        assert_eq!(grouped(1_234_567), "1 234 567");
        let row = Row { name: "x".to_owned(), values: vec![Value::Tenths(4.25)], quoted: true };
        let table = Table {
            title: "t".to_owned(),
            rows_are: "program",
            columns: vec!["us".to_owned()],
            rows: vec![row],
        };
        assert_eq!(table.cells(), [["program", "us"], ["x (published)", "4.2"]]);
    }
}
