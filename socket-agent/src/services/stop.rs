//! The order to stop, for threads that wait for descriptors.

use std::{
    io::{self, PipeReader, PipeWriter},
    os::fd::{AsFd, BorrowedFd, OwnedFd},
};

use anyhow::Context;

/// The end of a stop signal that gives the order.
#[derive(Debug)]
pub(crate) struct Stopper {
    /// Write end of the pipe, open as long as all go on.
    writer: PipeWriter,
    reader: PipeReader,
}

/// The end of a stop signal that waits for the order.
#[derive(Debug)]
pub(crate) struct Stop {
    reader: PipeReader,
}

// === impl Stopper ===

impl Stopper {
    pub(crate) fn new() -> anyhow::Result<Self> {
        let (reader, writer) = io::pipe().context("cannot make a pipe")?;
        Ok(Self { writer, reader })
    }

    /// One that hears the order.
    pub(crate) fn listener(&self) -> anyhow::Result<Stop> {
        let reader = self.reader.try_clone().context("cannot duplicate a pipe")?;
        Ok(Stop { reader })
    }

    /// Tells all to stop.
    pub(crate) fn stop(self) {
        drop(self.writer);
    }
}

// === impl Stop ===

impl Stop {
    /// Another descriptor that becomes readable when the order comes.
    pub(crate) fn descriptor(&self) -> anyhow::Result<OwnedFd> {
        self.reader.as_fd().try_clone_to_owned().context("cannot duplicate a pipe")
    }
}

impl AsFd for Stop {
    /// Becomes readable when the order comes.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.reader.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

    use super::*;

    fn hears(stop: &Stop) -> bool {
        let mut descriptors = [PollFd::new(stop.as_fd(), PollFlags::POLLIN)];
        poll(&mut descriptors, PollTimeout::ZERO).unwrap() > 0
    }

    #[test]
    fn all_hear_the_order_and_none_before() {
        let stopper = Stopper::new().unwrap();
        let (one, two) = (stopper.listener().unwrap(), stopper.listener().unwrap());
        assert!(!hears(&one) && !hears(&two));
        stopper.stop();
        assert!(hears(&one) && hears(&two));
    }
}
