//! Where documents go: one per line, to standard output or to a file.

mod sink;

use std::{
    fs::{File, OpenOptions},
    io::{self, ErrorKind, Write},
    os::fd::{AsFd, BorrowedFd},
    path::{Path, PathBuf},
};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

pub use sink::Sink;

/// Documents are written once this many bytes have gathered.
const FULL: usize = 64 << 10;

/// Why documents could not be written.
#[derive(Debug, thiserror::Error)]
pub enum OutputError {
    /// The reader of a pipe is gone. Nothing is wrong; there is just nobody left to write to.
    #[error("the reader of {target} is gone")]
    Closed {
        /// What was written to.
        target: String,
    },
    /// The output file cannot be opened.
    #[error("cannot write to {}: {source}; {remedy}", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
        /// What helps.
        remedy: &'static str,
    },
    /// Writing failed half-way.
    #[error("writing to {target} failed: {source}; {remedy}")]
    Write {
        /// What was written to.
        target: String,
        /// Why.
        source: io::Error,
        /// What helps.
        remedy: &'static str,
    },
}

/// What documents are written to. Each write holds whole documents only, as far as the target takes
/// them, so that several processes can append to one file.
#[derive(Debug)]
pub struct Output {
    target: String,
    file: File,
}

impl Output {
    /// Standard output.
    ///
    /// # Errors
    ///
    /// The process has no descriptor left.
    pub fn stdout() -> Result<Self, OutputError> {
        let target = "standard output";
        let descriptor = io::stdout().as_fd().try_clone_to_owned();
        let descriptor = descriptor.map_err(|source| write_error(target, source))?;
        Ok(Self::new(target.to_owned(), descriptor.into()))
    }

    /// A file, which is made if it is not there and appended to if it is.
    ///
    /// # Errors
    ///
    /// The file cannot be opened for writing, or nobody may write to it: root could all the same,
    /// but a file is not made read-only for nothing.
    pub fn file(path: &Path) -> Result<Self, OutputError> {
        let failed = |source, remedy| OutputError::Open { path: path.to_owned(), source, remedy };
        if path.metadata().is_ok_and(|meta| meta.is_file() && meta.permissions().readonly()) {
            let source = io::Error::new(ErrorKind::PermissionDenied, "the file is read-only");
            return Err(failed(source, "allow writing with `chmod u+w` or choose another file"));
        }
        let file = OpenOptions::new().create(true).append(true).open(path).map_err(|source| {
            let remedy = open_remedy(&source);
            failed(source, remedy)
        })?;
        Ok(Self::new(path.display().to_string(), file))
    }

    fn new(target: String, file: File) -> Self {
        Self { target, file }
    }

    /// Writes lines and takes them out of `lines`, as far as they could be written: calling again
    /// goes on where it stopped.
    fn write(&mut self, lines: &mut Vec<u8>) -> Result<(), OutputError> {
        let mut written = 0;
        let result = loop {
            let Some(rest) = lines.get(written..).filter(|rest| !rest.is_empty()) else {
                break Ok(());
            };
            match self.file.write(rest) {
                Ok(0) => break Err(ErrorKind::WriteZero.into()),
                Ok(count) => written += count,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    if let Err(error) = wait_writable(self.file.as_fd()) {
                        break Err(error);
                    }
                }
                Err(error) => break Err(error),
            }
        };
        lines.drain(..written);
        result.map_err(|source| write_error(&self.target, source))
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

fn open_remedy(error: &io::Error) -> &'static str {
    match error.kind() {
        ErrorKind::NotFound => "create its directory first",
        ErrorKind::PermissionDenied => {
            "make the file and its directory writable for the user that the agent runs as"
        }
        ErrorKind::ReadOnlyFilesystem => {
            "choose a file on a file system that is mounted for writing"
        }
        ErrorKind::IsADirectory => "name a file in that directory",
        _ => "choose another file",
    }
}

fn write_error(target: &str, source: io::Error) -> OutputError {
    let target = target.to_owned();
    match source.kind() {
        ErrorKind::BrokenPipe => OutputError::Closed { target },
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => {
            OutputError::Write { target, source, remedy: "free some space" }
        }
        ErrorKind::FileTooLarge => {
            OutputError::Write { target, source, remedy: "move the file away or raise its limit" }
        }
        _ => OutputError::Write { target, source, remedy: "check what it leads to" },
    }
}

#[cfg(test)]
mod tests;
