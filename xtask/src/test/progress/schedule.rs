//! What is done, what runs and what is to come, and how long that will take by what it took before.

use std::time::Duration;

/// How far one part of the work is. Times are counted from the start of the whole.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Stage {
    #[default]
    Waiting,
    Running(Duration),
    Done,
}

/// One part of the work.
#[derive(Clone, Debug)]
pub(super) struct Item {
    pub(super) name: String,
    /// Time that it took in the last run.
    pub(super) before: Option<Duration>,
    pub(super) stage: Stage,
}

/// Steps that follow each other, and machines, several at a time, that begin beside some step.
#[derive(Clone, Debug, Default)]
pub(super) struct Schedule {
    pub(super) steps: Vec<Item>,
    /// How many steps come before the machines.
    pub(super) alone: usize,
    /// In the order they begin.
    pub(super) machines: Vec<Item>,
    /// Machines at a time.
    pub(super) at_a_time: usize,
}

/// Estimate of the time left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Left {
    pub(super) time: Duration,
    /// Whether each part of it ran before; otherwise it is the least it can take.
    pub(super) known: bool,
}

// === impl Item ===

impl Item {
    pub(super) fn new(name: String, before: Option<Duration>) -> Self {
        Self { name, before, stage: Stage::Waiting }
    }

    /// What is left of it. What takes longer than the last time may end at any moment.
    fn left(&self, now: Duration) -> Duration {
        let before = self.before.unwrap_or_default();
        match self.stage {
            Stage::Waiting => before,
            Stage::Running(since) => before.saturating_sub(now.saturating_sub(since)),
            Stage::Done => Duration::ZERO,
        }
    }

    fn is_known(&self) -> bool {
        self.before.is_some() || self.stage == Stage::Done
    }
}

// === impl Schedule ===

impl Schedule {
    pub(super) fn left(&self, now: Duration) -> Left {
        let (alone, beside) = self.steps.split_at(self.alone.min(self.steps.len()));
        let sum = |steps: &[Item]| steps.iter().map(|step| step.left(now)).sum::<Duration>();
        let time = sum(alone) + sum(beside).max(self.machines_left(now));
        let known = self.steps.iter().chain(&self.machines).all(Item::is_known);
        Left { time, known }
    }

    /// Until the last machine ends, if each begins as soon as another has ended.
    fn machines_left(&self, now: Duration) -> Duration {
        let running = |item: &&Item| matches!(item.stage, Stage::Running(_));
        let mut ends: Vec<Duration> =
            self.machines.iter().filter(running).map(|machine| machine.left(now)).collect();
        ends.resize(self.at_a_time.max(1).max(ends.len()), Duration::ZERO);
        for machine in self.machines.iter().filter(|machine| machine.stage == Stage::Waiting) {
            if let Some(first) = ends.iter_mut().min() {
                *first += machine.left(now);
            }
        }
        ends.into_iter().max().unwrap_or_default()
    }

    /// What runs, with how long it has; how many machines have ended.
    pub(super) fn state(&self, now: Duration) -> String {
        let of = |item: &Item, since: Duration| {
            format!("{} for {}", item.name, human(now.saturating_sub(since)))
        };
        let running = |items: &[Item]| -> Vec<String> {
            let running = items.iter().filter_map(|item| match item.stage {
                Stage::Running(since) => Some(of(item, since)),
                Stage::Waiting | Stage::Done => None,
            });
            running.collect()
        };
        let mut parts = running(&self.steps);
        let machines = running(&self.machines);
        if !machines.is_empty() {
            parts.extend(machines);
            let done = self.machines.iter().filter(|item| item.stage == Stage::Done).count();
            parts.push(format!("{done} of {} machines done", self.machines.len()));
        }
        parts.join(", ")
    }
}

// === impl Left ===

impl Left {
    /// For people; nothing if no earlier run gives a time.
    pub(super) fn words(&self) -> Option<String> {
        let Self { time, known } = self;
        match (*known, time.as_secs()) {
            (true, 0) => Some("should have ended by now".to_owned()),
            (true, _) => Some(format!("about {} left", human(*time))),
            (false, 0) => None,
            (false, _) => Some(format!("{} left, and what never ran here", human(*time))),
        }
    }
}

/// A time as people say it: `45 s`, `2 min 5 s`, from ten minutes on `12 min`.
pub(super) fn human(time: Duration) -> String {
    let seconds = time.as_secs();
    match (seconds / 60, seconds % 60) {
        (0, seconds) => format!("{seconds} s"),
        (minutes @ 10.., _) | (minutes, 0) => format!("{minutes} min"),
        (minutes, seconds) => format!("{minutes} min {seconds} s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn seconds(count: u64) -> Duration {
        Duration::from_secs(count)
    }

    fn items(before: &[Option<u64>]) -> Vec<Item> {
        let of = |(number, before): (usize, &Option<u64>)| {
            Item::new(format!("{number}"), before.map(seconds))
        };
        before.iter().enumerate().map(of).collect()
    }

    /// Two steps alone, two beside three machines of which two run at a time.
    fn schedule() -> Schedule {
        Schedule {
            steps: items(&[Some(10), Some(20), Some(30), Some(5)]),
            alone: 2,
            machines: items(&[Some(60), Some(40), Some(30)]),
            at_a_time: 2,
        }
    }

    #[test]
    fn machines_run_beside_the_later_steps() {
        let mut schedule = schedule();
        // 10 + 20, then 40 + 30 on one of two places while the other steps take 35.
        assert_eq!(schedule.left(seconds(0)), Left { time: seconds(100), known: true });
        schedule.machines.truncate(1);
        schedule.machines[0].before = Some(seconds(1));
        assert_eq!(schedule.left(seconds(0)).time, seconds(65));
    }

    #[test]
    fn what_has_run_is_not_to_come() {
        let mut schedule = schedule();
        schedule.steps[0].stage = Stage::Done;
        schedule.steps[1].stage = Stage::Running(seconds(8));
        assert_eq!(schedule.left(seconds(20)).time, seconds(8 + 70));
        schedule.steps[1].stage = Stage::Done;
        schedule.steps[2].stage = Stage::Running(seconds(30));
        schedule.machines[0].stage = Stage::Running(seconds(30));
        schedule.machines[1].stage = Stage::Running(seconds(30));
        assert_eq!(schedule.left(seconds(60)).time, seconds(40));
        // Longer than the last time.
        assert_eq!(schedule.left(seconds(600)).time, seconds(30));
        let state = "2 for 9 min 30 s, 0 for 9 min 30 s, 1 for 9 min 30 s, 0 of 3 machines done";
        assert_eq!(schedule.state(seconds(600)), state);
    }

    #[test]
    fn what_never_ran_is_not_guessed() {
        let mut schedule = schedule();
        schedule.steps[0].before = None;
        let left = schedule.left(seconds(0));
        assert_eq!(left, Left { time: seconds(90), known: false });
        assert_eq!(left.words().as_deref(), Some("1 min 30 s left, and what never ran here"));
        schedule.steps[0].stage = Stage::Done;
        assert!(schedule.left(seconds(0)).known);
        let first = Schedule { steps: items(&[None]), ..Schedule::default() };
        assert_eq!(first.left(seconds(9)).words(), None);
    }

    #[test]
    fn times_are_told_in_words() {
        let times = [0, 59, 60, 125, 599, 600, 3725].map(|count| human(seconds(count)));
        assert_eq!(times, ["0 s", "59 s", "1 min", "2 min 5 s", "9 min 59 s", "10 min", "62 min"]);
    }
}
