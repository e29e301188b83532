//! How far the tests are, in plain lines on standard error.

mod schedule;
mod times;

use std::{
    sync::{Mutex, MutexGuard, PoisonError, mpsc},
    time::{Duration, Instant},
};

use self::{
    schedule::{Item, Schedule, Stage, human},
    times::Times,
};
use crate::{paths::Paths, ui};

/// How often a line says what runs.
const PERIOD: Duration = Duration::from_secs(60);

/// Progress of a run, and an estimate of the rest.
pub(super) struct Progress {
    start: Instant,
    /// Whether what it takes is worth keeping: a part of the tests tells nothing of the whole.
    keep: bool,
    state: Mutex<State>,
}

struct State {
    schedule: Schedule,
    times: Times,
}

/// The kind of work that a name is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Step,
    Machine,
}

// === impl Progress ===

impl Progress {
    /// Begins with the names of all steps, of which the first `alone` run before any machine.
    pub(super) fn begin(paths: &Paths, steps: &[&str], alone: usize, keep: bool) -> Self {
        let times = Times::read(paths);
        let item = |name: &&str| Item::new((*name).to_owned(), times.of(name));
        let steps = steps.iter().map(item).collect();
        let schedule = Schedule { steps, alone, ..Schedule::default() };
        Self { start: Instant::now(), keep, state: Mutex::new(State { schedule, times }) }
    }

    /// Time that a part took in the last run.
    pub(super) fn before(&self, name: &str) -> Option<Duration> {
        self.state().times.of(name)
    }

    /// Takes the names of the machines, in the order they begin.
    pub(super) fn expect_machines(&self, names: Vec<String>, at_a_time: usize) {
        let mut state = self.state();
        let State { schedule, times } = &mut *state;
        let item = |name: String| Item { before: times.of(&name), ..Item::new(name, None) };
        schedule.machines = names.into_iter().map(item).collect();
        schedule.at_a_time = at_a_time;
    }

    /// Tells what is to come.
    pub(super) fn announce(&self) {
        let state = self.state();
        let Schedule { steps, machines, .. } = &state.schedule;
        let all = format!("{} steps and {} machines", steps.len(), machines.len());
        if steps.iter().chain(machines).all(|item| item.before.is_none()) {
            ui::note(&format!(
                "{all}; this is the first run here: how long it takes is told from the second on"
            ));
        } else {
            let left = state.schedule.left(Duration::ZERO).words();
            ui::note(&[Some(all), left].into_iter().flatten().collect::<Vec<_>>().join(": "));
        }
    }

    /// Begins a part.
    pub(super) fn started(&self, kind: Kind, name: &str) {
        let now = self.start.elapsed();
        let mut state = self.state();
        state.set(kind, name, Stage::Running(now));
        let left = state.schedule.left(now);
        let (items, what) = state.of(kind);
        let begun = items.iter().filter(|item| item.stage != Stage::Waiting).count();
        let before = items.iter().find(|item| item.name == name).and_then(|item| item.before);
        let progress = format!("{what} {begun} of {}", items.len());
        let before = before.map(|time| format!("{} the last time", human(time)));
        let parts: Vec<String> =
            [Some(progress), before, left.words()].into_iter().flatten().collect();
        let text = format!("{name} ({})", parts.join("; "));
        drop(state);
        ui::section(&text);
    }

    /// Ends a part; what it took is kept if it was all of it.
    pub(super) fn ended(&self, kind: Kind, name: &str, took: Duration, whole: bool) {
        let mut state = self.state();
        state.set(kind, name, Stage::Done);
        if self.keep
            && whole
            && let Err(error) = state.times.keep(name, took)
        {
            ui::note(&format!("{error:#}"));
        }
    }

    /// Says once a minute what runs, until the other end of `stop` is gone.
    pub(super) fn tick(&self, stop: &mpsc::Receiver<()>) {
        while stop.recv_timeout(PERIOD) == Err(mpsc::RecvTimeoutError::Timeout) {
            let now = self.start.elapsed();
            let state = self.state();
            let (running, left) = (state.schedule.state(now), state.schedule.left(now));
            drop(state);
            let parts: Vec<String> = [Some(running), left.words()].into_iter().flatten().collect();
            eprintln!("after {}: {}", human(now), parts.join("; "));
        }
    }

    /// Time that all of it has taken.
    pub(super) fn took(&self) -> String {
        human(self.start.elapsed())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl State ===

impl State {
    fn of(&mut self, kind: Kind) -> (&mut [Item], &'static str) {
        match kind {
            Kind::Step => (&mut self.schedule.steps, "step"),
            Kind::Machine => (&mut self.schedule.machines, "machine"),
        }
    }

    fn set(&mut self, kind: Kind, name: &str, stage: Stage) {
        let (items, _) = self.of(kind);
        if let Some(item) = items.iter_mut().find(|item| item.name == name) {
            item.stage = stage;
        }
    }
}
