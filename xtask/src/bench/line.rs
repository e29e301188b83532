//! What the test runner says of a measurement: one JSON object a line.

use anyhow::{Context as _, Result};
use serde::Deserialize;

/// One result. Times are nanoseconds.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub(super) enum Line {
    /// One run of a load; `subject` is what watched it, if anything did.
    Sample {
        subject: Option<String>,
        load: String,
        operations: u64,
        nanos: u64,
        subject_nanos: u64,
    },
    /// A subject does not work there.
    LeftOut { subject: String, reason: String },
    /// A counter of losses above zero.
    Lost { subject: String, counter: String, count: u64 },
    /// A figure of an agent.
    Figure { subject: String, figure: String, value: f64 },
    /// A program's runs under a load.
    Program { subject: String, program: String, load: String, runs: u64, nanos: u64 },
    /// Bytes of one of the kernel's tables.
    Table { subject: String, table: String, bytes: u64 },
}

/// All lines of an output.
pub(super) fn parse(text: &str) -> Result<Vec<Line>> {
    let lines = text.lines().filter(|line| !line.trim().is_empty());
    lines
        .map(|line| {
            serde_json::from_str(line).with_context(|| format!("a result that is none: {line}"))
        })
        .collect()
}

/// What losses were counted and what does not work there, for the notes of a report.
pub(super) fn notes(lines: &[Line]) -> Vec<String> {
    let mut notes = Vec::new();
    let mut lost: Vec<(String, String, u64)> = Vec::new();
    for line in lines {
        match line {
            Line::LeftOut { subject, reason } => {
                notes.push(format!("Figures of {subject} are missing: {reason}."));
            }
            Line::Lost { subject, counter, count } => {
                match lost.iter_mut().find(|(who, what, _)| who == subject && what == counter) {
                    Some((_, _, sum)) => *sum += count,
                    None => lost.push((subject.clone(), counter.clone(), *count)),
                }
            }
            _ => {}
        }
    }
    for (subject, counter, count) in lost {
        notes.push(format!("Lost with {subject}, over all runs: {counter} {count}."));
    }
    notes
}

/// The middle of some values, and the quartiles around it; `None` without values.
pub(super) fn quartiles(mut values: Vec<f64>) -> Option<[f64; 3]> {
    values.sort_by(f64::total_cmp);
    let last = values.len().checked_sub(1)?;
    let at = |part: f64| {
        let position = part * last as f64;
        let (low, high) = (position.floor(), position.ceil());
        let value = |position: f64| values.get(position as usize).copied().unwrap_or(f64::NAN);
        value(low) + (value(high) - value(low)) * (position - low)
    };
    Some([at(0.25), at(0.5), at(0.75)])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_are_read() {
        let text = "{\"kind\":\"sample\",\"subject\":null,\"load\":\"rr\",\"operations\":2,\"nanos\":3,\"subject_nanos\":0}\n";
        let line = Line::Sample {
            subject: None,
            load: "rr".to_owned(),
            operations: 2,
            nanos: 3,
            subject_nanos: 0,
        };
        assert_eq!(parse(text).unwrap(), [line]);
        assert!(parse("PASS").is_err());
    }

    #[test]
    fn quartiles_lie_between_values() {
        assert_eq!(quartiles(vec![]), None);
        assert_eq!(quartiles(vec![4.0]), Some([4.0; 3]));
        assert_eq!(quartiles(vec![4.0, 1.0, 3.0, 2.0]), Some([1.75, 2.5, 3.25]));
    }

    #[test]
    fn losses_are_summed() {
        let lost = |count| Line::Lost { subject: "a".into(), counter: "b".into(), count };
        assert_eq!(notes(&[lost(1), lost(2)]), ["Lost with a, over all runs: b 3."]);
    }
}
