//! Processor time that scenarios take: what an emulated machine is short of.

use std::{
    fmt,
    time::{Duration, Instant},
};

use nix::sys::{
    resource::{UsageWho, getrusage},
    time::TimeValLike,
};

/// Time that goes by, and what this program and the processes it has waited for make of it.
#[derive(Debug)]
pub struct Cost {
    start: Instant,
    own: Duration,
    children: Duration,
}

impl Cost {
    /// Measures from now on.
    pub fn begin() -> Self {
        let [own, children] = [UsageWho::RUSAGE_SELF, UsageWho::RUSAGE_CHILDREN].map(used);
        Self { start: Instant::now(), own, children }
    }
}

impl fmt::Display for Cost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let now = Self::begin();
        let seconds = |now: Duration, then: Duration| now.saturating_sub(then).as_secs_f64();
        write!(
            f,
            "({:.1} s): {:.1} s of processor time for agents and workers, {:.1} s for the rest",
            self.start.elapsed().as_secs_f64(),
            seconds(now.children, self.children),
            seconds(now.own, self.own),
        )
    }
}

/// Zero where the kernel does not report it.
fn used(who: UsageWho) -> Duration {
    let Ok(usage) = getrusage(who) else { return Duration::ZERO };
    [usage.user_time(), usage.system_time()]
        .map(|time| {
            let micros = u64::try_from(time.num_microseconds()).unwrap_or_default();
            Duration::from_micros(micros)
        })
        .into_iter()
        .sum()
}
