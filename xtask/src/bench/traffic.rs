//! Throughput beside that of the bare machine.

use anyhow::Result;

use super::{
    line::{self, Line, quartiles},
    peers,
    report::{Report, Row, Table, Value},
    site::{self, Site},
};
use crate::{cli::BenchOptions, ui};

const COLUMNS: [&str; 5] =
    ["ratio to bare", "lower quartile", "upper quartile", "a second", "its own CPU, % of a core"];

/// Rate of one run, and the share of a processor that what watched took.
struct Sample<'a> {
    subject: Option<&'a str>,
    rate: f64,
    share: f64,
}

pub(super) fn run(
    site: &Site<'_>,
    loads: &[&'static str],
    options: &BenchOptions,
) -> Result<Report> {
    let machine = site.facts();
    let mut arguments = vec!["bench-traffic".to_owned()];
    for load in loads {
        arguments.extend(["--load".to_owned(), (*load).to_owned()]);
    }
    for set in site.hooks(options) {
        arguments.extend(["--hooks".to_owned(), set]);
    }
    arguments.extend(site::other(options));
    if options.peers {
        arguments.extend(peers::arguments(site.is_guest()));
    }
    arguments.extend(["--pairs".to_owned(), options.pairs.to_string()]);
    arguments.extend(["--time".to_owned(), format!("{}ms", options.time.as_millis())]);
    ui::note("measuring traffic");
    let lines = site.run(&arguments)?;

    let mut notes = vec![
        format!(
            "Client and server on one processor, what watches on the other; {} runs of {} ms each, every \
             one compared with the mean of the two without it around it. Median and quartiles of those ratios.",
            options.pairs,
            options.time.as_millis()
        ),
        "rr: one byte there and back; crr: connect, the same, close; stream: bytes; udp: datagrams of 64 \
         bytes, 32 at a time. Both ends are on this host, so that every packet is watched twice."
            .to_owned(),
    ];
    notes.extend(line::notes(&lines));
    let tables = loads.iter().map(|load| table(load, &lines)).collect();
    Ok(Report { title: "Traffic".to_owned(), machine, tables, notes })
}

fn table(load: &str, lines: &[Line]) -> Table {
    let samples: Vec<Sample<'_>> = lines.iter().filter_map(|line| sample(load, line)).collect();
    let mut subjects: Vec<&str> = Vec::new();
    for name in samples.iter().filter_map(|sample| sample.subject) {
        if !subjects.contains(&name) {
            subjects.push(name);
        }
    }
    let bare = samples.iter().filter(|sample| sample.subject.is_none());
    let bare = quartiles(bare.map(|sample| sample.rate).collect()).unwrap_or([f64::NAN; 3]);
    let mut rows = vec![Row {
        name: "bare".to_owned(),
        values: vec![
            Value::Thousandths(1.0),
            Value::Thousandths(bare[0] / bare[1]),
            Value::Thousandths(bare[2] / bare[1]),
            Value::Whole(bare[1].round() as u64),
            Value::None,
        ],
        quoted: false,
    }];
    rows.extend(subjects.into_iter().filter_map(|name| row(name, &samples)));
    let columns = COLUMNS.map(str::to_owned).to_vec();
    Table { title: load.to_owned(), rows_are: "watched by", columns, rows }
}

fn sample<'a>(wanted: &str, line: &'a Line) -> Option<Sample<'a>> {
    let Line::Sample { subject, load, operations, nanos, subject_nanos } = line else {
        return None;
    };
    let nanos = *nanos as f64;
    (load == wanted).then(|| Sample {
        subject: subject.as_deref(),
        rate: *operations as f64 / nanos * 1e9,
        share: *subject_nanos as f64 / nanos,
    })
}

fn row(name: &str, samples: &[Sample<'_>]) -> Option<Row> {
    let mut ratios = Vec::new();
    for (index, sample) in samples.iter().enumerate() {
        if sample.subject != Some(name) {
            continue;
        }
        let around = [index.checked_sub(1), index.checked_add(1)];
        let around = around.iter().filter_map(|index| samples.get((*index)?));
        let bare: Vec<f64> =
            around.filter(|other| other.subject.is_none()).map(|other| other.rate).collect();
        ratios.push(sample.rate / (bare.iter().sum::<f64>() / bare.len() as f64));
    }
    let [low, middle, high] = quartiles(ratios)?;
    let own = || samples.iter().filter(|sample| sample.subject == Some(name));
    let [_, rate, _] = quartiles(own().map(|sample| sample.rate).collect())?;
    let [_, share, _] = quartiles(own().map(|sample| sample.share).collect())?;
    let values = vec![
        Value::Thousandths(middle),
        Value::Thousandths(low),
        Value::Thousandths(high),
        Value::Whole(rate.round() as u64),
        Value::Tenths(share * 100.0),
    ];
    Some(Row { name: name.to_owned(), values, quoted: false })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_compared_with_those_around_it() {
        let line = |subject: Option<&str>, operations| Line::Sample {
            subject: subject.map(str::to_owned),
            load: "rr".to_owned(),
            operations,
            nanos: 1_000_000_000,
            subject_nanos: 10_000_000,
        };
        let lines = [line(None, 100), line(Some("x"), 60), line(None, 140), line(Some("y"), 140)];
        let table = table("rr", &lines);
        let text: Vec<Vec<String>> =
            table.rows.iter().map(|row| row.values.iter().map(Value::text).collect()).collect();
        assert_eq!(text[1], ["0.500", "0.500", "0.500", "60", "1.0"]);
        assert_eq!(text[2], ["1.000", "1.000", "1.000", "140", "1.0"]);
    }
}
