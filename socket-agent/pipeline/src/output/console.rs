//! Standard output.

use std::{
    io::{self, ErrorKind},
    os::fd::AsFd as _,
    time::Duration,
};

use super::{
    Failure, Output,
    lines::{LineWriter, write_remedy},
};
use crate::{Backoff, Delivery};

/// Documents as lines on standard output.
#[derive(Debug)]
pub struct Console {
    writer: LineWriter,
}

// === impl Console ===

impl Console {
    /// Standard output.
    ///
    /// # Errors
    ///
    /// The process has no descriptor left.
    pub fn stdout() -> io::Result<Self> {
        let descriptor = io::stdout().as_fd().try_clone_to_owned()?;
        Ok(Self { writer: LineWriter::new(descriptor.into()) })
    }

    #[cfg(test)]
    pub(crate) fn of(file: std::fs::File) -> Self {
        Self { writer: LineWriter::new(file) }
    }
}

impl Output for Console {
    fn name(&self) -> &str {
        "standard output"
    }

    /// A closed pipe is the end: nobody can open it again.
    fn publish(&mut self, delivery: &mut Delivery) -> Result<(), Failure> {
        self.writer.write(delivery).map_err(|error| match error.kind() {
            ErrorKind::BrokenPipe => Failure::closed("its reader is gone"),
            _ => Failure::retry(format!("writing failed: {error}; {}", write_remedy(&error))),
        })
    }

    fn backoff(&self) -> Backoff {
        Backoff::new(Duration::from_millis(100), Duration::from_secs(5))
    }
}
