//! Measurements of the agent's own time and memory.

use std::fs;

use anyhow::{Context as _, Result};

use super::{
    LOADS,
    line::{self, Line, quartiles},
    report::{Report, Row, Table, Value},
    site::{self, Site},
};
use crate::{cli::BenchOptions, ui};

const MIB: f64 = (1 << 20) as f64;

pub(super) fn run(
    site: &Site<'_>,
    parts: &[&'static str],
    options: &BenchOptions,
) -> Result<Report> {
    let machine = site.facts();
    let mut hooks = site.hooks(options);
    let mut arguments = vec!["bench-figures".to_owned()];
    for part in parts {
        arguments.extend(["--part".to_owned(), (*part).to_owned()]);
    }
    for set in &hooks {
        arguments.extend(["--hooks".to_owned(), set.clone()]);
    }
    arguments.extend(["--sustained".to_owned(), format!("{}ms", options.sustained.as_millis())]);
    arguments.extend(site::other(options));
    if options.beside.is_some() {
        // As the test runner calls them.
        hooks.extend(hooks.clone().iter().map(|set| format!("{set}, other build")));
    }
    ui::note("measuring the agent");
    let lines = site.run(&arguments)?;

    let mut tables = vec![figures(&hooks, &lines)];
    tables.extend(memory(&hooks, &lines));
    tables.extend(hooks.iter().filter_map(|set| programs(set, &lines)));
    tables.push(sizes(site)?);
    let mut notes = vec![
        "Medians, where there are several values. The agent has its default settings and writes to \
         /dev/null; the flows that are open at a time are both ends of 50,000 connections."
            .to_owned(),
        "Documents: connections of one request and answer, made as fast as one processor can for \
         --sustained; CPU from the kernel's tables to the output, both ends of each connection."
            .to_owned(),
        "Resident memory is what the kernel counts: pages shared with it included.".to_owned(),
        "Nanoseconds of programs are the kernel's (bpf_stats), which measuring itself makes 30 to 50 longer."
            .to_owned(),
    ];
    notes.extend(line::notes(&lines));
    Ok(Report { title: "The agent".to_owned(), machine, tables, notes })
}

/// A row for each figure, a column for each hook set.
fn figures(hooks: &[String], lines: &[Line]) -> Table {
    let mut names: Vec<&str> = Vec::new();
    for line in lines {
        if let Line::Figure { figure, .. } = line
            && !names.contains(&figure.as_str())
        {
            names.push(figure);
        }
    }
    let values = |name: &str, set: &str| -> Vec<f64> {
        let one = |line: &Line| match line {
            Line::Figure { subject, figure, value } if subject == set && figure == name => {
                Some(*value)
            }
            _ => None,
        };
        lines.iter().filter_map(one).collect()
    };
    let row = |name: &str| Row {
        name: name.to_owned(),
        values: hooks.iter().map(|set| middle(values(name, set))).collect(),
        quoted: false,
    };
    let rows = names.into_iter().map(row).collect();
    Table { title: "Figures".to_owned(), rows_are: "figure", columns: hooks.to_vec(), rows }
}

fn middle(values: Vec<f64>) -> Value {
    match quartiles(values) {
        Some([_, middle, _]) if middle >= 1000.0 => Value::Whole(middle as u64),
        Some([_, middle, _]) if middle < 1.0 => Value::Thousandths(middle),
        Some([_, middle, _]) => Value::Tenths(middle),
        None => Value::None,
    }
}

/// Kernel memory, with its sum; `None` if it was not measured.
fn memory(hooks: &[String], lines: &[Line]) -> Option<Table> {
    let mut names: Vec<&str> = Vec::new();
    for line in lines {
        if let Line::Table { table, .. } = line
            && !names.contains(&table.as_str())
        {
            names.push(table);
        }
    }
    let bytes = |name: Option<&str>, set: &str| -> Value {
        let one = |line: &Line| match line {
            Line::Table { subject, table, bytes }
                if subject == set && name.is_none_or(|name| name == table) =>
            {
                Some(*bytes as f64)
            }
            _ => None,
        };
        let sum = lines.iter().filter_map(one).reduce(|sum, bytes| sum + bytes);
        // A set without programs has no tables.
        sum.map_or(Value::None, |bytes| Value::Thousandths(bytes / MIB))
    };
    let row = |name: &str, which: Option<&str>| Row {
        name: name.to_owned(),
        values: hooks.iter().map(|set| bytes(which, set)).collect(),
        quoted: false,
    };
    let mut rows: Vec<Row> = names.iter().map(|name| row(name, Some(name))).collect();
    (!rows.is_empty()).then(|| {
        rows.push(row("all", None));
        let title = "Kernel memory, MiB".to_owned();
        Table { title, rows_are: "table", columns: hooks.to_vec(), rows }
    })
}

/// Nanoseconds a run, and in parentheses how many runs for a thousand of the load's.
fn programs(set: &str, lines: &[Line]) -> Option<Table> {
    let of_set = |line: &Line| match line {
        Line::Program { subject, program, load, runs, nanos } if subject == set => {
            Some((program.clone(), load.clone(), *runs, *nanos))
        }
        _ => None,
    };
    let all: Vec<_> = lines.iter().filter_map(of_set).collect();
    let mut names: Vec<&str> = Vec::new();
    for (program, ..) in &all {
        if !names.contains(&program.as_str()) {
            names.push(program);
        }
    }
    let value = |name: &str, load: &str| {
        let found = all.iter().find(|(program, of, ..)| program == name && of == load);
        // A few runs are of something else that happened meanwhile.
        found.filter(|(_, _, runs, _)| *runs >= 100).map_or(Value::None, |(_, _, runs, nanos)| {
            Value::Text(format!("{} ({runs} runs)", nanos / runs))
        })
    };
    let rows: Vec<Row> = names
        .into_iter()
        .map(|name| Row {
            name: name.to_owned(),
            values: LOADS.iter().map(|load| value(name, load)).collect(),
            quoted: false,
        })
        .filter(|row| row.values.iter().any(|value| !matches!(value, Value::None)))
        .collect();
    (!rows.is_empty()).then(|| Table {
        title: format!("Nanoseconds a run of each program, {set}"),
        rows_are: "program",
        columns: LOADS.map(str::to_owned).to_vec(),
        rows,
    })
}

fn sizes(site: &Site<'_>) -> Result<Table> {
    let row = |name: &str, file: &std::path::Path| -> Result<Row> {
        let size = fs::metadata(file).with_context(|| format!("read {}", file.display()))?.len();
        let values = vec![Value::Tenths(size as f64 / MIB)];
        Ok(Row { name: name.to_owned(), values, quoted: false })
    };
    let rows = vec![
        row("agent, static and stripped, with the object", &site.programs.agent)?,
        row("eBPF object", &site.object())?,
    ];
    Ok(Table { title: "Sizes".to_owned(), rows_are: "file", columns: vec!["MiB".to_owned()], rows })
}
