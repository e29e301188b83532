//! Large audit logs, made of recorded events.

use std::{
    fs::{self, File},
    io::{BufWriter, Write as _},
    path::Path,
};

use anyhow::{Context as _, Result, ensure};

/// The beginning of an event's stamp, and its end.
const OPEN: &str = "msg=audit(";
/// When the first event of a log is said to have happened: 2025-01-01, seconds since the epoch.
const START: u64 = 1_735_689_600;

/// A recorded event: the lines, each parted where its stamp stood.
struct LogEvent(Vec<(String, String)>);

/// A log that was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Log {
    pub(super) events: u64,
    pub(super) records: u64,
    pub(super) bytes: u64,
}

/// Repeats the events of recorded logs whose number of records is right, each time with another
/// stamp, a thousand a second.
pub(super) fn write(
    sources: &[&Path],
    keep: impl Fn(usize) -> bool,
    events: u64,
    to: &Path,
) -> Result<Log> {
    let mut recorded = Vec::new();
    for source in sources {
        let text =
            fs::read_to_string(source).with_context(|| format!("read {}", source.display()))?;
        recorded.extend(parse(&text).into_iter().filter(|event| keep(event.0.len())));
    }
    ensure!(!recorded.is_empty(), "no recorded event fits the bench");
    let file = File::create(to).with_context(|| format!("create {}", to.display()))?;
    let mut out = BufWriter::with_capacity(1 << 20, file);
    let mut log = Log { events, records: 0, bytes: 0 };
    for (number, event) in (0..events).zip(recorded.iter().cycle()) {
        let stamp = format!("{}.{:03}:{}", START + number / 1_000, number % 1_000, number + 1);
        for (before, behind) in &event.0 {
            writeln!(out, "{before}{stamp}{behind}")?;
            log.records += 1;
            log.bytes += (before.len() + stamp.len() + behind.len() + 1) as u64;
        }
    }
    out.flush().with_context(|| format!("write {}", to.display()))?;
    Ok(log)
}

/// The events of a log, without auditd's own and those that are not of everyday size.
fn parse(text: &str) -> Vec<LogEvent> {
    let mut events: Vec<(&str, LogEvent)> = Vec::new();
    for line in text.lines().filter(|line| !line.contains("type=DAEMON_")) {
        let Some((before, rest)) = line.split_once(OPEN) else { continue };
        let Some((stamp, behind)) = rest.split_once(')') else { continue };
        let parts = (format!("{before}{OPEN}"), format!("){behind}"));
        match events.iter_mut().find(|(known, _)| *known == stamp) {
            Some((_, event)) => event.0.push(parts),
            None => events.push((stamp, LogEvent(vec![parts]))),
        }
    }
    let size = |event: &LogEvent| event.0.iter().map(|(a, b)| a.len() + b.len()).sum::<usize>();
    events.into_iter().map(|(_, event)| event).filter(|event| size(event) < 4_096).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_repeated_with_other_stamps() {
        let dir = tempfile::tempdir().unwrap();
        let (source, to) = (dir.path().join("source"), dir.path().join("log"));
        let text = "type=DAEMON_START msg=audit(1.0:1): a=1\ntype=SYSCALL msg=audit(1.0:7): a=1\n\
                    type=USER_CMD msg=audit(1.0:8): c=1\ntype=CWD msg=audit(1.0:7): b=2\n";
        fs::write(&source, text).unwrap();
        let log = write(&[&source], |records| records == 2, 2, &to).unwrap();
        let expected = "type=SYSCALL msg=audit(1735689600.000:1): a=1\n\
                        type=CWD msg=audit(1735689600.000:1): b=2\n\
                        type=SYSCALL msg=audit(1735689600.001:2): a=1\n\
                        type=CWD msg=audit(1735689600.001:2): b=2\n";
        assert_eq!(fs::read_to_string(&to).unwrap(), expected);
        assert_eq!(log, Log { events: 2, records: 4, bytes: expected.len() as u64 });
        assert!(write(&[&source], |records| records == 9, 1, &to).is_err());
    }
}
