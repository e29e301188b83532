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

/// Pause between two looks.
const PAUSE: Duration = Duration::from_millis(160);

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
        ticks.looked()?;
        Ok(ticks)
    }

    /// Waits for the next look.
    pub(super) async fn next(&self) -> anyhow::Result<()> {
        self.expired.readable().await.context("cannot wait for a timer")?.clear_ready();
        Ok(())
    }

    /// The look is over: the next one follows after the pause. Setting the timer also forgets that it has
    /// expired, so that it need not be read.
    pub(super) fn looked(&self) -> anyhow::Result<()> {
        let expiration = Expiration::OneShot(TimeSpec::from_duration(PAUSE));
        self.timer.set(expiration, TimerSetTimeFlags::empty()).context("cannot set a timer")
    }
}
