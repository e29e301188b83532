//! What `scenarios run` prints: a line for each scenario, `PASS NAME (TIME)`, `FAIL NAME (TIME): WHY`
//! or `SKIP NAME (TIME): WHY`, and at the end `scenarios: hooks=SET kernel=RELEASE COUNTS`.

use super::report::{Reason, Row, Tally};

/// Arguments of the runner for one hook set.
pub(super) fn arguments(agent: &str, hooks: &str, filter: Option<&str>) -> Vec<String> {
    let mut arguments = vec!["run", "--agent", agent, "--hooks", hooks];
    if let Some(filter) = filter {
        arguments.extend(["--filter", filter]);
    }
    arguments.into_iter().map(str::to_owned).collect()
}

/// Arguments of the runner for a load of one hook set.
pub(super) fn load_arguments(
    agent: &str,
    hooks: &str,
    filter: Option<&str>,
    divisor: u32,
) -> Vec<String> {
    let mut arguments = arguments(agent, hooks, filter);
    arguments[0] = "load".to_owned();
    arguments.extend(["--divisor".to_owned(), divisor.to_string()]);
    arguments
}

/// Follows the output of one run.
#[derive(Debug, Default)]
pub(super) struct Run {
    seen: Tally,
    failures: Vec<Reason>,
    skips: Vec<Reason>,
    /// Release of the kernel and counts, or why there are none.
    summary: Option<(String, Result<Tally, String>)>,
    partial: Vec<u8>,
}

// === impl Run ===

impl Run {
    /// Takes a piece of standard output.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.partial.extend_from_slice(bytes);
        while let Some(end) = self.partial.iter().position(|&byte| byte == b'\n') {
            let line: Vec<u8> = self.partial.drain(..=end).collect();
            self.line(String::from_utf8_lossy(&line).trim_end());
        }
    }

    /// What the run came to; `status` is `None` if it was cut off, `ended` says why.
    ///
    /// A run that does not add up has failed, whatever it says of itself.
    pub(super) fn into_row(
        self,
        kernel: &str,
        hooks: &str,
        filtered: bool,
        status: Option<u8>,
        ended: &str,
    ) -> Row {
        let Self { seen, failures, skips, summary, partial: _ } = self;
        let name = match &summary {
            Some((release, _)) => format!("{kernel} ({release})"),
            None => kernel.to_owned(),
        };
        let mut row = Row { tally: seen, failures, skips, ..Row::new(name, hooks) };
        let wrong = match (summary, status) {
            (_, None) => Some(ended.to_owned()),
            (None, Some(status)) => Some(format!("no summary, exit status {status}")),
            (Some((_, Err(why))), _) => Some(why),
            (Some((_, Ok(said))), _) if said != seen => {
                Some(format!("the summary says {said}, the lines before it {seen}"))
            }
            (Some((_, Ok(said))), Some(status)) if (status == 0) != (said.failed == 0) => {
                Some(format!("exit status {status} with {said}"))
            }
            (Some((_, Ok(said))), _) if said == Tally::default() && !filtered => {
                Some("there was no scenario to run".to_owned())
            }
            _ => None,
        };
        if let Some(wrong) = wrong {
            row.fail("scenarios run", wrong);
        }
        row
    }

    fn line(&mut self, line: &str) {
        if let Some(summary) = line.strip_prefix("scenarios: ") {
            self.summary = parse_summary(summary);
            return;
        }
        let Some((verdict, rest)) = line.split_once(' ') else { return };
        let (name, why) = rest.split_once(": ").unwrap_or((rest, "no reason was printed"));
        let name = name.split_once(" (").map_or(name, |(name, _time)| name);
        match verdict {
            "PASS" => self.seen.passed += 1,
            "FAIL" => {
                self.seen.failed += 1;
                self.failures.push(Reason::new(name, why));
            }
            "SKIP" => {
                self.seen.skipped += 1;
                self.skips.push(Reason::new(name, why));
            }
            _ => {}
        }
    }
}

/// `hooks=SET kernel=RELEASE 5 passed, 0 failed, 1 skipped`, or words in place of the counts.
fn parse_summary(text: &str) -> Option<(String, Result<Tally, String>)> {
    let (_, rest) = text.split_once(" kernel=")?;
    let (release, rest) = rest.split_once(' ')?;
    Some((release.to_owned(), parse_tally(rest).ok_or_else(|| rest.to_owned())))
}

fn parse_tally(text: &str) -> Option<Tally> {
    let mut parts = text.split(", ");
    let mut next = |word| parts.next()?.strip_suffix(word)?.trim().parse().ok();
    Some(Tally { passed: next("passed")?, failed: next("failed")?, skipped: next("skipped")? })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(text: &str, status: Option<u8>) -> Row {
        let mut run = Run::default();
        // As a pipe might deliver it.
        text.as_bytes().chunks(5).for_each(|piece| run.push(piece));
        run.into_row("6.1", "kprobe", false, status, "time ran out")
    }

    const GOOD: &str = "PASS tcp_v4 (0.3 s)\nnoise\nSKIP veth (0.0 s): no veth: load it\n\
                        scenarios: hooks=kprobe kernel=6.1.0-56 1 passed, 0 failed, 1 skipped\n";

    #[test]
    fn a_good_run() {
        let row = row(GOOD, Some(0));
        assert_eq!(row.tally, Tally { passed: 1, failed: 0, skipped: 1 });
        assert_eq!(row.kernel, "6.1 (6.1.0-56)");
        assert_eq!(row.skips, [Reason::new("veth", "no veth: load it")]);
        assert!(row.failures.is_empty());
    }

    #[test]
    fn a_failed_scenario() {
        let text = "FAIL udp (1.0 s): one packet is missing\n\
                    scenarios: hooks=kprobe kernel=6.1 0 passed, 1 failed, 0 skipped\n";
        let row = row(text, Some(1));
        assert_eq!(row.tally, Tally { passed: 0, failed: 1, skipped: 0 });
        assert_eq!(row.failures, [Reason::new("udp", "one packet is missing")]);
    }

    #[test]
    fn a_run_that_does_not_add_up_has_failed() {
        let cut = "PASS tcp_v4 (0.3 s)\n";
        let refused = "scenarios: hooks=kprobe kernel=6.1 could not run: no agent\n";
        let other = "PASS a\nscenarios: hooks=x kernel=6.1 2 passed, 0 failed, 0 skipped\n";
        let empty = "scenarios: hooks=x kernel=6.1 0 passed, 0 failed, 0 skipped\n";
        for (text, status, why) in [
            (cut, None, "time ran out"),
            (cut, Some(101), "no summary, exit status 101"),
            (refused, Some(1), "could not run: no agent"),
            (other, Some(0), "the summary says 2 passed"),
            (GOOD, Some(1), "exit status 1 with 1 passed"),
            (empty, Some(0), "there was no scenario"),
            ("", Some(0), "no summary"),
        ] {
            let row = row(text, status);
            assert_eq!(row.tally.failed, 1, "{text}");
            assert!(row.failures[0].why.starts_with(why), "{:?}", row.failures);
        }
    }
}
