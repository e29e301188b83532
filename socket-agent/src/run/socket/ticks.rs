//! When the ring is looked at, if nothing wakes the agent before.

use std::{
    os::fd::{AsFd, OwnedFd},
    time::Duration,
};

use anyhow::Context as _;
use nix::sys::{
    time::TimeSpec,
    timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags},
};
use tokio::io::unix::AsyncFd;

/// Pause while something happens.
const BUSY: Duration = Duration::from_millis(100);
/// Pause when nothing has happened since the last look. Other datasets wait for what the ring tells of
/// processes, for not much longer.
const IDLE: Duration = Duration::from_millis(200);

/// One timer of the kernel's, which wakes the agent once for each look; those of the event loop would do
/// so twice.
pub(super) struct Ticks {
    timer: TimerFd,
    expired: AsyncFd<OwnedFd>,
}

// === impl Ticks ===

impl Ticks {
    /// To be called within an event loop.
    pub(super) fn start() -> anyhow::Result<Self> {
        let flags = TimerFlags::TFD_CLOEXEC | TimerFlags::TFD_NONBLOCK;
        let timer = TimerFd::new(ClockId::CLOCK_MONOTONIC, flags).context("cannot make a timer")?;
        let copy = timer.as_fd().try_clone_to_owned().context("cannot duplicate a timer")?;
        // SAFETY: an owned descriptor, which keeps naming the timer for as long as it is registered.
        let expired = unsafe { AsyncFd::register(copy) }.context("cannot wait for a timer")?;
        let ticks = Self { timer, expired };
        ticks.after(BUSY)?;
        Ok(ticks)
    }

    /// Waits for the next look.
    pub(super) async fn next(&self) -> anyhow::Result<()> {
        self.expired.readable().await.context("cannot wait for a timer")?.clear_ready();
        Ok(())
    }

    /// The look is over: whether there was anything to be seen.
    pub(super) fn looked(&self, busy: bool) -> anyhow::Result<()> {
        self.after(if busy { BUSY } else { IDLE })
    }

    /// Setting the timer also forgets that it has expired: it need not be read.
    fn after(&self, pause: Duration) -> anyhow::Result<()> {
        let expiration = Expiration::OneShot(TimeSpec::from_duration(pause));
        self.timer.set(expiration, TimerSetTimeFlags::empty()).context("cannot set a timer")
    }
}
