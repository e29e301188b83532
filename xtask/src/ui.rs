//! What a person sees of the work; all of it on standard error, since standard output belongs to
//! the commands that are run.

use std::{io::IsTerminal as _, time::Duration};

/// Announces one thing that is installed or fetched, and why.
pub(crate) fn install(what: &str, why: &str) {
    eprintln!("setup: installing {what}: {why}");
}

/// Says something a person should know.
pub(crate) fn note(text: &str) {
    eprintln!("note: {text}");
}

/// Begins a part of a longer command.
pub(crate) fn section(title: &str) {
    if std::io::stderr().is_terminal() {
        eprintln!("\n\x1b[1m== {title}\x1b[0m");
    } else {
        eprintln!("\n== {title}");
    }
}

/// Says how a part ended.
pub(crate) fn ended(what: &str, how: &str, took: Duration) {
    eprintln!("{what}: {how} ({:.1} s)", took.as_secs_f32());
}

/// Lays rows out in columns; the first row is the heading.
pub(crate) fn table(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max()
    };
    let widths: Vec<usize> = (0..columns).filter_map(width).collect();
    let mut text = String::new();
    for row in rows {
        let cells: Vec<String> =
            row.iter().zip(&widths).map(|(cell, &width)| format!("{cell:width$}")).collect();
        text.push_str(cells.join("  ").trim_end());
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up() {
        let rows = [["kernel", "passed"], ["6.1", "12"]].map(|row| row.map(String::from).to_vec());
        assert_eq!(table(&rows), "kernel  passed\n6.1     12\n");
    }
}
