//! Documents as lines, written to a descriptor.

use std::{
    fs,
    io::{self, ErrorKind, Write as _},
    os::fd::{AsFd as _, BorrowedFd},
};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use crate::Delivery;

/// A descriptor that takes lines. Each write begins with a whole document, and holds whole documents as
/// far as the descriptor takes them, so that several processes can append to one file.
#[derive(Debug)]
pub(super) struct LineWriter {
    file: fs::File,
    /// Bytes of the next document that were written already.
    written: usize,
}

// === impl LineWriter ===

impl LineWriter {
    pub(super) fn new(file: fs::File) -> Self {
        Self { file, written: 0 }
    }

    pub(super) fn file(&self) -> &fs::File {
        &self.file
    }

    /// Whether a part of a document was written, of which the rest belongs behind it.
    pub(super) fn is_within_a_document(&self) -> bool {
        self.written > 0
    }

    /// Writes what is not settled. After an error, calling again goes on in the middle of a document, if
    /// that is where it stopped.
    pub(super) fn write(&mut self, delivery: &mut Delivery) -> io::Result<()> {
        loop {
            let from = delivery.next();
            let rest = delivery.batch().lines_from(from).get(self.written..).unwrap_or_default();
            if rest.is_empty() {
                return Ok(());
            }
            match self.file.write(rest) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(count) => {
                    let (whole, partial) = delivery.batch().split(from, self.written + count);
                    delivery.take_next(whole);
                    self.written = partial;
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    wait_writable(self.file.as_fd())?;
                }
                Err(error) => return Err(error),
            }
        }
    }
}

/// Standard output may be a non-blocking descriptor that others share: wait rather than change it.
fn wait_writable(descriptor: BorrowedFd<'_>) -> io::Result<()> {
    let mut descriptors = [PollFd::new(descriptor, PollFlags::POLLOUT)];
    match poll(&mut descriptors, PollTimeout::NONE) {
        Ok(_) | Err(nix::errno::Errno::EINTR) => Ok(()),
        Err(errno) => Err(errno.into()),
    }
}

/// What helps after a failed write.
pub(super) fn write_remedy(error: &io::Error) -> &'static str {
    match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => "free some space",
        ErrorKind::FileTooLarge => "move the file away or raise its limit",
        ErrorKind::ReadOnlyFilesystem => "mount the file system for writing",
        _ => "check what it leads to",
    }
}
