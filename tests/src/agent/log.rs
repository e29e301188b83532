//! The agent's standard error.

use std::{
    collections::BTreeMap,
    fs::File,
    io::Write,
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};

#[derive(Debug)]
pub(super) struct Log {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug)]
struct State {
    lines: Vec<String>,
    copy: Option<File>,
    ready: bool,
    ended: bool,
}

impl Log {
    pub(super) fn new(copy: Option<File>) -> Self {
        let state = State { lines: Vec::new(), copy, ready: false, ended: false };
        Self { state: Mutex::new(state), changed: Condvar::new() }
    }

    pub(super) fn line(&self, line: String) {
        let mut state = self.lock();
        state.ready |= says_ready(&line);
        if let Some(copy) = &mut state.copy {
            // The copy is a convenience: a full disk must not stop the run.
            let _ = writeln!(copy, "{line}");
        }
        state.lines.push(line);
        drop(state);
        self.changed.notify_all();
    }

    pub(super) fn end(&self) {
        self.lock().ended = true;
        self.changed.notify_all();
    }

    pub(super) fn wait_ready(&self, limit: Duration) -> Result<()> {
        let state = self.wait(Instant::now() + limit, |state| state.ready || state.ended);
        match (state.ready, state.ended) {
            (true, _) => Ok(()),
            (false, true) => bail!("the agent ended before it was ready: {}", state.tail()),
            (false, false) => {
                bail!("the agent was not ready within {limit:?}; its log ends: {}", state.tail())
            }
        }
    }

    pub(super) fn wait_end(&self, deadline: Instant) -> bool {
        self.wait(deadline, |state| state.ended).ended
    }

    pub(super) fn tail(&self) -> String {
        self.lock().tail()
    }

    pub(super) fn lines(&self) -> Vec<String> {
        self.lock().lines.clone()
    }

    pub(super) fn counters(&self) -> Result<BTreeMap<String, u64>> {
        let state = self.lock();
        let mut all = BTreeMap::new();
        for line in &state.lines {
            all.extend(counters(line).transpose()?.unwrap_or_default());
        }
        ensure!(!all.is_empty(), "the agent logged no counters: {}", state.tail());
        Ok(all)
    }

    /// Waits until a line holds a text; whether one does.
    pub(super) fn wait_line(&self, text: &str, deadline: Instant) -> bool {
        self.wait_lines(text, 1, deadline)
    }

    /// Waits until so many lines hold a text; whether they do.
    pub(super) fn wait_lines(&self, text: &str, times: usize, deadline: Instant) -> bool {
        let hold =
            |state: &State| state.lines.iter().filter(|line| line.contains(text)).count() >= times;
        hold(&self.wait(deadline, hold))
    }

    fn wait(&self, deadline: Instant, done: impl Fn(&State) -> bool) -> MutexGuard<'_, State> {
        let mut state = self.lock();
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            if done(&state) || left.is_zero() {
                return state;
            }
            state =
                self.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn tail(&self) -> String {
        let from = self.lines.len().saturating_sub(5);
        self.lines.get(from..).unwrap_or_default().join(" | ")
    }
}

/// What a line says of a hook that could not be attached, if it does: `HOOK: EFFECT: REASON`.
pub(super) fn degraded(line: &str) -> Option<String> {
    let (_, said) = line.split_once(" WARN sensor: ")?;
    let (hook, why) = said.split_once(" not attached: ")?;
    Some(format!("{hook}: {why}"))
}

fn says_ready(line: &str) -> bool {
    line.split(|c: char| !c.is_ascii_alphanumeric()).any(|word| word == "ready")
}

/// The counters of a line that holds any.
fn counters(line: &str) -> Option<Result<BTreeMap<String, u64>>> {
    let (_, rest) = line.split_once("counters ")?;
    rest.starts_with('{').then(|| {
        serde_json::from_str(rest).with_context(|| format!("counters that make no sense: {line}"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn readiness_is_a_word_of_its_own() {
        assert!(says_ready("INFO sensor: ready: hooks=cgroup"));
        assert!(!says_ready("INFO sensor: already loaded"));
    }

    #[test]
    fn a_hook_that_is_missing_is_told() {
        let line = "2026 WARN sensor: tp_late at kfree_skb not attached: less exact: EPERM";
        assert_eq!(degraded(line).as_deref(), Some("tp_late at kfree_skb: less exact: EPERM"));
        assert_eq!(degraded("2026 INFO sensor: a not attached: b: c"), None);
    }

    #[test]
    fn counters_are_read_or_refused() {
        let line = r#"INFO sensor: counters {"midway": 2, "closed_lost": 0}"#;
        let read = counters(line).expect("counters").expect("sensible ones");
        assert_eq!(read.get("midway"), Some(&2));
        assert!(counters("INFO sensor: no counters here").is_none());
        assert!(counters("counters {\"midway\": -1}").expect("counters").is_err());
    }
}
