//! What `scenarios run` prints: a line for each scenario, `PASS NAME (TIME)`, `FAIL NAME (TIME): WHY`
//! or `SKIP NAME (TIME): WHY`, `DEGRADED HOOK: WHY` for what the agent does without, and at the end
//! `scenarios: hooks=SET kernel=RELEASE COUNTS`.

use super::{
    matrix::Outcome,
    report::{Reason, Row, Tally},
};

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
    /// Hooks that the agent does without.
    degraded: Vec<String>,
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

    /// Results so far.
    pub(super) fn seen(&self) -> Tally {
        self.seen
    }

    /// What the run came to, with the kernel's release; `status` is `None` if it was cut off, `ended`
    /// says why.
    ///
    /// A run that does not add up has failed, whatever it says of itself. One that could not begin has
    /// not: whether that is as it should be, the outcome has to be judged by.
    pub(super) fn finish(
        self,
        kernel: &str,
        hooks: &str,
        filtered: bool,
        status: Option<u8>,
        ended: &str,
    ) -> (Row, Outcome, String) {
        let Self { seen, failures, skips, mut degraded, summary, partial: _ } = self;
        let name = match &summary {
            Some((release, _)) => format!("{kernel} ({release})"),
            None => kernel.to_owned(),
        };
        let release = summary.as_ref().map(|(release, _)| release.clone()).unwrap_or_default();
        let mut row = Row { tally: seen, failures, skips, ..Row::new(name, hooks) };
        let wrong = match (summary, status) {
            (_, None) => Some(ended.to_owned()),
            (None, Some(status)) => Some(format!("no summary, exit status {status}")),
            (Some((_, Err(why))), Some(1)) if seen == Tally::default() => {
                // What the agent logged before it gave up differs from run to run.
                let why = why.rsplit_once("error: ").map_or(why.as_str(), |(_, error)| error);
                return (row, Outcome::Impossible(why.to_owned()), release);
            }
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
        degraded.sort();
        let outcome = match (row.tally.failed, degraded.is_empty()) {
            (0, true) => Outcome::Passed,
            (0, false) => Outcome::Degraded(degraded),
            _ => Outcome::Failed,
        };
        (row, outcome, release)
    }

    fn line(&mut self, line: &str) {
        if let Some(summary) = line.strip_prefix("scenarios: ") {
            self.summary = parse_summary(summary);
            return;
        }
        let Some((verdict, rest)) = line.split_once(' ') else { return };
        if verdict == "DEGRADED" {
            let hook = rest.split_once(": ").map_or(rest, |(hook, _)| hook);
            self.degraded.push(hook.to_owned());
            return;
        }
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
        run.finish("6.1", "kprobe", false, status, "time ran out").0
    }

    fn outcome(text: &str, status: u8) -> Outcome {
        let mut run = Run::default();
        run.push(text.as_bytes());
        run.finish("6.1", "kprobe", false, Some(status), "").1
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
    fn what_a_run_comes_to() {
        let end = "scenarios: hooks=kprobe kernel=6.1 1 passed, 0 failed, 0 skipped\n";
        let degraded = format!("DEGRADED tp_late at kfree_skb: less exact: EPERM\nPASS a\n{end}");
        let without = vec!["tp_late at kfree_skb".to_owned()];
        assert_eq!(outcome(&degraded, 0), Outcome::Degraded(without));
        assert_eq!(outcome(&format!("PASS a\n{end}"), 0), Outcome::Passed);
        let refused = "scenarios: hooks=kprobe kernel=6.1 could not run: no agent\n";
        assert_eq!(outcome(refused, 1), Outcome::Impossible("could not run: no agent".into()));
        let logged = refused.replace("no agent", "ended: 2026 INFO x | error: locked");
        assert_eq!(outcome(&logged, 1), Outcome::Impossible("locked".into()));
        assert_eq!(outcome(&format!("FAIL a (1 s): b\n{refused}"), 1), Outcome::Failed);
        assert_eq!(outcome(refused, 101), Outcome::Failed);
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
            (refused, Some(2), "could not run: no agent"),
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
